// A hit is exactly what a verification at this instant would be: two engines of one configuration, one of
// which caches nothing, answer the same random questions, while clocks step, keys come and go, tokens are
// revoked and the policy changes.

#include <algorithm>
#include <map>
#include <random>
#include <sstream>

#include "tests/pipeline/network_fixture.h"

namespace tollgate {
namespace {

constexpr int kSteps = 3000;
constexpr uint64_t kSeeds = 12;
constexpr size_t kTokens = 80;

constexpr char kBounded[] = "https://bounded.example";    // Configured keys; bounds on age and lifetime.
constexpr char kUnbounded[] = "https://lenient.example";  // Configured keys; no bounds, few claims required.
constexpr char kFetched[] = "https://fetched.example";    // Keys that age, fail and rotate.
constexpr char kClientAudience[] = "https://cognito.example";

std::vector<std::string> SortedWords(std::string_view text) {
  std::istringstream in{std::string(text)};
  std::vector<std::string> words{std::istream_iterator<std::string>(in), {}};
  std::sort(words.begin(), words.end());
  return words;
}

// Policies of the same tools. All of them look at the same claims: an engine is told which ones beforehand.
Policy SomePolicy(size_t number) {
  PolicyBuilder builder;
  builder.AddClass({.name = "read", .token_lifetime_max_s = number == 0 ? 0 : 600});
  builder.AddClass({.name = "young", .token_age_max_s = 120});
  builder.AddClass({.name = "mfa", .acr_values = {"loa2"}, .amr_values = {"otp"}});
  builder.AddRole({.role = "admin", .scopes = {"files:*"}});
  for (const char* scope : {"files:read", "files:write", "openid"}) builder.AddScope({.scope = scope});
  ScopeRule mail{.scope = "mail"};
  if (number == 2) mail.implies = {"files:read"};
  builder.AddScope(std::move(mail));
  builder.AddRule({.name = "search", .scopes = {number == 1 ? "mail" : "files:read"}});
  builder.AddRule({.name = "delete", .scopes = {"files:read", "files:write"}, .sensitivity = "privileged"});
  if (number != 1) builder.AddRule({.name = "ping", .any_valid_token = true});
  builder.AddRule({.name = "pay", .scopes = {"files:read"}, .sensitivity = number == 2 ? "mfa" : "young"});
  builder.AddRule({.name = "admin", .sensitivity = "young", .roles = {"admin"}});
  builder.AddRule({.name = "delegate", .scopes = {"openid"}, .principals = {PrincipalKind::kAgent}});
  builder.AddRule({.name = "gold",
                   .scopes = {"openid"},
                   .predicates = {{"/org/tier", Predicate::Operator::kIn, {"gold", "platinum"}}}});
  builder.AddRule({.name = "login", .any_valid_token = true, .sensitivity = "mfa"});
  absl::StatusOr<Policy> policy = builder.Build();
  EXPECT_TRUE(policy.ok()) << policy.status();
  return *std::move(policy);
}
constexpr size_t kPolicies = 3;

// One engine, with its own network: both are asked the same.
struct Side {
  std::unique_ptr<Engine> engine;
  FakeTransport* network = nullptr;
};

class Trial {
 public:
  explicit Trial(uint64_t seed) : seed_(seed), random_(seed) {
    cold_ = Open(0);
    warm_ = Open(size_t{1} << 20);
  }

  void Run() {
    Answer();
    for (size_t i = 0; i < kTokens; ++i) tokens_.push_back(MintOne());
    for (step_ = 0; step_ < kSteps && !::testing::Test::HasFatalFailure(); ++step_) {
      switch (Below(40)) {
        case 0:
        case 1:
          clock_.now.mono_ms += static_cast<int64_t>(Below(120'000));
          clock_.now.wall_s += static_cast<int64_t>(Below(401)) - 200;  // Back, too.
          break;
        case 2:
          tokens_[Below(kTokens)] = MintOne();
          break;
        case 3:
          if (Below(4) == 0) Revoke();
          break;
        case 4:
          if (Below(4) == 0) Answer();
          break;
        case 5:
          for (Side* side : {&cold_, &warm_}) side->engine->RunBackground(std::chrono::milliseconds(0));
          break;
        case 6:
          if (OneIn(4)) SetPolicy();
          break;
        default:
          Ask();
      }
    }
  }

  const std::map<Reason, int>& hits() const { return hits_; }
  const std::map<Freshness, int>& hits_by_freshness() const { return hits_by_freshness_; }

 private:
  size_t Below(size_t n) { return random_() % n; }
  bool OneIn(size_t n) { return Below(n) == 0; }

  Side Open(size_t verdict_cache_bytes) {
    Config config = TestConfig("");
    config.issuers.clear();
    const std::string jwks = idp::Jwks({&idp::TestKey("ES256"), &idp::TestKey("EdDSA")}).dump();
    config.issuers.push_back(
        {.issuer = kBounded, .jwks = jwks, .token_age_max_s = 500, .token_lifetime_max_s = 700});
    config.issuers.push_back({.issuer = kUnbounded,
                              .jwks = jwks,
                              .profile = Profile::Lenient(),
                              .leeway_s = 0,
                              .token_age_max_s = 0,
                              .token_lifetime_max_s = 0});
    config.issuers.push_back({.issuer = kFetched, .jwks_uri = std::string(kFetched) + "/jwks"});
    config.issuers.push_back({.issuer = kClientAudience, .jwks = jwks, .profile = Profile::Cognito()});
    config.resources[0].audiences = {"alias", "agent-0"};
    config.resources[1].issuers = {kBounded, kFetched};
    config.policy = SomePolicy(0);
    config.verdict_cache_bytes = verdict_cache_bytes;
    Side side;
    auto network = std::make_unique<FakeTransport>();
    side.network = network.get();
    absl::StatusOr<std::unique_ptr<Engine>> engine =
        Engine::Create(config, TestEnvironment(&clock_, std::move(network)));
    EXPECT_TRUE(engine.ok()) << engine.status();
    side.engine = *std::move(engine);
    return side;
  }

  // Answer is what the fetched issuer says from now on: both keys, one of them, or nothing sensible.
  void Answer() {
    FakeAnswer answer;
    switch (Below(5)) {
      case 0:
        answer.http_status = 500;
        break;
      case 1:
        answer.body = idp::Jwks({&idp::TestKey("ES256")}).dump();
        break;
      default:
        answer.body = idp::Jwks({&idp::TestKey("ES256"), &idp::TestKey("EdDSA")}).dump();
    }
    for (Side* side : {&cold_, &warm_}) {
      side->network->SetAnswer(std::string(kFetched) + "/jwks", answer);
      for (int turn = 0; turn < 2; ++turn) side->engine->RunBackground(std::chrono::milliseconds(0));
    }
  }

  std::string MintOne() {
    const int64_t iat = clock_.now.wall_s + static_cast<int64_t>(Below(500)) - 400;
    const int64_t exp = iat + 1 + static_cast<int64_t>(Below(750));
    constexpr std::array kIssuers = {kBounded, kUnbounded, kFetched, kClientAudience};
    const char* const issuer = kIssuers[Below(kIssuers.size())];
    std::string scope;
    for (const char* word : {"files:write", "files:read", "openid", "mail"}) {
      if (OneIn(2)) scope += std::string(scope.empty() ? "" : " ") + word;
    }
    idp::json claims = idp::AccessTokenClaims(issuer, kResource, "user-" + std::to_string(Below(6)),
                                              "agent-" + std::to_string(Below(2)), scope, iat, exp);
    switch (Below(5)) {
      case 0:
        claims["aud"] = {kResource, kOtherResource};
        break;
      case 1:
        claims["aud"] = "alias";
        break;
      case 2:
        claims["aud"] = {kOtherResource, "elsewhere"};
        break;
      default:
        break;
    }
    if (OneIn(3)) claims["nbf"] = iat + static_cast<int64_t>(Below(100)) - 20;
    if (OneIn(4)) claims["roles"] = {"admin", "ops"};
    if (OneIn(6))
      claims["roles"] = {std::string(60, 'r'), std::string(70, static_cast<char>('a' + Below(26)))};
    if (OneIn(4)) claims["act"] = {{"sub", "assistant-" + std::to_string(Below(3))}};
    if (OneIn(8)) claims["sub"] = claims["client_id"];
    if (OneIn(2)) claims["org"] = {{"tier", std::array{"gold", "silver", "platinum"}[Below(3)]}};
    if (OneIn(2)) claims["acr"] = "loa" + std::to_string(1 + Below(2));
    if (OneIn(2)) claims["amr"] = {"pwd", "otp"};
    if (OneIn(12)) claims["cnf"] = {{"jkt", "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}};
    if (issuer == kUnbounded && OneIn(3)) claims.erase("iat");
    if (issuer == kUnbounded && OneIn(3)) claims.erase("jti");
    if (issuer == kUnbounded && OneIn(3)) claims.erase("sub");
    idp::json header = idp::json::object();
    if (issuer == kClientAudience) {
      claims.erase("aud");
      claims["token_use"] = "access";
      header["typ"] = nullptr;
    }
    std::string token = "Bearer " + idp::Mint(idp::TestKey(OneIn(3) ? "EdDSA" : "ES256"), claims, header);
    if (OneIn(20)) token[token.size() - 10] = token[token.size() - 10] == 'A' ? 'B' : 'A';  // Forged.
    if (claims.contains("jti")) jwt_ids_.emplace_back(issuer, claims["jti"].get<std::string>());
    return token;
  }

  void SetPolicy() {
    const Policy policy = SomePolicy(Below(kPolicies));
    for (Side* side : {&cold_, &warm_}) {
      const absl::Status status = side->engine->SetPolicy(policy);
      ASSERT_TRUE(status.ok()) << status;
    }
  }

  void Revoke() {
    const int64_t until_s = clock_.now.wall_s + 1 + static_cast<int64_t>(Below(300));
    const std::string subject = "user-" + std::to_string(Below(6));
    const size_t kind = Below(6), which = Below(3), token = Below(jwt_ids_.size());
    for (Side* side : {&cold_, &warm_}) {
      absl::Status status;
      const char* const issuer = std::array{kBounded, kUnbounded, kFetched}[which];
      if (kind == 0) {
        status = side->engine->RevokeKey(issuer, idp::TestKey("EdDSA").Thumbprint(), until_s);
      } else if (kind < 4) {
        status = side->engine->RevokeSubject(issuer, subject, until_s);
      } else {
        status = side->engine->RevokeToken(jwt_ids_[token].first, jwt_ids_[token].second, until_s);
      }
      ASSERT_TRUE(status.ok()) << status;
    }
  }

  void Ask() {
    constexpr std::array kTools = {"search",   "delete", "ping",  "pay",         "admin",
                                   "delegate", "gold",   "login", "no such tool"};
    const Request request = {.authorization = tokens_[Below(kTokens)],
                             .tool = kTools[Below(kTools.size())],
                             .resource = ResourceId{static_cast<uint32_t>(Below(4) == 0)}};
    // Without a principal, too: a hit takes another way then.
    Principal cold_caller, warm_caller;
    const bool named = !OneIn(3);
    Decision cold, warm;
    cold_.engine->Check(request, &cold, named ? &cold_caller : nullptr);
    warm_.engine->Check(request, &warm, named ? &warm_caller : nullptr);
    SCOPED_TRACE(::testing::Message()
                 << "seed " << seed_ << " step " << step_ << (warm.from_cache ? " hit" : ""));
    ASSERT_FALSE(cold.from_cache);
    ASSERT_EQ(ReasonName(warm.reason), ReasonName(cold.reason));
    ASSERT_EQ(warm.verdict, cold.verdict);
    ASSERT_EQ(warm.issuer, cold.issuer);
    ASSERT_EQ(FreshnessName(warm.freshness), FreshnessName(cold.freshness)) << ReasonName(cold.reason);
    ASSERT_EQ(warm.keys_age_ms, cold.keys_age_ms) << ReasonName(cold.reason);
    ASSERT_EQ(warm.valid_until_s, cold.valid_until_s) << ReasonName(cold.reason);
    ASSERT_EQ(warm.evidence_actual, cold.evidence_actual) << ReasonName(cold.reason);
    ASSERT_EQ(warm.evidence_bound, cold.evidence_bound) << ReasonName(cold.reason);
    // Meaningful once the signature has been verified, which a token that is not allowed here need not be.
    if (cold.reason != Reason::kIssuerNotAllowedHere) {
      ASSERT_EQ(warm.algorithm, cold.algorithm) << ReasonName(cold.reason);
    }
    ASSERT_EQ(warm.audience_is_client_id, cold.audience_is_client_id) << ReasonName(cold.reason);
    ASSERT_EQ(warm.retry_after_s, cold.retry_after_s) << ReasonName(cold.reason);
    if (named) {
      ASSERT_EQ(warm_caller.issuer(), cold_caller.issuer());
      ASSERT_EQ(warm_caller.subject(), cold_caller.subject());
      ASSERT_EQ(warm_caller.client_id(), cold_caller.client_id());
      ASSERT_EQ(warm_caller.jwt_id(), cold_caller.jwt_id());
      ASSERT_EQ(warm_caller.kind(), cold_caller.kind());
      ASSERT_EQ(warm_caller.actors(), cold_caller.actors());
      // Scopes are a set, RFC 6749 section 3.3, and so are roles: their order says nothing.
      ASSERT_EQ(SortedWords(warm_caller.roles()), SortedWords(cold_caller.roles()));
      ASSERT_EQ(SortedWords(warm_caller.scope()), SortedWords(cold_caller.scope()));
    }
    if (warm.from_cache) {
      ++hits_[warm.reason];
      ++hits_by_freshness_[warm.freshness];
    }
  }

  const uint64_t seed_;
  std::mt19937_64 random_;
  int step_ = 0;
  FakeClock clock_;
  Side cold_, warm_;
  std::vector<std::string> tokens_;
  std::vector<std::pair<std::string, std::string>> jwt_ids_;  // With their issuers.
  std::map<Reason, int> hits_;
  std::map<Freshness, int> hits_by_freshness_;
};

TEST(CachedEqualsUncached, InEveryFieldOfEveryDecision) {
  std::map<Reason, int> hits;
  std::map<Freshness, int> hits_by_freshness;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Trial trial(seed);
    ASSERT_NO_FATAL_FAILURE(trial.Run());
    for (const auto& [reason, count] : trial.hits()) hits[reason] += count;
    for (const auto& [freshness, count] : trial.hits_by_freshness()) hits_by_freshness[freshness] += count;
  }
  // It went everywhere that a hit can go.
  for (const Reason reason :
       {Reason::kNone, Reason::kIssuerNotAllowedHere, Reason::kExpired, Reason::kNotYetValid, Reason::kTooOld,
        Reason::kIssuedAtMissing, Reason::kAudienceMismatch, Reason::kKeyRevoked, Reason::kSubjectRevoked,
        Reason::kTokenRevoked, Reason::kUnknownTool, Reason::kPrincipalKindNotAllowed,
        Reason::kLifetimeTooLongHere, Reason::kRoleMissing, Reason::kClaimNotAsNeeded,
        Reason::kAuthenticationInsufficient, Reason::kInsufficientScope}) {
    EXPECT_GT(hits[reason], 0) << ReasonName(reason);
  }
  for (const Freshness freshness : {Freshness::kFresh, Freshness::kStale, Freshness::kDegraded}) {
    EXPECT_GT(hits_by_freshness[freshness], 0) << FreshnessName(freshness);
  }
}

}  // namespace
}  // namespace tollgate
