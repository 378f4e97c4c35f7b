#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace tollgate::bench {

// TokenKind is what a call presents, hence what it must be answered. bench/outage/README.md has the words.
enum class TokenKind {
  kKnown,           // A good token that is asked about again and again.
  kNew,             // A good one never seen before.
  kExpiring,        // Known; expires half an hour after the start.
  kYoung,           // Known; issued half an hour before the start.
  kCompromised,     // Known; signed by the key that `remove-key` removes.
  kRotated,         // Never seen before; signed by the key that `add-key` adds.
  kForgedKid,       // Names a key that the issuer does not have, each a different one.
  kForgedRs256,     // Another signature under a kid of the issuer, each a different one.
  kForgedEs512,     // Likewise.
  kForgedUnsigned,  // `alg` is none.
  kOpaque,          // No JWS, each a different text.
  // Known, and their issuer is asked about them (RFC 7662), since their tools' class demands it:
  kBehind,        // ValidationMode::kIntrospectBehind.
  kLastKnown,     // kIntrospect, and IntrospectionOutage::kLastKnown.
  kPrivileged,    // kIntrospect, and kDenyUnavailable.
  kOpaqueActive,  // Or since they are no JWS, but ones that it has issued.
  kRevoked,       // A few of each of these four, which `revoke` makes inactive.
  kTenant,        // Known; each of another one of the scenario's many issuers.
};

// TokenKindName returns the scenario file's word. Static storage.
std::string_view TokenKindName(TokenKind kind);

// IsGood: a token of the issuer's. IsKnown: and one that the verdict cache has.
bool IsGood(TokenKind kind);
bool IsKnown(TokenKind kind);
// IsAskedAbout: their issuer has the last word.
bool IsAskedAbout(TokenKind kind);

struct Load {
  TokenKind kind = TokenKind::kKnown;
  double rate_hz = 0;
  uint64_t count = 0;  // Instead: so many, evenly over the phase.
};

enum class FaultKind {
  kNone,
  kDown,       // Killed; connections are refused.
  kSlow,       // Answers after a time drawn from [delay_min_s, delay_max_s].
  kError,      // Answers `status`.
  kBlackhole,  // Accepts, reads, never answers.
  kGarbage,    // Answers 200 with no JSON.
  kEmpty,      // Answers 200 with nothing.
  kEmptySet,   // Answers 200 with a set of no keys.
  kNoDns,      // The host name does not resolve.
};
std::string_view FaultKindName(FaultKind kind);

struct Fault {
  FaultKind kind = FaultKind::kNone;
  double delay_min_s = 0;
  double delay_max_s = 0;
  int status = 0;
  bool introspection = false;  // Of the introspection endpoint, which is a host of its own; else of all else.

  bool none() const { return kind == FaultKind::kNone; }
  // NobodyIsAnswered: nothing is said of any token, and it is the endpoint that fails, not the question.
  bool NobodyIsAnswered() const;
  bool operator==(const Fault&) const = default;
};

// Phase is one stretch of the scenario. Its fault is in force from its begin to its end; what happens once
// happens at its begin. Durations are of the shipped timing contract.
struct Phase {
  std::string name;
  double duration_s = 0;
  Fault fault{};
  std::vector<Load> loads{};  // Beside the scenario's.
  bool add_key = false;
  bool remove_key = false;
  bool revoke = false;      // The provider makes the tokens of kRevoked inactive.
  double clock_step_s = 0;  // Of the wall clock; never scaled.
  bool expect_service_time = false;
  bool expect_one_request_per_cooldown = false;
};

enum class Start {
  kWarm,      // Keys fetched, known tokens cached.
  kCold,      // The engine is made when the first phase's fault is in force.
  kSnapshot,  // The same, after another engine has left a snapshot.
};

struct Scenario {
  std::string name;
  std::string about;
  Start start = Start::kWarm;
  std::vector<Load> loads{};  // In every phase.
  std::vector<Phase> phases{};
  bool permit_overloaded = false;  // For tokens that are not known.
  // So many issuers beside the one that all other tokens are of, with key sets at one host.
  size_t num_issuers = 0;
  bool unscaled = false;  // Takes as long as it says, and the timing contract is the shipped one.
  bool expect_degraded = false;
  bool expect_unavailable = false;
  bool expect_fresh_after_fault = false;
  bool expect_removed_key_refused = false;
  bool expect_new_key_accepted = false;
  bool expect_steady_requests = false;
  bool expect_last_known = false;
  bool expect_revoked_refused = false;
  bool expect_bounded_questions = false;
  bool expect_host_bucket = false;
  bool expect_bounded_memory = false;

  double DurationS() const;  // Of all phases, unscaled.
  double Factor(double factor) const { return unscaled ? 1 : factor; }
  bool Offers(TokenKind kind) const;
  bool AsksAboutTokens() const;
};

// ParseScenario reads the text of a scenario file. An error is one line that begins with `file` and the line.
absl::StatusOr<Scenario> ParseScenario(std::string_view text, std::string_view file);
absl::StatusOr<Scenario> ReadScenario(const std::string& path);

}  // namespace tollgate::bench
