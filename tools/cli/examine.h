#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "claims/access_token.h"
#include "jose/jwk.h"
#include "keys/key_set.h"
#include "tollgate/algorithm.h"

namespace tollgate::cli {

// ExamineOptions is what one token is held against.
struct ExamineOptions {
  claims::Expectations expectations;   // Issuer, profile and leeway.
  std::vector<std::string> audiences;  // One of these is enough.
  AlgorithmSet algorithms = AlgorithmSet::All();
  int64_t now_s = 0;
  bool signature_only = false;
};

// Step is one check in the order in which they are made.
struct Step {
  enum class Outcome { kPassed, kFailed, kNotReached };
  std::string_view name;
  Outcome outcome = Outcome::kNotReached;
  std::string detail;  // One line, ASCII: nothing of it can steer a terminal. Never token bytes.
};

// Examination is all that became known of one token. The strings are copies.
struct Examination {
  Reason reason = Reason::kUndecided;
  std::vector<Step> steps;
  Algorithm algorithm{};  // The rest is meaningful where reason is kNone.
  std::optional<std::string> key_id;
  std::string thumbprint;
  std::string issuer, subject, client_id, jwt_id;
  std::vector<std::string> audiences, scopes, roles;
  int64_t expires_at = 0;
};

// Examiner makes the checks of the engine's miss path one by one, so that each can be told of. Owner thread
// only.
class Examiner {
 public:
  Examiner(jose::JwkSet set, ExamineOptions options);
  Examination Examine(std::string_view token);

 private:
  class Log;
  bool CheckForm(std::string_view token, Log* log, Examination* result);
  bool CheckIssuer(Log* log);
  // Null if a step failed.
  const keys::IssuerKey* CheckSignature(Log* log, std::optional<jose::VerifiedJws>* verified);
  void CheckClaims(const jose::VerifiedJws& verified, Log* log, Examination* result);

  ExamineOptions options_;
  keys::KeySet keys_;
  jose::ParsedJws jws_;
  claims::AccessToken token_;
};

// KeySetOf makes a set of keys that never change.
keys::KeySet KeySetOf(jose::JwkSet set);

// Printable returns `text` as a JSON string in ASCII, quotes included.
std::string Printable(std::string_view text);

}  // namespace tollgate::cli
