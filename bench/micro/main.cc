// bench_micro: floors, whole checks and their stages, in one run, interleaved. See bench/README.md.

#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>

#include "bench/lib/command_line.h"
#include "bench/lib/json_file.h"
#include "bench/lib/runner.h"
#include "bench/micro/benchmarks.h"

namespace {

using tollgate::bench::TokenPool;

struct Options {
  std::string pool;
  std::string out;
  bool smoke = false;
  std::vector<std::string> rest;  // Google Benchmark's.
};

std::optional<int> ReadOptions(int argc, char** argv, Options* options) {
  CLI::App app("Floors, whole checks and their stages, in one run.\n" +
                   std::string(tollgate::bench::kGoogleBenchmarkHelp),
               "bench_micro");
  app.add_option("--pool", options->pool,
                 "DIR of tokens that an identity provider issued (tokens_<ALG>.txt, jwks.json, pool.json); "
                 "without it the program mints its own and says so");
  app.add_option("--out", options->out, "every repetition of every benchmark, as JSON")
      ->check(tollgate::bench::CanBeWritten());
  app.add_flag("--smoke", options->smoke, "a few milliseconds each: does everything still run?");
  return tollgate::bench::ParseBenchmarkCommandLine(app, argc, argv, &options->rest);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (const std::optional<int> status = ReadOptions(argc, argv, &options)) return *status;
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
  if (!tollgate::bench::WriteJsonFile("bench_micro", options.out, result)) return 2;
  return collector.errors().empty() && !collector.empty() ? 0 : 1;
}
