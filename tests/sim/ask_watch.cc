#include "tests/sim/ask_watch.h"

#include <algorithm>
#include <utility>

namespace tollgate::sim {
namespace {

// See fetch_watch.cc: full jitter.
constexpr int kPausesInRow = 16;

}  // namespace

AskWatch::AskWatch(int issuer, const Script& script, Complaint& complaint)
    : issuer_(issuer),
      timing_(script.config.timing),
      in_flight_max_(script.config.issuers[static_cast<size_t>(issuer)].introspection.in_flight_max),
      in_flight_unproven_max_(in_flight_max_ - in_flight_max_ / 4),
      waiting_max_(script.config.issuers[static_cast<size_t>(issuer)].introspection.waiting_max),
      waiting_unproven_max_(waiting_max_ - waiting_max_ / 4),
      complaint_(complaint) {}

void AskWatch::Complain(int64_t now_ms, const std::string& what) {
  complaint_.Add("at " + std::to_string(now_ms) + " ms: issuer " + std::to_string(issuer_) + ": " + what);
}

size_t AskWatch::NumSent(Queue queue) const {
  return static_cast<size_t>(std::count_if(exchanges_.begin(), exchanges_.end(),
                                           [&](const auto& item) { return item.second.queue == queue; }));
}

// A quarter of all room is for the proven ones. What may be sent at once needs no place to wait.
bool AskWatch::HasRoomFor(Queue queue) const {
  const size_t unproven = NumWaiting(kUnproven) + NumSent(kUnproven);
  if (queue == kUnproven && unproven >= in_flight_unproven_max_ + waiting_unproven_max_) return false;
  return NumWaiting(kProven) + NumWaiting(kUnproven) + exchanges_.size() < in_flight_max_ + waiting_max_;
}

bool AskWatch::MaySend(Queue queue) const {
  return exchanges_.size() < in_flight_max_ &&
         (queue == kProven || NumSent(kUnproven) < in_flight_unproven_max_);
}

AskWatch::Known AskWatch::Ask(uint64_t token, bool verified, int64_t age_max_ms, int64_t now_ms) {
  Known known;
  known.failing = failures_ > 0;
  const auto answer = answers_.find(token);
  const bool proven = answer != answers_.end() && answer->second.active;
  if (answer != answers_.end()) {
    const int64_t age_ms = now_ms - answer->second.sent_ms;
    const bool counts =
        age_ms <= (proven ? std::min(age_max_ms, timing_.active_age_max_ms) : timing_.inactive_age_max_ms);
    // "Inactive" stays, of a token for which a key vouches.
    if (proven || counts || verified || answer->second.verified) {
      known.state = proven ? Known::State::kActive : Known::State::kInactive;
      known.age_ms = age_ms;
    }
    if (counts) return known;
  }
  if (const auto question = questions_.find(token); question != questions_.end()) {
    question->second.verified |= verified;
    known.asked = true;
    return known;
  }
  if (const auto until = unanswered_.find(token); until != unanswered_.end() && until->second > now_ms) {
    known.retry_after_ms = until->second - now_ms;
    return known;
  }
  if (!MayAsk(now_ms)) {
    known.retry_after_ms = probing_ ? timing_.backoff_min_ms : PauseMs(now_ms);
    return known;
  }
  const Queue queue = proven || verified ? kProven : kUnproven;
  if (!HasRoomFor(queue)) {
    ++num_refused_;
    known.overloaded = true;
    known.retry_after_ms = timing_.introspection_timeout_ms;
    return known;
  }
  questions_[token] = {
      .queue = queue, .verified = verified, .deadline_ms = now_ms + timing_.introspection_timeout_ms};
  waiting_[queue].push_back(token);
  known.asked = true;
  return known;
}

void AskWatch::Settle(uint64_t token) {
  questions_.erase(token);
  settled_[token] = ++num_settled_;
}

uint64_t AskWatch::last_settled(uint64_t token) const {
  const auto found = settled_.find(token);
  return found == settled_.end() ? 0 : found->second;
}

void AskWatch::GiveUp(int64_t now_ms) {
  for (auto& [token, exchange] : exchanges_) {
    if (exchange.given_up || exchange.sent_ms + timing_.introspection_timeout_ms > now_ms) continue;
    exchange.given_up = true;
    unanswered_[token] = now_ms + timing_.backoff_min_ms;
    Settle(token);
  }
  for (std::deque<uint64_t>& waiting : waiting_) {
    while (!waiting.empty() && questions_[waiting.front()].deadline_ms <= now_ms) {
      ++num_refused_;
      Settle(waiting.front());
      waiting.pop_front();
    }
  }
}

void AskWatch::OnBegin(const Exchange& exchange, int64_t now_ms) {
  GiveUp(now_ms);
  const uint64_t token = exchange.token;
  if (!MayAsk(now_ms)) Complain(now_ms, "is asked about a token though its breaker is open");
  const auto question = questions_.find(token);
  if (question == questions_.end()) return Complain(now_ms, "is asked about a token for nobody");
  if (question->second.sent) return Complain(now_ms, "two questions about one token at a time");
  const Queue queue = question->second.queue;
  if (!MaySend(queue)) Complain(now_ms, "too many questions at a time");
  if (queue == kUnproven && NumWaiting(kProven) > 0)
    Complain(now_ms, "a token that nobody vouches for is asked about before one that is proven");
  if (exchange.timeout_ms != timing_.introspection_timeout_ms)
    Complain(now_ms, "a question has not the time that it is to have");
  if (waiting_[queue].front() != token) Complain(now_ms, "a question is sent out of turn");
  std::erase(waiting_[queue], token);
  question->second.sent = true;
  exchanges_[token] = {.queue = queue, .sent_ms = now_ms, .number = ++num_sent_};
  if (open_until_ms_ != kNever) {
    probing_ = true;
    probe_ = num_sent_;
  }
}

void AskWatch::Close() {
  failures_ = 0;
  open_until_ms_ = kNever;
  probing_ = false;
}

// The endpoint has not answered.
void AskWatch::Fail(uint64_t number, int64_t now_ms) {
  // One that was sent before the breaker opened says nothing new, one before the probe nothing about it.
  if (probing_ ? number != probe_ : open_until_ms_ != kNever) return;
  ++failures_;
  probing_ = false;
  if (failures_ < kFailuresMax) return;
  open_until_ms_ = INT64_MAX;
  opened_ms_ = now_ms;
  for (std::deque<uint64_t>& waiting : waiting_) {
    for (const uint64_t token : std::exchange(waiting, {})) {
      ++num_refused_;
      Settle(token);
    }
  }
}

void AskWatch::OnEnd(const Exchange& exchange, const Served& served, int64_t now_ms) {
  GiveUp(now_ms);
  const auto found = exchanges_.find(exchange.token);
  if (found == exchanges_.end()) return;  // Complained about when it began.
  Sent sent = found->second;
  exchanges_.erase(found);
  if (!sent.given_up) {
    sent.verified = questions_[exchange.token].verified;
    Settle(exchange.token);
  }
  switch (served.meaning) {
    case Served::Meaning::kActive:
    case Served::Meaning::kInactive: {
      answers_[exchange.token] = {.active = served.meaning == Served::Meaning::kActive,
                                  .verified = sent.verified,
                                  .sent_ms = sent.sent_ms};
      unanswered_.erase(exchange.token);
      return Close();
    }
    case Served::Meaning::kSaysNothing:
      Close();
      break;
    default:
      Fail(sent.number, now_ms);
  }
  ++num_failed_;
  if (!sent.given_up) unanswered_[exchange.token] = now_ms + timing_.backoff_min_ms;
}

void AskWatch::OnPause(int64_t for_ms, int64_t now_ms) {
  if (open_until_ms_ != INT64_MAX) {
    if (for_ms != PauseMs(now_ms)) {
      Complain(now_ms, "health says that the breaker is open for " + std::to_string(for_ms) +
                           " ms, should be " + std::to_string(PauseMs(now_ms)));
    }
    return;
  }
  int64_t ceiling_ms = timing_.backoff_min_ms;
  for (uint32_t i = kFailuresMax; i < failures_ && ceiling_ms < timing_.backoff_cap_ms; ++i) ceiling_ms *= 2;
  ceiling_ms = std::min(ceiling_ms, timing_.backoff_cap_ms);
  if (for_ms < 1 || for_ms > ceiling_ms) {
    Complain(now_ms, "the breaker is open for " + std::to_string(for_ms) + " ms, should be up to " +
                         std::to_string(ceiling_ms));
  }
  open_until_ms_ = now_ms + for_ms;
  pause_ceilings_ += static_cast<double>(for_ms) / static_cast<double>(ceiling_ms);
  if (++num_pauses_ < kPausesInRow) return;
  if (pause_ceilings_ < 1) Complain(now_ms, "the breaker's pauses are no full-jitter backoffs");
  num_pauses_ = 0;
  pause_ceilings_ = 0;
}

void AskWatch::AfterTurn(int64_t now_ms) {
  GiveUp(now_ms);
  if (!MayAsk(now_ms)) return;
  for (const Queue queue : {kProven, kUnproven}) {
    if (!waiting_[queue].empty() && MaySend(queue)) Complain(now_ms, "a question that may be sent is not");
  }
}

}  // namespace tollgate::sim
