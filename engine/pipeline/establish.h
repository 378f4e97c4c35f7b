#pragma once

#include <string_view>

#include "audit/record.h"
#include "keys/key_store.h"
#include "pipeline/context.h"
#include "sync/thread_blocks.h"
#include "tollgate/clock.h"
#include "tollgate/decision.h"
#include "tollgate/request.h"
#include "verdicts/facts.h"

namespace tollgate::pipeline {

// Established is what the miss path found out about a token. What it points to lives until the next Establish
// on the same thread, the key as long as the ReadScope.
struct Established {
  uint32_t issuer = 0;
  verdicts::Facts facts;
  const claims::AccessToken* token = nullptr;
  const keys::IssuerKey* key = nullptr;
  int64_t verification_cost_us = 0;  // An estimate. 0: no signature was verified.
};

// Establish is the miss path: reads `token` strictly, finds its issuer's key, verifies the signature once and
// validates the claims. kNone and the facts (not yet checked against revocations), or the reason; the parts
// of `decision` that become known are filled in. The generation of the key is the one that it had before the
// verification. `known`: see Admission.
Reason Establish(Context& context, const sync::ReadScope& scope, std::string_view token, bool known,
                 ResourceId resource, Now now, Established* established, Decision* decision);

// Remember puts established facts into the verdict cache, unless something in them is too long for a record:
// nothing is ever truncated. facts.epoch is set, and `granted` what `policy`, that epoch's, makes of the
// token; `audit_id` counts if there is an audit log. Returns whether they are in.
bool Remember(Context& context, sync::ThreadBlock& counters, const verdicts::VerdictCache::Key& key,
              const policy::LivePolicy& policy, const policy::GrantMask& granted,
              const audit::AuditId& audit_id, Now now, Established* established);

// Evaluate finds out what `policy` makes of an established token; EvaluateCached of one that the cache knows.
// The result is the thread's, valid until its next Evaluate. Allocates only what that grows.
const policy::GrantMask& Evaluate(const Context& context, const policy::CompiledPolicy& policy,
                                  const Established& established);
const policy::GrantMask& EvaluateCached(const Context& context, const policy::CompiledPolicy& policy,
                                        uint32_t issuer, const verdicts::Details& details);

}  // namespace tollgate::pipeline
