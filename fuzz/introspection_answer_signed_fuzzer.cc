// introspection_answer_signed: an answer is one only if it is signed for us, since the question, about this
// token
//
// Functions: introspection::ReadSignedAnswer, jose::Verify. The input is a character (which media type) and a
// body. The mutator takes a JWS apart, changes header and claims as JSON and signs again. Property: a body is
// taken exactly if an independent reading (model.h) takes it and its signature is the one that the key of
// world.h makes, Ed25519 being deterministic; then verdict and times are the model's, and the text is what
// was signed. Nothing that a body says counts against the endpoint; one line says why it is no answer.

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "fuzz/fuzz.h"
#include "fuzz/json_mutation.h"
#include "fuzz/model.h"
#include "fuzz/world.h"
#include "introspection/signed_answer.h"
#include "jose/jwk.h"

namespace tollgate::fuzz {
namespace {

using nlohmann::json;

constexpr const char* kTypes[] = {"application/token-introspection+jwt",
                                  "Application/Token-Introspection+JWT ; charset=utf-8", "application/json",
                                  ""};
constexpr size_t kSignedTypes = 2;
constexpr char kAudience[] = "client";
constexpr char kJwtId[] = "id-1";
constexpr int64_t kLeeway = 60;
constexpr int64_t kAsked = kNow - 2;

Reason VerifyByEd(std::string_view, const jose::ParsedJws& answer, Now,
                  std::optional<jose::VerifiedJws>* verified) {
  static const jose::JwkSet& set = *new jose::JwkSet(*jose::ParseJwkSet(idp::Jwks({&EdKey()}).dump()));
  return jose::Verify(answer, set.keys[0].key, verified);
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

bool IsForUs(const json& audience) {
  if (!audience.is_array()) return audience == kAudience;
  return audience.size() <= 64 &&
         std::all_of(audience.begin(), audience.end(),
                     [](const json& one) { return one.is_string() && one != ""; }) &&
         std::find(audience.begin(), audience.end(), kAudience) != audience.end();
}

bool IsInTime(const json& payload) {
  int64_t rounded_up = 0, expires_at = INT64_MAX, not_before = INT64_MIN;
  if (!payload.contains("iat") || !ReadModelDate(payload, "iat", &rounded_up)) return false;
  const auto issued_at = static_cast<int64_t>(std::floor(payload["iat"].get<double>()));
  if (issued_at < kAsked - kLeeway || issued_at > kNow + kLeeway) return false;
  if (!ReadModelDate(payload, "exp", &expires_at) || !ReadModelDate(payload, "nbf", &not_before))
    return false;
  return expires_at > kNow - kLeeway && not_before <= kNow + kLeeway;
}

std::optional<ModelAnswer> ReadModel(const std::string& body) {
  const std::optional<ModelJws> jws = ReadModelJws(body);
  if (!jws.has_value() || !jws->header.typ.has_value()) return std::nullopt;
  const std::string type = Lower(*jws->header.typ);
  if (type != "token-introspection+jwt" && type != kTypes[0]) return std::nullopt;
  if (jws->header.alg != "EdDSA" && jws->header.alg != "Ed25519") return std::nullopt;
  if (jws->signature != EdKey().Sign(jws->signing_input)) return std::nullopt;
  const json& payload = jws->payload;
  if (!payload.contains("iss") || payload["iss"] != kIssuer) return std::nullopt;
  if (!payload.contains("aud") || !IsForUs(payload["aud"]) || !IsInTime(payload)) return std::nullopt;
  if (!payload.contains("token_introspection") || !payload["token_introspection"].is_object())
    return std::nullopt;
  const json& members = payload["token_introspection"];
  if (members.contains("jti") && members["jti"] != kJwtId) return std::nullopt;
  return ReadModelAnswer(members);
}

}  // namespace

bool Accepts(std::string_view input) {
  if (input.empty()) return false;
  const size_t type = static_cast<uint8_t>(input[0] - 'a') % std::size(kTypes);
  FetchResult result;
  result.outcome = FetchOutcome::kAnswered;
  result.http_status = 200;
  result.content_type = kTypes[type];
  result.body = input.substr(1);

  static auto& scratch = *new jose::ParsedJws;
  const introspection::SignedAnswerRules rules{
      .issuer = kIssuer, .audience = kAudience, .leeway_s = kLeeway, .asked_s = kAsked, .jwt_id = kJwtId};
  const absl::StatusOr<introspection::Answer> answer =
      introspection::ReadSignedAnswer(result, rules, {.wall_s = kNow}, VerifyByEd, &scratch);
  const std::optional<ModelAnswer> model = type < kSignedTypes ? ReadModel(result.body) : std::nullopt;
  Expect(answer.ok() == model.has_value(), "the model agrees");
  if (!answer.ok()) {
    const std::string why(answer.status().message());
    Expect(!why.empty() && why.size() < 200 && why.find('\n') == std::string::npos, "one line says why");
    Expect(answer.status().code() == absl::StatusCode::kInvalidArgument,
           "what the body says does not count against the endpoint");
    return false;
  }
  Expect(answer->active == model->active, "the same verdict");
  Expect(answer->expires_at == model->expires_at && answer->not_before == model->not_before,
         "the same times");
  const std::string signed_text = idp::Base64UrlDecode(SplitAtDots(result.body)[1]).value_or("");
  Expect(answer->text == (model->active ? signed_text : ""), "the text of an active one, and of no other");
  return true;
}

namespace {

// The mutator.

std::string MutatePart(const std::string& text, Random& random) {
  json value = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) return text;
  for (size_t rounds = 1 + random.Below(3); rounds > 0; --rounds) MutateJson(&value, random);
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<std::string> MutateAnswer(const std::string& jws, Random& random) {
  const std::vector<std::string_view> parts = SplitAtDots(jws);
  if (parts.size() != 3) return std::nullopt;
  const std::optional<std::string> header = idp::Base64UrlDecode(parts[0]);
  const std::optional<std::string> payload = idp::Base64UrlDecode(parts[1]);
  if (!header.has_value() || !payload.has_value()) return std::nullopt;
  const std::string new_header = random.OneIn(3) ? MutatePart(*header, random) : *header;
  const std::string new_payload = random.OneIn(4) ? *payload : MutatePart(*payload, random);
  return idp::MintRaw(random.OneIn(16) ? SecondEdKey() : EdKey(), new_header, new_payload);
}

}  // namespace
}  // namespace tollgate::fuzz

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  using namespace tollgate::fuzz;
  if (size < 1) return LLVMFuzzerMutate(data, size, max_size);
  Random random(seed);
  if (random.OneIn(16)) data[0] = static_cast<uint8_t>('a' + random.Below(4));
  const std::optional<std::string> mutant =
      random.OneIn(16) ? std::nullopt : MutateAnswer(std::string(data + 1, data + size), random);
  if (!mutant.has_value()) return LLVMFuzzerMutate(data, size, max_size);
  if (1 + mutant->size() > max_size) return size;
  std::copy(mutant->begin(), mutant->end(), data + 1);
  return 1 + mutant->size();
}
