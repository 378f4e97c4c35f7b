#pragma once

#include <cstdint>
#include <string_view>

#include "audit/record.h"
#include "base/key_ref.h"
#include "pipeline/context.h"
#include "policy/compiled_policy.h"
#include "sync/thread_blocks.h"
#include "tollgate/clock.h"
#include "tollgate/decision.h"
#include "tollgate/principal.h"
#include "tollgate/request.h"
#include "verdicts/verdict_cache.h"

namespace tollgate::pipeline {

// AuditIdOf is what a token is called in the audit log: the first 16 bytes of its HMAC-SHA-256 under
// Config::audit's key. All zero, "none", for no token and for one too long to be read.
audit::AuditId AuditIdOf(const Context& context, std::string_view token);

// Seen is what a check knows of its request beside the decision.
struct Seen {
  const policy::CompiledPolicy* policy = nullptr;  // Null: there was no credential to look at.
  const policy::CompiledTool* tool = nullptr;      // Null: no rule names it.
  const Principal* principal = nullptr;            // Who is calling; empty if nobody knows.
  KeyRef key{};                                    // That verified the token.
  audit::AuditId id{};
};

// Record hands a decision over to the audit log, which there is. False if that must not be done without, and
// cannot be done. Wants of the log was true.
[[nodiscard]] bool Record(Context& context, const sync::ReadScope& scope, const Request& request,
                          const Seen& seen, Now now, const Decision& decision);

// RecordHit is Record of an allow that rests on the cache, with `decision` as it would be answered: it takes
// what the cache has of the caller straight into the log. No allocation, no lock.
enum class HitRecorded : uint8_t {
  kDone,       // Or lost, which is counted.
  kMustNotBe,  // The call must not be made without a record, and there is none.
  kChanged,    // There is no record: the entry has changed.
};
[[nodiscard]] HitRecorded RecordHit(Context& context, const sync::ReadScope& scope, const Request& request,
                                    const policy::CompiledPolicy& policy, const policy::CompiledTool& tool,
                                    KeyRef key, verdicts::VerdictCache::Found found, Now now,
                                    const Decision& decision);

// DutyOf: what no rule names is recorded where it is denied, which it always is.
inline AuditDuty DutyOf(const policy::CompiledTool* tool) {
  return tool == nullptr ? AuditDuty::kSampled : tool->audit;
}

}  // namespace tollgate::pipeline
