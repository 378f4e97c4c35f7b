#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "introspection/answer_cache.h"
#include "introspection/signed_answer.h"
#include "tollgate/clock.h"
#include "tollgate/config.h"
#include "tollgate/metrics.h"
#include "tollgate/transport.h"

namespace tollgate::introspection {

// Introspector asks issuers about tokens and remembers what they said. The request side looks and leaves
// questions, never waits for an answer, and is thread-safe; it takes a lock, for as long as a look into a
// table takes. The background side sends the questions and takes the answers in; owner thread only.
//
// One token is one question at a time, whoever asks. Each issuer has a bulkhead
// (IntrospectionConfig::in_flight_max, waiting_max, of both a quarter for tokens that have once been active
// or whose signature is good), a breaker, and a time limit for each question, and for its wait for a turn.
class Introspector {
 public:
  // The highest bit of FetchRequest::id says that it is one of this room.
  static constexpr uint64_t kIdBit = uint64_t{1} << 63;
  // Whoever waits for an answer waits for one of so many channels: the token's ChannelOf.
  static constexpr uint32_t kChannels = 256;

  // Begins with Config::issuers, by position; those that are not to be asked (IsAsked) never are, nor are
  // templates.
  // `on_settled` is called on the background side, without a lock, when a question has ended in whatever way.
  Introspector(const Config& config, uint64_t jitter_seed, std::function<void(uint32_t channel)> on_settled);
  ~Introspector();

  // --- Request side ---

  bool Serves(uint32_t issuer) const;  // It is to be asked, whether or not it is known yet where.

  // NameToken hashes: about half a microsecond for a token of 800 bytes. One whose signature is good goes by
  // what is signed: with another signature under the same key, which ECDSA lets anybody make, it is no other
  // token.
  Fingerprint NameToken(std::string_view token, bool verified) const;
  static uint32_t ChannelOf(const Fingerprint& token) { return token[0]; }

  // Known is what there is to say of a token at this moment.
  struct Known {
    enum class State : uint8_t {
      kUnknown,  // Nothing has been answered that is still remembered.
      kActive,
      kInactive,
    };
    enum class Endpoint : uint8_t {
      kKnown,
      kNotReadYet,  // The metadata that may name it.
      kNone,        // The metadata names none that may be asked.
    };
    State state = State::kUnknown;
    Endpoint endpoint = Endpoint::kKnown;  // Not known: no question is left.
    int64_t age_ms = 0;                    // Of that answer.
    bool asked = false;          // Not answered well enough; a question is under way or waits its turn.
    bool failing = false;        // The endpoint did not answer the last question that ended, of any token.
    bool overloaded = false;     // There was no room for the question.
    int64_t retry_after_ms = 0;  // Not asked: when asking again may help, roughly.
    int64_t expires_at = INT64_MAX;  // Of the answer, like Answer.
    int64_t not_before = INT64_MIN;
  };

  // Ask returns what is known, and leaves a question behind if that is nothing, or older than `age_max_ms`
  // (an "inactive": than Timing::inactive_age_max_ms); but about a token whose last question brought no
  // answer, not within Timing::backoff_min_ms. An active answer ages no longer than
  // Timing::active_age_max_ms, whatever the caller would take; it stays known beyond that, for callers who
  // take the last known one in an outage. `verified`: the token's signature is good. `text`, unless null,
  // receives an active answer's text.
  Known Ask(uint32_t issuer, std::string_view token, const Fingerprint& name, bool verified,
            int64_t age_max_ms, int64_t now_ms, std::string* text = nullptr);

  // SetWaker: called, on request threads, when the background side has something to send.
  void SetWaker(std::function<void()> waker);

  // SetVerifier: called on the background side, without a lock, for each signed answer. Without one there are
  // no good ones. Once, before anybody asks.
  void SetVerifier(VerifyAnswer verify);

  // SetIssuer puts another issuer at a position, or none (null, or one that is not to be asked): what was
  // answered about the one before is forgotten, its questions have ended. Thread-safe.
  void SetIssuer(uint32_t position, const IssuerConfig* config);

  // SetEndpoint says what the issuer's metadata, which has just been read, names as the endpoint, or why
  // there is none that may be asked; of an issuer whose endpoint is configured it changes nothing. If it is
  // another one than before, the questions that have been left have ended without an answer, and the breaker
  // begins anew; but answers stay: they are the issuer's, wherever it gave them, and forgetting them would
  // forget what it has called inactive. Thread-safe.
  void SetEndpoint(uint32_t position, const absl::StatusOr<std::string>& endpoint);

  void FillHealth(uint32_t issuer, int64_t now_ms, IssuerHealth* health) const;
  size_t cache_bytes() const;

  // --- Background side ---

  // RunDue sends what may be sent, gives up what has waited too long, and returns when it is to be called
  // again (INT64_MAX: when something is asked).
  int64_t RunDue(int64_t now_ms, Transport& transport);
  // TakeIn digests the answer to one of this room's requests.
  void TakeIn(FetchResult result, Now now);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tollgate::introspection
