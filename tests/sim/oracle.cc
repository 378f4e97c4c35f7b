#include "tests/sim/oracle.h"

#include <algorithm>
#include <array>

namespace tollgate::sim {
namespace {

constexpr int kUnknownTool = 4;
// What the policy of a script says, by tool: the scope that is needed, and how old a token may be.
constexpr std::array<int, kTools> kScopeNeeded = {1, 2, 0, 1, 0};
constexpr std::array<int64_t, kTools> kAgeMaxS = {0, 0, 0, 7'200, 0};

}  // namespace

std::string_view ToolName(int tool) {
  constexpr std::array<std::string_view, kTools> kNames = {"search", "delete", "ping", "pay", "format-disk"};
  return kNames[static_cast<size_t>(tool)];
}

std::string Describe(const Question& question) {
  return Describe(question.token) + " calls " + std::string(ToolName(question.tool)) + " at resource " +
         (question.resource == 0 ? "A" : "B");
}

void Oracle::Restart() {
  kids_.clear();
  thumbprints_.clear();
  subjects_.clear();
  tokens_.clear();
}

Answer Oracle::Ask(const Question& question, int64_t now_ms, int64_t wall_s) {
  Answer answer;
  answer.reason = Decide(question, now_ms, wall_s, &answer);
  return answer;
}

Answer Oracle::AskUnknownKid(int issuer, const std::string& kid, int64_t now_ms) {
  Answer answer;
  answer.reason = FindKey(issuer, true, kid, Algorithm::kEs256, now_ms, &answer);
  return answer;
}

// The order is that of tollgate/reason.h.
Reason Oracle::Decide(const Question& question, int64_t now_ms, int64_t wall_s, Answer* answer) {
  const TokenSpec& token = question.token;
  if (token.form == Form::kGarbage) return Reason::kNotCompactJws;
  const int issuer = token.issuer;
  if (issuer >= static_cast<int>(script_.idps.size())) return Reason::kIssuerUnknown;
  const IssuerConfig& config = script_.config.issuers[token.issuer];
  const std::vector<std::string>& admitted =
      script_.config.resources[static_cast<size_t>(question.resource)].issuers;
  if (!admitted.empty() && std::find(admitted.begin(), admitted.end(), config.issuer) == admitted.end())
    return Reason::kIssuerNotAllowedHere;
  const Algorithm algorithm = HeaderAlgorithm(token);
  if (!config.algorithms.Contains(algorithm)) return Reason::kAlgorithmNotAllowed;

  const Reason found =
      FindKey(issuer, token.form != Form::kNoKid, std::string(HeaderKid(token)), algorithm, now_ms, answer);
  if (found != Reason::kNone) return found;
  if (answer->key != token.key || token.form == Form::kForged || token.form == Form::kOtherAlgorithm)
    return Reason::kBadSignature;
  return AfterSignature(question, wall_s, answer);
}

Answer Oracle::AskByItsKey(const Question& question, int64_t now_ms, int64_t wall_s) const {
  const TokenSpec& token = question.token;
  const FetchWatch& watch = watches_[token.issuer];
  const IdpScript& idp = script_.idps[token.issuer];
  const bool is_inline = idp.kind == SourceKind::kInline;
  const KeyMask keys = is_inline ? idp.keys.front().value : watch.known().keys;
  if ((keys >> token.key & 1) == 0) return {.reason = Reason::kKeyUnknown};
  Answer answer{.keys_seen = true,
                .freshness = watch.FreshnessAt(now_ms),
                .keys_age_ms = is_inline ? 0 : watch.AgeMs(now_ms),
                .key = token.key};
  answer.reason = AfterSignature(question, wall_s, &answer);
  return answer;
}

Reason Oracle::AfterSignature(const Question& question, int64_t wall_s, Answer* answer) const {
  const TokenSpec& token = question.token;
  if (const Reason reason = CheckTimes(question, wall_s, answer); reason != Reason::kNone) return reason;
  if (token.audience != question.resource) return Reason::kAudienceMismatch;
  if (token.form == Form::kBound) return Reason::kSenderConstrained;
  if (const Reason reason = CheckRevocations(question, answer->key); reason != Reason::kNone) return reason;
  answer->token_is_good = true;
  return CheckTool(question, wall_s);
}

Reason Oracle::FindKey(int issuer, bool has_kid, const std::string& kid, Algorithm algorithm, int64_t now_ms,
                       Answer* answer) {
  const IdpScript& idp = script_.idps[static_cast<size_t>(issuer)];
  FetchWatch& watch = watches_[static_cast<size_t>(issuer)];
  const bool is_inline = idp.kind == SourceKind::kInline;
  answer->keys_seen = true;
  answer->freshness = watch.FreshnessAt(now_ms);
  answer->keys_age_ms = is_inline ? 0 : watch.AgeMs(now_ms);
  if (!is_inline && !watch.known().any) return Reason::kKeysNeverFetched;
  if (answer->freshness == Freshness::kUnavailable) return Reason::kKeysTooStale;

  const KeyMask keys = is_inline ? idp.keys.front().value : watch.known().keys;
  int with_kid = 0, fitting = 0;
  for (int key = 0; key < kKeys; ++key) {
    if ((keys >> key & 1) == 0 || (has_kid && KeyId(key) != kid)) continue;
    ++with_kid;
    if (KeyAlgorithm(key) != algorithm) continue;
    ++fitting;
    answer->key = key;
  }
  if (fitting == 1) return Reason::kNone;
  answer->key = -1;
  if (fitting > 1) return Reason::kKeyAmbiguous;
  if (has_kid && with_kid > 0) return Reason::kKeyAlgorithmMismatch;
  if (is_inline) return Reason::kKeyUnknown;
  // Without a kid, it is the algorithm that is asked for.
  return watch.AskAbsent(has_kid ? "kid " + kid : "alg " + std::string(AlgorithmName(algorithm)), now_ms);
}

Reason Oracle::CheckTimes(const Question& question, int64_t wall_s, Answer* answer) const {
  const IssuerConfig& config = script_.config.issuers[question.token.issuer];
  const TokenTimes times = TimesOf(question.token.times);
  const int64_t leeway_s = config.leeway_s;
  if (wall_s >= times.expires_at + leeway_s) return Reason::kExpired;
  if (times.not_before != INT64_MIN && wall_s < times.not_before - leeway_s) return Reason::kNotYetValid;
  if (wall_s < times.issued_at - leeway_s) return Reason::kNotYetValid;
  const int64_t age_max_s = config.token_age_max_s + leeway_s;
  if (wall_s - times.issued_at > age_max_s) return Reason::kTooOld;
  if (times.expires_at - times.issued_at > config.token_lifetime_max_s) return Reason::kLifetimeTooLong;
  answer->valid_until_s = std::min(times.expires_at + leeway_s, times.issued_at + age_max_s + 1);
  return Reason::kNone;
}

Reason Oracle::CheckRevocations(const Question& question, int key) const {
  const int issuer = question.token.issuer;
  if (kids_.contains({issuer, std::string(KeyId(key))}) || thumbprints_.contains({issuer, key}))
    return Reason::kKeyRevoked;
  const auto subject = subjects_.find({issuer, question.token.subject});
  if (subject != subjects_.end() && TimesOf(question.token.times).issued_at <= subject->second)
    return Reason::kSubjectRevoked;
  return tokens_.contains(question.token.number()) ? Reason::kTokenRevoked : Reason::kNone;
}

Reason Oracle::CheckTool(const Question& question, int64_t wall_s) const {
  if (question.tool == kUnknownTool) return Reason::kUnknownTool;
  const auto tool = static_cast<size_t>(question.tool);
  const int64_t age_s = std::max<int64_t>(wall_s - TimesOf(question.token.times).issued_at, 0);
  if (kAgeMaxS[tool] != 0 && age_s > kAgeMaxS[tool]) return Reason::kTooOld;
  return question.token.scope >= kScopeNeeded[tool] ? Reason::kNone : Reason::kInsufficientScope;
}

std::string Differs(const Question& question, const Answer& answer, const Decision& decision,
                    const Principal* principal) {
  const auto differs = [](const std::string& what, const std::string& is, const std::string& should) {
    return what + " is " + is + ", should be " + should;
  };
  if (decision.reason != answer.reason || decision.verdict != answer.verdict()) {
    const char* const wrong = decision.verdict == answer.verdict()  ? "another reason: "
                              : decision.verdict == Verdict::kAllow ? "wrongly allowed: "
                              : decision.verdict == Verdict::kDeny  ? "wrongly denied: "
                                                                    : "wrongly unavailable: ";
    return wrong + differs("the reason", std::string(ReasonName(decision.reason)),
                           std::string(ReasonName(answer.reason)));
  }
  // A denial that comes before the key is known says nothing of keys.
  if (answer.keys_seen && (answer.key >= 0 || answer.verdict() == Verdict::kUnavailable)) {
    if (decision.freshness != answer.freshness) {
      return differs("freshness", std::string(FreshnessName(decision.freshness)),
                     std::string(FreshnessName(answer.freshness)));
    }
    if (decision.keys_age_ms != answer.keys_age_ms)
      return differs("keys_age_ms", std::to_string(decision.keys_age_ms), std::to_string(answer.keys_age_ms));
    if (decision.issuer != question.token.issuer) return "another issuer";
  }
  if (answer.verdict() == Verdict::kUnavailable && decision.retry_after_s < 1) return "no Retry-After";
  if (answer.verdict() == Verdict::kAllow && decision.valid_until_s != answer.valid_until_s) {
    return differs("valid_until_s", std::to_string(decision.valid_until_s),
                   std::to_string(answer.valid_until_s));
  }
  if (principal == nullptr) return "";
  if (!answer.token_is_good)
    return principal->subject().empty() ? "" : "a caller, though the token is not good";
  const Token& token = TokenOf(question.token);
  if (principal->issuer() != IssuerName(question.token.issuer) || principal->client_id() != kClient ||
      principal->subject() != SubjectName(question.token.subject) || principal->jwt_id() != token.jwt_id ||
      principal->scope() != ScopeText(question.token.scope)) {
    return "another caller: " + std::string(principal->subject()) + " of " + std::string(principal->issuer());
  }
  return "";
}

}  // namespace tollgate::sim
