#include "bench/hot/subject.h"

#include <utility>

#include "bench/lib/recorded_verify.h"

namespace tollgate::bench {
namespace {

// AskAll returns how many answers came from the cache, and why not all were an allow.
size_t AskAll(Engine& engine, const Workload& workload, std::string* error) {
  Decision decision;
  size_t hits = 0;
  for (const Request& request : workload.requests()) {
    engine.Check(request, &decision);
    hits += decision.from_cache;
    if (!decision.allowed()) *error = "not allowed: " + std::string(ReasonName(decision.reason));
  }
  return hits;
}

}  // namespace

Subject::Subject(std::string_view algorithm, size_t num_tokens, size_t cache_bytes)
    : workload(algorithm, num_tokens) {
  absl::StatusOr<Config> config = workload.MakeConfig();
  if (config.ok()) config->verdict_cache_bytes = cache_bytes;
  Environment environment;
  environment.own_thread = false;  // Keys are given: there is nothing to fetch.
  absl::StatusOr<std::unique_ptr<Engine>> made =
      config.ok() ? Engine::Create(*std::move(config), std::move(environment)) : config.status();
  if (!made.ok()) {
    error = std::string(made.status().message());
    return;
  }
  engine = *std::move(made);
  const uint64_t recorded = RecordedVerifications();
  AskAll(*engine, workload, &error);
  if (error.empty() && RecordedVerifications() - recorded != engine->ReadMetrics().signature_verifications) {
    error = "the verification is not replaced";
  }
  if (!error.empty()) return;
  const size_t hits = AskAll(*engine, workload, &error);
  lost = num_tokens - hits;
  if (lost * 1000 > num_tokens)
    error = "the cache holds " + std::to_string(hits) + " of " + std::to_string(num_tokens) + " tokens";
}

}  // namespace tollgate::bench
