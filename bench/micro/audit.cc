// What a record costs: the thread that decides (BM_AuditSubmit; BM_AuditSampledOut where it is not wanted),
// and the background thread that makes a line of it and chains that (BM_AuditLine).

#include <benchmark/benchmark.h>

#include <memory>

#include "audit/log.h"
#include "bench/micro/benchmarks.h"

namespace tollgate::bench {
namespace {

using audit::Log;
using audit::Record;

// What a ring of the default size surely holds.
constexpr int kBatch = 500;

class Forgets final : public AuditSink {
 public:
  absl::Status Write(std::span<const std::string_view>) override { return absl::OkStatus(); }
};

constexpr audit::AuditId kAuditId = {1, 2, 3};

Record AllowedCall() {
  return {.time_ms = 1'800'000'000'000,
          .verdict = Verdict::kAllow,
          .reason = Reason::kNone,
          .duty = AuditDuty::kFull,
          .tool = "search_customers",
          .server = "https://mcp.example/mcp",
          .sensitivity = "privileged",
          .principal_known = true,
          .issuer = "https://idp.example/realms/production",
          .subject = "f:6b1f0a52-8f0e-4c38-9c53-7d8f6a3f1a11:alice",
          .client_id = "agent-orchestrator",
          .jwt_id = "0b0f4a1c-63f0-4a3e-9c5e-0a4f6f1f7c55",
          .scopes = "customers:read customers:write invoices:read",
          .roles = "support",
          .key_id = "k-2026-11",
          .audit_id = kAuditId,
          .traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"};
}

// Either side is timed for a batch while the other one stands still.
void RunBatches(benchmark::State& state, bool submit_is_timed) {
  Log log({.sink = std::make_shared<Forgets>()}, {});
  const Record record = AllowedCall();
  bool good = log.Submit(record) && log.Drain({});  // The thread's ring is made.
  while (state.KeepRunningBatch(kBatch)) {
    if (!submit_is_timed) state.PauseTiming();
    for (int i = 0; i < kBatch; ++i) good &= log.Submit(record);
    submit_is_timed ? state.PauseTiming() : state.ResumeTiming();
    good &= log.Drain({});
    if (submit_is_timed) state.ResumeTiming();
  }
  if (!good || log.Counters().written != static_cast<uint64_t>(state.iterations()) + 1) {
    state.SkipWithError("a record was lost");
  }
}

void SampledOut(benchmark::State& state) {
  Log log({.sink = std::make_shared<Forgets>(), .sample_one_in = 1'000'000'000}, {});
  int64_t wanted = 0;
  for (auto _ : state) wanted += log.Wants(AuditDuty::kSampled, Verdict::kAllow);
  if (wanted > 1 + state.iterations() / 1'000'000'000) state.SkipWithError("too many were wanted");
}

}  // namespace

void RegisterAuditBenchmarks() {
  benchmark::RegisterBenchmark("BM_AuditSubmit", [](benchmark::State& state) { RunBatches(state, true); });
  benchmark::RegisterBenchmark("BM_AuditLine", [](benchmark::State& state) { RunBatches(state, false); });
  benchmark::RegisterBenchmark("BM_AuditSampledOut", SampledOut);
}

}  // namespace tollgate::bench
