#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "policy/compiled_policy.h"
#include "policy/grant_sets.h"

namespace tollgate::policy {

// LivePolicy is a policy while it is in force, with the sets of grants that it has been asked about: numbers
// of sets mean something under their own policy alone. Which that is, facts say by their epoch (see
// revocation::RevocationList): a policy is published first, and only then is its first epoch raised, so that
// who has read an epoch and then loads the policy has the one of that epoch, or, while the epoch is less than
// first_epoch, one that is newer. Thread-safe.
struct LivePolicy {
  LivePolicy(const Policy& policy, std::span<const std::string> servers)
      : compiled(policy, servers), sets(compiled) {}

  uint64_t first_epoch = 0;  // Set before it is published.
  const CompiledPolicy compiled;
  // It is a memory of what `compiled` answers: whoever may read a policy may let it remember.
  mutable GrantSets sets;
};

}  // namespace tollgate::policy
