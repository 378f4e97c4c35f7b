#include "tests/sim/life.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace tollgate::sim {

// --- Questions and their answers ---

namespace {

Request RequestOf(const Question& question) {
  return {.authorization = TokenOf(question.token).authorization,
          .tool = ToolOf(question.tool).tool,
          .resource = static_cast<ResourceId>(question.resource)};
}

}  // namespace

void Life::Ask(const Question& question) {
  Decision decision;
  Principal principal;
  if (random_.OneIn(8)) {
    // Nobody has time to wait, so that it is Check.
    subject_->CheckWithin(std::chrono::milliseconds(0), RequestOf(question), &decision, &principal);
  } else {
    subject_->Check(RequestOf(question), &decision, &principal);
  }
  const Answer answer = oracle_.Ask(question, now_ms_, clock_.wall_s());
  Judge(question, answer, decision, &principal);
  if (answer.keys_seen && !answer.opaque && answer.key < 0 && random_.OneIn(8)) {
    // Absent kids may be asked for again soon, and are forgotten after a while.
    const int64_t again_ms = random_.OneIn(2) ? timing_.staleness_bound_ms : timing_.cooldown_ms;
    probes_.emplace(now_ms_ + again_ms + random_.Between(0, 1), Probe{0, question});
  }
  MayAskAgain(question, answer);
}

// MayAskAgain asks once more when an answer of the issuer has just come, or ceases to count, or when it may
// be asked again.
void Life::MayAskAgain(Question question, const Answer& answer) {
  if (!script_.introspection || !random_.OneIn(2)) return;
  int64_t after_ms = 0;
  if (answer.reason == Reason::kIntrospectionPending) {
    after_ms = random_.Between(0, timing_.introspection_timeout_ms + timing_.backoff_min_ms);
    // For another class, which may do without the answer.
    if (random_.OneIn(2)) question.tool = static_cast<int>(random_.Between(kPlainTools, kTools - 1));
  } else if (answer.reason == Reason::kTokenInactive) {
    after_ms = timing_.inactive_age_max_ms - answer.answer_age_ms;
  } else if (answer.retry_after_ms > 0) {
    after_ms = answer.retry_after_ms;
  } else if (answer.introspected) {
    after_ms = random_.Pick({AnswerAgeMaxMs(script_, question.tool), timing_.active_age_max_ms,
                             script_.last_known_age_max_s * 1000}) -
               answer.answer_age_ms;
  } else {
    return;
  }
  probes_.emplace(now_ms_ + std::max<int64_t>(after_ms, 0) + random_.Between(0, 1), Probe{0, question});
}

void Life::AskAsync(const Question& question) {
  const int64_t wait_ms = random_.Pick<int64_t>(
      {-1, 0, 1, 100, timing_.introspection_timeout_ms, timing_.fetch_timeout_ms, timing_.cooldown_ms});
  Async async{.question = question,
              .deadline_ms = now_ms_ + std::max<int64_t>(wait_ms, 0),
              .called = std::make_shared<Async::Called>()};
  ++result_.counts.asyncs;
  subject_->CheckAsync(std::chrono::milliseconds(wait_ms), RequestOf(question),
                       [this, called = async.called](const Decision& decision, const Principal& principal) {
                         if (++called->times > 1) Complain("CheckAsync was called back twice");
                         called->decision = decision;
                         called->principal = principal;
                       });
  if (Look(&async)) return;
  ++result_.counts.asyncs_waited;
  asyncs_.push_back(std::move(async));
}

// Look is for when a CheckAsync looks at this moment, at its begin or because what it has waited for has
// ended. True: that was its answer, which is that of a Check.
bool Life::Look(Async* async) {
  const Question& question = async->question;
  const Answer answer = oracle_.Ask(question, now_ms_, clock_.wall_s());
  const bool waits = (answer.waits_for_fetch() || answer.waits_for_answer()) && now_ms_ < async->deadline_ms;
  if (waits != (async->called->times == 0)) {
    Complain(Describe(question) + ": CheckAsync is " + (waits ? "" : "not ") +
             "called back, with the answer " + std::string(ReasonName(answer.reason)));
    return true;
  }
  if (!waits) {
    Judge(question, answer, async->called->decision, &async->called->principal);
    return true;
  }
  ++unseen_;
  // Its signature has been verified, if not before.
  if (answer.token_is_good && !answer.opaque && !MayHit(question))
    NoteVerified(question, answer, MayBeGone(question));
  async->answer = answer;
  async->what = WhatFor(question, answer);
  return false;
}

Life::WaitsFor Life::WhatFor(const Question& question, const Answer& answer) const {
  WaitsFor what{.issuer = question.token.issuer,
                .fetch = answer.waits_for_fetch(),
                .token = question.number(),
                .last_end = 0};
  what.last_end = LastEnd(what);
  return what;
}

uint64_t Life::LastEnd(const WaitsFor& what) const {
  const auto issuer = static_cast<size_t>(what.issuer);
  return what.fetch ? watches_[issuer].num_ended() : asks_[issuer].last_settled(what.token);
}

void Life::Judge(const Question& question, const Answer& answer, const Decision& decision,
                 const Principal* principal) {
  Counts& counts = result_.counts;
  ++counts.checks;
  ++counts.reasons[decision.reason];
  if (decision.from_cache) ++counts.hits;
  result_.seen.push_back({.now_ms = now_ms_,
                          .verdict = decision.verdict,
                          .reason = decision.reason,
                          .freshness = decision.freshness,
                          .keys_age_ms = decision.keys_age_ms,
                          .valid_until_s = decision.valid_until_s,
                          .retry_after_s = decision.retry_after_s,
                          .ambiguous_hit = answer.reason == Reason::kKeyAmbiguous && decision.from_cache});
  Log([&] {
    return Describe(question) + ": " + std::string(ReasonName(decision.reason)) +
           (decision.from_cache ? ", cached" : "");
  });
  // A hit does not look whether a second key has come by which its token, were it new, would be ambiguous:
  // the key that it was verified with is its issuer's still.
  const bool ambiguous_hit = result_.seen.back().ambiguous_hit;
  if (ambiguous_hit) ++counts.ambiguous_hits;
  const Answer demanded = ambiguous_hit ? oracle_.AskByItsKey(question, now_ms_, clock_.wall_s()) : answer;
  if (const std::string how = Differs(question, demanded, decision, principal); !how.empty())
    Complain(Describe(question) + ": " + how);
  if (!answer.opaque) JudgeCache(question, answer, decision);
  if (answer.stood_in) ++stood_in_;
  if (decision.allowed()) {
    JudgeAllow(question, demanded);
    JudgeIntrospected(question, demanded);
  }
  // Of one that should be no such answer there is nothing more to say.
  if (decision.verdict == Verdict::kUnavailable && CategoryOf(demanded.reason) == Category::kRetryLater) {
    JudgeRetryAfter(question, answer, decision);
    MayWait(question, answer, decision);
  }
}

// JudgeCache: what was verified is verified again after a while, or when its key has left meanwhile, and not
// before. An engine without a cache has the same probes, so that its life is the same.
void Life::JudgeCache(const Question& question, const Answer& answer, const Decision& decision) {
  const bool may_hit = MayHit(question), may_be_gone = MayBeGone(question);
  if (decision.from_cache && !may_hit && !may_be_gone)
    Complain(Describe(question) + ": from the cache for too long");
  if (!decision.from_cache && may_hit && !may_be_gone && decision.allowed() && options_.cached)
    Complain(Describe(question) + ": verified again");
  if (!answer.token_is_good || may_hit) return;
  if (options_.cached && !decision.was_cached) Complain(Describe(question) + ": not cached");
  NoteVerified(question, answer, may_be_gone && decision.from_cache);
  if (random_.OneIn(8))
    probes_.emplace(now_ms_ + timing_.verdict_age_max_ms + random_.Between(0, 1), Probe{0, question});
}

bool Life::MayHit(const Question& question) {
  const auto found = verified_.find(question.number());
  return found != verified_.end() && now_ms_ - found->second.at_ms <= timing_.verdict_age_max_ms &&
         watch(question.token.issuer).KeySince(found->second.key) <= found->second.at_ms;
}

bool Life::MayBeGone(const Question& question) const {
  const auto found = verified_.find(question.number());
  return found != verified_.end() && found->second.may_be_gone;
}

void Life::NoteVerified(const Question& question, const Answer& answer, bool may_be_gone) {
  verified_[question.number()] = {now_ms_, answer.key, oracle_.ValidUntil(question.token), may_be_gone};
}

// JudgeIntrospected holds an allow that rests on an answer of the issuer against what that says by the script
// alone, whatever was asked and could be. A signature that stands in for an answer is the oracle's.
void Life::JudgeIntrospected(const Question& question, const Answer& answer) {
  if (!answer.introspected) return;
  const int64_t inactive_ms = idp(question.token.issuer).InactiveSince(question.token.account(), now_ms_);
  int64_t age_max_ms = AnswerAgeMaxMs(script_, question.tool);
  if (ToolOf(question.tool).outage == IntrospectionOutage::kLastKnown)
    age_max_ms = std::max(age_max_ms, script_.last_known_age_max_s * 1000);
  if (inactive_ms >= 0 && now_ms_ - inactive_ms > age_max_ms)
    Complain(Describe(question) + ": allowed though its issuer has called it inactive for too long");
}

// JudgeAllow holds an allow against the script alone, whatever was fetched.
void Life::JudgeAllow(const Question& question, const Answer& answer) {
  const int issuer = question.token.issuer;
  if (answer.key < 0 || is_inline(issuer)) return;
  const IdpScript& script = idp(issuer);
  const int64_t dead_ms = script.DeadSince(now_ms_);
  if (dead_ms >= 0 && !watch(issuer).from_snapshot() &&
      now_ms_ - dead_ms > timing_.staleness_bound_ms + timing_.fetch_timeout_ms) {
    Complain(Describe(question) + ": allowed beyond the staleness bound of an outage");
  }
  const int64_t quiet_ms = script.QuietSince(now_ms_);
  if (quiet_ms < 0) return;
  int64_t removed_ms = -1;
  for (const Since<KeyMask>& set : script.keys) {
    if (set.from_ms > now_ms_) break;
    if ((set.value >> answer.key & 1) != 0) {
      removed_ms = -1;
    } else if (removed_ms < 0) {
      removed_ms = set.from_ms;
    }
  }
  if (removed_ms >= 0 && now_ms_ - std::max({removed_ms, quiet_ms, opened_ms_}) > LongestRefreshMs())
    Complain(Describe(question) + ": allowed by a key that was removed more than a refresh ago");
}

// Nobody is sent away for longer than until the next fetch may begin, or may end if it is under way; nor than
// until the issuer may be asked about the token.
void Life::JudgeRetryAfter(const Question& question, const Answer& answer, const Decision& decision) {
  const FetchWatch& seen = watch(question.token.issuer);
  int64_t until_ms = answer.retry_after_ms;
  if (until_ms < 0) {
    until_ms = seen.in_flight() ? timing_.fetch_timeout_ms : seen.LatestDueMs() - now_ms_;
    if (!seen.exchange_open() && (seen.in_flight() || now_ms_ >= seen.EarliestDueMs()))
      until_ms = std::max(until_ms, hosts_.FetchMs());
  }
  if (decision.retry_after_s > std::max<int64_t>((until_ms + 999) / 1000, 1))
    Complain(Describe(question) + ": Retry-After is " + std::to_string(decision.retry_after_s) + " s");
}

// JudgeMetrics is for the end of an engine.
void Life::JudgeMetrics() {
  if (subject_ == nullptr) return;
  const Metrics metrics = subject_->engine().ReadMetrics();
  const auto expect = [&](const char* what, uint64_t is, uint64_t should, uint64_t perhaps = 0) {
    if (is < should || is > should + perhaps)
      Complain(std::string("metrics: ") + what + " is " + std::to_string(is) + ", should be " +
               std::to_string(should));
  };
  const std::span<const Seen> seen = std::span(result_.seen).subspan(seen_before_);
  const auto count = [&](Verdict verdict) {
    return static_cast<uint64_t>(
        std::count_if(seen.begin(), seen.end(), [&](const Seen& one) { return one.verdict == verdict; }));
  };
  expect("checks", metrics.checks, seen.size() + unseen_, perhaps_unseen_);
  expect("allowed", metrics.allowed, count(Verdict::kAllow));
  expect("denied", metrics.denied, count(Verdict::kDeny));
  expect("unavailable", metrics.unavailable, count(Verdict::kUnavailable) + unseen_, perhaps_unseen_);
  expect("introspection_fallbacks", metrics.introspection_fallbacks, stood_in_);
  result_.counts.stood_in += stood_in_;
  seen_before_ = result_.seen.size();
  unseen_ = perhaps_unseen_ = stood_in_ = 0;
}

void Life::MayWait(const Question& question, const Answer& answer, const Decision& decision) {
  if (!random_.OneIn(4)) return;
  auto calls = std::make_shared<int>(0);
  const bool waits = subject_->NotifyWhenSettled(decision, [calls] { ++*calls; });
  if (waits != (answer.waits_for_fetch() || answer.waits_for_answer()))
    return Complain(Describe(question) + ": NotifyWhenSettled finds " + (waits ? "something" : "nothing") +
                    " to wait for");
  if (waits) waiting_.push_back({WhatFor(question, answer), calls});
}

// --- What health says ---

void Life::Audit() {
  const std::vector<IssuerHealth> health = subject_->ReadHealth();
  for (int issuer = 0; issuer < num_issuers(); ++issuer) {
    AuditIssuer(issuer, health[static_cast<size_t>(issuer)]);
    AuditAsks(issuer, health[static_cast<size_t>(issuer)]);
    if (is_inline(issuer)) continue;
    AuditRecovery(issuer, health[static_cast<size_t>(issuer)]);
    if (script_.snapshot) AuditFile(issuer);
  }
}

void Life::AuditIssuer(int issuer, const IssuerHealth& health) {
  if (is_inline(issuer)) return;
  const FetchWatch& seen = watch(issuer);
  const auto expect = [&](const char* what, int64_t is, int64_t should) {
    if (is == should) return;
    Complain("issuer " + std::to_string(issuer) + ": health says that " + what + " is " + std::to_string(is) +
             ", should be " + std::to_string(should));
  };
  if (!seen.MayBeDue(now_ms_) || health.freshness != Freshness::kStale)
    expect("freshness", static_cast<int>(health.freshness), static_cast<int>(seen.FreshnessAt(now_ms_)));
  expect("keys_age_ms", health.keys_age_ms, seen.known().any ? seen.AgeMs(now_ms_) : -1);
  expect("num_keys", health.num_keys, std::popcount(seen.known().keys));
  expect("fetches", static_cast<int64_t>(health.fetches), static_cast<int64_t>(seen.num_begun()));
  expect("fetch_failures", static_cast<int64_t>(health.fetch_failures),
         static_cast<int64_t>(seen.num_failed()));
  expect("consecutive_failures", health.consecutive_failures, seen.failures());
  expect("from_snapshot", health.from_snapshot, seen.from_snapshot());
}

void Life::AuditAsks(int issuer, const IssuerHealth& health) {
  const AskWatch& seen = asks(issuer);
  const auto expect = [&](const char* what, uint64_t is, uint64_t should) {
    if (is == should) return;
    Complain("issuer " + std::to_string(issuer) + ": health says that " + what + " is " + std::to_string(is) +
             ", should be " + std::to_string(should));
  };
  expect("introspections", health.introspections, seen.num_sent());
  expect("introspection_failures", health.introspection_failures, seen.num_failed());
  expect("introspections_refused", health.introspections_refused, seen.num_refused());
  expect("introspections_in_flight", health.introspections_in_flight, seen.in_flight());
  expect("introspection_paused_for_ms", static_cast<uint64_t>(health.introspection_paused_for_ms),
         static_cast<uint64_t>(seen.PauseMs(now_ms_)));
}

// After an outage all is fresh within one jittered interval.
void Life::AuditRecovery(int issuer, const IssuerHealth& health) {
  const int64_t quiet_ms = idp(issuer).QuietSince(now_ms_);
  if (quiet_ms < 0 || now_ms_ - std::max(quiet_ms, opened_ms_) <= LongestRefreshMs()) return;
  if (health.freshness != Freshness::kFresh && health.freshness != Freshness::kStale)
    Complain("issuer " + std::to_string(issuer) + ": not fresh though all has been well for long");
}

// How far the file may lag behind good answers that change no set.
void Life::AuditFile(int issuer) {
  const FetchWatch::Known& kept = watch(issuer).kept();
  if (!kept.any || watch(issuer).from_snapshot()) return;
  const int64_t lag_ms = timing_.staleness_bound_ms / 12 + 1000;
  const Since<bool>& disk = At(script_.disk_faults, now_ms_);
  if (disk.value || now_ms_ - std::max(disk.from_ms, opened_ms_) <= 2 * lag_ms) return;
  if (now_ms_ - kept.last_good_ms <= lag_ms) return;
  const auto entry = disk_.seen().find(issuer);
  if (entry == disk_.seen().end() || entry->second.known.last_good_ms != kept.last_good_ms ||
      entry->second.known.keys != kept.keys) {
    Complain("issuer " + std::to_string(issuer) + ": the snapshot lags behind");
  }
}

}  // namespace tollgate::sim
