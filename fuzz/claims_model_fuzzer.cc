// claims_model: signed claims are an access token's exactly when an independent reading says so
//
// Functions: claims::Validate, claims::CheckTimes, behind jose::ParsedJws::Parse and jose::Verify. The input
// is three characters (profile, settings, typ) and a payload, which is signed with a real key. Property: the
// claims are accepted exactly if the model (model.h) accepts them, with the same values; then the issuer is
// the expected one, there is an audience, the token is in its time, and CheckTimes agrees at this and at
// other moments.

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "claims/access_token.h"
#include "fuzz/fuzz.h"
#include "fuzz/json_mutation.h"
#include "fuzz/model.h"
#include "fuzz/world.h"

namespace tollgate::fuzz {
namespace {

constexpr size_t kPrefix = 3;

// Every profile by its name, from 'a' on, and two more for what none of them uses.
const std::vector<Profile>& Profiles() {
  static const auto& profiles = *new std::vector<Profile>([] {
    std::vector<Profile> all;
    for (std::string_view name : Profile::Names()) all.push_back(*Profile::ByName(name));
    all.push_back(Profile::Keycloak());
    all.back().role_claims.push_back("/resource_access/*/roles");
    all.push_back(Profile::Lenient());
    all.back().any_type = true;
    return all;
  }());
  return profiles;
}

claims::Expectations ExpectationsOf(char profile, char settings) {
  claims::Expectations expectations;
  expectations.profile = Profiles()[static_cast<uint8_t>(profile - 'a') % Profiles().size()];
  expectations.issuer = kIssuer;
  const auto bits = static_cast<uint8_t>(settings);
  expectations.leeway_s = (bits & 1) != 0 ? 60 : 0;
  expectations.token_age_max_s = (bits & 2) != 0 ? 86'400 : 0;
  expectations.token_lifetime_max_s = (bits & 4) != 0 ? 3'600 : 0;
  return expectations;
}

std::string HeaderOf(char typ) {
  static constexpr const char* kTypes[] = {"at+jwt", "JWT", "application/AT+JWT", "dpop+jwt",
                                           "application/okta-internal-at+jwt"};
  nlohmann::json header = {{"alg", "EdDSA"}};
  const size_t number = static_cast<uint8_t>(typ) % (std::size(kTypes) + 1);
  if (number < std::size(kTypes)) header["typ"] = kTypes[number];
  return header.dump();
}

const crypto::VerifyKey& PublicKey() {
  static const auto& key = *new crypto::VerifyKey([] {
    const std::string bytes = idp::Base64UrlDecode(EdKey().PublicJwk()["x"].get<std::string>()).value_or("");
    return *crypto::VerifyKey::Ed25519({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  }());
  return key;
}

template <typename Text>
std::vector<std::string> Strings(const std::vector<Text>& texts) {
  return {texts.begin(), texts.end()};
}

template <typename Text>
std::vector<std::string> Sorted(const std::vector<Text>& texts) {
  std::vector<std::string> sorted = Strings(texts);
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

void ExpectSame(const claims::AccessToken& token, const ModelClaims& model) {
  Expect(token.subject == model.subject && token.client_id == model.client_id && token.jwt_id == model.jwt_id,
         "the same names");
  Expect(token.expires_at == model.expires_at, "the same exp");
  Expect(token.has_not_before == model.not_before.has_value() &&
             (!token.has_not_before || token.not_before == model.not_before),
         "the same nbf");
  Expect(token.has_issued_at == model.issued_at.has_value() &&
             (!token.has_issued_at || token.issued_at == model.issued_at),
         "the same iat");
  Expect(token.sender_constrained == model.sender_constrained, "the same cnf");
  Expect(Strings(token.audiences) == model.audiences, "the same audiences");
  Expect(Strings(token.scopes) == model.scopes, "the same scopes");
  // The model's library sorts the members of objects, and "/a/*/b" takes them in their order.
  Expect(Sorted(token.roles) == Sorted(model.roles), "the same roles");
  Expect(token.kind == model.kind && Strings(token.actors) == model.actors, "the same actors");
  Expect(token.acr == model.acr && Strings(token.amr) == model.amr, "the same proofs of authentication");
}

// CheckTimes alone, as it is asked about a cached token, at moments around the token's own bounds.
void ExpectSameTimes(const ModelClaims& model, const claims::Expectations& expectations) {
  const claims::TimeWindow window = {model.expires_at, model.not_before.value_or(INT64_MIN),
                                     model.issued_at.value_or(INT64_MIN)};
  const int64_t moments[] = {kNow, model.expires_at, model.not_before.value_or(0),
                             model.issued_at.value_or(0),
                             model.issued_at.value_or(0) + expectations.token_age_max_s};
  for (const int64_t moment : moments) {
    for (const int64_t around : {moment - expectations.leeway_s, moment, moment + expectations.leeway_s}) {
      for (const int64_t now_s : {around - 1, around, around + 1}) {
        claims::TimeEvidence evidence;
        const Reason reason = claims::CheckTimes(window, expectations, now_s, &evidence);
        Expect((reason == Reason::kNone) == InTime(model, expectations, now_s),
               "CheckTimes and the model agree");
      }
    }
  }
}

}  // namespace

bool Accepts(std::string_view input) {
  if (input.size() < kPrefix) return false;
  const claims::Expectations expectations = ExpectationsOf(input[0], input[1]);
  const std::string header = HeaderOf(input[2]);
  const std::string_view payload = input.substr(kPrefix);
  const std::string token = idp::MintRaw(EdKey(), header, payload);

  static auto& jws = *new jose::ParsedJws;
  const std::optional<nlohmann::json> object = ParseObject(payload);
  const Reason parsed = jws.Parse(token);
  // A token too long for the reader says nothing about its payload.
  if (parsed == Reason::kTokenTooLong) return false;
  Expect((parsed == Reason::kNone) == object.has_value(), "the model agrees about the JSON");
  if (!object.has_value()) return false;
  std::optional<jose::VerifiedJws> verified;
  Expect(jose::Verify(jws, PublicKey(), &verified) == Reason::kNone, "the signature is good");

  static auto& storage = *new claims::AccessToken;
  claims::TimeEvidence evidence;
  std::optional<claims::ValidatedClaims> validated;
  const Reason reason = claims::Validate(*verified, expectations, kNow, &storage, &evidence, &validated);
  const std::optional<ModelClaims> model =
      ReadModelClaims(ReadModelHeader(header)->typ, *object, expectations, kNow);
  Expect((reason == Reason::kNone) == model.has_value(), "the model agrees");
  Expect(validated.has_value() == model.has_value(),
         "there is a proof for what was accepted, and for nothing else");
  if (!model.has_value()) return false;
  const claims::AccessToken& accepted = validated->token();
  Expect(accepted.issuer == kIssuer, "the issuer is the expected one");
  Expect(!accepted.audiences.empty(), "there is an audience");
  Expect(accepted.expires_at + expectations.leeway_s > kNow, "the token has not expired");
  ExpectSame(accepted, *model);
  // Once more, with what is remembered of the token before.
  Expect(claims::Validate(*verified, expectations, kNow, &storage, &evidence, &validated) == Reason::kNone,
         "accepted again");
  ExpectSame(validated->token(), *model);
  ExpectSameTimes(*model, expectations);
  return true;
}

}  // namespace tollgate::fuzz

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return tollgate::fuzz::MutateJsonInput(tollgate::fuzz::kPrefix, data, size, max_size, seed);
}
