#pragma once

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/ask_watch.h"
#include "tests/sim/disk.h"
#include "tests/sim/fetch_watch.h"
#include "tests/sim/host_watch.h"
#include "tests/sim/network.h"
#include "tests/sim/oracle.h"
#include "tests/sim/random.h"
#include "tests/sim/simulation.h"

namespace tollgate::sim {

// Both clocks, as the engine reads them: each with a begin of its own, and the wall clock can be set.
class VirtualClock : public Clock {
 public:
  VirtualClock(const int64_t& now_ms, int64_t wall_phase_ms)
      : now_ms_(now_ms), wall_begin_ms_(kWallStart * 1000 + wall_phase_ms) {}
  Now Read() const override { return {.wall_s = wall_ms() / 1000, .mono_ms = mono_begin_ms + now_ms_}; }
  int64_t wall_ms() const { return wall_begin_ms_ + now_ms_; }
  int64_t wall_s() const { return wall_ms() / 1000; }
  void SetWall(int64_t wall_ms) { wall_begin_ms_ = wall_ms - now_ms_; }
  int64_t mono_begin_ms = 0;

 private:
  const int64_t& now_ms_;
  int64_t wall_begin_ms_;
};

// Life is that of one seed: a loop over events in the order of virtual time, on one thread. At each moment
// the engine has its turn before anybody asks it anything, so that no two things happen at once. life.cc is
// what happens, judgement.cc what has to come of it.
class Life : public Observer {
 public:
  explicit Life(const Options& options);
  Result Run();

  void OnBegin(const Exchange& exchange) override;
  void OnEnd(const Exchange& exchange, const Served& served) override;
  void OnNonsense(const std::string& what) override { Complain(what); }

 private:
  struct Verified {
    int64_t at_ms;
    int key;
    int64_t valid_until_s;
    // Its time was over before the wall clock was set back: another may have taken its place in the cache,
    // and when it was verified last is not known.
    bool may_be_gone = false;
  };
  // Whoever waits for the end of a fetch, or of the question about a token: the number of the last one.
  struct WaitsFor {
    int issuer;
    bool fetch;
    uint64_t token;
    uint64_t last_end;
  };
  struct Waiting {
    WaitsFor what;
    std::shared_ptr<int> calls;
  };
  // One CheckAsync, and what it has been called back with.
  struct Async {
    struct Called {
      int times = 0;
      Decision decision;
      Principal principal;
    };
    Question question;
    int64_t deadline_ms;
    std::shared_ptr<Called> called;
    Answer answer{};  // Of the engine's last look.
    WaitsFor what{};
  };
  struct Probe {
    int issuer;
    std::optional<Question> question;
  };

  // The engine and its time.
  void Open();
  void Close();
  void Restart();
  FetchWatch::Known TakeRestored(int issuer, const IssuerHealth& health);
  Disk::Content SnapshotContent() const;
  void Turn();
  void AfterRun();
  void LookAgain(bool any_settled);
  void AfterTurn();
  void AfterEnd(int issuer, bool whole_set);
  void AfterAnswers();
  void SetDisk();
  void CheckFileAfterEnd(int issuer);

  // What is done.
  void Act();
  void DoProbe(const Probe& probe);
  void PlanProbes();
  void CheckSome();
  void CheckMany();
  void Flood();
  void FloodOpaque();
  void StepWall();
  void Revoke();
  void Audit();
  void AuditIssuer(int issuer, const IssuerHealth& health);
  void AuditAsks(int issuer, const IssuerHealth& health);
  void AuditRecovery(int issuer, const IssuerHealth& health);
  void AuditFile(int issuer);

  // Questions and their answers.
  TokenSpec AnyToken();
  Question AnyQuestion(int issuer);
  void Ask(const Question& question);
  void AskAsync(const Question& question);
  bool Look(Async* async);
  void Judge(const Question& question, const Answer& answer, const Decision& decision,
             const Principal* principal);
  void JudgeCache(const Question& question, const Answer& answer, const Decision& decision);
  void JudgeAllow(const Question& question, const Answer& answer);
  void JudgeIntrospected(const Question& question, const Answer& answer);
  void JudgeRetryAfter(const Question& question, const Answer& answer, const Decision& decision);
  bool MayHit(const Question& question);
  bool MayBeGone(const Question& question) const;
  void NoteVerified(const Question& question, const Answer& answer, bool may_be_gone);
  void MayAskAgain(Question question, const Answer& answer);
  void MayWait(const Question& question, const Answer& answer, const Decision& decision);
  WaitsFor WhatFor(const Question& question, const Answer& answer) const;
  uint64_t LastEnd(const WaitsFor& what) const;
  void JudgeMetrics();

  IdpScript& idp(int issuer) { return script_.idps[static_cast<size_t>(issuer)]; }
  FetchWatch& watch(int issuer) { return watches_[static_cast<size_t>(issuer)]; }
  AskWatch& asks(int issuer) { return asks_[static_cast<size_t>(issuer)]; }
  int num_issuers() const { return static_cast<int>(script_.idps.size()); }
  bool is_inline(int issuer) { return idp(issuer).kind == SourceKind::kInline; }
  // With a fetch that fails and the next one, each with its time in lines.
  int64_t LongestRefreshMs() const {
    return timing_.refresh_max_ms * (100 + timing_.jitter_percent) / 100 +
           2 * (timing_.fetch_timeout_ms + hosts_.FetchMs()) + timing_.backoff_cap_ms + 2;
  }
  void Complain(const std::string& what) { complaint_.Add("at " + std::to_string(now_ms_) + " ms: " + what); }
  // Log tells what happens; `what` makes the text, only if somebody listens.
  template <typename What>
  void Log(What what) const {
    if (options_.log) std::printf("%10lld ms  %s\n", static_cast<long long>(now_ms_), what().c_str());
  }

  const Options options_;
  Script script_;
  const Timing timing_;
  Random random_;
  int64_t now_ms_ = 0;
  VirtualClock clock_;
  Complaint complaint_;
  Network network_;
  Disk disk_;
  HostWatch hosts_;
  std::vector<FetchWatch> watches_;
  std::vector<AskWatch> asks_;
  Oracle oracle_;
  std::unique_ptr<Subject> subject_;
  int64_t opened_ms_ = 0;
  int64_t engine_due_ms_ = 0;
  uint64_t incarnation_ = 0;
  size_t disk_part_ = 0;  // Of the script's disk faults: what comes next.
  bool disk_full_ = false, disk_read_only_ = false, unreadable_ = false;
  struct Ended {
    int issuer;
    bool whole_set;  // With a set, and not with a failure or a 304.
  };
  std::vector<Ended> ended_;  // Fetches, in this turn.
  bool answered_ = false;     // A question has ended, in this turn.
  std::multimap<int64_t, Probe> probes_;
  std::vector<TokenSpec> clients_;
  std::vector<std::string> unknown_kids_;
  std::map<uint64_t, Verified> verified_;  // By token.
  size_t num_nobodys_ = 0;
  std::vector<Waiting> waiting_;
  std::vector<Async> asyncs_;
  // By this engine: looks of CheckAsync that nobody has seen, all of them unavailable, and those that it may
  // have taken besides. Tokens share what their waiters are woken by, and nobody outside knows which.
  uint64_t unseen_ = 0, perhaps_unseen_ = 0;
  uint64_t num_settled_ = 0;  // Questions, at the last turn.
  uint64_t stood_in_ = 0;
  size_t seen_before_ = 0;  // By earlier engines.
  Result result_;
};

}  // namespace tollgate::sim
