#include "bench/outage/load.h"

#include <time.h>

#include <algorithm>

namespace tollgate::bench {
namespace {

// WaitUntil sleeps as long as sleeping is exact enough and spins for the rest.
int64_t WaitUntil(int64_t when_ns) {
  constexpr int64_t kWakeUpNs = 100'000;
  int64_t now_ns = MonotonicNs();
  if (when_ns - now_ns > 2 * kWakeUpNs) {
    const int64_t until_ns = when_ns - kWakeUpNs;
    const timespec until{.tv_sec = until_ns / 1'000'000'000, .tv_nsec = until_ns % 1'000'000'000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
    now_ns = MonotonicNs();
  }
  while (now_ns < when_ns) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
    now_ns = MonotonicNs();
  }
  return now_ns;
}

bool IsGood(CallKind kind) { return kind == CallKind::kKnown || kind == CallKind::kFresh; }

}  // namespace

void Wrong::Add(const Wrong& other) {
  allowed += other.allowed;
  denied += other.denied;
  unavailable += other.unavailable;
  without_retry_after += other.without_retry_after;
}

void Held::Add(CallKind kind, Expected expected) {
  if (!IsGood(kind)) {
    ++forged;
    return;
  }
  switch (expected) {
    case Expected::kAllow:
      ++to_allow;
      return;
    case Expected::kUnavailable:
      ++to_unavailable;
      return;
    case Expected::kEither:
      ++to_either;
  }
}

void Held::Add(const Held& other) {
  to_allow += other.to_allow;
  to_unavailable += other.to_unavailable;
  to_either += other.to_either;
  forged += other.forged;
}

void Judge(CallKind kind, Expected expected, const Decision& decision, Wrong* wrong) {
  const Verdict verdict = decision.verdict;
  if (verdict == Verdict::kUnavailable && decision.retry_after_s == 0) ++wrong->without_retry_after;
  if (IsGood(kind)) {
    if (verdict == Verdict::kDeny) ++wrong->denied;
    if (verdict == Verdict::kAllow && expected == Expected::kUnavailable) ++wrong->allowed;
    if (verdict == Verdict::kUnavailable && expected == Expected::kAllow) ++wrong->unavailable;
    return;
  }
  if (verdict == Verdict::kAllow) ++wrong->allowed;
  const bool must_deny =
      kind == CallKind::kForgedNone || (kind == CallKind::kForgedSignature && expected == Expected::kAllow);
  if (verdict == Verdict::kUnavailable && must_deny) ++wrong->unavailable;
}

void RunLoad(Engine& engine, const ExchangeLog& log, const Stream& stream, int64_t start_ns, int64_t bin_ns,
             const std::atomic<bool>& stop, LoadResult* result) {
  const KeyBook& book = log.book();
  const double interval_ns = 1e9 / stream.rate_hz;
  Decision decision;
  size_t next = 0;
  // Ordering: relaxed; the flag carries no data, and the join that follows orders the results.
  for (uint64_t n = 0; !stop.load(std::memory_order_relaxed); ++n) {
    const int64_t intended_ns = start_ns + static_cast<int64_t>(static_cast<double>(n) * interval_ns);
    const size_t bin_index = static_cast<size_t>((intended_ns - start_ns) / bin_ns);
    if (bin_index >= result->bins.size()) return;
    const Call& call = stream.calls[next];
    if (++next == stream.calls.size()) next = 0;
    WaitUntil(intended_ns);
    const KeyBook::State before = book.Read();
    const int64_t begin_ns = MonotonicNs();
    engine.Check({.authorization = call.authorization, .tool = call.tool}, &decision);
    const int64_t end_ns = MonotonicNs();
    const Expected expected = book.Judge(before, book.Read(), begin_ns, end_ns);
    Judge(call.kind, expected, decision, &result->wrong);
    result->held.Add(call.kind, expected);

    Bin& bin = result->bins[bin_index];
    const uint64_t slip_ns = static_cast<uint64_t>(begin_ns - intended_ns);
    bin.slip_ns_max = std::max(bin.slip_ns_max, slip_ns);
    result->slip.Record(slip_ns);
    if (!IsGood(call.kind)) {
      ++bin.forged;
      continue;
    }
    ++bin.offered;
    bin.allow += decision.verdict == Verdict::kAllow;
    bin.deny += decision.verdict == Verdict::kDeny;
    bin.unavailable += decision.verdict == Verdict::kUnavailable;
    if (call.kind == CallKind::kKnown) bin.latency.Record(static_cast<uint64_t>(end_ns - intended_ns));
  }
}

}  // namespace tollgate::bench
