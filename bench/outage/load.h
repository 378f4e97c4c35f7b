#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/lib/histogram.h"
#include "bench/outage/observed_transport.h"
#include "tollgate/engine.h"

namespace tollgate::bench {

// What a call presents, hence what it must be answered.
enum class CallKind {
  kKnown,            // A good token that is asked about again and again.
  kFresh,            // A good token never seen before.
  kForgedSignature,  // A good token with a signature of another one.
  kForgedKey,        // Names a key that the issuer does not have.
  kForgedNone,       // `alg` is none.
};

struct Call {
  std::string authorization;
  std::string tool;
  CallKind kind = CallKind::kKnown;
};

// Wrong counts answers that the contract does not permit.
struct Wrong {
  uint64_t allowed = 0;
  uint64_t denied = 0;
  uint64_t unavailable = 0;
  uint64_t without_retry_after = 0;

  void Add(const Wrong& other);
};

// Judge counts into `wrong` what is wrong with `decision`, when `expected` is what a good token must be
// answered. A good token is never denied, a forged one never allowed. While keys are at hand a forged one is
// denied; without them the engine may say that it cannot know, but for what can be seen without a key.
void Judge(CallKind kind, Expected expected, const Decision& decision, Wrong* wrong);

// Held counts the answers about good tokens by what they were held to, and the forged ones: where nothing was
// held to anything, that nothing was wrong says nothing.
struct Held {
  uint64_t to_allow = 0;
  uint64_t to_unavailable = 0;
  uint64_t to_either = 0;
  uint64_t forged = 0;

  void Add(CallKind kind, Expected expected);
  void Add(const Held& other);
};

// Bin is what happened to the calls intended to start in one interval of time.
struct Bin {
  uint64_t offered = 0;
  uint64_t allow = 0;  // Of good tokens.
  uint64_t deny = 0;
  uint64_t unavailable = 0;
  uint64_t forged = 0;
  uint64_t slip_ns_max = 0;  // How late a call was started.
  Histogram latency;         // From the intended start to the answer; the known tokens alone.
};

// Stream is one open-loop source of calls: call n is meant to start at start + n / rate, whether or not the
// one before has been answered, and its latency counts from then.
struct Stream {
  std::vector<Call> calls;  // Taken in order, again from the first after the last.
  double rate_hz = 0;
};

struct LoadResult {
  std::vector<Bin> bins;
  Wrong wrong;
  Held held;
  Histogram slip;  // Intended to actual start.
};

// RunLoad offers the stream from `start_ns` on (monotonic) until `stop`, or until the bins are full. Blocks;
// one thread for each stream. Below 50 µs between calls it keeps a processor to itself.
void RunLoad(Engine& engine, const ExchangeLog& log, const Stream& stream, int64_t start_ns, int64_t bin_ns,
             const std::atomic<bool>& stop, LoadResult* result);

}  // namespace tollgate::bench
