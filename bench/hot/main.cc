// bench_hot: the hot path against its floor and against a peer, and the miss path without its verification,
// on the workload of a large installation. See bench/README.md.

#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>

#include "bench/hot/benchmarks.h"
#include "bench/lib/command_line.h"
#include "bench/lib/json_file.h"
#include "bench/lib/runner.h"

namespace {

using tollgate::bench::Between;
using tollgate::bench::CanBeWritten;

struct Options {
  tollgate::bench::HotSettings settings;
  std::string out;
  std::vector<std::string> rest;  // Google Benchmark's.
};

std::optional<int> ReadOptions(int argc, char** argv, Options* options) {
  tollgate::bench::HotSettings& settings = options->settings;
  CLI::App app(
      "The hot path against its floor and against a peer, and the miss path without its verification.\n" +
          std::string(tollgate::bench::kGoogleBenchmarkHelp),
      "bench_hot");
  CLI::Option* const tokens = app.add_option("--tokens", settings.many, "in the largest rotation (1000000)")
                                  ->check(Between<size_t>(2000, 4'000'000));
  CLI::Option* const rounds =
      app.add_option("--scaling-rounds", settings.scaling_rounds, "of one thread against two (9); 0: none")
          ->check(Between(0, 1000));
  app.add_option("--out", options->out, "every repetition of every benchmark, as JSON")
      ->check(CanBeWritten());
  app.add_flag("--smoke", settings.smoke, "few tokens, a few milliseconds each: does everything still run?");
  const std::optional<int> status =
      tollgate::bench::ParseBenchmarkCommandLine(app, argc, argv, &options->rest);
  if (settings.smoke) {
    if (!*tokens) settings.many = 2000;
    if (!*rounds) settings.scaling_rounds = 1;
    settings.scaling_slice_ms = 5;
  }
  return status;
}

void PrintScaling(const nlohmann::json& scaling) {
  if (scaling.contains("error")) {
    std::printf("FAILED BM_Hit_Threads: %s\n", scaling["error"].get<std::string>().c_str());
    return;
  }
  std::printf("Two threads that share nothing do %.3f times the work of one.\n",
              scaling["calibration"].get<double>());
  for (const nlohmann::json& kind : scaling["kinds"]) {
    std::printf("BM_Hit_Threads, %s: %.3f times, %.3f of that: %s (limit %.2f)\n",
                kind["name"].get<std::string>().c_str(), kind["speedup"].get<double>(),
                kind["relative"].get<double>(), kind["outcome"].get<std::string>().c_str(),
                kind["limit"].get<double>());
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (const std::optional<int> status = ReadOptions(argc, argv, &options)) return *status;
  tollgate::bench::InitializeBenchmark(argv[0], options.settings.smoke, options.rest);
  // Before the million tokens: they would only make it slower to start.
  nlohmann::json scaling;
  if (options.settings.scaling_rounds > 0) scaling = tollgate::bench::MeasureScaling(options.settings);
  tollgate::bench::RegisterHotBenchmarks(options.settings);
  tollgate::bench::Collector collector;
  benchmark::RunSpecifiedBenchmarks(&collector);
  collector.Print();
  nlohmann::json errors = collector.errors(), benchmarks = collector.ToJson();
  if (!scaling.is_null()) {
    PrintScaling(scaling);
    if (scaling.contains("error")) {
      errors["BM_Hit_Threads"] = scaling["error"];
    } else {
      for (const nlohmann::json& benchmark : scaling["benchmarks"]) benchmarks.push_back(benchmark);
      scaling.erase("benchmarks");
    }
  }
  const nlohmann::json result = {{"benchmarks", benchmarks}, {"scaling", scaling}, {"errors", errors}};
  if (!tollgate::bench::WriteJsonFile("bench_hot", options.out, result)) return 2;
  return errors.empty() && !collector.empty() ? 0 : 1;
}
