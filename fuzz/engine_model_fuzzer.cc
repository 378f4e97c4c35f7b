// engine_model: nothing is allowed but what an independent model of the whole decision allows
//
// Functions: Engine::Create, Engine::Check, from the Authorization header to the policy. The input is two
// characters (tool, resource) and a token. The mutator takes the token apart, changes header and claims as
// JSON or as text, and signs again with the key that the new header and issuer name: mutants get past the
// signature.
//
// Property: a request is allowed exactly if the model allows it, with the principal that the token names; it
// is never unavailable, since the keys are configured; the same token checked again, from the cache, gets the
// same decision, and so it does for other tools and resources and at other times, compared with an engine
// without a cache. A third engine bounds what may be verified in vain: it gives the same answers, but for
// kOverloaded exactly where a verification is needed and a model of the budget says that it is spent. The
// engines live on from input to input: an answer taken from another token's record would be a finding, too.

#include <openssl/bn.h>
#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>
#include <openssl/nid.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "fuzz/fuzz.h"
#include "fuzz/json_mutation.h"
#include "fuzz/model.h"
#include "fuzz/world.h"
#include "tollgate/engine.h"

namespace tollgate::fuzz {
namespace {

using nlohmann::json;

constexpr size_t kPrefix = 2;
constexpr const char* kTools[] = {"search", "delete", "ping", "pay", "delegate", "no such tool"};
constexpr char kAlias[] = "api://alias";
constexpr int64_t kYoungSeconds = 120;
constexpr int64_t kLifetime = 3600, kPrivilegedLifetime = 900;  // Of the classes that every policy has.

class FakeClock final : public Clock {
 public:
  Now Read() const override { return now; }
  Now now{.wall_s = kNow, .mono_ms = 1'000'000};
};

json KeysOf(int issuer) {
  if (issuer == 1)
    return idp::Jwks({&SecondEdKey(), &EcKey()});  // The latter for an algorithm that is not allowed.
  json set = idp::Jwks({&EdKey(), &EcKey()});
  set["keys"].push_back(RsaPublicJwk());  // Which nobody here can sign with.
  return set;
}

Config MakeConfig(size_t cache_bytes, uint32_t in_vain_percent_max) {
  Config config;
  config.issuers.push_back({.issuer = kIssuer, .jwks = KeysOf(0).dump()});
  config.issuers.push_back({.issuer = kSecondIssuer,
                            .jwks = KeysOf(1).dump(),
                            .algorithms = AlgorithmSet(Algorithm::kEdDsa),
                            .profile = Profile::Keycloak(),
                            .leeway_s = 0,
                            .token_age_max_s = 0,
                            .token_lifetime_max_s = 0});
  config.resources.push_back({.uri = kResource, .audiences = {kAlias}});
  config.resources.push_back({.uri = kOtherResource, .issuers = {kIssuer}});
  PolicyBuilder builder;
  builder.AddClass({.name = "young", .token_age_max_s = kYoungSeconds});
  builder.AddRule({.name = "search", .scopes = {"files:read"}});
  builder.AddRule({.name = "delete", .scopes = {"files:read", "files:write"}, .sensitivity = "privileged"});
  builder.AddRule({.name = "ping", .any_valid_token = true});
  builder.AddRule({.name = "pay", .scopes = {"files:read"}, .sensitivity = "young"});
  builder.AddRule({.name = "delegate",
                   .sensitivity = "young",
                   .roles = {"admin"},
                   .principals = {PrincipalKind::kAgent}});
  builder.AddRole({.role = "admin"});
  config.policy = *builder.Build();
  config.verdict_cache_bytes = cache_bytes;
  config.verification_limits.in_vain_percent_max = in_vain_percent_max;
  return config;
}

std::unique_ptr<Engine> MakeEngine(const Clock& clock, size_t cache_bytes, uint32_t in_vain_percent_max = 0) {
  Environment environment;
  environment.clock = &clock;
  environment.own_thread = false;
  environment.jitter_seed = 1;
  absl::StatusOr<std::unique_ptr<Engine>> engine =
      Engine::Create(MakeConfig(cache_bytes, in_vain_percent_max), std::move(environment));
  Expect(engine.ok(), "the configuration is good");
  return *std::move(engine);
}

struct World {
  FakeClock clock;
  // Small, so that tokens displace one another.
  std::unique_ptr<Engine> cached = MakeEngine(clock, 64 << 10);
  std::unique_ptr<Engine> uncached = MakeEngine(clock, 0);
  std::unique_ptr<Engine> bounded = MakeEngine(clock, 64 << 10, 1);
  // The model of its budget: what each issuer's failures have cost, less what has been paid since.
  int64_t spent_us[2] = {};
  uint64_t num_bounded = 0;  // Requests to it.
};

World* g_world = nullptr;

void SpendMostOfTheBudget();

// The world is made anew now and then: an engine numbers a bounded count of scope sets, and caches no token
// with another.
void RenewWorld() {
  constexpr int kInputsPerWorld = 2000;
  static int num_inputs = 0;
  if (num_inputs++ % kInputsPerWorld != 0) return;
  delete g_world;
  g_world = new World;
  SpendMostOfTheBudget();
}

// The model.

// The key that may verify; the second issuer does not allow what "ec" can do.
const idp::SigningKey* SignerOf(int issuer, const std::string& kid) {
  if (kid == "ec") return issuer == 0 ? &EcKey() : nullptr;
  if (kid == "ed") return issuer == 0 ? &EdKey() : &SecondEdKey();
  return nullptr;
}

bool VerifiesEs256(const std::string& input, const std::string& signature) {
  if (signature.size() != 64) return false;
  const json jwk = EcKey().PublicJwk();
  const auto number = [](const std::string& bytes) {
    return bssl::UniquePtr<BIGNUM>(
        BN_bin2bn(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), nullptr));
  };
  const auto coordinate = [&](const char* name) {
    return number(*idp::Base64UrlDecode(jwk[name].get<std::string>()));
  };
  bssl::UniquePtr<EC_KEY> key(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
  EC_KEY_set_public_key_affine_coordinates(key.get(), coordinate("x").get(), coordinate("y").get());
  bssl::UniquePtr<ECDSA_SIG> sig(ECDSA_SIG_new());
  ECDSA_SIG_set0(sig.get(), number(signature.substr(0, 32)).release(),
                 number(signature.substr(32)).release());
  const std::string digest = idp::Sha256(input);
  return ECDSA_do_verify(reinterpret_cast<const uint8_t*>(digest.data()), digest.size(), sig.get(),
                         key.get()) == 1;
}

// Ed25519 signs the same thing the same way each time.
bool Verifies(const idp::SigningKey& signer, const ModelJws& jws) {
  return signer.alg() == "ES256" ? VerifiesEs256(jws.signing_input, jws.signature)
                                 : signer.Sign(jws.signing_input) == jws.signature;
}

bool Fits(const idp::SigningKey& key, const std::string& alg) {
  return key.alg() == "ES256" ? alg == "ES256" : alg == "EdDSA" || alg == "Ed25519";
}

// The kid of the one key that the header can mean; nullptr for none that anybody here can sign with.
const idp::SigningKey* KeyFor(int issuer, const ModelHeader& header) {
  for (const char* kid : {"ed", "ec"}) {
    const idp::SigningKey* key = SignerOf(issuer, header.kid.value_or(kid));
    if (key != nullptr && Fits(*key, header.alg)) return key;
  }
  return nullptr;
}

struct Allowed {
  int issuer;
  ModelClaims claims;
};

// What the token alone is good for, at this time; nothing if it is bad.
std::optional<Allowed> Judge(const ModelJws& jws, int64_t now_s) {
  const json iss = jws.payload.value("iss", json());
  const int issuer = iss == kIssuer ? 0 : iss == kSecondIssuer ? 1 : -1;
  if (issuer < 0) return std::nullopt;
  const idp::SigningKey* key = KeyFor(issuer, jws.header);
  if (key == nullptr || !Verifies(*key, jws)) return std::nullopt;
  claims::Expectations expectations;
  expectations.issuer = issuer == 0 ? kIssuer : kSecondIssuer;
  expectations.profile = issuer == 0 ? Profile::Rfc9068() : Profile::Keycloak();
  expectations.leeway_s = issuer == 0 ? 60 : 0;
  expectations.token_age_max_s = expectations.token_lifetime_max_s = issuer == 0 ? 86'400 : 0;
  const std::optional<ModelClaims> claims = ReadModelClaims(jws.header.typ, jws.payload, expectations, now_s);
  if (!claims.has_value() || claims->sender_constrained) return std::nullopt;
  return Allowed{issuer, *claims};
}

template <typename Range>
bool Has(const Range& range, std::string_view text) {
  return std::find(range.begin(), range.end(), text) != range.end();
}

bool MayCall(const Allowed& token, std::string_view tool, int resource, int64_t now_s) {
  const ModelClaims& claims = token.claims;
  if (resource == 0 && !Has(claims.audiences, kResource) && !Has(claims.audiences, kAlias)) return false;
  if (resource == 1 && (token.issuer != 0 || !Has(claims.audiences, kOtherResource))) return false;
  const bool reads = Has(claims.scopes, "files:read"), writes = Has(claims.scopes, "files:write");
  const bool young = claims.issued_at.has_value() && now_s - *claims.issued_at <= kYoungSeconds;
  const auto lives_at_most = [&claims](int64_t seconds) {
    // Fractions were rounded away from each other: a second is granted.
    return claims.issued_at.has_value() && claims.expires_at - *claims.issued_at - 1 <= seconds;
  };
  if (tool == "search") return reads && lives_at_most(kLifetime);
  if (tool == "delete") return reads && writes && lives_at_most(kPrivilegedLifetime);
  if (tool == "pay") return reads && young;
  if (tool == "delegate") return young && claims.kind == PrincipalKind::kAgent && Has(claims.roles, "admin");
  return tool == "ping" && lives_at_most(kLifetime);
}

// The checks.

std::multiset<std::string> Words(std::string_view text) {
  std::multiset<std::string> words;
  for (std::string word; !text.empty(); text.remove_prefix(std::min(word.size() + 1, text.size()))) {
    word = text.substr(0, text.find(' '));
    words.insert(word);
  }
  return words;
}

void ExpectPrincipal(const Principal& principal, const Allowed& token) {
  Expect(principal.issuer() == (token.issuer == 0 ? kIssuer : kSecondIssuer), "the principal's issuer");
  Expect(principal.subject() == token.claims.subject && principal.client_id() == token.claims.client_id &&
             principal.jwt_id() == token.claims.jwt_id,
         "the principal's names");
  Expect(Words(principal.scope()) ==
             std::multiset<std::string>(token.claims.scopes.begin(), token.claims.scopes.end()),
         "the principal's scopes");
  Expect(Words(principal.roles()) ==
             std::multiset<std::string>(token.claims.roles.begin(), token.claims.roles.end()),
         "the principal's roles");
  Expect(principal.kind() == token.claims.kind, "the principal's kind");
  std::string actors;
  for (const std::string& actor : token.claims.actors) actors += (actors.empty() ? "" : "\n") + actor;
  Expect(principal.actors() == actors, "the principal's actors");
}

struct Answer {
  Decision decision;
  Principal principal;
};

Answer Ask(Engine& engine, std::string_view authorization, std::string_view tool, int resource) {
  Answer answer;
  engine.Check({.authorization = authorization, .tool = tool, .resource = ResourceId(resource)},
               &answer.decision, &answer.principal);
  return answer;
}

void ExpectSame(const Answer& a, const Answer& b) {
  const Decision &x = a.decision, &y = b.decision;
  Expect(x.verdict == y.verdict && x.reason == y.reason,
         "with and without the cache: the same verdict and reason");
  Expect(x.issuer == y.issuer && x.valid_until_s == y.valid_until_s,
         "with and without the cache: the same facts");
  // An issuer that is not for this resource is refused before its token is verified; the cache knows the
  // algorithm.
  Expect(x.algorithm == y.algorithm || x.reason == Reason::kIssuerNotAllowedHere,
         "with and without the cache: the same algorithm");
  Expect(x.evidence_actual == y.evidence_actual && x.evidence_bound == y.evidence_bound,
         "with and without the cache: the same evidence");
  const Principal &p = a.principal, &q = b.principal;
  Expect(p.issuer() == q.issuer() && p.subject() == q.subject() && p.client_id() == q.client_id() &&
             p.jwt_id() == q.jwt_id() && p.kind() == q.kind() && p.actors() == q.actors() &&
             Words(p.roles()) == Words(q.roles()) && Words(p.scope()) == Words(q.scope()),
         "with and without the cache: the same principal");
}

// Of one percent of a processor, ten seconds' worth; and what a millisecond brings.
constexpr int64_t kBudgetUs = 100'000, kPaidPerMsUs = 10;

int64_t CostUs(const ModelJws& jws) {
  const bool rsa = jws.header.alg[0] == 'R' || jws.header.alg[0] == 'P';  // 2048 bits.
  return (rsa ? 13 : 38) + static_cast<int64_t>(jws.signing_input.size() / 1024);
}

// The engine that bounds what is verified in vain, held against one that does not.
void CheckBounded(const std::string& authorization, const std::optional<ModelJws>& jws, std::string_view tool,
                  int resource, const Answer& unbounded) {
  World& world = *g_world;
  // Slowly enough that the failures among the inputs are more than is paid for.
  if (++world.num_bounded % 16 == 0) {
    ++world.clock.now.mono_ms;
    for (int64_t& spent_us : world.spent_us) spent_us = std::max<int64_t>(0, spent_us - kPaidPerMsUs);
  }
  const Answer answer = Ask(*world.bounded, authorization, tool, resource);
  const Reason reason = unbounded.decision.reason;
  // A signature longer than any is found before the token is read; a wrong type after the signature.
  const bool ahead_of_signature =
      unbounded.decision.issuer == Decision::kNoIssuer ||
      (reason != Reason::kNone && reason != Reason::kWrongType && reason < Reason::kBadSignatureLength);
  if (answer.decision.from_cache || ahead_of_signature) return ExpectSame(answer, unbounded);

  Expect(jws.has_value(), "what the model cannot read is not verified");
  int64_t& spent_us = world.spent_us[unbounded.decision.issuer];
  if (spent_us >= kBudgetUs) {
    Expect(answer.decision.reason == Reason::kOverloaded, "nothing is verified beyond the budget");
    Expect(answer.decision.verdict == Verdict::kUnavailable && answer.decision.retry_after_s >= 1 &&
               answer.decision.issuer == unbounded.decision.issuer && answer.principal.issuer().empty(),
           "an overload is unavailable, and says for how long");
    return;
  }
  ExpectSame(answer, unbounded);
  // Who is denied by the policy is known; all others have been verified in vain.
  if (!answer.decision.allowed() && answer.principal.issuer().empty() &&
      reason != Reason::kBadSignatureLength) {
    spent_us += CostUs(*jws);
  }
}

// One request to all engines, at `now_s`. Returns whether it was allowed.
bool CheckOne(const std::string& authorization, const std::optional<ModelJws>& jws, std::string_view tool,
              int resource, int64_t now_s) {
  World& world = *g_world;
  world.clock.now.wall_s = now_s;
  const Answer answer = Ask(*world.cached, authorization, tool, resource);
  const Decision& decision = answer.decision;
  const std::optional<Allowed> token = jws.has_value() ? Judge(*jws, now_s) : std::nullopt;
  Expect(decision.verdict != Verdict::kUnavailable, "with configured keys there is always an answer");
  Expect(decision.allowed() == (token.has_value() && MayCall(*token, tool, resource, now_s)),
         "the model agrees");
  Expect(decision.allowed() == (decision.reason == Reason::kNone), "allowed and no reason are one");
  if (decision.allowed()) {
    ExpectPrincipal(answer.principal, *token);
    Expect(decision.valid_until_s > now_s, "an allow is good for a while");
  }
  const Answer uncached = Ask(*world.uncached, authorization, tool, resource);
  ExpectSame(answer, uncached);
  const Answer again = Ask(*world.cached, authorization, tool, resource);
  ExpectSame(answer, again);
  Expect(!decision.was_cached || again.decision.from_cache, "what was cached is found");
  CheckBounded(authorization, jws, tool, resource, uncached);
  return decision.allowed();
}

// So that few inputs are enough to see it spent and paid again.
void SpendMostOfTheBudget() {
  std::string token = idp::Mint(EcKey(), GoodClaims());
  token.replace(token.size() - 4, 4, token.ends_with("AAAA") ? "BBBA" : "AAAA");
  World& world = *g_world;
  const int64_t cost_us = CostUs(*ReadModelJws(token));
  for (int64_t& spent_us = world.spent_us[0]; spent_us < kBudgetUs - 10 * cost_us; spent_us += cost_us) {
    const Answer answer = Ask(*world.bounded, "Bearer " + token, "search", 0);
    Expect(answer.decision.reason == Reason::kBadSignature, "a forged token within the budget is denied");
  }
}

}  // namespace

bool Accepts(std::string_view input) {
  if (input.size() < kPrefix) return false;
  RenewWorld();
  const std::string_view tool = kTools[static_cast<uint8_t>(input[0]) % std::size(kTools)];
  const int resource = static_cast<uint8_t>(input[1]) % 2;
  const std::string token(input.substr(kPrefix));
  const std::string authorization = "Bearer " + token;
  const std::optional<ModelJws> jws = ReadModelJws(token);
  const bool allowed = CheckOne(authorization, jws, tool, resource, kNow);
  // A token that did not get past the signature is not worth more.
  if (!jws.has_value() || !Judge(*jws, kNow).has_value()) return allowed;
  CheckOne(authorization, jws, tool, 1 - resource, kNow);
  CheckOne(authorization, jws, "delete", resource, kNow);
  CheckOne(authorization, jws, "pay", resource, kNow + kYoungSeconds - 5);
  for (const int64_t offset_s : {-61, -1, 1, 61, 600, 660, 86'401}) {
    CheckOne(authorization, jws, tool, resource, kNow + offset_s);
  }
  return allowed;
}

namespace {

// The mutator.

std::string MutateText(std::string text) {
  const size_t size = text.size();
  text.resize(size + 64);
  text.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(text.data()), size, text.size()));
  return text;
}

std::string MutatePart(const std::string& text, Random& random) {
  json value = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded() || random.OneIn(4)) return MutateText(text);
  for (size_t rounds = 1 + random.Below(3); rounds > 0; --rounds) MutateJson(&value, random);
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

const idp::SigningKey& SignerFor(const std::string& header, const std::string& payload, Random& random) {
  const idp::SigningKey* const all[] = {&EdKey(), &EcKey(), &SecondEdKey()};
  const json parsed_header = json::parse(header, nullptr, false),
             parsed_payload = json::parse(payload, nullptr, false);
  if (random.OneIn(16) || !parsed_header.is_object() || !parsed_payload.is_object())
    return *all[random.Below(3)];
  const int issuer = parsed_payload.value("iss", json()) == kSecondIssuer ? 1 : 0;
  const json kid = parsed_header.value("kid", json());
  const bool curve = kid.is_string() ? kid == "ec" : parsed_header.value("alg", json()) == "ES256";
  return curve ? EcKey() : issuer == 1 ? SecondEdKey() : EdKey();
}

std::string MutateToken(const std::string& token, Random& random) {
  const std::vector<std::string_view> parts = SplitAtDots(token);
  const std::optional<std::string> header = parts.size() == 3 ? idp::Base64UrlDecode(parts[0]) : std::nullopt;
  const std::optional<std::string> payload =
      header.has_value() ? idp::Base64UrlDecode(parts[1]) : std::nullopt;
  if (!payload.has_value() || random.OneIn(16)) return MutateText(token);
  const std::string new_header = random.OneIn(3) ? MutatePart(*header, random) : *header;
  const std::string new_payload = random.OneIn(4) ? *payload : MutatePart(*payload, random);
  if (random.OneIn(16)) {
    return idp::Base64Url(new_header) + '.' + idp::Base64Url(new_payload) + '.' + std::string(parts[2]);
  }
  return idp::MintRaw(SignerFor(new_header, new_payload, random), new_header, new_payload);
}

}  // namespace
}  // namespace tollgate::fuzz

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  using namespace tollgate::fuzz;
  if (size < kPrefix) return LLVMFuzzerMutate(data, size, max_size);
  Random random(seed);
  if (random.OneIn(8)) data[random.Below(kPrefix)] = static_cast<uint8_t>('0' + random.Below(10));
  const std::string token(data + kPrefix, data + size);
  const std::string mutant = MutateToken(token, random);
  if (kPrefix + mutant.size() > max_size) return size;
  std::copy(mutant.begin(), mutant.end(), data + kPrefix);
  return kPrefix + mutant.size();
}
