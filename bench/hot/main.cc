// bench_hot: the hot path against its floor and against a peer, and the miss path without its verification,
// on the workload of a large installation. See bench/README.md.

#include <charconv>
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>

#include "bench/hot/benchmarks.h"
#include "bench/lib/runner.h"

namespace {

constexpr char kUsage[] =
    "bench_hot [--tokens N] [--scaling-rounds N] [--out FILE] [--smoke] [--benchmark_…]\n"
    "  --tokens N          in the largest rotation (1000000)\n"
    "  --scaling-rounds N  of one thread against two (9); 0: none\n"
    "  --out FILE          every repetition of every benchmark, as JSON\n"
    "  --smoke             few tokens, a few milliseconds each: does everything still run?\n"
    "Google Benchmark's own flags may follow. Exit: 0 good, 1 a benchmark failed, 2 unusable arguments.\n";

struct Options {
  tollgate::bench::HotSettings settings;
  std::string out;
  std::vector<std::string> rest;  // Google Benchmark's.
};

template <typename T>
bool ReadNumber(std::string_view text, T least, T most, T* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size() && *number >= least && *number <= most;
}

bool ReadOptions(int argc, char** argv, Options* options) {
  tollgate::bench::HotSettings& settings = options->settings;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const std::string_view value = i + 1 < argc ? argv[i + 1] : "";
    if (argument == "--smoke") {
      settings.smoke = true;
      settings.many = 2000;
      settings.scaling_rounds = 1;
      settings.scaling_slice_ms = 5;
    } else if (argument == "--tokens") {
      if (!ReadNumber<size_t>(value, 2000, 4'000'000, &settings.many)) return false;
      ++i;
    } else if (argument == "--scaling-rounds") {
      if (!ReadNumber(value, 0, 1000, &settings.scaling_rounds)) return false;
      ++i;
    } else if (argument == "--out" && i + 1 < argc) {
      options->out = argv[++i];
    } else if (argument.starts_with("--benchmark_") || argument.starts_with("--v=")) {
      options->rest.emplace_back(argument);
    } else {
      return false;
    }
  }
  return true;
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
  if (!ReadOptions(argc, argv, &options)) {
    const bool asked = argc == 2 && std::string_view(argv[1]) == "--help";
    std::fputs(kUsage, asked ? stdout : stderr);
    return asked ? 0 : 2;
  }
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
  if (!options.out.empty()) {
    const nlohmann::json result = {{"benchmarks", benchmarks}, {"scaling", scaling}, {"errors", errors}};
    std::ofstream(options.out) << result.dump(1) << "\n";
  }
  return errors.empty() && !collector.empty() ? 0 : 1;
}
