#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/tokens.h"
#include "tollgate/config.h"

namespace tollgate::sim {

// Times of the simulation are milliseconds since its begin, which no clock of the engine shows.

// Fault is what befalls exchanges with one identity provider for a while.
enum class Fault : uint8_t {
  kNone,
  kLoss,           // Packets get lost: some exchanges come late, some never.
  kDelay,          // Up to twice as long as a fetch may take.
  kBlackhole,      // Nothing ever comes back.
  kReset,          // The connection is refused or reset.
  kNoDns,          // The name does not resolve, at once or never.
  kSlowBody,       // The body trickles in, at times just in time.
  kTruncated,      // Cut off, and the transport sees it.
  kCutOff,         // Cut off, and nobody but a parser sees it.
  kTls,            // A certificate that is not accepted.
  kErrorStatus,    // A status that is no answer.
  kGarbage,        // 200, and not what was asked for.
  kEmptySet,       // 200, and a set without keys.
  kUnusableKeys,   // 200, and a set without keys that anybody could use.
  kTooLarge,       // More than was asked for.
  kStaleReplica,   // The set as it was some time ago.
  kNotModified,    // 304, though nobody asked whether.
  kWrongMetadata,  // Of another issuer, or leading to a foreign host.
  kFlaky,          // Each second exchange is reset.
  kCount,
};
const char* FaultName(Fault fault);

// IsTotal: no exchange under this fault can bring keys.
bool IsTotal(Fault fault);

// Since is a value from one moment on.
template <typename T>
struct Since {
  int64_t from_ms;
  T value;
};
template <typename T>
const Since<T>& At(const std::vector<Since<T>>& timeline, int64_t at_ms) {
  size_t i = timeline.size() - 1;
  while (i > 0 && timeline[i].from_ms > at_ms) --i;
  return timeline[i];
}

enum class SourceKind : uint8_t { kJwksUri, kDiscovery, kInline };

// IdpScript is one identity provider: what it publishes, and what comes of asking it.
struct IdpScript {
  SourceKind kind = SourceKind::kJwksUri;
  std::vector<Since<KeyMask>> keys;  // Published sets, never empty.
  std::vector<Since<int>> paths;     // Where: number of the path. Changes with discovery alone.
  std::vector<Since<Fault>> faults;
  int metadata_place = 0;  // Which of the well-known places has the document.
  int64_t max_age_s = -1;  // Cache-Control; −1: none.
  bool etags = false;
  bool odd_key = false;  // One key of the set is not usable.

  // QuietSince returns since when nothing has been wrong at `at_ms`; −1: something is. A move of the keys is
  // something wrong, for a moment.
  int64_t QuietSince(int64_t at_ms) const;
  // DeadSince returns since when nobody can have had keys; −1: somebody can.
  int64_t DeadSince(int64_t at_ms) const;
};

// Script is all that is laid down for one seed before it begins.
struct Script {
  explicit Script(uint64_t seed_in);

  uint64_t seed;
  Config config;  // But for the snapshot's path.
  std::vector<IdpScript> idps;
  bool snapshot = false;
  std::vector<Since<bool>> disk_faults;
  int64_t duration_ms = 0;
  int64_t wall_phase_ms = 0;  // The wall clock's milliseconds at the begin.
};

// Urls of one issuer: of its keys, by path, and of its metadata, in the order in which they are asked.
std::string KeysUrl(int issuer, int path);
std::vector<std::string> MetadataUrls(int issuer);
inline constexpr int kPaths = 3;

}  // namespace tollgate::sim
