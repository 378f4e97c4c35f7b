#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <map>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/hot/benchmarks.h"
#include "bench/hot/subject.h"
#include "bench/lib/gates.h"

namespace tollgate::bench {
namespace {

constexpr size_t kThreads = 2;
constexpr size_t kSameTokens = 16;
// Below this the machine does not have two processors to give, and nothing can be said.
constexpr double kCalibrationMin = 1.9;
constexpr double kRelativeMin = 0.97;

using Clock = std::chrono::steady_clock;

// Work answers one round of requests, or of arithmetic, and returns how many; none if an answer was wrong.
using Work = size_t (*)(Engine& engine, std::span<const Request> requests);

size_t Spin(Engine&, std::span<const Request>) {
  uint64_t x = 88'172'645'463'325'252;
  for (int i = 0; i < 4096; ++i) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    asm volatile("" : "+r"(x));
  }
  return 1;
}

size_t Check(Engine& engine, std::span<const Request> requests) {
  Decision decision;
  size_t wrong = 0;
  for (const Request& request : requests) {
    engine.Check(request, &decision);
    wrong += !decision.allowed() || !decision.from_cache;
  }
  return wrong == 0 ? requests.size() : 0;
}

// Pin keeps this thread on the processor with this place among those that it may use. Where there are fewer
// it stays where it is, and the calibration tells.
void Pin(size_t place) {
  cpu_set_t all, one;
  if (sched_getaffinity(0, sizeof all, &all) != 0) return;
  for (size_t processor = 0; processor < CPU_SETSIZE; ++processor) {
    if (!CPU_ISSET(processor, &all) || place-- != 0) continue;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    static_cast<void>(sched_setaffinity(0, sizeof one, &one));
    return;
  }
}

// PerSecond lets the threads from `first` to before `last` work for a while, each on its share and its
// processor, and returns what they did together. Negative if an answer was wrong.
double PerSecond(size_t first, size_t last, int slice_ms, Work work, Engine& engine,
                 std::span<const std::span<const Request>> shares) {
  std::atomic<size_t> waiting{last - first};
  std::atomic<bool> stop{false};
  std::vector<double> rates(last);
  const auto run = [&](size_t thread) {
    Pin(thread);
    work(engine, shares[thread]);  // Warm.
    // Ordering: relaxed, here and below; a start and an end to measure between, which publish nothing. What
    // the threads wrote is read after join.
    waiting.fetch_sub(1, std::memory_order_relaxed);
    while (waiting.load(std::memory_order_relaxed) != 0) {
    }
    const Clock::time_point begin = Clock::now();
    size_t done = 0;
    bool good = true;
    do {
      const size_t more = work(engine, shares[thread]);
      good &= more != 0;
      done += more;
    } while (!stop.load(std::memory_order_relaxed));
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    rates[thread] = good ? static_cast<double>(done) / seconds : -HUGE_VAL;
  };
  std::vector<std::thread> threads;
  for (size_t i = first; i < last; ++i) threads.emplace_back(run, i);
  while (waiting.load(std::memory_order_relaxed) != 0)
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  std::this_thread::sleep_for(std::chrono::milliseconds(slice_ms));
  stop.store(true, std::memory_order_relaxed);
  for (std::thread& thread : threads) thread.join();
  double sum = 0;
  for (const double rate : rates) sum += rate;
  return sum;
}

struct Kind {
  const char* name;
  Work work;
  std::vector<std::span<const Request>> shares;  // One for each thread.
  std::vector<double> one{}, many{}, speedup{};
};

nlohmann::json BenchmarkOf(const Kind& kind, size_t num_threads, const std::vector<double>& rates) {
  std::vector<double> nanoseconds;
  for (const double rate : rates) nanoseconds.push_back(1e9 / rate);
  const auto [least, most] = std::minmax_element(nanoseconds.begin(), nanoseconds.end());
  return {{"name", "BM_Hit_Threads/" + std::to_string(num_threads) + "/" + kind.name},
          {"unit", "wall_ns"},
          {"repetitions", nanoseconds},
          {"median", Median(nanoseconds)},
          {"min", *least},
          {"max", *most},
          {"iterations", 1}};
}

}  // namespace

nlohmann::json MeasureScaling(const HotSettings& settings) {
  Subject subject("EdDSA", 1000, kDefaultCacheBytes);
  if (!subject.error.empty()) return {{"error", subject.error}};
  const std::span<const Request> all = subject.workload.requests();
  std::vector<Kind> kinds = {
      {"calibration", Spin, {{}, {}}},
      {"distinct", Check, {all.first(all.size() / 2), all.last(all.size() / 2)}},
      {"same16", Check, {all.first(kSameTokens), all.first(kSameTokens)}},
  };
  bool good = true;
  for (int round = 0; round < settings.scaling_rounds; ++round) {
    for (Kind& kind : kinds) {
      const auto rate = [&](size_t first, size_t last) {
        const double sum =
            PerSecond(first, last, settings.scaling_slice_ms, kind.work, *subject.engine, kind.shares);
        good &= sum > 0;
        return sum;
      };
      // Each thread alone, too: a processor may be slower than the other, whatever that one does.
      double one = 0;
      for (size_t thread = 0; thread < kThreads; ++thread) one += rate(thread, thread + 1) / kThreads;
      const double many = rate(0, kThreads);
      kind.one.push_back(one), kind.many.push_back(many), kind.speedup.push_back(many / one);
    }
  }
  if (!good) return {{"error", "a check of two threads at once was not an allow from the cache"}};

  const double calibration = Median(kinds[0].speedup);
  nlohmann::json scaling = {{"threads", kThreads},
                            {"rounds", settings.scaling_rounds},
                            {"calibration", calibration},
                            {"calibration_min", kCalibrationMin},
                            {"kinds", nlohmann::json::array()},
                            {"benchmarks", nlohmann::json::array()}};
  for (size_t i = 1; i < kinds.size(); ++i) {
    // Each round against its own calibration: the machine of one moment is not that of another.
    std::vector<double> relative;
    for (size_t round = 0; round < kinds[i].speedup.size(); ++round)
      relative.push_back(kinds[i].speedup[round] / kinds[0].speedup[round]);
    const double median = Median(relative);
    scaling["kinds"].push_back({{"name", kinds[i].name},
                                {"speedup", Median(kinds[i].speedup)},
                                {"relative", median},
                                {"limit", kRelativeMin},
                                {"outcome", calibration < kCalibrationMin ? "inconclusive"
                                            : median >= kRelativeMin      ? "met"
                                                                          : "missed"}});
    scaling["benchmarks"].push_back(BenchmarkOf(kinds[i], 1, kinds[i].one));
    scaling["benchmarks"].push_back(BenchmarkOf(kinds[i], kThreads, kinds[i].many));
  }
  return scaling;
}

}  // namespace tollgate::bench
