#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "tests/scaling/trace.h"

namespace tollgate::scaling {

// Traffic counts what goes between caches, in messages about one line each.
struct Traffic {
  uint64_t fetches = 0;           // Of a line that no other core has modified: from memory or a copy.
  uint64_t fetches_modified = 0;  // Of a line that another core has modified.
  uint64_t upgrades = 0;          // A core stores to a line that it has, but not alone.
  uint64_t invalidations = 0;     // Copies of other cores that a store ends.

  uint64_t all() const { return fetches + fetches_modified + upgrades + invalidations; }
  // What a core waits for.
  uint64_t waits() const { return fetches + fetches_modified + upgrades; }
  Traffic& operator+=(const Traffic& other);
};

using Trace = std::span<const Access>;

// Directory says what caches that are kept coherent by MESI and a directory would have had to tell each
// other. Each core has a cache of its own, without bounds: what is fetched again for want of room is another
// matter. Owner thread only.
class Directory {
 public:
  static constexpr size_t kCoresMax = 192;

  // `line_bytes` is a power of two.
  explicit Directory(size_t line_bytes) : line_bytes_(line_bytes) {}

  // Do makes `core` (below kCoresMax) access memory.
  Traffic Do(size_t core, const Access& access);

  // Replay makes core i access what traces[i] says, all cores in turn, one access each.
  Traffic Replay(std::span<const Trace> traces);
  // ReplayAlone makes one core access it all.
  Traffic ReplayAlone(size_t core, Trace trace);

 private:
  struct Line {
    std::bitset<kCoresMax> copies;
    bool exclusive = false;  // There is one copy, and whoever has it may store.
    bool modified = false;   // It has stored.
  };
  static void Load(size_t core, Line* line, Traffic* traffic);
  static void Store(size_t core, Line* line, Traffic* traffic);

  const size_t line_bytes_;
  absl::flat_hash_map<uint64_t, Line> lines_;  // By address / line_bytes_.
};

// SharedLine is a line that one core stores to and another one accesses.
struct SharedLine {
  uint64_t address;
  uint32_t stored_by;  // Access::code of the last store.
  uint32_t used_by;    // Of another core's last access.
};

// FindSharedLines returns all such lines. If there is none, no order in which the cores' accesses could come
// causes traffic, once each core has fetched its lines.
std::vector<SharedLine> FindSharedLines(std::span<const Trace> traces, size_t line_bytes);

}  // namespace tollgate::scaling
