#include "introspection/introspector.h"

#include <algorithm>
#include <array>
#include <deque>
#include <mutex>
#include <random>
#include <set>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "base/limits.h"
#include "base/saturating.h"
#include "crypto/digest.h"
#include "introspection/breaker.h"
#include "introspection/client.h"

namespace tollgate::introspection {
namespace {

using saturating::Between;
using saturating::Plus;

// Tokens of one issuer, and of all together, of which it is remembered that their last question brought no
// answer.
constexpr size_t kUnansweredMax = 1024;
constexpr size_t kUnansweredOfAllMax = 65'536;

// What of a FetchRequest::id is the position. The spare one is the one behind the last.
constexpr int kPositionBits = 20;
static_assert(limits::kIssuersMax + 1 <= size_t{1} << kPositionBits);

// Those that have once been active, or whose signature is good, are served first.
enum Queue : size_t { kProven, kUnproven, kQueueCount };

// Question is one that somebody may wait for.
struct Question {
  std::string token;  // Until it is sent.
  Queue queue = kUnproven;
  bool verified = false;
  int64_t deadline_ms = 0;
};

// Exchange is one that was sent, and has its place until the transport has ended it.
struct Exchange {
  Fingerprint token{};
  std::string presented;  // The token itself, where its answer is held against it.
  Queue queue = kUnproven;
  bool verified = false;
  bool given_up = false;  // Its question has ended.
  int64_t sent_ms = 0;
  int64_t deadline_ms = 0;
};

struct Issuer {
  IntrospectionConfig config;
  std::string name;
  Reach reach = Reach::kPublic;
  int64_t leeway_s = 0;

  std::string endpoint;     // Empty: it is not known,
  std::string why_nowhere;  // and why.
  bool metadata_was_read = false;

  // By token; those that wait for their turn are in `waiting`, too, in the order in which they came and so of
  // their deadlines. A token has one question at a time, but may have exchanges whose questions were given
  // up.
  absl::flat_hash_map<Fingerprint, Question> questions;
  std::array<std::deque<Fingerprint>, kQueueCount> waiting;
  absl::flat_hash_map<uint64_t, Exchange> exchanges;     // By FetchRequest::id.
  std::array<size_t, kQueueCount> in_flight{};           // Of them.
  absl::flat_hash_map<Fingerprint, int64_t> unanswered;  // And until when they are not asked about again.
  BreakerState breaker;
  uint64_t probe = 0;  // The id of the last one.

  uint64_t num_sent = 0;
  uint64_t num_failed = 0;
  uint64_t num_refused = 0;
  std::string last_error;

  // A quarter of either bound is not for them.
  uint32_t UnprovenInFlightMax() const { return config.in_flight_max - config.in_flight_max / 4; }
  uint32_t UnprovenWaitingMax() const { return config.waiting_max - config.waiting_max / 4; }

  // What may be sent at once needs no place to wait.
  bool HasRoomFor(Queue queue) const {
    const size_t unproven = waiting[kUnproven].size() + in_flight[kUnproven];
    if (queue == kUnproven && unproven >= size_t{UnprovenInFlightMax()} + UnprovenWaitingMax()) return false;
    const size_t all = unproven + waiting[kProven].size() + in_flight[kProven];
    return all < size_t{config.in_flight_max} + config.waiting_max;
  }

  // The queue whose turn it is, or kQueueCount.
  Queue NextQueue() const {
    if (exchanges.size() >= config.in_flight_max) return kQueueCount;
    if (!waiting[kProven].empty()) return kProven;
    if (!waiting[kUnproven].empty() && in_flight[kUnproven] < UnprovenInFlightMax()) return kUnproven;
    return kQueueCount;
  }
};

// What is to be done without the lock.
struct Sending {
  std::shared_ptr<const Issuer> issuer;  // Its configuration.
  uint64_t id;
  std::string endpoint;
  std::string token;
};
using Settled = std::vector<uint32_t>;  // Channels.

}  // namespace

struct Introspector::State {
  State(const Config& config, uint64_t jitter_seed, std::function<void(uint32_t channel)> settled)
      : timing(config.timing),
        on_settled(std::move(settled)),
        cache(config.introspection_cache_bytes),
        random(jitter_seed) {}

  void EndQuestion(Issuer& issuer, const Fingerprint& token, Settled* settled) const;
  void EndWaiting(Issuer& issuer, Queue queue, Settled* settled) const;
  void MoveTo(Issuer& issuer, std::string endpoint, Settled* settled) const;
  void NoteUnanswered(Issuer& issuer, const Fingerprint& token, int64_t now_ms) const;
  absl::StatusOr<Answer> Read(const Issuer& issuer, const FetchResult& result, std::string_view presented,
                              int64_t sent_ms, Now now);
  void Failed(Issuer& issuer, uint64_t id, const absl::Status& why, int64_t now_ms, Settled* settled);
  void GiveUp(Issuer& issuer, int64_t now_ms, Settled* settled);
  void Send(uint32_t position, int64_t now_ms, std::vector<Sending>* sending);
  Issuer* Find(uint32_t position) const {
    return position < issuers.size() ? issuers[position].get() : nullptr;
  }
  size_t UnansweredMax() const {
    return std::min(kUnansweredMax, kUnansweredOfAllMax / std::max<size_t>(num_served, 1));
  }
  int64_t NextMs(const Issuer& issuer, int64_t now_ms) const;
  void Tell(const Settled& settled) const;

  const Timing timing;
  const std::function<void(uint32_t channel)> on_settled;
  std::function<void()> waker;
  VerifyAnswer verify;
  // The background side's, for signed answers. Null: none has come yet.
  std::unique_ptr<jose::ParsedJws> jws;
  Fingerprint secret;           // Of fingerprints, of opaque tokens
  Fingerprint verified_secret;  // and of verified ones.

  mutable std::mutex mutex;  // Guards what follows. Never held over a callback or a parse.
  // By position; null: not to be asked. What is being sent shares them; their configuration never changes.
  std::vector<std::shared_ptr<Issuer>> issuers;
  size_t num_served = 0;
  std::set<uint32_t> busy;  // Those with questions or exchanges, in order: no chance in what is sent first.
  AnswerCache cache;
  std::mt19937_64 random;  // For jitter alone.
  uint64_t num_exchanges = 0;
};

void Introspector::State::EndQuestion(Issuer& issuer, const Fingerprint& token, Settled* settled) const {
  issuer.questions.erase(token);
  settled->push_back(ChannelOf(token));
}

// The one in front, which was not sent.
void Introspector::State::EndWaiting(Issuer& issuer, Queue queue, Settled* settled) const {
  ++issuer.num_refused;
  EndQuestion(issuer, issuer.waiting[queue].front(), settled);
  issuer.waiting[queue].pop_front();
}

// Nobody is told any more what the old endpoint will say. The transport may have its exchanges a while
// longer.
void Introspector::State::MoveTo(Issuer& issuer, std::string endpoint, Settled* settled) const {
  for (const auto& [token, question] : issuer.questions) settled->push_back(ChannelOf(token));
  if (!issuer.exchanges.empty()) issuer.last_error = "the endpoint has changed";
  issuer.num_failed += issuer.exchanges.size();
  issuer.num_refused += issuer.waiting[kProven].size() + issuer.waiting[kUnproven].size();
  issuer.questions.clear();
  issuer.waiting = {};
  issuer.exchanges.clear();
  issuer.in_flight = {};
  issuer.breaker = {};
  issuer.endpoint = std::move(endpoint);
}

void Introspector::State::NoteUnanswered(Issuer& issuer, const Fingerprint& token, int64_t now_ms) const {
  if (issuer.unanswered.size() >= UnansweredMax())
    absl::erase_if(issuer.unanswered, [&](const auto& item) { return item.second <= now_ms; });
  if (issuer.unanswered.size() < UnansweredMax())
    issuer.unanswered.insert_or_assign(token, Plus(now_ms, timing.backoff_min_ms));
}

// An exchange has brought no answer. Its own failures alone pause the endpoint: whoever can send tokens must
// not be able to stop the questions about all others'.
void Introspector::State::Failed(Issuer& issuer, uint64_t id, const absl::Status& why, int64_t now_ms,
                                 Settled* settled) {
  ++issuer.num_failed;
  issuer.last_error = std::string(why.message());
  if (why.code() != absl::StatusCode::kUnavailable) {
    issuer.breaker = OnAnswer(issuer.breaker);
    return;
  }
  // One that was sent before the probe says nothing about it.
  if (issuer.breaker.probing && id != issuer.probe) return;
  issuer.breaker = OnFailure(issuer.breaker, timing, now_ms, random());
  if (MayAsk(issuer.breaker, now_ms)) return;
  for (const Queue queue : {kProven, kUnproven}) {
    while (!issuer.waiting[queue].empty()) EndWaiting(issuer, queue, settled);
  }
}

void Introspector::State::GiveUp(Issuer& issuer, int64_t now_ms, Settled* settled) {
  for (auto& [id, exchange] : issuer.exchanges) {
    if (exchange.given_up || exchange.deadline_ms > now_ms) continue;
    exchange.given_up = true;
    exchange.verified = issuer.questions[exchange.token].verified;
    NoteUnanswered(issuer, exchange.token, now_ms);
    EndQuestion(issuer, exchange.token, settled);
  }
  for (const Queue queue : {kProven, kUnproven}) {
    std::deque<Fingerprint>& waiting = issuer.waiting[queue];
    while (!waiting.empty() && issuer.questions[waiting.front()].deadline_ms <= now_ms)
      EndWaiting(issuer, queue, settled);
  }
}

void Introspector::State::Send(uint32_t position, int64_t now_ms, std::vector<Sending>* sending) {
  Issuer& issuer = *issuers[position];
  while (MayAsk(issuer.breaker, now_ms)) {
    const Queue queue = issuer.NextQueue();
    if (queue == kQueueCount) return;
    const Fingerprint token = issuer.waiting[queue].front();
    issuer.waiting[queue].pop_front();
    Question& question = issuer.questions[token];
    const uint64_t id = kIdBit | (++num_exchanges << kPositionBits | position);
    // All of the time, however long it has waited: an endpoint that is given less would seem to fail.
    question.deadline_ms = Plus(now_ms, timing.introspection_timeout_ms);
    const bool binds = issuer.config.signed_response && question.verified;
    issuer.exchanges.emplace(id, Exchange{.token = token,
                                          .presented = binds ? question.token : std::string(),
                                          .queue = queue,
                                          .sent_ms = now_ms,
                                          .deadline_ms = question.deadline_ms});
    ++issuer.in_flight[queue];
    ++issuer.num_sent;
    issuer.breaker = OnAsk(issuer.breaker, now_ms);
    if (issuer.breaker.probing) issuer.probe = id;
    sending->push_back({.issuer = issuers[position],
                        .id = id,
                        .endpoint = issuer.endpoint,
                        .token = std::exchange(question.token, {})});
  }
}

// When the next question is to be given up, or may be sent that may not now.
int64_t Introspector::State::NextMs(const Issuer& issuer, int64_t now_ms) const {
  int64_t next_ms = INT64_MAX;
  for (const auto& [id, exchange] : issuer.exchanges) {
    if (!exchange.given_up) next_ms = std::min(next_ms, exchange.deadline_ms);
  }
  for (const std::deque<Fingerprint>& waiting : issuer.waiting) {
    if (waiting.empty()) continue;
    next_ms = std::min(next_ms, issuer.questions.at(waiting.front()).deadline_ms);
    // A probe under way ends by an event of its own.
    if (!MayAsk(issuer.breaker, now_ms) && !issuer.breaker.probing)
      next_ms = std::min(next_ms, issuer.breaker.open_until_ms);
  }
  return next_ms;
}

void Introspector::State::Tell(const Settled& settled) const {
  if (!on_settled) return;
  for (const uint32_t channel : settled) on_settled(channel);
}

Introspector::Introspector(const Config& config, uint64_t jitter_seed,
                           std::function<void(uint32_t channel)> on_settled)
    : state_(std::make_unique<State>(config, jitter_seed, std::move(on_settled))) {
  crypto::RandomBytes(state_->secret);
  crypto::RandomBytes(state_->verified_secret);
  for (uint32_t i = 0; i < config.issuers.size(); ++i) {
    if (config.issuers[i].tenants.empty()) SetIssuer(i, &config.issuers[i]);
  }
}

Introspector::~Introspector() = default;

void Introspector::SetIssuer(uint32_t position, const IssuerConfig* config) {
  State& state = *state_;
  Settled settled;
  {
    const std::lock_guard lock(state.mutex);
    if (state.Find(position) != nullptr) {
      for (const auto& [token, question] : state.issuers[position]->questions)
        settled.push_back(ChannelOf(token));
      state.issuers[position].reset();
      state.cache.Drop(position);
      state.busy.erase(position);
      --state.num_served;
    }
    if (config != nullptr && IsAsked(config->introspection)) {
      if (position >= state.issuers.size()) state.issuers.resize(position + 1);
      auto issuer = std::make_shared<Issuer>();
      issuer->config = config->introspection;
      issuer->name = config->issuer;
      issuer->reach = config->private_network ? Reach::kPrivate : Reach::kPublic;
      issuer->leeway_s = config->leeway_s;
      issuer->endpoint = config->introspection.endpoint;
      issuer->why_nowhere = "the issuer's metadata, which may name the endpoint, has not been read yet";
      state.issuers[position] = std::move(issuer);
      ++state.num_served;
    }
  }
  state.Tell(settled);
}

void Introspector::SetEndpoint(uint32_t position, const absl::StatusOr<std::string>& endpoint) {
  State& state = *state_;
  Settled settled;
  {
    const std::lock_guard lock(state.mutex);
    Issuer* const issuer = state.Find(position);
    if (issuer == nullptr || !issuer->config.discovery) return;
    const absl::Status usable = endpoint.ok() ? CheckEndpoint(issuer->config, *endpoint) : endpoint.status();
    issuer->metadata_was_read = true;
    issuer->why_nowhere = "no endpoint: " + std::string(usable.message());
    std::string next = usable.ok() ? *endpoint : std::string();
    if (next != issuer->endpoint) state.MoveTo(*issuer, std::move(next), &settled);
  }
  state.Tell(settled);
}

bool Introspector::Serves(uint32_t issuer) const {
  const std::lock_guard lock(state_->mutex);
  return state_->Find(issuer) != nullptr;
}

Fingerprint Introspector::NameToken(std::string_view token, bool verified) const {
  if (!verified) return crypto::HmacSha256(state_->secret, token);
  return crypto::HmacSha256(state_->verified_secret, token.substr(0, token.rfind('.')));
}

Introspector::Known Introspector::Ask(uint32_t issuer, std::string_view token, const Fingerprint& name,
                                      bool verified, int64_t age_max_ms, int64_t now_ms, std::string* text) {
  Known known;
  State& state = *state_;
  const Timing& timing = state.timing;
  {
    const std::lock_guard lock(state.mutex);
    Issuer* const found_issuer = state.Find(issuer);
    if (found_issuer == nullptr) return known;
    Issuer& at = *found_issuer;
    known.failing = at.breaker.failures > 0;
    const StoredAnswer* const stored = state.cache.Find({.issuer = issuer, .token = name});
    const bool proven = stored != nullptr && stored->answer.active;
    if (stored != nullptr) {
      const int64_t age_ms = Between(stored->answered_at_ms, now_ms);
      const bool fresh =
          age_ms <= (proven ? std::min(age_max_ms, timing.active_age_max_ms) : timing.inactive_age_max_ms);
      // Of what no key vouches for, nothing is known any more.
      if (proven || fresh || verified || stored->verified) {
        known.state = proven ? Known::State::kActive : Known::State::kInactive;
        known.age_ms = age_ms;
        known.expires_at = stored->answer.expires_at;
        known.not_before = stored->answer.not_before;
        if (proven && text != nullptr) *text = stored->answer.text;
      }
      if (fresh) return known;
    }
    if (at.endpoint.empty()) {
      known.endpoint = at.metadata_was_read ? Known::Endpoint::kNone : Known::Endpoint::kNotReadYet;
      return known;
    }
    if (const auto found = at.questions.find(name); found != at.questions.end()) {
      found->second.verified |= verified;
      known.asked = true;
      return known;
    }
    if (const auto found = at.unanswered.find(name); found != at.unanswered.end()) {
      known.retry_after_ms = Between(now_ms, found->second);
      if (known.retry_after_ms > 0) return known;
    }
    if (!MayAsk(at.breaker, now_ms)) {
      known.retry_after_ms = WaitMs(at.breaker, timing, now_ms);
      return known;
    }
    const Queue queue = proven || verified ? kProven : kUnproven;
    if (!at.HasRoomFor(queue)) {
      ++at.num_refused;
      known.overloaded = true;
      known.retry_after_ms = timing.introspection_timeout_ms;  // Nobody who waits now does so any more then.
      return known;
    }
    at.questions.emplace(name, Question{.token = std::string(token),
                                        .queue = queue,
                                        .verified = verified,
                                        .deadline_ms = Plus(now_ms, timing.introspection_timeout_ms)});
    at.waiting[queue].push_back(name);
    state.busy.insert(issuer);
    known.asked = true;
  }
  if (state.waker) state.waker();
  return known;
}

void Introspector::SetWaker(std::function<void()> waker) { state_->waker = std::move(waker); }

void Introspector::SetVerifier(VerifyAnswer verify) { state_->verify = std::move(verify); }

void Introspector::FillHealth(uint32_t issuer, int64_t now_ms, IssuerHealth* health) const {
  const std::lock_guard lock(state_->mutex);
  const Issuer* const found = state_->Find(issuer);
  if (found == nullptr) return;
  const Issuer& at = *found;
  health->introspections = at.num_sent;
  health->introspection_failures = at.num_failed;
  health->introspections_refused = at.num_refused;
  health->introspections_in_flight = static_cast<uint32_t>(at.exchanges.size());
  health->introspection_paused_for_ms = Between(now_ms, at.breaker.open_until_ms);
  health->introspection_endpoint_known = !at.endpoint.empty();
  health->last_introspection_error = at.endpoint.empty() ? at.why_nowhere : at.last_error;
}

size_t Introspector::cache_bytes() const {
  const std::lock_guard lock(state_->mutex);
  return state_->cache.bytes();
}

int64_t Introspector::RunDue(int64_t now_ms, Transport& transport) {
  State& state = *state_;
  int64_t next_ms = INT64_MAX;
  Settled settled;
  std::vector<Sending> all;
  {
    const std::lock_guard lock(state.mutex);
    const std::vector<uint32_t> busy(state.busy.begin(), state.busy.end());
    for (const uint32_t position : busy) {
      Issuer& issuer = *state.issuers[position];
      state.GiveUp(issuer, now_ms, &settled);
      state.Send(position, now_ms, &all);
      next_ms = std::min(next_ms, state.NextMs(issuer, now_ms));
      if (issuer.questions.empty() && issuer.exchanges.empty()) state.busy.erase(position);
    }
  }
  for (const Sending& sending : all) {
    FetchRequest request = MakeRequest(sending.issuer->config, sending.token);
    request.url = sending.endpoint;
    request.id = sending.id;
    request.timeout_ms =
        static_cast<uint32_t>(std::clamp<int64_t>(state.timing.introspection_timeout_ms, 1, UINT32_MAX / 2));
    request.reach = sending.issuer->reach;
    transport.Start(std::move(request));
  }
  state.Tell(settled);
  return next_ms;
}

// Read takes an answer as the issuer's configuration demands it. `presented`: see Exchange.
absl::StatusOr<Answer> Introspector::State::Read(const Issuer& issuer, const FetchResult& result,
                                                 std::string_view presented, int64_t sent_ms, Now now) {
  if (!issuer.config.signed_response) return ReadAnswer(result, issuer.name);
  if (!verify) return absl::InternalError("nobody verifies signed answers");
  if (jws == nullptr) jws = std::make_unique<jose::ParsedJws>();
  const std::string jwt_id = JwtIdOf(presented, jws.get());
  // Rounded up: an answer that came within the second of its question is not older.
  const int64_t under_way_s = Plus(Between(sent_ms, now.mono_ms), 999) / 1000;
  return ReadSignedAnswer(result,
                          {.issuer = issuer.name,
                           .audience = AudienceOf(issuer.config),
                           .leeway_s = issuer.leeway_s,
                           .asked_s = saturating::Minus(now.wall_s, under_way_s),
                           .jwt_id = jwt_id},
                          now, verify, jws.get());
}

void Introspector::TakeIn(FetchResult result, Now now) {
  State& state = *state_;
  const auto position = static_cast<uint32_t>(result.id & ((1 << kPositionBits) - 1));
  std::shared_ptr<Issuer> shared;
  std::string presented;
  int64_t sent_ms = 0;
  {
    const std::lock_guard lock(state.mutex);
    if (state.Find(position) == nullptr) return;
    shared = state.issuers[position];
    const auto found = shared->exchanges.find(result.id);
    if (found == shared->exchanges.end()) return;
    presented = std::move(found->second.presented);
    sent_ms = found->second.sent_ms;
  }
  Issuer& issuer = *shared;
  absl::StatusOr<Answer> answer = state.Read(issuer, result, presented, sent_ms, now);
  Settled settled;
  {
    const std::lock_guard lock(state.mutex);
    if (state.Find(position) != &issuer) return;  // Another issuer's by now.
    const auto found = issuer.exchanges.find(result.id);
    if (found == issuer.exchanges.end()) return;
    Exchange exchange = found->second;
    issuer.exchanges.erase(found);
    --issuer.in_flight[exchange.queue];
    if (!exchange.given_up) {
      exchange.verified = issuer.questions[exchange.token].verified;
      state.EndQuestion(issuer, exchange.token, &settled);
    }
    if (answer.ok()) {
      if (exchange.verified) answer->text.clear();  // What the token says itself is enough.
      state.cache.Put(
          {.issuer = position, .token = exchange.token},
          {.answer = *std::move(answer), .answered_at_ms = exchange.sent_ms, .verified = exchange.verified});
      issuer.breaker = OnAnswer(issuer.breaker);
      issuer.unanswered.erase(exchange.token);
      issuer.last_error.clear();
    } else {
      if (!exchange.given_up) state.NoteUnanswered(issuer, exchange.token, now.mono_ms);
      state.Failed(issuer, result.id, answer.status(), now.mono_ms, &settled);
    }
  }
  state.Tell(settled);
}

}  // namespace tollgate::introspection
