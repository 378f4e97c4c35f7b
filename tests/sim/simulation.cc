#include "tests/sim/simulation.h"

#include <algorithm>
#include <utility>

#include "tests/sim/life.h"

namespace tollgate::sim {

void Counts::Add(const Counts& other) {
  checks += other.checks;
  hits += other.hits;
  fetches += other.fetches;
  failed_fetches += other.failed_fetches;
  restarts += other.restarts;
  restored += other.restored;
  ambiguous_hits += other.ambiguous_hits;
  callbacks += other.callbacks;
  wall_steps += other.wall_steps;
  virtual_ms += other.virtual_ms;
  questions += other.questions;
  failed_questions += other.failed_questions;
  stood_in += other.stood_in;
  asyncs += other.asyncs;
  asyncs_waited += other.asyncs_waited;
  asyncs_out_of_time += other.asyncs_out_of_time;
  asyncs_at_the_end += other.asyncs_at_the_end;
  in_line += other.in_line;
  for (const auto& [reason, count] : other.reasons) reasons[reason] += count;
  for (size_t i = 0; i < faults.size(); ++i) faults[i] += other.faults[i];
  for (size_t i = 0; i < ask_faults.size(); ++i) ask_faults[i] += other.ask_faults[i];
}

Result Simulate(const Options& options) { return Life(options).Run(); }

Result SimulateTwice(const Options& options) {
  Result cached = Simulate(options);
  if (!cached.complaint.empty()) return cached;
  Options without = options;
  without.cached = false;
  const Result uncached = Simulate(without);
  if (!uncached.complaint.empty()) return uncached;
  const auto same = [](const Seen& hit, const Seen& miss) {
    return hit == miss || (hit.ambiguous_hit && miss.reason == Reason::kKeyAmbiguous);
  };
  const auto [one, other] =
      std::mismatch(cached.seen.begin(), cached.seen.end(), uncached.seen.begin(), uncached.seen.end(), same);
  if (one == cached.seen.end() && other == uncached.seen.end()) return cached;
  cached.complaint =
      "without a cache, answer " + std::to_string(one - cached.seen.begin()) + " is another one";
  if (one != cached.seen.end() && other != uncached.seen.end()) {
    cached.complaint += ": at " + std::to_string(one->now_ms) + " and " + std::to_string(other->now_ms) +
                        " ms, " + std::string(ReasonName(one->reason)) + " and " +
                        std::string(ReasonName(other->reason));
  }
  return cached;
}

}  // namespace tollgate::sim
