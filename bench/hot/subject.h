#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "bench/lib/workload.h"
#include "tollgate/engine.h"

namespace tollgate::bench {

// Subject is a workload and an engine whose verdict cache holds all of it. Thread-compatible.
struct Subject {
  Workload workload;
  std::unique_ptr<Engine> engine;
  std::string error;  // Why there is nothing to time; empty if all is well.
  size_t lost = 0;    // Tokens that the cache did not hold any more when all had been put in.

  // With `cache_bytes` for the verdict cache. Every request is answered once by verification, with a recorded
  // verdict, and must be answered with allow; a second time they must come from the cache, but for one in a
  // thousand. (What is demanded of conflicts is bench/gates.json's affair.)
  Subject(std::string_view algorithm, size_t num_tokens, size_t cache_bytes);
};

// The verdict cache of an engine whose embedder configured nothing.
inline constexpr size_t kDefaultCacheBytes = size_t{64} << 20;
// A million tokens, as configured for them: twice as many places as tokens.
inline constexpr size_t kCacheBytesPerToken = 2 * 384;

}  // namespace tollgate::bench
