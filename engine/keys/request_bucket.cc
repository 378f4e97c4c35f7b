#include "keys/request_bucket.h"

#include <algorithm>

#include "base/saturating.h"

namespace tollgate::keys {
namespace {

using saturating::Minus;
using saturating::Plus;
using saturating::Times;

int64_t IntervalMs(const Timing& timing) { return std::max<int64_t>(timing.host_interval_ms, 1); }

}  // namespace

int64_t NthRequestMs(int64_t full_ms, uint64_t ahead, const Timing& timing, int64_t now_ms) {
  const int64_t spare = Times(std::max<int64_t>(timing.host_burst, 1) - 1, IntervalMs(timing));
  const int64_t owed = Times(static_cast<int64_t>(std::min<uint64_t>(ahead, INT64_MAX)), IntervalMs(timing));
  return std::max(now_ms, Minus(Plus(std::max(full_ms, now_ms), owed), spare));
}

int64_t OnRequest(int64_t full_ms, const Timing& timing, int64_t now_ms) {
  return Plus(std::max(full_ms, now_ms), IntervalMs(timing));
}

}  // namespace tollgate::keys
