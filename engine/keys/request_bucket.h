#pragma once

#include <cstdint>

#include "tollgate/config.h"

namespace tollgate::keys {

// A request bucket bounds the requests to one host: it holds up to Timing::host_burst tokens, each request
// takes one, and one comes back in every Timing::host_interval_ms. So in any stretch of t milliseconds there
// are at most host_burst + t / host_interval_ms requests. All that has to be remembered is one number, the
// moment at which the bucket is full again. The pure functions below alone change it and judge by it: no
// clock of their own. Sums stick to the ends of the range.

inline constexpr int64_t kBucketFull = INT64_MIN;  // At all times.

// NthRequestMs returns when the request behind `ahead` others may be sent, if all go out as soon as they may:
// `now_ms`, or later.
int64_t NthRequestMs(int64_t full_ms, uint64_t ahead, const Timing& timing, int64_t now_ms);

// OnRequest returns when the bucket will be full, now that a request is sent.
int64_t OnRequest(int64_t full_ms, const Timing& timing, int64_t now_ms);

}  // namespace tollgate::keys
