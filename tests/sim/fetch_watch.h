#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "tests/sim/host_watch.h"
#include "tests/sim/network.h"
#include "tests/sim/script.h"
#include "tollgate/decision.h"

namespace tollgate::sim {

// Complaint is the first thing that was not as it should be.
class Complaint {
 public:
  void Add(std::string what) {
    if (text_.empty()) text_ = std::move(what);
  }
  bool any() const { return !text_.empty(); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// FetchWatch knows of one issuer what an engine may know of it by the fetches that were seen on the network,
// and holds these fetches against the contract: tollgate::Timing, docs/conventions.md and the comments of
// keys/refresh_schedule.h, keys/key_store.h, keys/key_source.h and keys/fetch_gate.h. It has nothing of the
// engine's code or state. What depends on jitter is not predicted but held between its bounds. A fetch that
// is due begins when its host may be asked (HostWatch), and not before. Owner thread only.
class FetchWatch {
 public:
  static constexpr int64_t kNever = INT64_MIN;
  // Absent kids that are remembered for one issuer.
  static constexpr size_t kAbsentMax = 1024;

  // What is known of an issuer's keys.
  struct Known {
    bool any = false;
    KeyMask keys = 0;
    int path = -1;  // Of the keys' address; −1: not known.
    std::string etag{};
    int64_t max_age_s = -1;
    int64_t last_good_ms = kNever;
  };

  // An engine begins, with what it has from a snapshot.
  FetchWatch(int issuer, const Script& script, int64_t now_ms, const Known& restored, HostWatch& hosts,
             Complaint& complaint);

  // On the network's side.
  void OnBegin(const Exchange& exchange, int64_t now_ms);
  void OnEnd(const Exchange& exchange, const Served& served, int64_t now_ms);
  // AfterTurn is for when the engine has had its turn at `now_ms`: nothing is left undone.
  void AfterTurn(int64_t now_ms);
  // OnPlan: the engine says when its next fetch is to begin. It then must.
  void OnPlan(int64_t next_ms);

  // On the requests' side. AskAbsent is a look for a kid that the set lacks.
  Reason AskAbsent(const std::string& kid, int64_t now_ms);
  Freshness FreshnessAt(int64_t now_ms) const;
  // MayBeDue: keys that FreshnessAt calls fresh may be stale as well. Their fetch may stand in a line, and
  // nobody but the jitter knows whether it is due by plan or an absent kid alone has brought it there.
  bool MayBeDue(int64_t now_ms) const;
  int64_t AgeMs(int64_t now_ms) const { return known_.any ? now_ms - known_.last_good_ms : 0; }

  const Known& known() const { return known_; }
  // As it was at the last good answer: what a snapshot is to have.
  const Known& kept() const { return kept_; }
  bool from_snapshot() const { return from_snapshot_; }
  bool in_flight() const { return in_flight_; }
  bool exchange_open() const { return exchange_open_; }
  // Whether the request that begins now was due before.
  bool WaitedInLine(int64_t now_ms) const { return now_ms > (in_flight_ ? next_since_ms_ : LatestDueMs()); }
  uint64_t num_begun() const { return begun_; }
  uint64_t num_ended() const { return ended_; }
  uint64_t num_failed() const { return failed_; }
  uint32_t failures() const { return failures_; }
  int64_t last_end_ms() const { return last_end_ms_; }
  // Since when this key has been in the set without interruption.
  int64_t KeySince(int key) const { return key_since_ms_[static_cast<size_t>(key)]; }
  // Between which moments the next fetch is due: it then begins, or stands in the line of its host. INT64_MAX
  // while one is under way.
  int64_t EarliestDueMs() const;
  int64_t LatestDueMs() const;

 private:
  struct Absent {
    uint64_t begun = 0;
    int64_t since_ms = 0;
  };
  bool ReadsMetadataFirst(int64_t now_ms) const;
  Place FirstPlace(int64_t due_ms) const;
  int64_t GateMs(int64_t asked_ms) const;
  int64_t ForcedMs() const { return GateMs(forced_ms_); }
  bool WaitsForNobody(int64_t now_ms) const;
  void CheckBegin(const Exchange& exchange, int64_t now_ms);
  void CheckBackoff(int64_t now_ms);
  void End(bool good, int64_t now_ms);
  void Good(const Served& served, int64_t now_ms);
  int64_t BackoffCeiling() const;
  void Complain(int64_t now_ms, const std::string& what);

  const int issuer_;
  const IdpScript& idp_;
  const Timing timing_;
  HostWatch& hosts_;
  Complaint& complaint_;

  const int64_t start_ms_;
  Known known_;
  Known kept_;
  bool from_snapshot_;
  // The fetch, and the exchange that it has come to.
  bool in_flight_ = false;
  bool exchange_open_ = false;
  Place next_;
  int64_t next_since_ms_ = kNever;  // Since when it has been due.
  int64_t left_ms_ = 0;             // Of the time that the fetch may take, without its time in lines.
  int64_t last_begin_ms_ = kNever;
  int64_t last_end_ms_ = kNever;
  uint64_t begun_ = 0, ended_ = 0, failed_ = 0, last_good_fetch_ = 0;
  uint32_t failures_ = 0;
  bool suspect_ = false;  // The keys' address may be wrong.
  int64_t metadata_read_ms_ = kNever;
  // When the next fetch begins if nobody asks for more.
  int64_t plan_from_ms_ = 0, plan_to_ms_ = 0, plan_ms_ = kNever;
  int64_t plan_max_age_s_ = -1;
  int64_t forced_ms_ = kNever;  // Since when somebody has waited for an absent kid.
  int num_backoffs_ = 0;
  double backoff_ceilings_ = 0;  // How long these took in all, each by its ceiling.
  std::map<std::string, Absent> absent_;
  int64_t oldest_absent_ms_ = 0;  // None is older.
  std::array<int64_t, kKeys> key_since_ms_{};
};

}  // namespace tollgate::sim
