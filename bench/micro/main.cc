// bench_micro: floors, whole checks and their stages, in one run, interleaved. See bench/README.md.

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>

#include "bench/lib/gates.h"
#include "bench/micro/benchmarks.h"

namespace {

using tollgate::bench::TokenPool;

constexpr char kUsage[] =
    "bench_micro [--pool DIR] [--out FILE] [--smoke] [--benchmark_…]\n"
    "  --pool DIR   tokens that an identity provider issued (tokens_<ALG>.txt, jwks.json, pool.json);\n"
    "               without it the program mints its own and says so\n"
    "  --out FILE   every repetition of every benchmark, as JSON\n"
    "  --smoke      a few milliseconds each: does everything still run?\n"
    "Google Benchmark's own flags may follow. Exit: 0 good, 1 a benchmark failed, 2 unusable arguments.\n";

// Collects the repetitions of every benchmark, in CPU nanoseconds: on a machine that is shared with others
// the wall clock measures them too.
class Collector final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }

  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type == Run::RT_Aggregate) continue;
      std::string name = run.run_name.function_name;
      if (!run.run_name.args.empty()) name += "/" + run.run_name.args;
      if (run.error_occurred) {
        errors_[name] = run.error_message;
      } else {
        repetitions_[name].push_back(run.GetAdjustedCPUTime());
        iterations_[name] = run.iterations;
      }
    }
  }

  void Print() const {
    std::printf("%-40s %14s %14s %8s\n", "", "median", "spread", "runs");
    for (const auto& [name, values] : repetitions_) {
      const auto [least, most] = std::minmax_element(values.begin(), values.end());
      const double median = tollgate::bench::Median(values);
      std::printf("%-40s %11.1f ns %+6.1f%%%+6.1f%% %8zu\n", name.c_str(), median,
                  100 * (*least / median - 1), 100 * (*most / median - 1), values.size());
    }
    for (const auto& [name, message] : errors_) std::printf("FAILED %s: %s\n", name.c_str(), message.c_str());
  }

  nlohmann::json ToJson() const {
    nlohmann::json list = nlohmann::json::array();
    for (const auto& [name, values] : repetitions_) {
      const auto [least, most] = std::minmax_element(values.begin(), values.end());
      list.push_back({{"name", name},
                      {"unit", "cpu_ns"},
                      {"repetitions", values},
                      {"median", tollgate::bench::Median(values)},
                      {"min", *least},
                      {"max", *most},
                      {"iterations", iterations_.at(name)}});
    }
    return list;
  }

  const std::map<std::string, std::string>& errors() const { return errors_; }
  bool empty() const { return repetitions_.empty(); }

 private:
  std::map<std::string, std::vector<double>> repetitions_;
  std::map<std::string, int64_t> iterations_;
  std::map<std::string, std::string> errors_;
};

struct Options {
  std::string pool;
  std::string out;
  bool smoke = false;
  std::vector<std::string> rest;  // Google Benchmark's.
};

// ReadOptions returns false, having said why, for arguments that it cannot use.
bool ReadOptions(int argc, char** argv, Options* options) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--smoke") {
      options->smoke = true;
    } else if ((argument == "--pool" || argument == "--out") && i + 1 < argc) {
      (argument == "--pool" ? options->pool : options->out) = argv[++i];
    } else if (argument.starts_with("--benchmark_") || argument.starts_with("--v=")) {
      options->rest.emplace_back(argument);
    } else {
      std::fputs(kUsage, argument == "--help" ? stdout : stderr);
      return false;
    }
  }
  return true;
}

// Defaults come first, so that a flag given on the command line wins.
void InitializeBenchmark(const Options& options, char* program) {
  std::vector<std::string> flags = {
      "--benchmark_enable_random_interleaving=true",
      options.smoke ? "--benchmark_repetitions=2" : "--benchmark_repetitions=9",
      options.smoke ? "--benchmark_min_time=0.001" : "--benchmark_min_time=0.2"};
  flags.insert(flags.end(), options.rest.begin(), options.rest.end());
  std::vector<char*> arguments = {program};
  for (std::string& flag : flags) arguments.push_back(flag.data());
  int count = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  benchmark::Initialize(&count, arguments.data());
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!ReadOptions(argc, argv, &options)) return argc == 2 && std::string_view(argv[1]) == "--help" ? 0 : 2;
  TokenPool pool;
  if (options.pool.empty()) {
    pool = tollgate::bench::MintTokenPool(
        "https://idp.example", {"RS256", "PS256", "ES256", "ES384", "EdDSA"}, options.smoke ? 50 : 1000, 800);
  } else {
    absl::StatusOr<TokenPool> read = tollgate::bench::ReadTokenPool(options.pool);
    if (!read.ok()) {
      std::fprintf(stderr, "bench_micro: %s\n", std::string(read.status().message()).c_str());
      return 2;
    }
    pool = *std::move(read);
  }
  std::printf("Tokens from %s, %zu bytes on average; exp is far away and the clock is the system's.\n",
              pool.source.c_str(), pool.bytes_mean);
  std::fflush(stdout);
  InitializeBenchmark(options, argv[0]);
  tollgate::bench::RegisterCheckBenchmarks(pool);
  tollgate::bench::RegisterStageBenchmarks(pool);
  Collector collector;
  benchmark::RunSpecifiedBenchmarks(&collector);
  collector.Print();
  if (!options.out.empty()) {
    nlohmann::json counts;
    for (const auto& [algorithm, tokens] : pool.tokens) {
      size_t bytes = 0;
      for (const std::string& token : tokens) bytes += token.size();
      counts[algorithm] = {{"count", tokens.size()}, {"bytes_mean", bytes / tokens.size()}};
    }
    const nlohmann::json result = {
        {"tokens",
         {{"source", pool.source}, {"issuer", pool.issuer}, {"scope", pool.scope}, {"algorithms", counts}}},
        {"benchmarks", collector.ToJson()},
        {"errors", collector.errors()}};
    std::ofstream out(options.out);
    if (!(out << result.dump(1) << "\n").flush()) {
      std::fprintf(stderr, "bench_micro: %s cannot be written\n", options.out.c_str());
      return 2;
    }
  }
  return collector.errors().empty() && !collector.empty() ? 0 : 1;
}
