#include "bench/micro/floor_key.h"

#include <array>
#include <optional>
#include <utility>

#include <openssl/bn.h>
#include <openssl/curve25519.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include "absl/status/status.h"
#include "tools/idp/mint.h"

namespace tollgate::bench {
namespace {

using nlohmann::json;

const uint8_t* Bytes(std::string_view text) { return reinterpret_cast<const uint8_t*>(text.data()); }

std::string Text(const json& object, const char* member) {
  return object.is_object() && object.contains(member) && object[member].is_string()
             ? object[member].get<std::string>()
             : std::string();
}

bssl::UniquePtr<BIGNUM> Number(const json& jwk, const char* member) {
  const std::string bytes = idp::Base64UrlDecode(Text(jwk, member)).value_or("");
  return bssl::UniquePtr<BIGNUM>(BN_bin2bn(Bytes(bytes), bytes.size(), nullptr));
}

// The digest of a JWA name by its last three letters.
struct Digest {
  int nid;
  const EVP_MD* (*type)();
  uint8_t* (*run)(const uint8_t*, size_t, uint8_t*);
  size_t size;
};

const Digest& DigestOf(std::string_view algorithm) {
  static constexpr Digest kSha256{NID_sha256, EVP_sha256, SHA256, 32};
  static constexpr Digest kSha384{NID_sha384, EVP_sha384, SHA384, 48};
  static constexpr Digest kSha512{NID_sha512, EVP_sha512, SHA512, 64};
  if (algorithm.ends_with("384")) return kSha384;
  if (algorithm.ends_with("512")) return kSha512;
  return kSha256;
}

json HeaderOf(std::string_view token) {
  return json::parse(idp::Base64UrlDecode(token.substr(0, token.find('.'))).value_or(""), nullptr, false);
}

}  // namespace

struct FloorKey::Sample::Ecdsa {
  bssl::UniquePtr<ECDSA_SIG> signature;
};

FloorKey::Sample::Sample() = default;
FloorKey::Sample::Sample(Sample&&) noexcept = default;
FloorKey::Sample& FloorKey::Sample::operator=(Sample&&) noexcept = default;
FloorKey::Sample::~Sample() = default;

struct FloorKey::Impl {
  enum class Kind { kRsaPkcs1, kRsaPss, kEcdsa, kEd25519 } kind = Kind::kRsaPkcs1;
  Digest digest{};
  bssl::UniquePtr<RSA> rsa;
  bssl::UniquePtr<EC_KEY> ec;
  std::array<uint8_t, 32> ed25519{};
};

FloorKey::FloorKey(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FloorKey::FloorKey(FloorKey&&) noexcept = default;
FloorKey::~FloorKey() = default;

absl::StatusOr<FloorKey> FloorKey::ForToken(std::string_view jwks, std::string_view token) {
  const json header = HeaderOf(token), set = json::parse(jwks, nullptr, false);
  const std::string algorithm = Text(header, "alg"), kid = Text(header, "kid");
  if (!set.is_object() || !set.contains("keys"))
    return absl::InvalidArgumentError("floor: the JWK Set cannot be read");
  for (const json& jwk : set["keys"]) {
    if (Text(jwk, "kid") != kid) continue;
    auto impl = std::make_unique<Impl>();
    impl->digest = DigestOf(algorithm);
    if (algorithm.starts_with("RS") || algorithm.starts_with("PS")) {
      impl->kind = algorithm[0] == 'R' ? Impl::Kind::kRsaPkcs1 : Impl::Kind::kRsaPss;
      impl->rsa.reset(RSA_new());
      if (!RSA_set0_key(impl->rsa.get(), Number(jwk, "n").release(), Number(jwk, "e").release(), nullptr))
        break;
    } else if (algorithm.starts_with("ES")) {
      impl->kind = Impl::Kind::kEcdsa;
      const std::string curve = Text(jwk, "crv");
      impl->ec.reset(EC_KEY_new_by_curve_name(curve == "P-256"   ? NID_X9_62_prime256v1
                                              : curve == "P-384" ? NID_secp384r1
                                                                 : NID_secp521r1));
      if (!EC_KEY_set_public_key_affine_coordinates(impl->ec.get(), Number(jwk, "x").get(),
                                                    Number(jwk, "y").get())) {
        break;
      }
    } else {
      impl->kind = Impl::Kind::kEd25519;
      const std::string key = idp::Base64UrlDecode(Text(jwk, "x")).value_or("");
      if (key.size() != impl->ed25519.size()) break;
      std::copy(key.begin(), key.end(), impl->ed25519.begin());
    }
    return FloorKey(std::move(impl));
  }
  return absl::InvalidArgumentError("floor: the JWK Set has no usable key for " + algorithm);
}

absl::StatusOr<FloorKey::Sample> FloorKey::MakeSample(std::string_view token) const {
  const size_t second = token.rfind('.');
  Sample sample;
  sample.signing_input = std::string(token.substr(0, second));
  sample.signature = idp::Base64UrlDecode(token.substr(second + 1)).value_or("");
  if (impl_->kind == Impl::Kind::kEcdsa) {
    const size_t half = sample.signature.size() / 2;
    sample.ecdsa = std::make_unique<Sample::Ecdsa>();
    sample.ecdsa->signature.reset(ECDSA_SIG_new());
    BIGNUM* r = BN_bin2bn(Bytes(sample.signature), half, nullptr);
    BIGNUM* s = BN_bin2bn(Bytes(sample.signature) + half, half, nullptr);
    if (!ECDSA_SIG_set0(sample.ecdsa->signature.get(), r, s))
      return absl::InternalError("floor: ECDSA_SIG_set0");
  }
  if (!Verify(sample)) return absl::InvalidArgumentError("floor: a token of the pool does not verify");
  return sample;
}

bool FloorKey::Verify(const Sample& sample) const {
  const uint8_t* input = Bytes(sample.signing_input);
  const uint8_t* signature = Bytes(sample.signature);
  const size_t input_len = sample.signing_input.size(), signature_len = sample.signature.size();
  if (impl_->kind == Impl::Kind::kEd25519) {
    return signature_len == 64 && ED25519_verify(input, input_len, signature, impl_->ed25519.data()) == 1;
  }
  uint8_t digest[SHA512_DIGEST_LENGTH];
  impl_->digest.run(input, input_len, digest);
  switch (impl_->kind) {
    case Impl::Kind::kRsaPkcs1:
      return RSA_verify(impl_->digest.nid, digest, impl_->digest.size, signature, signature_len,
                        impl_->rsa.get()) == 1;
    case Impl::Kind::kRsaPss:
      return RSA_verify_pss_mgf1(impl_->rsa.get(), digest, impl_->digest.size, impl_->digest.type(), nullptr,
                                 -1, signature, signature_len) == 1;
    default:
      return ECDSA_do_verify(digest, impl_->digest.size, sample.ecdsa->signature.get(), impl_->ec.get()) == 1;
  }
}

}  // namespace tollgate::bench
