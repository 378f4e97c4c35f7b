#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/script.h"
#include "tollgate/engine.h"

namespace tollgate::sim {

// Subject is the engine that is looked at, as a simulation sees it. Tests of the simulation override what
// they want to break.
class Subject {
 public:
  explicit Subject(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}
  virtual ~Subject() = default;

  virtual void Check(const Request& request, Decision* decision, Principal* principal) {
    engine_->Check(request, decision, principal);
  }
  virtual void CheckBatch(std::span<const Request> requests, std::span<Decision> decisions) {
    engine_->CheckBatch(requests, decisions);
  }
  virtual void CheckWithin(std::chrono::milliseconds wait_max, const Request& request, Decision* decision,
                           Principal* principal) {
    engine_->CheckWithin(wait_max, request, decision, principal);
  }
  virtual void CheckAsync(std::chrono::milliseconds wait_max, const Request& request,
                          std::function<void(const Decision&, const Principal&)> done) {
    engine_->CheckAsync(wait_max, request, std::move(done));
  }
  virtual int64_t RunBackgroundMs() { return engine_->RunBackground(std::chrono::milliseconds(0)).count(); }
  virtual bool NotifyWhenSettled(const Decision& decision, std::function<void()> callback) {
    return engine_->NotifyWhenSettled(decision, std::move(callback));
  }
  virtual std::vector<IssuerHealth> ReadHealth() const { return engine_->ReadHealth(); }
  Engine& engine() { return *engine_; }

 private:
  std::unique_ptr<Engine> engine_;
};
using MakeSubject = std::function<std::unique_ptr<Subject>(const Config&, Environment)>;

struct Options {
  uint64_t seed = 1;
  bool cached = true;          // False: an engine without a verdict cache.
  bool log = false;            // Tell on standard output what happens.
  MakeSubject make_subject{};  // Null: the engine.
};

// Counts says how much a simulation has seen.
struct Counts {
  uint64_t checks = 0, hits = 0, fetches = 0, failed_fetches = 0, restarts = 0, restored = 0, callbacks = 0;
  uint64_t wall_steps = 0, virtual_ms = 0;
  uint64_t ambiguous_hits = 0;  // By a key beside which a second one has come.
  uint64_t questions = 0, failed_questions = 0, stood_in = 0;
  uint64_t asyncs = 0, asyncs_waited = 0, asyncs_out_of_time = 0, asyncs_at_the_end = 0;
  uint64_t in_line = 0;  // Fetches that waited for their host.
  std::map<Reason, uint64_t> reasons{};
  std::array<uint64_t, static_cast<size_t>(Fault::kCount)> faults{};  // Exchanges that met it.
  std::array<uint64_t, static_cast<size_t>(AskFault::kCount)> ask_faults{};

  void Add(const Counts& other);
};

// Seen is one decision, as far as two engines must agree about it.
struct Seen {
  int64_t now_ms;
  Verdict verdict;
  Reason reason;
  Freshness freshness;
  int64_t keys_age_ms, valid_until_s;
  uint32_t retry_after_s;
  bool ambiguous_hit;

  bool operator==(const Seen&) const = default;
};

struct Result {
  std::string complaint;  // Empty: everything was as it should be.
  Counts counts;
  std::vector<Seen> seen;
};

// Simulate lives through one seed: an engine, its identity providers, its network, its disk and its clocks,
// on virtual time and one thread. Every answer is held against the Oracle, every fetch against the
// FetchWatch. The same options have the same result.
Result Simulate(const Options& options);

// SimulateTwice also holds the decisions against those of an engine without a verdict cache.
Result SimulateTwice(const Options& options);

}  // namespace tollgate::sim
