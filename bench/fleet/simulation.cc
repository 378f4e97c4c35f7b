#include "bench/fleet/simulation.h"

#include <algorithm>
#include <queue>

#include "base/saturating.h"

namespace tollgate::bench {
namespace {

class Simulation {
 public:
  Simulation(const FleetScript& script, const Contract& contract, const IdpSettings& idp)
      : script_(script), timeout_ms_(contract.timing.fetch_timeout_ms), idp_(idp, script.outage) {
    const auto seconds = static_cast<size_t>((script.end_ms - script.begin_ms) / 1000);
    trace_.requests.resize(seconds);
    trace_.failed.resize(seconds);
    Random random(script.seed);
    const auto within = [&random](int64_t span_ms) {
      return span_ms > 0 ? static_cast<int64_t>(random.Below(static_cast<uint64_t>(span_ms))) : 0;
    };
    members_.reserve(script.num_instances);
    for (uint32_t i = 0; i < script.num_instances; ++i) {
      members_.push_back({Instance(contract, random.Next())});
      Push(within(script.roll_out_ms), i, Kind::kDue);
      if (script.rotation_ms != INT64_MAX)
        Push(script.rotation_ms + within(script.spread_ms), i, Kind::kToken);
    }
  }

  FleetTrace Run() {
    while (!events_.empty() && events_.top().at_ms < script_.end_ms) {
      const Event event = events_.top();
      events_.pop();
      now_ms_ = event.at_ms;
      Handle(event);
    }
    std::sort(trace_.good_after_ms.begin(), trace_.good_after_ms.end());
    return std::move(trace_);
  }

 private:
  enum class Kind : uint8_t { kDue, kGood, kFailure, kToken };
  struct Event {
    int64_t at_ms = 0;
    uint64_t number = 0;  // Of one moment's events the one that was planned first comes first.
    uint32_t member = 0;
    Kind kind = Kind::kDue;
    bool operator<(const Event& other) const {  // std::priority_queue has the greatest on top.
      return at_ms != other.at_ms ? at_ms > other.at_ms : number > other.number;
    }
  };
  struct Member {
    Instance instance;
    int64_t planned_ms = INT64_MIN;  // Of its latest kDue.
    bool is_good = false;            // Since since_ms.
    bool has_new_key = false;        // The rotation's.
  };

  void Push(int64_t at_ms, uint32_t member, Kind kind) {
    events_.push({.at_ms = at_ms, .number = num_events_++, .member = member, .kind = kind});
  }

  void Handle(const Event& event) {
    Member& member = members_[event.member];
    switch (event.kind) {
      case Kind::kDue:
        // The plan may have changed since; then its change has brought another event.
        if (member.instance.NextMs() <= now_ms_) Fetch(event.member);
        return;
      case Kind::kGood:
        member.instance.OnGood(now_ms_, -1);
        member.has_new_key = now_ms_ >= script_.rotation_ms && !script_.forged;
        if (now_ms_ >= script_.since_ms && !member.is_good) {
          member.is_good = true;
          trace_.good_after_ms.push_back(now_ms_ - script_.since_ms);
        }
        break;
      case Kind::kFailure:
        member.instance.OnFailure(now_ms_);
        break;
      case Kind::kToken:
        if (member.has_new_key) return;
        member.instance.OnUnknownKid(0);
        Push(now_ms_ + script_.token_interval_ms, event.member, Kind::kToken);
        break;
    }
    const int64_t next_ms = std::max(member.instance.NextMs(), now_ms_);
    if (next_ms == INT64_MAX || next_ms == member.planned_ms) return;
    member.planned_ms = next_ms;
    Push(next_ms, event.member, Kind::kDue);
  }

  void Fetch(uint32_t member) {
    members_[member].instance.OnBegin(now_ms_);
    const IdpModel::Answer answer = idp_.Ask(now_ms_);
    const int64_t deadline_ms = saturating::Plus(now_ms_, timeout_ms_);
    const bool in_time = answer.at_ms && *answer.at_ms < deadline_ms;
    const bool good = answer.good && in_time;
    Push(in_time ? *answer.at_ms : deadline_ms, member, good ? Kind::kGood : Kind::kFailure);
    if (now_ms_ < script_.begin_ms) return;
    const auto second = static_cast<size_t>((now_ms_ - script_.begin_ms) / 1000);
    ++trace_.requests[second];
    if (!good) ++trace_.failed[second];
  }

  const FleetScript script_;
  const int64_t timeout_ms_;
  IdpModel idp_;
  std::vector<Member> members_;
  std::priority_queue<Event> events_;
  uint64_t num_events_ = 0;
  int64_t now_ms_ = 0;
  FleetTrace trace_;
};

}  // namespace

FleetTrace SimulateFleet(const FleetScript& script, const Contract& contract, const IdpSettings& idp) {
  return Simulation(script, contract, idp).Run();
}

}  // namespace tollgate::bench
