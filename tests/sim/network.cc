#include "tests/sim/network.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

namespace tollgate::sim {
namespace {

constexpr int64_t kNever = INT64_MAX / 2;

// "p" and "m", so that a tag shows which set it is of, and from where.
std::string Etag(int path, KeyMask keys) {
  return "\"p" + std::to_string(path) + "-m" + std::to_string(keys) + "\"";
}

std::string MetadataText(std::string_view issuer, const std::string& keys_url) {
  return "{\"issuer\":\"" + std::string(issuer) + "\",\"jwks_uri\":\"" + keys_url + "\"}";
}

}  // namespace

// Wire is one engine's end.
class Network::Wire : public Transport {
 public:
  explicit Wire(Network& network) : network_(network) {}
  void Start(FetchRequest request) override { network_.Start(std::move(request)); }
  void Poll(int /*timeout_ms*/, std::vector<FetchResult>* done) override { network_.Poll(done); }
  void Wake() override { network_.woken_ = true; }

 private:
  Network& network_;
};

Network::Network(const Script& script, const int64_t& now_ms, Observer& observer)
    : script_(script), now_ms_(now_ms), observer_(observer) {
  for (int issuer = 0; issuer < static_cast<int>(script.idps.size()); ++issuer) {
    for (int path = 0; path < kPaths; ++path)
      places_[KeysUrl(issuer, path)] = {.issuer = issuer, .keys = true, .number = path};
    int number = 0;
    for (const std::string& url : MetadataUrls(issuer))
      places_[url] = {.issuer = issuer, .keys = false, .number = number++};
    places_[AskUrl(issuer)] = {.issuer = issuer, .asked = true};
  }
}

std::unique_ptr<Transport> Network::Connect() {
  in_flight_.clear();
  woken_ = false;
  return std::make_unique<Wire>(*this);
}

int64_t Network::NextEndMs() const { return in_flight_.empty() ? INT64_MAX : in_flight_.begin()->first; }

bool Network::TakeWake() { return std::exchange(woken_, false); }

void Network::Start(FetchRequest request) {
  const auto place = places_.find(request.url);
  if (place == places_.end()) return observer_.OnNonsense("asks " + request.url + ", which nobody named");
  Exchange exchange{.place = place->second,
                    .begin_ms = now_ms_,
                    .timeout_ms = request.timeout_ms,
                    .if_none_match = request.if_none_match};
  if (!ReadQuestion(request, &exchange)) return;
  observer_.OnBegin(exchange);
  Answer answer = exchange.place.asked ? AnswerAbout(exchange) : AnswerTo(exchange);
  if (answer.after_ms >= exchange.timeout_ms) {
    answer.after_ms = exchange.timeout_ms;
    answer.result = {.outcome = FetchOutcome::kTimedOut};
    answer.served.meaning = Served::Meaning::kFailed;
  }
  answer.result.id = request.id;
  in_flight_.emplace(now_ms_ + answer.after_ms,
                     Pending{std::move(exchange), std::move(answer.served), std::move(answer.result)});
}

// RFC 7662 section 2.1. False, with a word to the observer, if it is none where there has to be one.
bool Network::ReadQuestion(const FetchRequest& request, Exchange* exchange) {
  if (!exchange->place.asked) {
    if (!request.form.empty() || !request.authorization.empty()) observer_.OnNonsense("a fetch has a secret");
    return true;
  }
  constexpr std::string_view kBegin = "token=", kEnd = "&token_type_hint=access_token";
  const std::string_view form = request.form;
  if (!form.starts_with(kBegin) || !form.ends_with(kEnd) || request.authorization != kClientAuthorization) {
    observer_.OnNonsense("a question that is none");
    return false;
  }
  exchange->token = NumberOf(form.substr(kBegin.size(), form.size() - kBegin.size() - kEnd.size()));
  if (exchange->token == 0) observer_.OnNonsense("asks about a token that nobody has presented");
  return exchange->token != 0;
}

size_t Network::num_fetches() const {
  return static_cast<size_t>(std::count_if(in_flight_.begin(), in_flight_.end(), [](const auto& item) {
    return !item.second.exchange.place.asked;
  }));
}

// One at a time, so that what an engine does upon an answer is seen before the next one.
void Network::Poll(std::vector<FetchResult>* done) {
  if (NextEndMs() > now_ms_) return;
  const auto first = in_flight_.begin();
  const Pending pending = std::move(first->second);
  in_flight_.erase(first);
  observer_.OnEnd(pending.exchange, pending.served);
  done->push_back(pending.result);
}

Network::Answer Network::AnswerTo(const Exchange& exchange) const {
  const IdpScript& idp = script_.idps[static_cast<size_t>(exchange.place.issuer)];
  const Fault fault = At(idp.faults, exchange.begin_ms).value;
  Random random({script_.seed, 2, static_cast<uint64_t>(exchange.place.issuer),
                 static_cast<uint64_t>(exchange.begin_ms), exchange.place.keys ? 1u : 0u,
                 static_cast<uint64_t>(exchange.place.number)});
  // There and back; four of these in a row are in time.
  const int64_t way_ms =
      random.Between(1, std::clamp<int64_t>(script_.config.timing.fetch_timeout_ms / 16, 1, 40));
  Answer answer = Healthy(exchange, random, exchange.begin_ms + way_ms);
  answer.after_ms = 2 * way_ms;
  Delay(fault, exchange, random, &answer);
  Break(fault, random, &answer);
  Spoil(fault, exchange, random, &answer);
  answer.served.fault = fault;
  return answer;
}

// Truth is what a server says of a token, if it has the question at `at_ms`.
Network::Answer Network::Truth(const Exchange& exchange, Random& random, int64_t at_ms) const {
  const int issuer = exchange.place.issuer;
  const IdpScript& idp = script_.idps[static_cast<size_t>(issuer)];
  Answer answer;
  answer.result = {
      .outcome = FetchOutcome::kAnswered, .http_status = 200, .content_type = "application/json"};
  answer.served.meaning = Served::Meaning::kInactive;
  answer.result.body = R"({"active":false})";
  const TokenSpec* const spec = SpecOf(exchange.token);
  if (spec == nullptr || spec->form == Form::kGarbage || spec->issuer != issuer ||
      (At(idp.active, at_ms).value >> spec->account() & 1) == 0) {
    return answer;
  }
  answer.served.meaning = Served::Meaning::kActive;
  const TokenTimes times = TimesOf(spec->times);
  const int64_t early_s = spec->opaque() ? 0 : idp.exp_early_s;
  std::string& body = answer.result.body;
  body = R"({"active":true,"exp":)" + std::to_string(times.expires_at - early_s);
  body += R"(,"iat":)" + std::to_string(times.issued_at);
  if (times.not_before != INT64_MIN) body += R"(,"nbf":)" + std::to_string(times.not_before);
  const auto member = [&body](std::string_view name, std::string_view value) {
    body += ",\"" + std::string(name) + "\":\"" + std::string(value) + "\"";
  };
  if (random.OneIn(2)) member("iss", IssuerName(issuer));
  if (random.OneIn(2)) member("token_type", "Bearer");
  member("sub", SubjectName(spec->subject));
  member("client_id", kClient);
  if (spec->scope != 0) member("scope", ScopeText(spec->scope));
  member("aud", AudienceName(spec->audience));
  member("jti", TokenOf(*spec).jwt_id);
  body += "}";
  return answer;
}

Network::Answer Network::AnswerAbout(const Exchange& exchange) const {
  const IdpScript& idp = script_.idps[static_cast<size_t>(exchange.place.issuer)];
  const AskFault fault = At(idp.ask_faults, exchange.begin_ms).value;
  Random random({script_.seed, 5, static_cast<uint64_t>(exchange.place.issuer),
                 static_cast<uint64_t>(exchange.begin_ms), exchange.token});
  const int64_t limit_ms = script_.config.timing.introspection_timeout_ms;
  const int64_t way_ms = random.Between(1, std::clamp<int64_t>(limit_ms / 8, 1, 40));
  Answer answer = Truth(exchange, random, exchange.begin_ms + way_ms);
  answer.after_ms = 2 * way_ms;
  const auto become = [&answer](Served::Meaning meaning, int status, std::string_view body,
                                FetchOutcome outcome = FetchOutcome::kAnswered) {
    answer.served.meaning = meaning;
    answer.result = {.outcome = outcome, .http_status = status, .body = std::string(body)};
  };
  using enum Served::Meaning;
  switch (fault) {
    case AskFault::kDown:
      if (random.OneIn(4)) answer.after_ms = kNever;
      become(kFailed, 0, "",
             random.Pick({FetchOutcome::kUnreachable, FetchOutcome::kUnresolved, FetchOutcome::kTlsFailed}));
      break;
    case AskFault::kLoss:
      if (random.OneIn(3)) answer.after_ms = kNever;
      if (random.OneIn(2)) answer.after_ms += random.Between(1, limit_ms);
      break;
    case AskFault::kSlow:
      answer.after_ms = std::max<int64_t>(limit_ms - random.Between(0, 1), 1);
      break;
    case AskFault::kFlaky:
      if (random.OneIn(2)) become(kFailed, 0, "", FetchOutcome::kUnreachable);
      break;
    case AskFault::kErrorStatus:
      // With the answer, which does not count.
      become(kFailed, random.Pick({500, 503, 429, 408, 404, 403, 401, 302, 204, 201}), answer.result.body);
      break;
    case AskFault::kBadRequest:
      become(kSaysNothing, random.Pick({400, 413, 422}), R"({"error":"invalid_request"})");
      break;
    case AskFault::kUnsupportedType:
      become(kSaysNothing, 400, R"({"error":"unsupported_token_type"})");
      break;
    case AskFault::kGarbage:
      become(kSaysNothing, 200,
             random.Pick({"<html>maintenance</html>", "{}", "null", "[true]", R"({"active":"true"})",
                          R"({"active":1})", R"({"active":true,"active":true})", R"({"active":true})x",
                          R"({"active":true,"exp":"tomorrow"})"}));
      if (random.OneIn(8)) become(kSaysNothing, 0, "", FetchOutcome::kTooLarge);
      break;
    case AskFault::kEmpty:
      become(kSaysNothing, 200, "");
      break;
    case AskFault::kWrongIssuer:
      become(kSaysNothing, 200, R"({"active":true,"iss":"https://stranger.example","exp":9999999999})");
      break;
    default:
      break;
  }
  answer.served.ask_fault = fault;
  return answer;
}

// Delay is for what makes an answer late, or never come.
void Network::Delay(Fault fault, const Exchange& exchange, Random& random, Answer* answer) const {
  const int64_t limit_ms = script_.config.timing.fetch_timeout_ms;
  switch (fault) {
    case Fault::kLoss:
      if (random.OneIn(3)) answer->after_ms = kNever;
      if (random.OneIn(2)) answer->after_ms += random.Between(1, limit_ms);
      return;
    case Fault::kDelay:
      answer->after_ms = random.Between(1, 2 * limit_ms);
      return;
    case Fault::kBlackhole:
      answer->after_ms = kNever;
      return;
    case Fault::kNoDns:
      if (random.OneIn(2)) answer->after_ms = kNever;
      return;
    case Fault::kSlowBody:
      answer->after_ms = std::max<int64_t>(exchange.timeout_ms - random.Between(0, 1), 1);
      return;
    default:
      return;
  }
}

// Break is for what leaves nothing of an answer.
void Network::Break(Fault fault, Random& random, Answer* answer) {
  FetchOutcome outcome = FetchOutcome::kUnreachable;
  switch (fault) {
    case Fault::kReset:
    case Fault::kTruncated:
      break;
    case Fault::kFlaky:
      if (random.OneIn(2)) return;
      break;
    case Fault::kNoDns:
      outcome = FetchOutcome::kUnresolved;
      break;
    case Fault::kTls:
      outcome = FetchOutcome::kTlsFailed;
      break;
    case Fault::kTooLarge:
      outcome = FetchOutcome::kTooLarge;
      break;
    default:
      return;
  }
  *answer = {.after_ms = answer->after_ms, .result = {.outcome = outcome}};
}

// Spoil is for answers that come and are wrong.
void Network::Spoil(Fault fault, const Exchange& exchange, Random& random, Answer* answer) const {
  const bool keys = exchange.place.keys;
  const int64_t after_ms = answer->after_ms;
  const auto become = [&](int status, std::string body) {
    *answer = {
        .after_ms = after_ms,
        .result = {.outcome = FetchOutcome::kAnswered, .http_status = status, .body = std::move(body)}};
  };
  switch (fault) {
    case Fault::kCutOff:
      if (answer->result.body.empty()) return become(500, "");
      return become(200, answer->result.body.substr(0, answer->result.body.size() / 2));
    case Fault::kErrorStatus: {
      const int status = random.Pick({500, 503, 429, 408, 404, 403, 302, 204, 201});
      become(status, answer->result.body);
      // "Not here", but for what says "not now".
      if (!keys && status < 500 && status != 429 && status != 408)
        answer->served.meaning = Served::Meaning::kNotThere;
      return;
    }
    case Fault::kGarbage:
      return become(200, random.Pick({"", "<html>maintenance</html>", "{}", "null", "[]", "{\"keys\":{}}",
                                      "{\"keys\":[],\"keys\":[]}", "{\"issuer\":1}"}));
    case Fault::kEmptySet:
      if (keys) become(200, "{\"keys\":[]}");
      return;
    case Fault::kUnusableKeys:
      if (keys) become(200, R"({"keys":[{"kty":"oct","k":"c2VjcmV0"},{"kty":"EC","crv":"P-1"}]})");
      return;
    case Fault::kStaleReplica: {
      const int64_t old_ms = random.Between(0, script_.config.timing.staleness_bound_ms / 4);
      *answer = Healthy(exchange, random, exchange.begin_ms - old_ms);
      answer->after_ms = after_ms;
      return;
    }
    case Fault::kNotModified:
      if (keys && exchange.if_none_match.empty()) become(304, "");
      return;
    case Fault::kWrongMetadata: {
      if (keys) return;
      const std::string_view issuer = IssuerName(exchange.place.issuer);
      return become(200, random.Pick({MetadataText(IssuerName(kStranger), KeysUrl(exchange.place.issuer, 0)),
                                      MetadataText(issuer, KeysUrl(kStranger, 0)),
                                      MetadataText(issuer, "http://169.254.169.254/latest")}));
    }
    default:
      return;
  }
}

// Healthy is the answer of a server that had the request at `at_ms`.
Network::Answer Network::Healthy(const Exchange& exchange, Random& random, int64_t at_ms) const {
  return exchange.place.keys ? Keys(exchange, random, at_ms) : Metadata(exchange, at_ms);
}

Network::Answer Network::Keys(const Exchange& exchange, Random& random, int64_t at_ms) const {
  const Place& place = exchange.place;
  const IdpScript& idp = script_.idps[static_cast<size_t>(place.issuer)];
  Answer answer;
  answer.result = {.outcome = FetchOutcome::kAnswered, .http_status = 404};
  if (At(idp.paths, at_ms).value != place.number) return answer;
  answer.served.keys = At(idp.keys, at_ms).value;
  const std::string etag = Etag(place.number, answer.served.keys);
  answer.served.max_age_s = answer.result.max_age_s = idp.max_age_s;
  if (exchange.if_none_match == etag) {
    answer.served.meaning = Served::Meaning::kNotModified;
    answer.result.http_status = 304;
    if (random.OneIn(2)) answer.served.max_age_s = answer.result.max_age_s = -1;
    return answer;
  }
  answer.served.meaning = Served::Meaning::kSet;
  answer.result.http_status = 200;
  answer.result.body = JwksText(place.issuer, answer.served.keys, idp.odd_key);
  answer.result.content_type = "application/jwk-set+json";
  if (idp.etags) answer.served.etag = answer.result.etag = etag;
  return answer;
}

Network::Answer Network::Metadata(const Exchange& exchange, int64_t at_ms) const {
  const Place& place = exchange.place;
  const IdpScript& idp = script_.idps[static_cast<size_t>(place.issuer)];
  Answer answer;
  if (place.number != idp.metadata_place) {
    answer.served.meaning = Served::Meaning::kNotThere;
    answer.result = {.outcome = FetchOutcome::kAnswered, .http_status = 404};
    return answer;
  }
  answer.served.meaning = Served::Meaning::kMetadata;
  answer.served.path = At(idp.paths, at_ms).value;
  answer.result = {.outcome = FetchOutcome::kAnswered,
                   .http_status = 200,
                   .body = MetadataText(IssuerName(place.issuer), KeysUrl(place.issuer, answer.served.path))};
  return answer;
}

}  // namespace tollgate::sim
