#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "bench/lib/workload.h"
#include "tollgate/engine.h"

namespace tollgate::bench {

// What the other thread does while checks are measured.
enum class Condition {
  kQuiet,      // Sleeps.
  kNeighbour,  // Computes, and touches nothing of the engine: what a busy second processor costs by itself.
  kRefresh,    // Fetches key sets, each of which differs from the one before.
  kInserts,    // Has new tokens decided, 50 000 a second, with a recorded verdict: each goes into the cache.
  kForged,     // Has forged tokens decided, as fast as it can: a real verification each, and a denial.
};
inline constexpr Condition kDisturbances[] = {Condition::kNeighbour, Condition::kRefresh, Condition::kInserts,
                                              Condition::kForged};
inline constexpr double kInsertsPerSecond = 50'000;

// ConditionName returns "quiet" and so on. Static storage.
std::string_view ConditionName(Condition condition);

// KeySource stands for all identity providers: every answer comes at once, and with another key in it than
// the one before. Owner thread only, but for Wake.
class KeySource final : public Transport {
 public:
  // Both must outlive this; `answers` counts.
  KeySource(const Workload& workload, uint64_t* answers);
  void Start(FetchRequest request) override { requests_.push_back(std::move(request)); }
  void Poll(int timeout_ms, std::vector<FetchResult>* done) override;
  void Wake() override {}

 private:
  const Workload& workload_;
  uint64_t* const answers_;
  absl::flat_hash_map<std::string, size_t> issuers_;  // By URL.
  std::vector<FetchRequest> requests_;
};

// Disturber owns the other thread. Owner thread only.
class Disturber {
 public:
  // All must outlive this. The engine's keys come from a KeySource that counts in `answers`, and it has no
  // thread of its own. The workload's requests from `first` on belong to the disturber.
  Disturber(Engine& engine, Workload& workload, size_t first, const uint64_t& answers);

  // Run lets the other thread do what `condition` says while `measure` runs on this one, and returns how many
  // refreshes, inserts or forgeries there were a second. Negative if one of them was answered wrongly.
  double Run(Condition condition, const std::function<void()>& measure);

 private:
  // The body of the other thread: how many, or nullopt after a wrong answer.
  std::optional<uint64_t> Disturb(Condition condition, const std::atomic<bool>& stop);
  bool DecideNext(bool forged);

  Engine& engine_;
  Workload& workload_;
  const size_t first_;
  const uint64_t& answers_;
  size_t next_;
};

}  // namespace tollgate::bench
