#include "tests/sim/fetch_watch.h"

#include <algorithm>
#include <utility>

namespace tollgate::sim {
namespace {

// Full jitter: so many waits, each uniform up to its ceiling, come to less than one ceiling in all once in
// 16! cases (Irwin and Hall), which is never.
constexpr int kBackoffsInRow = 16;

}  // namespace

FetchWatch::FetchWatch(int issuer, const Script& script, int64_t now_ms, const Known& restored,
                       Complaint& complaint)
    : issuer_(issuer),
      idp_(script.idps[static_cast<size_t>(issuer)]),
      timing_(script.config.timing),
      complaint_(complaint),
      start_ms_(now_ms),
      known_(restored),
      kept_(restored),
      from_snapshot_(restored.any) {
  key_since_ms_.fill(now_ms);
  if (idp_.kind == SourceKind::kJwksUri) known_.path = 0;
}

void FetchWatch::Complain(int64_t now_ms, const std::string& what) {
  complaint_.Add("at " + std::to_string(now_ms) + " ms: issuer " + std::to_string(issuer_) + ": " + what);
}

bool FetchWatch::ReadsMetadataFirst(int64_t now_ms) const {
  if (idp_.kind != SourceKind::kDiscovery) return false;
  return metadata_read_ms_ == kNever || suspect_ || now_ms - metadata_read_ms_ >= timing_.metadata_age_max_ms;
}

// When a fetch may begin because somebody waits for a kid: after the cooldown, which runs from begin to
// begin, whatever came of it.
int64_t FetchWatch::ForcedBeginMs() const {
  if (forced_ms_ == kNever || failures_ > 0) return INT64_MAX;
  return std::max({forced_ms_, last_begin_ms_ + timing_.cooldown_ms, last_end_ms_});
}

int64_t FetchWatch::LatestBeginMs() const {
  if (in_flight_ || idp_.kind == SourceKind::kInline) return INT64_MAX;
  if (begun_ == 0) return start_ms_;
  return std::min(plan_to_ms_, ForcedBeginMs());
}

void FetchWatch::CheckBegin(int64_t now_ms) {
  if (begun_ == 0) {
    if (now_ms != start_ms_) Complain(now_ms, "the first fetch does not begin at once");
    return;
  }
  const int64_t forced_ms = ForcedBeginMs();
  if (now_ms > LatestBeginMs()) Complain(now_ms, "a fetch begins too late");
  if (now_ms != forced_ms && now_ms < plan_from_ms_) {
    Complain(now_ms, "a fetch begins too early: not before " + std::to_string(plan_from_ms_) +
                         (failures_ > 0 ? ", while fetches fail" : ""));
  }
  if (plan_ms_ != kNever && now_ms != std::min(plan_ms_, forced_ms)) {
    Complain(now_ms, "a fetch begins at another time than health said: " + std::to_string(plan_ms_));
  }
  CheckBackoff(now_ms);
}

void FetchWatch::CheckBackoff(int64_t now_ms) {
  if (failures_ == 0) return;
  backoff_ceilings_ += static_cast<double>(now_ms - last_end_ms_) / static_cast<double>(BackoffCeiling());
  if (++num_backoffs_ < kBackoffsInRow) return;
  if (backoff_ceilings_ < 1) Complain(now_ms, "the backoffs are no full-jitter backoffs");
  num_backoffs_ = 0;
  backoff_ceilings_ = 0;
}

// The ceiling of the wait after the last failure.
int64_t FetchWatch::BackoffCeiling() const {
  int64_t ceiling = timing_.backoff_min_ms;
  for (uint32_t i = 1; i < failures_ && ceiling < timing_.backoff_cap_ms; ++i) ceiling *= 2;
  return std::min(ceiling, timing_.backoff_cap_ms);
}

void FetchWatch::OnBegin(const Exchange& exchange, int64_t now_ms) {
  if (idp_.kind == SourceKind::kInline) return Complain(now_ms, "configured keys are fetched");
  if (exchange_open_) Complain(now_ms, "two exchanges at a time");
  exchange_open_ = true;
  if (!in_flight_) {
    CheckBegin(now_ms);
    in_flight_ = true;
    ++begun_;
    last_begin_ms_ = now_ms;
    forced_ms_ = kNever;
    plan_ms_ = kNever;
    next_ = {.issuer = issuer_, .keys = true, .number = known_.path};
    if (ReadsMetadataFirst(now_ms)) next_ = {.issuer = issuer_, .keys = false, .number = 0};
  }
  if (exchange.place != next_) Complain(now_ms, "a fetch asks at another place than it should");
  if (exchange.timeout_ms < 1 || now_ms + exchange.timeout_ms > last_begin_ms_ + timing_.fetch_timeout_ms)
    Complain(now_ms, "an exchange may take longer than its fetch");
  // What is not known cannot have changed, and a tag is of one address.
  if (exchange.if_none_match != (exchange.place.keys ? known_.etag : ""))
    Complain(now_ms, "asks with the entity tag " + exchange.if_none_match + " instead of " + known_.etag);
}

void FetchWatch::OnEnd(const Exchange& exchange, const Served& served, int64_t now_ms) {
  exchange_open_ = false;
  using enum Served::Meaning;
  if (!exchange.place.keys) {
    const int num_places = static_cast<int>(MetadataUrls(issuer_).size());
    if (served.meaning == kNotThere && exchange.place.number + 1 < num_places) {
      ++next_.number;
    } else if (served.meaning == kMetadata) {
      if (served.path != known_.path) known_.etag.clear();
      known_.path = served.path;
      metadata_read_ms_ = now_ms;
      next_ = {.issuer = issuer_, .keys = true, .number = served.path};
    } else {
      End(false, now_ms);
    }
    return;
  }
  const bool same = served.meaning == kNotModified && !exchange.if_none_match.empty();
  if (same && (!known_.any || known_.keys != served.keys))
    Complain(now_ms, "sent the entity tag of a set that it does not have");
  const bool good = same || served.meaning == kSet;
  suspect_ = !good;
  if (good) Good(served, now_ms);
  End(good, now_ms);
}

void FetchWatch::Good(const Served& served, int64_t now_ms) {
  const bool full = served.meaning == Served::Meaning::kSet;
  const bool changed = full && (!known_.any || known_.keys != served.keys);
  // An issuer that changes its keys may yet bring those that earlier answers lacked.
  if (changed) {
    std::erase_if(absent_, [&](const auto& item) { return last_good_fetch_ > item.second.begun; });
    for (int key = 0; key < kKeys; ++key) {
      const KeyMask bit = 1u << key;
      if ((served.keys & bit) != 0 && (!known_.any || (known_.keys & bit) == 0))
        key_since_ms_[static_cast<size_t>(key)] = now_ms;
    }
  }
  last_good_fetch_ = begun_;
  known_.any = true;
  known_.keys = served.keys;
  known_.last_good_ms = now_ms;
  if (full) {
    known_.etag = served.etag;
    known_.max_age_s = served.max_age_s;
    kept_ = known_;
  }
  kept_.last_good_ms = now_ms;
  // A 304 that says nothing is as good for as long as the full answer was (RFC 9111 section 3.2).
  plan_max_age_s_ = served.max_age_s >= 0 ? served.max_age_s : known_.max_age_s;
}

void FetchWatch::End(bool good, int64_t now_ms) {
  if (now_ms > last_begin_ms_ + timing_.fetch_timeout_ms) Complain(now_ms, "a fetch took too long");
  in_flight_ = false;
  ++ended_;
  last_end_ms_ = now_ms;
  if (!good) {
    ++failed_;
    ++failures_;
    plan_from_ms_ = now_ms + 1;
    plan_to_ms_ = now_ms + BackoffCeiling();
    return;
  }
  failures_ = 0;
  from_snapshot_ = false;
  const int64_t asked_ms = plan_max_age_s_ < 0                               ? timing_.refresh_max_ms
                           : plan_max_age_s_ > timing_.refresh_max_ms / 1000 ? timing_.refresh_max_ms
                                                                             : plan_max_age_s_ * 1000;
  const int64_t interval_ms = std::clamp(asked_ms, timing_.refresh_min_ms, timing_.refresh_max_ms);
  const int64_t reach_ms = interval_ms * timing_.jitter_percent / 100 + 1;
  plan_from_ms_ = now_ms + std::max<int64_t>(interval_ms - reach_ms, 1);
  plan_to_ms_ = now_ms + interval_ms + reach_ms;
}

void FetchWatch::AfterTurn(int64_t now_ms) {
  if (in_flight_ && !exchange_open_) Complain(now_ms, "a fetch does not go on");
  if (now_ms >= LatestBeginMs()) Complain(now_ms, "a fetch that is due does not begin");
}

void FetchWatch::OnPlan(int64_t next_ms) {
  if (in_flight_ || (forced_ms_ != kNever && failures_ == 0)) return;
  if (next_ms < plan_from_ms_ || next_ms > plan_to_ms_) {
    Complain(last_end_ms_, "the next fetch is planned at " + std::to_string(next_ms) +
                               ", which is not between " + std::to_string(plan_from_ms_) + " and " +
                               std::to_string(plan_to_ms_));
  }
  plan_ms_ = next_ms;
}

Reason FetchWatch::AskAbsent(const std::string& kid, int64_t now_ms) {
  const int64_t lifetime_ms = timing_.staleness_bound_ms;
  if (now_ms - oldest_absent_ms_ > lifetime_ms) {
    oldest_absent_ms_ = now_ms;
    std::erase_if(absent_, [&](const auto& item) {
      const bool forgotten = now_ms - item.second.since_ms > lifetime_ms;
      if (!forgotten) oldest_absent_ms_ = std::min(oldest_absent_ms_, item.second.since_ms);
      return forgotten;
    });
  }
  bool settled = false;
  if (const auto found = absent_.find(kid); found != absent_.end()) {
    settled = last_good_fetch_ > found->second.begun;
  } else if (absent_.size() < kAbsentMax) {
    absent_[kid] = {.begun = begun_, .since_ms = now_ms};
  }
  // What is settled asks again only when that may be answered at once.
  const bool asks = !settled || now_ms - last_begin_ms_ >= timing_.cooldown_ms;
  if (asks && forced_ms_ == kNever) forced_ms_ = now_ms;
  return settled ? Reason::kKeyUnknown : Reason::kKeyPending;
}

Freshness FetchWatch::FreshnessAt(int64_t now_ms) const {
  if (idp_.kind == SourceKind::kInline) return Freshness::kFresh;
  if (!known_.any || now_ms - known_.last_good_ms > timing_.staleness_bound_ms)
    return Freshness::kUnavailable;
  if (failures_ > 0) return Freshness::kDegraded;
  // A plan that has come is a fetch that has begun.
  return in_flight_ ? Freshness::kStale : Freshness::kFresh;
}

}  // namespace tollgate::sim
