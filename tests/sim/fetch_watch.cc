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
                       HostWatch& hosts, Complaint& complaint)
    : issuer_(issuer),
      idp_(script.idps[static_cast<size_t>(issuer)]),
      timing_(script.config.timing),
      hosts_(hosts),
      complaint_(complaint),
      start_ms_(now_ms),
      known_(restored),
      kept_(restored),
      from_snapshot_(restored.any),
      plan_from_ms_(now_ms),
      plan_to_ms_(now_ms) {
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

// Where a fetch that is due at this moment begins.
Place FetchWatch::FirstPlace(int64_t due_ms) const {
  if (ReadsMetadataFirst(due_ms)) return {.issuer = issuer_, .keys = false, .number = 0};
  return {.issuer = issuer_, .keys = true, .number = known_.path};
}

// When a fetch is due because somebody has waited for a kid since then: after the cooldown, which runs from
// begin to begin, whatever came of it.
int64_t FetchWatch::GateMs(int64_t asked_ms) const {
  if (asked_ms == kNever || failures_ > 0) return INT64_MAX;
  return std::max({asked_ms, last_begin_ms_ + timing_.cooldown_ms, last_end_ms_});
}

int64_t FetchWatch::EarliestDueMs() const {
  if (in_flight_ || idp_.kind == SourceKind::kInline) return INT64_MAX;
  if (begun_ == 0) return start_ms_;
  return std::min({plan_ms_ == kNever ? plan_from_ms_ : plan_ms_, ForcedMs()});
}

int64_t FetchWatch::LatestDueMs() const {
  if (in_flight_ || idp_.kind == SourceKind::kInline) return INT64_MAX;
  if (begun_ == 0) return start_ms_;
  return std::min(plan_ms_ == kNever ? plan_to_ms_ : plan_ms_, ForcedMs());
}

// The engine has had its turn: whoever is due and stands in no line has begun.
bool FetchWatch::WaitsForNobody(int64_t now_ms) const {
  return now_ms >= hosts_.FreeMs(FirstPlace(EarliestDueMs())) && now_ms >= hosts_.FreeMs(FirstPlace(now_ms));
}

void FetchWatch::CheckBegin(const Exchange& exchange, int64_t now_ms) {
  const int64_t latest_ms = LatestDueMs();
  if (now_ms > std::max(latest_ms, hosts_.FreeMs(exchange.place)))
    Complain(now_ms, "a fetch begins too late: it was due at " + std::to_string(latest_ms));
  if (latest_ms != INT64_MAX && now_ms > latest_ms + hosts_.LineMs(exchange.place))
    Complain(now_ms, "a fetch stood in line for too long: it was due at " + std::to_string(latest_ms));
  if (begun_ == 0) return;
  if (now_ms < EarliestDueMs()) {
    Complain(now_ms, "a fetch begins too early: not before " + std::to_string(EarliestDueMs()) +
                         (failures_ > 0 ? ", while fetches fail" : "") +
                         (plan_ms_ != kNever ? ", another time than health said" : ""));
  }
  CheckBackoff(plan_ms_ == kNever ? now_ms : plan_ms_);
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
  if (now_ms < hosts_.FreeMs(exchange.place)) Complain(now_ms, "a host is asked too often");
  if (in_flight_) {
    if (now_ms > std::max(next_since_ms_, hosts_.FreeMs(exchange.place)))
      Complain(now_ms, "a fetch goes on too late");
  } else {
    CheckBegin(exchange, now_ms);
    // Where it begins is settled when it is due, which may have been a while ago.
    const Place early = FirstPlace(EarliestDueMs());
    next_ = exchange.place == early ? early : FirstPlace(now_ms);
    in_flight_ = true;
    ++begun_;
    last_begin_ms_ = now_ms;
    left_ms_ = timing_.fetch_timeout_ms;
    forced_ms_ = kNever;
    plan_ms_ = kNever;
  }
  hosts_.OnRequest(exchange.place, now_ms);
  if (exchange.place != next_) Complain(now_ms, "a fetch asks at another place than it should");
  if (exchange.timeout_ms > left_ms_) Complain(now_ms, "an exchange may take longer than its fetch");
  if (exchange.timeout_ms < left_ms_) Complain(now_ms, "an exchange has less time than its fetch");
  // What is not known cannot have changed, and a tag is of one address.
  if (exchange.if_none_match != (exchange.place.keys ? known_.etag : ""))
    Complain(now_ms, "asks with the entity tag " + exchange.if_none_match + " instead of " + known_.etag);
}

void FetchWatch::OnEnd(const Exchange& exchange, const Served& served, int64_t now_ms) {
  exchange_open_ = false;
  left_ms_ -= now_ms - exchange.begin_ms;
  next_since_ms_ = now_ms;
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
  if (left_ms_ < 0) Complain(now_ms, "a fetch took too long");
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
  if (in_flight_) {
    if (exchange_open_) return;
    if (now_ms >= hosts_.FreeMs(next_)) Complain(now_ms, "a fetch does not go on");
    if (now_ms > next_since_ms_ + hosts_.GoOnMs(next_))
      Complain(now_ms, "a fetch that goes on stands in line for too long");
    return;
  }
  const int64_t latest_ms = LatestDueMs();
  if (now_ms < latest_ms) return;
  const Place place = FirstPlace(now_ms);
  // Where it stands is certain, unless the metadata has become too old meanwhile.
  if (!hosts_.SameHost(place, FirstPlace(EarliestDueMs()))) return;
  if (now_ms >= hosts_.FreeMs(place)) Complain(now_ms, "a fetch that is due does not begin");
  if (now_ms > latest_ms + hosts_.LineMs(place)) Complain(now_ms, "a fetch stands in line for too long");
}

void FetchWatch::OnPlan(int64_t next_ms) {
  if (in_flight_ || ForcedMs() != INT64_MAX) return;
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
  bool settled = false, asked = false;
  if (const auto found = absent_.find(kid); found != absent_.end()) {
    settled = last_good_fetch_ > found->second.begun;
    // That fetch is about it, too; if it fails it is made again.
    asked = begun_ > found->second.begun;
  } else if (absent_.size() < kAbsentMax) {
    absent_[kid] = {.begun = begun_, .since_ms = now_ms};
  }
  // What is settled asks again only when that may be answered at once.
  const bool asks = settled ? now_ms - last_begin_ms_ >= timing_.cooldown_ms : !asked;
  if (asks && forced_ms_ == kNever) forced_ms_ = now_ms;
  return settled ? Reason::kKeyUnknown : Reason::kKeyPending;
}

Freshness FetchWatch::FreshnessAt(int64_t now_ms) const {
  if (idp_.kind == SourceKind::kInline) return Freshness::kFresh;
  if (!known_.any || now_ms - known_.last_good_ms > timing_.staleness_bound_ms)
    return Freshness::kUnavailable;
  if (failures_ > 0) return Freshness::kDegraded;
  if (in_flight_) return Freshness::kStale;
  // A plan that has come is a fetch that has begun, or stands in a line.
  const bool due = now_ms >= (plan_ms_ == kNever ? plan_to_ms_ : plan_ms_);
  return due && !WaitsForNobody(now_ms) ? Freshness::kStale : Freshness::kFresh;
}

bool FetchWatch::MayBeDue(int64_t now_ms) const {
  return FreshnessAt(now_ms) == Freshness::kFresh && !in_flight_ && idp_.kind != SourceKind::kInline &&
         plan_ms_ == kNever && now_ms >= plan_from_ms_ && !WaitsForNobody(now_ms);
}

}  // namespace tollgate::sim
