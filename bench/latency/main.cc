// bench_latency: how long single hits take, quiet and while the engine is kept busy from another thread. See
// bench/README.md.

#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "bench/latency/disturbance.h"
#include "bench/latency/judge.h"
#include "bench/latency/timer.h"
#include "bench/lib/command_line.h"
#include "bench/lib/gates.h"
#include "bench/lib/histogram.h"
#include "bench/lib/measure.h"
#include "bench/lib/workload.h"
#include "tollgate/engine.h"

namespace tollgate::bench {
namespace {

constexpr size_t kKnown = 1000;
constexpr size_t kStrangers = 10'000;
// Keys of each of the hundred issuers are fetched this often while they are fetched.
constexpr int64_t kRefreshMs = 100;

struct Options {
  int pairs = 9;
  double slice_s = 1;
  std::string out;
};

std::optional<int> ReadOptions(int argc, char** argv, Options* options) {
  CLI::App app(
      "How long single hits take, quiet and while the engine is kept busy.\n"
      "Exit: 0 measured, 1 an answer was wrong, 2 it could not run. bench_report judges the figures.",
      "bench_latency");
  bool smoke = false;
  CLI::Option* const pairs =
      app.add_option("--pairs", options->pairs, "of a quiet and a disturbed slice for each disturbance (9)")
          ->check(Between(1, 1000));
  CLI::Option* const slice =
      app.add_option("--slice", options->slice_s, "seconds of a slice (1)")->check(Between(0.001, 60.0));
  app.add_option("--out", options->out, "the percentiles and the judgement, as JSON")->check(CanBeWritten());
  app.add_flag("--smoke", smoke, "half a second in all: does everything still run and answer right?");
  const std::optional<int> status = ParseCommandLine(app, argc, argv);
  if (smoke && !*pairs) options->pairs = 2;
  if (smoke && !*slice) options->slice_s = 0.03;
  return status;
}

// What one condition came to, over all of its slices.
struct Tally {
  Histogram all;
  std::vector<double> p999;    // Of each slice.
  std::vector<double> ratios;  // To the quiet slice before it.
  std::vector<double> rates;   // Of the disturbance, a second.
};

class Measurement {
 public:
  explicit Measurement(const Options& options)
      : options_(options),
        workload_("EdDSA", kKnown + kStrangers),
        known_(workload_.requests().first(kKnown)) {}

  // Prepare returns false, with the reason in error(), if there is nothing to measure.
  bool Prepare() {
    absl::StatusOr<Config> config = workload_.MakeConfig(/*fetched=*/true);
    if (!config.ok()) return Fail(config.status().ToString());
    config->timing.refresh_min_ms = config->timing.refresh_max_ms = kRefreshMs;
    // A verification for each forged token is what is to disturb.
    config->verification_limits.in_vain_percent_max = 0;
    Environment environment;
    environment.own_thread = false;
    environment.transport = std::make_unique<KeySource>(workload_, &answers_);
    absl::StatusOr<std::unique_ptr<Engine>> made = Engine::Create(*std::move(config), std::move(environment));
    if (!made.ok()) return Fail(made.status().ToString());
    engine_ = *std::move(made);
    for (int i = 0; i < 1000 && answers_ < Workload::kNumIssuers; ++i)
      engine_->RunBackground(std::chrono::milliseconds(1));
    engine_->RunBackground(std::chrono::milliseconds(0));
    disturber_ = std::make_unique<Disturber>(*engine_, workload_, kKnown, answers_);
    Decision decision;
    for (const Request& request : known_) {
      engine_->Check(request, &decision);
      if (!decision.allowed()) return Fail(ReasonName(decision.reason));
    }
    Histogram unused;
    Slice(0.01, &unused);  // Warm.
    return error_.empty();
  }

  bool Run() {
    for (int pair = 0; pair < options_.pairs; ++pair) {
      for (size_t i = 0; i < std::size(kDisturbances); ++i) {
        const double quiet = OneSlice(Condition::kQuiet, &quiet_);
        const double disturbed = OneSlice(kDisturbances[i], &disturbed_[i]);
        disturbed_[i].ratios.push_back(disturbed / std::max(quiet, 1.0));
        if (!error_.empty()) return false;
      }
    }
    // One in ten thousand may have lost its place to a newcomer.
    if (not_cached_ * 10'000 > checks_)
      return Fail("of " + std::to_string(checks_) + " checks " + std::to_string(not_cached_) +
                  " were not answered from the cache");
    return true;
  }

  nlohmann::json ToJson() const {
    const double spread = QuietSpread(quiet_.p999);
    nlohmann::json conditions = nlohmann::json::array({Describe(Condition::kQuiet, quiet_)});
    conditions.back()["outcome"] = "reference";
    for (size_t i = 0; i < std::size(kDisturbances); ++i) {
      const LatencyJudgement judgement = JudgeLatency(disturbed_[i].ratios, spread);
      nlohmann::json condition = Describe(kDisturbances[i], disturbed_[i]);
      condition["ratios_p999"] = disturbed_[i].ratios;
      condition["ratio_p999"] = judgement.ratio;
      condition["done_hz"] = Median(disturbed_[i].rates);
      // The neighbour does nothing to the engine: it is there to be compared with.
      condition["outcome"] = kDisturbances[i] == Condition::kNeighbour ? "reference" : judgement.outcome;
      conditions.push_back(std::move(condition));
    }
    return {{"timer", {{"source", Timer::Source()}, {"cost_ns", timer_.cost_ns()}}},
            {"slice_s", options_.slice_s},
            {"pairs", options_.pairs},
            {"tokens", kKnown},
            {"ratio_max", kLatencyRatioMax},
            {"quiet_spread_p999", spread},
            {"not_cached", not_cached_},
            {"conditions", conditions}};
  }

  const std::string& error() const { return error_; }

 private:
  bool Fail(std::string_view why) {
    if (error_.empty()) error_ = why;
    return false;
  }

  // Slice checks known tokens for a while, one after the other, and records each.
  void Slice(double seconds, Histogram* histogram) {
    const uint64_t end = Timer::Read() + timer_.TicksOf(seconds);
    Decision decision;
    size_t wrong = 0;
    for (uint64_t after = 0; after < end;) {
      const uint64_t before = Timer::Read();
      engine_->Check(known_[at_], &decision);
      after = Timer::Read();
      histogram->Record(timer_.Between(before, after));
      wrong += !decision.allowed();
      not_cached_ += !decision.from_cache;
      ++checks_;
      if (++at_ == known_.size()) at_ = 0;
    }
    if (wrong != 0) Fail("a measured check was not an allow");
  }

  double OneSlice(Condition condition, Tally* tally) {
    Histogram histogram;
    const double rate = disturber_->Run(condition, [&] { Slice(options_.slice_s, &histogram); });
    if (rate < 0)
      Fail("a check of the other thread was answered wrongly: " + std::string(ConditionName(condition)));
    tally->rates.push_back(rate);
    tally->all.Merge(histogram);
    tally->p999.push_back(static_cast<double>(histogram.Percentile(99.9)));
    return tally->p999.back();
  }

  static nlohmann::json Describe(Condition condition, const Tally& tally) {
    return {{"name", ConditionName(condition)},
            {"slices", tally.p999.size()},
            {"checks", tally.all.count()},
            {"p50_ns", tally.all.Percentile(50)},
            {"p99_ns", tally.all.Percentile(99)},
            {"p999_ns", tally.all.Percentile(99.9)},
            {"p9999_ns", tally.all.Percentile(99.99)},
            {"max_ns", tally.all.max()}};
  }

  const Options options_;
  const Timer timer_;
  Workload workload_;
  const std::span<const Request> known_;
  uint64_t answers_ = 0;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Disturber> disturber_;
  Tally quiet_;
  Tally disturbed_[std::size(kDisturbances)];
  size_t at_ = 0;
  uint64_t checks_ = 0, not_cached_ = 0;
  std::string error_;
};

void Print(const nlohmann::json& result) {
  std::printf("%-12s %10s %9s %9s %9s %9s %12s %12s  p99.9 to quiet\n", "", "checks", "p50 ns", "p99 ns",
              "p99.9 ns", "p99.99 ns", "max ns", "done a s");
  for (const nlohmann::json& condition : result["conditions"]) {
    std::printf("%-12s %10llu", condition["name"].get<std::string>().c_str(),
                condition["checks"].get<unsigned long long>());
    for (const char* name : {"p50_ns", "p99_ns", "p999_ns", "p9999_ns"})
      std::printf(" %9llu", condition[name].get<unsigned long long>());
    std::printf(" %12llu %12.0f  %.2f %s\n", condition["max_ns"].get<unsigned long long>(),
                condition.value("done_hz", 0.0), condition.value("ratio_p999", 1.0),
                condition["outcome"].get<std::string>().c_str());
  }
  std::printf("Limit %.1f; quiet against quiet %.2f; the timer's own %.1f ns are subtracted (%s).\n",
              result["ratio_max"].get<double>(), result["quiet_spread_p999"].get<double>(),
              result["timer"]["cost_ns"].get<double>(), result["timer"]["source"].get<std::string>().c_str());
}

int Main(int argc, char** argv) {
  Options options;
  if (const std::optional<int> status = ReadOptions(argc, argv, &options)) return *status;
  Measurement measurement(options);
  return Measure("bench_latency", measurement, Print, options.out);
}

}  // namespace
}  // namespace tollgate::bench

int main(int argc, char** argv) { return tollgate::bench::Main(argc, argv); }
