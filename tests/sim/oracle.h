#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/ask_watch.h"
#include "tests/sim/fetch_watch.h"
#include "tests/sim/script.h"
#include "tests/sim/tokens.h"
#include "tollgate/decision.h"
#include "tollgate/principal.h"

namespace tollgate::sim {

// Question is one check.
struct Question {
  TokenSpec token;
  int tool = 0;
  int resource = 0;
  uint64_t nobodys = 0;  // Instead of `token`: NobodysNumber.

  uint64_t number() const { return nobodys != 0 ? nobodys : token.number(); }
};
std::string Describe(const Question& question);

// Answer is what the contract demands of a Decision.
struct Answer {
  Reason reason = Reason::kUndecided;
  Verdict verdict() const {
    if (reason == Reason::kNone) return Verdict::kAllow;
    return CategoryOf(reason) == Category::kRetryLater ? Verdict::kUnavailable : Verdict::kDeny;
  }
  // Of the issuer's keys; only where they have been looked at.
  bool keys_seen = false;
  Freshness freshness = Freshness::kUnavailable;
  bool may_be_stale = false;  // Or kStale: see FetchWatch::MayBeDue.
  int64_t keys_age_ms = 0;
  int64_t valid_until_s = 0;   // Of an allow.
  int key = -1;                // Which verifies the token.
  bool token_is_good = false;  // Its signature, its claims and nothing against it.
  bool opaque = false;
  // Where the issuer is asked about the token: whether it rests on an answer, and how old that is; whether
  // something stands in for one (IntrospectionOutage); and when asking again may help, at the latest.
  bool introspected = false;
  int64_t answer_age_ms = 0;
  bool stood_in = false;
  int64_t retry_after_ms = -1;

  bool caller_is_known() const {
    return token_is_good && reason != Reason::kTokenInactive && reason != Reason::kNotYetValid &&
           verdict() != Verdict::kUnavailable;
  }
  // Whether it waits for something that will end: a fetch, or the answer to a question.
  bool waits_for_fetch() const {
    return reason == Reason::kKeysNeverFetched || reason == Reason::kKeysTooStale ||
           reason == Reason::kKeyPending;
  }
  bool waits_for_answer() const { return reason == Reason::kIntrospectionPending; }
};

// Oracle answers questions from the script, the configuration and the fetches that were seen on the network:
// tollgate/reason.h, tollgate/config.h and docs/conventions.md, without the engine. Owner thread only.
class Oracle {
 public:
  Oracle(const Script& script, std::vector<FetchWatch>& watches, std::vector<AskWatch>& asks)
      : script_(script), watches_(watches), asks_(asks) {}

  // Ask is a check at this moment. It leaves its trace: whoever asks for an absent kid waits for a fetch, and
  // whoever needs an answer of the issuer for that.
  Answer Ask(const Question& question, int64_t now_ms, int64_t wall_s);
  // AskByItsKey answers as if the token's key, which must be in the set, were beyond doubt.
  Answer AskByItsKey(const Question& question, int64_t now_ms, int64_t wall_s);
  // ValidUntil is when the token's time is over, in seconds of the wall clock; leeway and age counted.
  int64_t ValidUntil(const TokenSpec& token) const;
  // AskUnknownKid is a check of UnknownKidAuthorization.
  Answer AskUnknownKid(int issuer, const std::string& kid, int64_t now_ms);

  // Revocations, which end with the engine.
  void Restart();
  void RevokeKid(int issuer, int key) { kids_.insert({issuer, std::string(KeyId(key))}); }
  void RevokeThumbprint(int issuer, int key) { thumbprints_.insert({issuer, key}); }
  void RevokeSubject(int issuer, int subject, int64_t wall_s) {
    int64_t& until_s = subjects_.try_emplace({issuer, subject}, wall_s).first->second;
    until_s = std::max(until_s, wall_s);
  }
  void RevokeToken(const TokenSpec& token) { tokens_.insert(token.number()); }

 private:
  Reason FindKey(int issuer, bool has_kid, const std::string& kid, Algorithm algorithm, int64_t now_ms,
                 Answer* answer);
  Reason CheckTimes(const Question& question, int64_t wall_s, Answer* answer) const;
  Reason CheckRevocations(const Question& question, int key) const;
  Reason CheckTool(const Question& question, int64_t wall_s) const;
  Reason AfterSignature(const Question& question, int64_t now_ms, int64_t wall_s, Answer* answer);
  Reason Introspect(const Question& question, IntrospectionOutage outage, int64_t now_ms, int64_t wall_s,
                    Answer* answer);
  Reason Consult(const Question& question, int64_t now_ms, int64_t wall_s, Answer* answer);
  Reason DecideOpaque(const Question& question, int64_t now_ms, int64_t wall_s, Answer* answer);
  Reason Decide(const Question& question, int64_t now_ms, int64_t wall_s, Answer* answer);

  const Script& script_;
  std::vector<FetchWatch>& watches_;
  std::vector<AskWatch>& asks_;
  std::set<std::pair<int, std::string>> kids_;
  std::set<std::pair<int, int>> thumbprints_;
  std::map<std::pair<int, int>, int64_t> subjects_;
  std::set<uint64_t> tokens_;
};

// AnswerAgeMaxMs returns how old an answer of the issuer may be for a tool.
int64_t AnswerAgeMaxMs(const Script& script, int tool);

// Differs returns in which way `decision`, and `principal` unless it is null, are not what `answer` demands;
// empty: in none.
std::string Differs(const Question& question, const Answer& answer, const Decision& decision,
                    const Principal* principal);

}  // namespace tollgate::sim
