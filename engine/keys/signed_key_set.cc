#include "keys/signed_key_set.h"

#include <vector>

#include "absl/status/status.h"
#include "base/limits.h"
#include "base/saturating.h"
#include "claims/claim_values.h"
#include "jose/base64url.h"
#include "jose/jws.h"

namespace tollgate::keys {
namespace {

constexpr std::string_view kType = "jwk-set+jwt";

absl::Status Refuse(std::string_view why) {
  return absl::InvalidArgumentError("signed JWK Set: " + std::string(why));
}

// False if it is there and no NumericDate.
bool ReadDate(json::Value payload, std::string_view name, std::optional<int64_t>* seconds) {
  const json::Value value = payload.Member(name);
  if (!value.present()) return true;
  return claims::ReadNumericDate(value, claims::Rounding::kDown, &seconds->emplace()) == Reason::kNone;
}

// VerifiedPayload is the text of the payload; the signature is good.
std::string VerifiedPayload(const jose::ParsedJws& jws) {
  const std::string_view part = jws.signing_input().substr(jws.signing_input().find('.') + 1);
  std::vector<uint8_t> bytes(jose::Base64UrlDecodedSize(part.size()));
  const size_t size = jose::Base64UrlDecode(part, bytes).value_or(0);
  return {bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size)};
}

}  // namespace

absl::StatusOr<SignedSet> ReadSignedSet(std::string_view text, const SignedSetRules& rules, int64_t wall_s) {
  if (text.size() > limits::kSignedJwksBytesMax) return Refuse("too long");
  jose::ParsedJws jws(text.size());
  if (const Reason reason = jws.Parse(text); reason != Reason::kNone) return Refuse(ReasonName(reason));
  const jose::JoseHeader& header = jws.header();
  // Without this, any JWT that the same keys sign could be brought as a set.
  if (!header.has_type || header.type != kType) return Refuse("typ is not jwk-set+jwt");
  if (!rules.algorithms.Contains(header.algorithm)) return Refuse("the issuer does not allow its algorithm");
  const IssuerKey* key = nullptr;
  if (const Reason reason = rules.keys.Select(header.has_key_id, header.key_id, header.algorithm, &key);
      reason != Reason::kNone) {
    return Refuse(ReasonName(reason));
  }
  std::optional<jose::VerifiedJws> verified;
  if (const Reason reason = jose::Verify(jws, key->jwk->key, &verified); reason != Reason::kNone)
    return Refuse(ReasonName(reason));
  const json::Value payload = verified->payload();
  if (payload.Member("iss").string() != rules.issuer) return Refuse("iss is not the issuer");
  if (payload.Member("sub").string() != rules.issuer) return Refuse("sub is not the issuer");
  SignedSet set;
  if (!ReadDate(payload, "exp", &set.expires_at)) return Refuse("exp is no NumericDate");
  if (!ReadDate(payload, "iat", &set.issued_at)) return Refuse("iat is no NumericDate");
  if (set.expires_at && saturating::Plus(*set.expires_at, rules.leeway_s) <= wall_s)
    return Refuse("exp is over");
  if (set.issued_at && *set.issued_at > saturating::Plus(wall_s, rules.leeway_s))
    return Refuse("iat is still to come");
  set.jwks = VerifiedPayload(jws);
  return set;
}

}  // namespace tollgate::keys
