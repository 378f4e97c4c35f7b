#include "pipeline/decide.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/marks.h"
#include "pipeline/answer.h"
#include "pipeline/caller.h"
#include "pipeline/checks.h"
#include "pipeline/hit.h"
#include "pipeline/presented.h"
#include "pipeline/record.h"

namespace tollgate::pipeline {
namespace {

using verdicts::VerdictCache;

// RecordAllowed records what AllowHit has allowed; without a record that must be, it is not. False if the
// entry has changed.
[[gnu::noinline]] TOLLGATE_HOT bool RecordAllowed(Context& context, const sync::ReadScope& scope,
                                                  const policy::CompiledPolicy& policy,
                                                  const Request& request, Now now, KeyRef key,
                                                  VerdictCache::Found found, const policy::CompiledTool& tool,
                                                  Decision* decision, Principal* principal) {
  switch (RecordHit(context, scope, request, policy, tool, key, found, now, *decision)) {
    case HitRecorded::kChanged:
      return false;
    case HitRecorded::kMustNotBe:
      scope.block().Add(kCacheHits);
      scope.block().Add(kUnavailable);
      NotRecorded(decision, principal);
      return true;
    case HitRecorded::kDone:
      scope.block().Add(kAllowedHits);
      return true;
  }
  return true;
}

// AllowHit is the way of nearly every request: the cache knows the token, and there is nothing to say against
// it. All or nothing: what it does not allow, DecideHit looks at again, to say why; unless it is *absent.
TOLLGATE_INLINE bool AllowHit(Context& context, const sync::ReadScope& scope, const Presented& presented,
                              const Request& request, Now now, Decision* decision, Principal* principal,
                              bool* absent) {
  const VerdictCache& cache = *context.cache;
  VerdictCache::Line line;
  VerdictCache::Found found;
  if (const auto result = cache.Find(*presented.key, &line, &found);
      result != VerdictCache::FindResult::kFound) [[unlikely]] {
    *absent = result == VerdictCache::FindResult::kAbsent;
    return false;
  }
  if (principal != nullptr) cache.FetchDetails(found);  // Most often it is there already.
  uint32_t issuer;
  if (!context.keys->IsCurrent(line.key(), &issuer)) [[unlikely]]
    return false;
  const IssuerGate& gate = context.gates[issuer];
  const uint64_t admitting = gate.resources & cache.AudienceOf(line);
  const bool token_is_good =
      (admitting >> static_cast<uint32_t>(request.resource) & 1) != 0 && !line.sender_constrained() &&
      now.wall_s >= line.valid_from_s() && now.wall_s <= line.valid_through_s() &&
      line.epoch() == presented.stamp &&
      !VerdictCache::IsOlder(line.verified_at_mono_ms(), context.verdict_age_max_ms, now.mono_ms);
  if (!token_is_good) [[unlikely]]
    return false;
  keys::KeyStore::Standing standing{.freshness = Freshness::kFresh};
  if (!context.keys->IsFresh(issuer, now.mono_ms, &standing.age_ms)) [[unlikely]] {
    standing = context.keys->StandingAt(issuer, now.mono_ms);
    if (standing.freshness == Freshness::kUnavailable) return false;
  }
  const policy::CompiledTool* const tool = FindTool(presented, request);
  if (tool == nullptr || !presented.policy->sets.Permits(line.grant_set(), *tool)) [[unlikely]]
    return false;
  *decision = Decision{.verdict = Verdict::kAllow,
                       .reason = Reason::kNone,
                       .freshness = standing.freshness,
                       .from_cache = true,
                       .audience_is_client_id = gate.audience_is_client_id,
                       .algorithm = line.algorithm(),
                       .issuer = issuer,
                       .valid_until_s = line.valid_through_s() + 1,
                       .keys_age_ms = standing.age_ms};
  if (!tool->is_usual) [[unlikely]] {
    cache.FetchDetails(found);
    if (tool->mode != ValidationMode::kSignature) return false;
    if (tool->token_age_max_s != 0 && RecheckAge(context, found, *tool, now, decision) != Reason::kNone)
      return false;
  }
  if (principal != nullptr && !FillFromCache(context, found, issuer, principal)) [[unlikely]]
    return false;
  if (const Shadow* const shadow = context.shadow.Load(scope); shadow != nullptr) [[unlikely]]
    CompareCached(context, scope, *shadow, request, found, issuer, now, Reason::kNone);

  if (context.audit != nullptr && presented.recorded != Recorded::kNone &&
      context.audit->Wants(tool->audit, Verdict::kAllow)) {
    return RecordAllowed(context, scope, presented.policy->compiled, request, now, line.key(), found, *tool,
                         decision, principal);
  }
  scope.block().Add(kAllowedHits);
  return true;
}

TOLLGATE_INLINE void DecidePresented(Context& context, const sync::ReadScope& scope,
                                     const Presented& presented, const Request& request, Now now,
                                     Decision* decision, Principal* principal) {
  bool absent = false;
  if (presented.reason == Reason::kNone &&
      AllowHit(context, scope, presented, request, now, decision, principal, &absent)) [[likely]] {
    return;
  }
  DecideSlowly(context, scope, presented, absent, request, now, decision, principal);
}

}  // namespace

TOLLGATE_HOT void Decide(Context& context, const Request& request, const Clock& clock, Recorded recorded,
                         Decision* decision, Principal* principal) noexcept {
  VerdictCache::Key key;
  Presented presented;
  presented.recorded = recorded;
  // First: what is looked at last is the farthest away.
  BeginPresenting(context, request, false, &key, &presented);
  if (principal != nullptr && presented.reason == Reason::kNone) context.cache->FetchDetailsAhead(key);
  const Now now = clock.Read();
  const sync::ReadScope scope(context.blocks);
  EndPresenting(context, scope, request, &key, &presented);
  DecidePresented(context, scope, presented, request, now, decision, principal);
}

void RecordGivenUp(Context& context, const Request& request, const Clock& clock, const Decision& decision) {
  // What could not be recorded is counted already.
  if (context.audit == nullptr || decision.reason == Reason::kNotRecorded) return;
  const sync::ReadScope scope(context.blocks);
  VerdictCache::Key key;
  Presented presented;
  BeginPresenting(context, request, false, &key, &presented);
  EndPresenting(context, scope, request, &key, &presented);
  const bool looked = presented.reason == Reason::kNone;
  const policy::CompiledTool* const tool = looked ? FindTool(presented, request) : nullptr;
  if (!context.audit->Wants(DutyOf(tool), decision.verdict)) return;
  const Principal nobody;
  const Seen seen = {.policy = looked ? &presented.policy->compiled : nullptr,
                     .tool = tool,
                     .principal = &nobody,
                     .id = AuditIdOf(context, presented.token)};
  static_cast<void>(Record(context, scope, request, seen, clock.Read(), decision));
}

TOLLGATE_HOT void DecideBatch(Context& context, std::span<const Request> requests, const Clock& clock,
                              std::span<Decision> decisions) noexcept {
  // As many as a processor fetches at a time, and some more.
  constexpr size_t kAtOnce = 32;
  const size_t size = std::min(requests.size(), decisions.size());
  for (size_t begin = 0; begin < size; begin += kAtOnce) {
    const sync::ReadScope scope(context.blocks);
    const Now now = clock.Read();
    const size_t count = std::min(kAtOnce, size - begin);
    std::array<VerdictCache::Key, kAtOnce> keys;
    std::array<Presented, kAtOnce> presented;
    for (size_t i = 0; i < count; ++i)
      BeginPresenting(context, requests[begin + i], true, &keys[i], &presented[i]);
    for (size_t i = 0; i < count; ++i)
      EndPresenting(context, scope, requests[begin + i], &keys[i], &presented[i]);
    for (size_t i = 0; i < count; ++i) {
      if (presented[i].reason == Reason::kNone) context.cache->FetchRest(keys[i]);
    }
    for (size_t i = 0; i < count; ++i) {
      DecidePresented(context, scope, presented[i], requests[begin + i], now, &decisions[begin + i], nullptr);
    }
  }
}

}  // namespace tollgate::pipeline
