#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "policy/compiled_policy.h"
#include "sync/thread_blocks.h"
#include "tollgate/request.h"
#include "tollgate/shadow.h"

namespace tollgate::pipeline {

// Shadow is a policy that decides beside the one in force, and changes nothing. Thread-safe.
class Shadow {
 public:
  Shadow(const Policy& policy, std::span<const std::string> servers) : compiled_(policy, servers) {}

  // Who is what a caller is called.
  struct Who {
    std::string_view issuer, subject, client_id;
  };

  // Compare holds what the policy in force has made of a request, `live`, against what this one makes of it,
  // and counts. `granted` is what this policy's Evaluate makes of the caller. Allocates and takes a lock
  // where the two differ, but waits for none.
  void Compare(const Request& request, std::string_view server, Reason live, const policy::GrantMask& granted,
               std::optional<int64_t> token_age_s, const Who& who, sync::ThreadBlock& counters) const;

  const policy::CompiledPolicy& compiled() const { return compiled_; }
  std::vector<ShadowDifference> Differences() const;

 private:
  const policy::CompiledPolicy compiled_;
  using Key = std::tuple<std::string, McpObject, std::string, Reason, Reason>;
  mutable std::mutex mutex_;
  mutable std::map<Key, ShadowDifference> differences_;
};

}  // namespace tollgate::pipeline
