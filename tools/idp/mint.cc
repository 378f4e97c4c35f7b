#include "tools/idp/mint.h"

#include <atomic>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/nid.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

namespace idp {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t Base64UrlLength(size_t len) { return (len * 4 + 2) / 3; }

std::string HeaderText(const SigningKey& key, const json& extra_header) {
  json header = {{"alg", key.alg()}, {"kid", key.kid()}, {"typ", "at+jwt"}};
  // A merge patch (RFC 7396) drops members that are null.
  header.merge_patch(extra_header);
  return header.dump();
}

template <typename Keys, typename Dereference>
json MakeJwks(const Keys& keys, const JwkOptions& options, Dereference dereference) {
  json set = {{"keys", json::array()}};
  for (const auto& key : keys) set["keys"].push_back(dereference(key).PublicJwk(options));
  return set;
}

}  // namespace

std::string Base64Url(std::string_view bytes) {
  std::string out;
  out.reserve(Base64UrlLength(bytes.size()));
  uint32_t bits = 0;
  int num_bits = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<uint8_t>(c);
    for (num_bits += 8; num_bits >= 6; num_bits -= 6) out += kAlphabet[bits >> (num_bits - 6) & 63];
  }
  if (num_bits > 0) out += kAlphabet[bits << (6 - num_bits) & 63];
  return out;
}

std::optional<std::string> Base64UrlDecode(std::string_view text) {
  std::string out;
  uint32_t bits = 0;
  int num_bits = 0;
  for (const char c : text) {
    const size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(value);
    num_bits += 6;
    if (num_bits >= 8) {
      num_bits -= 8;
      out += static_cast<char>(bits >> num_bits & 255);
    }
  }
  // What was written differently (a lone last character, trailing bits that are not zero) has another form.
  if (Base64Url(out) != text) return std::nullopt;
  return out;
}

std::string Sha256(std::string_view bytes) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(),
         reinterpret_cast<uint8_t*>(digest.data()));
  return digest;
}

std::string RandomBytes(size_t len) {
  std::string bytes(len, '\0');
  RAND_bytes(reinterpret_cast<uint8_t*>(bytes.data()), len);
  return bytes;
}

std::string JwkThumbprint(const json& jwk) {
  // The required members of each kty (section 3.2); nlohmann's objects keep them in lexicographic order.
  json required;
  for (const char* name : {"crv", "e", "k", "kty", "n", "x", "y"}) {
    if (jwk.contains(name)) required[name] = jwk[name];
  }
  return Base64Url(Sha256(required.dump()));
}

json Jwks(std::span<const SigningKey* const> keys, const JwkOptions& options) {
  return MakeJwks(keys, options, [](const SigningKey* key) -> const SigningKey& { return *key; });
}

json Jwks(std::initializer_list<const SigningKey*> keys, const JwkOptions& options) {
  return Jwks(std::span(keys.begin(), keys.size()), options);
}

json Jwks(std::span<const SigningKey> keys, const JwkOptions& options) {
  return MakeJwks(keys, options, [](const SigningKey& key) -> const SigningKey& { return key; });
}

std::string MintRaw(const SigningKey& key, std::string_view header_json, std::string_view payload_json) {
  std::string token = Base64Url(header_json) + "." + Base64Url(payload_json);
  return token + "." + Base64Url(key.Sign(token));
}

std::string Mint(const SigningKey& key, const json& claims, const json& extra_header) {
  return MintRaw(key, HeaderText(key, extra_header), claims.dump());
}

std::string MintToSize(const SigningKey& key, json claims, size_t bytes, const json& extra_header) {
  const std::string header = HeaderText(key, extra_header);
  const size_t other_len = Base64UrlLength(header.size()) + Base64UrlLength(key.SignatureLength()) + 2;
  const std::string unpadded = claims.dump();
  claims["pad"] = "";
  const size_t payload_len = claims.dump().size();
  if (other_len + Base64UrlLength(payload_len) > bytes) return MintRaw(key, header, unpadded);
  size_t pad_len = 0;
  while (other_len + Base64UrlLength(payload_len + pad_len) < bytes) ++pad_len;
  claims["pad"] = Base64Url(RandomBytes(pad_len)).substr(0, pad_len);
  return MintRaw(key, header, claims.dump());
}

json AccessTokenClaims(std::string_view issuer, std::string_view audience, std::string_view subject,
                       std::string_view client_id, std::string_view scope, int64_t iat, int64_t exp) {
  static const std::string process = Base64Url(RandomBytes(12));
  static std::atomic<uint64_t> counter{0};
  // Ordering: relaxed; only the number's uniqueness matters.
  const uint64_t number = counter.fetch_add(1, std::memory_order_relaxed);
  json claims = {{"iss", issuer},
                 {"aud", audience},
                 {"sub", subject},
                 {"client_id", client_id},
                 {"iat", iat},
                 {"exp", exp},
                 {"jti", process + "-" + std::to_string(number)}};
  if (!scope.empty()) claims["scope"] = scope;
  return claims;
}

std::string EcdsaTwin(std::string_view token) {
  const json header =
      json::parse(Base64UrlDecode(token.substr(0, token.find('.'))).value_or(""), nullptr, false);
  const std::string alg = header.is_object() ? header.value("alg", json()).dump() : "";
  if (!alg.starts_with("\"ES")) return "";  // an Ed25519 signature is as long as a P-256 one
  const size_t dot = token.rfind('.');
  if (dot == std::string_view::npos) return "";
  std::optional<std::string> signature = Base64UrlDecode(token.substr(dot + 1));
  if (!signature) return "";
  const size_t half = signature->size() / 2;
  const int nid = half == 32   ? NID_X9_62_prime256v1
                  : half == 48 ? NID_secp384r1
                  : half == 66 ? NID_secp521r1
                               : NID_undef;
  if (nid == NID_undef || signature->size() % 2 != 0) return "";
  uint8_t* second = reinterpret_cast<uint8_t*>(signature->data()) + half;
  bssl::UniquePtr<EC_GROUP> group(EC_GROUP_new_by_curve_name(nid));
  bssl::UniquePtr<BIGNUM> s(BN_bin2bn(second, half, nullptr));
  if (!BN_sub(s.get(), EC_GROUP_get0_order(group.get()), s.get()) || BN_is_negative(s.get()) ||
      !BN_bn2bin_padded(second, half, s.get())) {
    return "";
  }
  return std::string(token.substr(0, dot + 1)) + Base64Url(*signature);
}

}  // namespace idp
