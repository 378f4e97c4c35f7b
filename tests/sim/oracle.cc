#include "tests/sim/oracle.h"

#include <algorithm>

namespace tollgate::sim {

std::string Describe(const Question& question) {
  return (question.nobodys != 0 ? "nobody's token" : Describe(question.token)) + " calls " +
         ToolOf(question.tool).tool + " at resource " + (question.resource == 0 ? "A" : "B");
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
  if (token.opaque()) return DecideOpaque(question, now_ms, wall_s, answer);
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
  return AfterSignature(question, now_ms, wall_s, answer);
}

Answer Oracle::AskByItsKey(const Question& question, int64_t now_ms, int64_t wall_s) {
  const TokenSpec& token = question.token;
  const FetchWatch& watch = watches_[token.issuer];
  const IdpScript& idp = script_.idps[token.issuer];
  const bool is_inline = idp.kind == SourceKind::kInline;
  const KeyMask keys = is_inline ? idp.keys.front().value : watch.known().keys;
  if ((keys >> token.key & 1) == 0) return {.reason = Reason::kKeyUnknown};
  Answer answer{.keys_seen = true,
                .freshness = watch.FreshnessAt(now_ms),
                .may_be_stale = watch.MayBeDue(now_ms),
                .keys_age_ms = is_inline ? 0 : watch.AgeMs(now_ms),
                .key = token.key};
  answer.reason = AfterSignature(question, now_ms, wall_s, &answer);
  return answer;
}

Reason Oracle::AfterSignature(const Question& question, int64_t now_ms, int64_t wall_s, Answer* answer) {
  const TokenSpec& token = question.token;
  if (const Reason reason = CheckTimes(question, wall_s, answer); reason != Reason::kNone) return reason;
  if (token.audience != question.resource) return Reason::kAudienceMismatch;
  if (token.form == Form::kBound) return Reason::kSenderConstrained;
  if (const Reason reason = CheckRevocations(question, answer->key); reason != Reason::kNone) return reason;
  answer->token_is_good = true;
  if (const Reason reason = CheckTool(question, wall_s); reason != Reason::kNone) return reason;
  return Consult(question, now_ms, wall_s, answer);
}

Reason Oracle::FindKey(int issuer, bool has_kid, const std::string& kid, Algorithm algorithm, int64_t now_ms,
                       Answer* answer) {
  const IdpScript& idp = script_.idps[static_cast<size_t>(issuer)];
  FetchWatch& watch = watches_[static_cast<size_t>(issuer)];
  const bool is_inline = idp.kind == SourceKind::kInline;
  answer->keys_seen = true;
  answer->freshness = watch.FreshnessAt(now_ms);
  answer->may_be_stale = watch.MayBeDue(now_ms);
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

int64_t Oracle::ValidUntil(const TokenSpec& token) const {
  const IssuerConfig& config = script_.config.issuers[token.issuer];
  const TokenTimes times = TimesOf(token.times);
  return std::min(times.expires_at, times.issued_at + config.token_age_max_s + 1) + config.leeway_s;
}

Reason Oracle::CheckTimes(const Question& question, int64_t wall_s, Answer* answer) const {
  const IssuerConfig& config = script_.config.issuers[question.token.issuer];
  const TokenTimes times = TimesOf(question.token.times);
  const int64_t leeway_s = config.leeway_s;
  if (wall_s >= times.expires_at + leeway_s) return Reason::kExpired;
  if (times.not_before != INT64_MIN && wall_s < times.not_before - leeway_s) return Reason::kNotYetValid;
  if (wall_s < times.issued_at - leeway_s) return Reason::kNotYetValid;
  if (wall_s - times.issued_at > config.token_age_max_s + leeway_s) return Reason::kTooOld;
  if (times.expires_at - times.issued_at > config.token_lifetime_max_s) return Reason::kLifetimeTooLong;
  answer->valid_until_s = ValidUntil(question.token);
  return Reason::kNone;
}

Reason Oracle::CheckRevocations(const Question& question, int key) const {
  const int issuer = question.token.issuer;
  // An opaque token has no key.
  if (key >= 0 && (kids_.contains({issuer, std::string(KeyId(key))}) || thumbprints_.contains({issuer, key})))
    return Reason::kKeyRevoked;
  const auto subject = subjects_.find({issuer, question.token.subject});
  if (subject != subjects_.end() && TimesOf(question.token.times).issued_at <= subject->second)
    return Reason::kSubjectRevoked;
  return tokens_.contains(question.token.number()) ? Reason::kTokenRevoked : Reason::kNone;
}

Reason Oracle::CheckTool(const Question& question, int64_t wall_s) const {
  if (question.tool == kUnknownTool || (question.tool >= kPlainTools && !script_.introspection))
    return Reason::kUnknownTool;
  const ToolClass& tool = ToolOf(question.tool);
  const int64_t age_s = std::max<int64_t>(wall_s - TimesOf(question.token.times).issued_at, 0);
  if (tool.age_max_s != 0 && age_s > tool.age_max_s) return Reason::kTooOld;
  return question.token.scope >= tool.scope ? Reason::kNone : Reason::kInsufficientScope;
}

int64_t AnswerAgeMaxMs(const Script& script, int tool) {
  const int64_t active_ms = script.config.timing.active_age_max_ms;
  if (!ToolOf(tool).bounds_answers || script.answer_age_max_s == 0) return active_ms;
  return std::min(active_ms, script.answer_age_max_s * 1000);
}

// Introspect holds what the issuer has said of the token, or says, against its bounds; tollgate/policy.h has
// what stands in for it.
Reason Oracle::Introspect(const Question& question, IntrospectionOutage outage, int64_t now_ms,
                          int64_t wall_s, Answer* answer) {
  using State = AskWatch::Known::State;
  const TokenSpec& token = question.token;
  const IssuerConfig& config = script_.config.issuers[token.issuer];
  const int64_t age_max_ms = AnswerAgeMaxMs(script_, question.tool);
  const AskWatch::Known known =
      asks_[token.issuer].Ask(question.number(), !token.opaque(), age_max_ms, now_ms);
  const auto rely = [&](int64_t for_ms, int64_t exp_s) {
    answer->valid_until_s = std::min({answer->valid_until_s, wall_s + for_ms / 1000, exp_s});
  };
  const int64_t early_s = token.opaque() ? 0 : script_.idps[token.issuer].exp_early_s;
  const int64_t end_s = TimesOf(token.times).expires_at - early_s + config.leeway_s;
  const int64_t not_before = TimesOf(token.times).not_before;
  answer->answer_age_ms = known.age_ms;
  if (known.state == State::kInactive) return Reason::kTokenInactive;
  if (known.state == State::kActive) {
    if (wall_s >= end_s) return Reason::kTokenInactive;
    if (not_before != INT64_MIN && wall_s < not_before - config.leeway_s) return Reason::kNotYetValid;
    if (known.age_ms <= age_max_ms) {
      answer->introspected = true;
      rely(age_max_ms - known.age_ms, end_s);
      return Reason::kNone;
    }
  }
  answer->retry_after_ms = known.retry_after_ms;
  if (known.overloaded) return Reason::kOverloaded;
  if (known.asked) return Reason::kIntrospectionPending;
  if (!known.failing) return Reason::kIntrospectionUnavailable;
  const int64_t last_known_ms = script_.last_known_age_max_s * 1000;
  if (outage == IntrospectionOutage::kLastKnown && known.state == State::kActive &&
      known.age_ms <= last_known_ms) {
    answer->introspected = true;
    rely(last_known_ms - known.age_ms, end_s);
  } else if (outage != IntrospectionOutage::kLocalSignature || token.opaque()) {
    return Reason::kIntrospectionUnavailable;
  }
  answer->stood_in = true;
  answer->freshness = Freshness::kDegraded;
  answer->may_be_stale = false;
  rely(script_.config.timing.active_age_max_ms, INT64_MAX);
  return Reason::kNone;
}

// Consult is for tokens of a good signature.
Reason Oracle::Consult(const Question& question, int64_t now_ms, int64_t wall_s, Answer* answer) {
  const ToolClass& tool = ToolOf(question.tool);
  if (tool.mode == ValidationMode::kSignature) return Reason::kNone;
  if (tool.mode == ValidationMode::kIntrospect)
    return Introspect(question, tool.outage, now_ms, wall_s, answer);
  // Behind: what the issuer has yet to say, or cannot be asked, changes nothing.
  const Reason reason = Introspect(question, IntrospectionOutage::kDenyUnavailable, now_ms, wall_s, answer);
  if (CategoryOf(reason) != Category::kRetryLater) return reason;
  answer->retry_after_ms = -1;
  answer->valid_until_s =
      std::min(answer->valid_until_s, wall_s + script_.config.timing.active_age_max_ms / 1000);
  if (reason == Reason::kIntrospectionPending) return Reason::kNone;
  answer->stood_in = true;
  answer->freshness = Freshness::kDegraded;
  answer->may_be_stale = false;
  return Reason::kNone;
}

// Of an opaque token nothing is known but what its issuer says, which is therefore asked first.
Reason Oracle::DecideOpaque(const Question& question, int64_t now_ms, int64_t wall_s, Answer* answer) {
  const ResourceConfig& resource = script_.config.resources[static_cast<size_t>(question.resource)];
  if (resource.opaque_token_issuer.empty()) return Reason::kNotCompactJws;
  answer->opaque = true;
  answer->keys_seen = true;
  answer->freshness = Freshness::kFresh;
  answer->valid_until_s = INT64_MAX;
  if (const Reason reason = Introspect(question, ToolOf(question.tool).outage, now_ms, wall_s, answer);
      reason != Reason::kNone) {
    return reason;
  }
  const int64_t rely_s = answer->valid_until_s;
  if (const Reason reason = CheckTimes(question, wall_s, answer); reason != Reason::kNone) return reason;
  answer->valid_until_s = std::min(answer->valid_until_s, rely_s);
  if (question.token.audience != question.resource) return Reason::kAudienceMismatch;
  if (const Reason reason = CheckRevocations(question, -1); reason != Reason::kNone) return reason;
  answer->token_is_good = true;
  return CheckTool(question, wall_s);
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
  if (answer.keys_seen && (answer.key >= 0 || answer.opaque || answer.verdict() == Verdict::kUnavailable)) {
    const bool stale = answer.may_be_stale && decision.freshness == Freshness::kStale;
    if (decision.freshness != answer.freshness && !stale) {
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
  if (answer.verdict() == Verdict::kAllow) {
    if (decision.introspected != answer.introspected)
      return differs("introspected", std::to_string(decision.introspected),
                     std::to_string(answer.introspected));
    const int64_t age_ms = answer.introspected ? answer.answer_age_ms : 0;
    if (decision.introspection_age_ms != age_ms) {
      return differs("introspection_age_ms", std::to_string(decision.introspection_age_ms),
                     std::to_string(age_ms));
    }
  }
  if (principal == nullptr) return "";
  if (!answer.caller_is_known())
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
