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

// AskFault is what befalls questions about tokens (RFC 7662) for a while. Those up to kErrorStatus leave
// them without a word; the others bring answers that say nothing of the token.
enum class AskFault : uint8_t {
  kNone,
  kDown,             // Refused, unresolved, not trusted, or silent.
  kLoss,             // Some come late, some never.
  kSlow,             // Just in time, or just not.
  kFlaky,            // Each second one is reset.
  kErrorStatus,      // A status that finds no fault with the question.
  kBadRequest,       // One that does.
  kUnsupportedType,  // 400 unsupported_token_type.
  kGarbage,          // 200, and not what was asked for, or too much of it.
  kEmpty,            // 200, and nothing.
  kWrongIssuer,      // Of another issuer's token.
  kCount,
};
const char* AskFaultName(AskFault fault);

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
  // What it says of tokens, where it is asked: a bit for each active account; and what comes of asking.
  std::vector<Since<uint32_t>> active{};
  std::vector<Since<AskFault>> ask_faults{};
  int64_t exp_early_s = 0;  // Its answers about signed tokens end so much before these do.

  // QuietSince returns since when nothing has been wrong at `at_ms`; −1: something is. A move of the keys is
  // something wrong, for a moment.
  int64_t QuietSince(int64_t at_ms) const;
  // InactiveSince returns since when an account has not been active; −1: it is.
  int64_t InactiveSince(int account, int64_t at_ms) const;
  // DeadSince returns since when nobody can have had keys; −1: somebody can.
  int64_t DeadSince(int64_t at_ms) const;
};

// ToolClass is what the policy of a script demands of a tool.
struct ToolClass {
  const char* tool;
  int scope;              // The least of ScopeText that it needs.
  int64_t age_max_s = 0;  // Of tokens; 0: no bound.
  ValidationMode mode = ValidationMode::kSignature;
  IntrospectionOutage outage = IntrospectionOutage::kDenyUnavailable;
  bool bounds_answers = false;  // By Script::answer_age_max_s.
};

// What may be called, by its number. Those behind the first few are in the policy of scripts alone in which
// issuers are asked about tokens.
inline constexpr int kUnknownTool = 4;  // Is in no policy.
inline constexpr int kPlainTools = 5;
inline constexpr int kTools = 9;
const ToolClass& ToolOf(int tool);

// Script is all that is laid down for one seed before it begins.
struct Script {
  explicit Script(uint64_t seed_in);

  uint64_t seed;
  Config config;  // But for the snapshot's path.
  std::vector<IdpScript> idps;
  // Issuers are asked about tokens; and the bounds of the classes that ask.
  bool introspection = false;
  int64_t answer_age_max_s = 0;
  int64_t last_known_age_max_s = 0;
  bool snapshot = false;
  std::vector<Since<bool>> disk_faults;
  int64_t duration_ms = 0;
  int64_t wall_phase_ms = 0;  // The wall clock's milliseconds at the begin.
};

// Urls of one issuer: of its keys, by path (the last one is on a host of its own, which all share), of its
// metadata, in the order in which they are asked, and where it is asked about tokens.
std::string KeysUrl(int issuer, int path);
std::string AskUrl(int issuer);
std::vector<std::string> MetadataUrls(int issuer);
inline constexpr int kPaths = 3;
// What the engine is to it, there: RFC 7617.
constexpr char kClientId[] = "sim";
constexpr char kClientSecret[] = "secret";
constexpr char kClientAuthorization[] = "Basic c2ltOnNlY3JldA==";

}  // namespace tollgate::sim
