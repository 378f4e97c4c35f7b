// bench_micro: floors, whole checks and their stages, in one run, interleaved. See bench/README.md.

#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>

#include "bench/lib/runner.h"
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
  tollgate::bench::InitializeBenchmark(argv[0], options.smoke, options.rest);
  tollgate::bench::RegisterCheckBenchmarks(pool);
  tollgate::bench::RegisterIntrospectionBenchmarks(pool);
  tollgate::bench::RegisterStageBenchmarks(pool);
  tollgate::bench::RegisterMcpBenchmarks();
  tollgate::bench::RegisterPolicyBenchmarks();
  tollgate::bench::RegisterAuditBenchmarks();
  tollgate::bench::Collector collector;
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
