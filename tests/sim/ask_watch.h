#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>

#include "tests/sim/fetch_watch.h"
#include "tests/sim/network.h"
#include "tests/sim/script.h"

namespace tollgate::sim {

// AskWatch knows of one issuer what an engine may know of tokens by the questions and answers that were seen
// on the network, and holds these against the contract: tollgate::IntrospectionConfig, Timing,
// docs/decisions/0009 and the comments of introspection/introspector.h and introspection/breaker.h. Nothing
// in it is uncertain but how long a breaker stays open, which health says and is held between its bounds.
// Owner thread only.
class AskWatch {
 public:
  static constexpr int64_t kNever = INT64_MIN;
  static constexpr uint32_t kFailuresMax = 5;  // One after the other open the breaker.

  AskWatch(int issuer, const Script& script, Complaint& complaint);

  // Known is what there is to say of a token.
  struct Known {
    enum class State : uint8_t { kUnknown, kActive, kInactive };
    State state = State::kUnknown;
    int64_t age_ms = 0;
    bool asked = false;       // Its question is under way.
    bool failing = false;     // The last question that ended, of any token, was not answered.
    bool overloaded = false;  // There was no room for the question.
    int64_t retry_after_ms = 0;
  };
  // Ask is a check that rests on an answer not older than `age_max_ms`: it leaves a question where there is
  // none. `verified`: the token's signature is good.
  Known Ask(uint64_t token, bool verified, int64_t age_max_ms, int64_t now_ms);

  // On the network's side.
  void OnBegin(const Exchange& exchange, int64_t now_ms);
  void OnEnd(const Exchange& exchange, const Served& served, int64_t now_ms);
  // GiveUp ends the questions whose time is over at `now_ms`, as an engine that has its turn does.
  void GiveUp(int64_t now_ms);
  // OnPause: the engine says how long its breaker will be open.
  void OnPause(int64_t for_ms, int64_t now_ms);
  // AfterTurn is for when the engine has had its turn at `now_ms`: nothing is left undone.
  void AfterTurn(int64_t now_ms);

  // The number of the question about the token that ended last, of all that have; 0: none has.
  uint64_t last_settled(uint64_t token) const;
  uint64_t num_settled() const { return num_settled_; }
  uint64_t num_sent() const { return num_sent_; }
  uint64_t num_failed() const { return num_failed_; }
  uint64_t num_refused() const { return num_refused_; }
  size_t in_flight() const { return exchanges_.size(); }
  int64_t PauseMs(int64_t now_ms) const { return open_until_ms_ > now_ms ? open_until_ms_ - now_ms : 0; }

 private:
  enum Queue : size_t { kProven, kUnproven, kQueues };
  struct Question {
    Queue queue = kUnproven;
    bool verified = false;
    bool sent = false;
    int64_t deadline_ms = 0;
  };
  struct Sent {
    Queue queue = kUnproven;
    bool verified = false;
    bool given_up = false;
    int64_t sent_ms = 0;
    uint64_t number = 0;
  };
  struct Answered {
    bool active = false;
    bool verified = false;
    int64_t sent_ms = 0;  // Its age counts from then.
  };

  bool MayAsk(int64_t now_ms) const {
    return open_until_ms_ == kNever || (now_ms >= open_until_ms_ && !probing_);
  }
  size_t NumWaiting(Queue queue) const { return waiting_[queue].size(); }
  size_t NumSent(Queue queue) const;
  bool HasRoomFor(Queue queue) const;
  bool MaySend(Queue queue) const;
  void Settle(uint64_t token);
  void Fail(uint64_t number, int64_t now_ms);
  void Close();
  void Complain(int64_t now_ms, const std::string& what);

  const int issuer_;
  const Timing timing_;
  const size_t in_flight_max_, in_flight_unproven_max_, waiting_max_, waiting_unproven_max_;
  Complaint& complaint_;

  std::map<uint64_t, Answered> answers_;
  std::map<uint64_t, Question> questions_;
  std::array<std::deque<uint64_t>, kQueues> waiting_;  // Of them, those that are not sent yet.
  std::map<uint64_t, Sent> exchanges_;
  std::map<uint64_t, int64_t> unanswered_;  // And until when they are not asked about again.
  std::map<uint64_t, uint64_t> settled_;    // The last number.
  uint64_t num_settled_ = 0, num_sent_ = 0, num_failed_ = 0, num_refused_ = 0;

  uint32_t failures_ = 0;
  int64_t open_until_ms_ = kNever;  // INT64_MAX: the breaker has just opened.
  int64_t opened_ms_ = 0;
  bool probing_ = false;
  uint64_t probe_ = 0;  // Which exchange it is.
  int num_pauses_ = 0;
  double pause_ceilings_ = 0;  // How long these took in all, each by its ceiling.
};

}  // namespace tollgate::sim
