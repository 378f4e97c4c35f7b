#include "crypto/verify_key.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include <openssl/bn.h>
#include <openssl/curve25519.h>
#include <openssl/digest.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/nid.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include "base/limits.h"
#include "crypto/ed25519_point.h"
#include "crypto/rsa_power.h"

namespace tollgate::crypto {
namespace {

// Of each curve, what RFC 7518 sections 3.4 and 6.2.1 fix.
struct Curve {
  int nid;
  size_t field_bytes;
  Algorithm algorithm;
};

// CurveOf returns null for a type that is no Weierstrass curve.
const Curve* CurveOf(KeyType type) {
  static constexpr Curve kP256 = {NID_X9_62_prime256v1, 32, Algorithm::kEs256};
  static constexpr Curve kP384 = {NID_secp384r1, 48, Algorithm::kEs384};
  static constexpr Curve kP521 = {NID_secp521r1, 66, Algorithm::kEs512};
  switch (type) {
    case KeyType::kP256:
      return &kP256;
    case KeyType::kP384:
      return &kP384;
    case KeyType::kP521:
      return &kP521;
    case KeyType::kRsa:
    case KeyType::kEd25519:
      break;
  }
  return nullptr;
}

struct Digest {
  const EVP_MD* md;
  size_t size;
  uint8_t bytes[SHA512_DIGEST_LENGTH];
};

// Hash digests `input` with the hash function of `algorithm`, which is not Ed25519.
Digest Hash(Algorithm algorithm, std::string_view input) {
  const auto* data = reinterpret_cast<const uint8_t*>(input.data());
  Digest digest;
  switch (algorithm) {
    case Algorithm::kRs384:
    case Algorithm::kPs384:
    case Algorithm::kEs384:
      digest.md = EVP_sha384(), digest.size = SHA384_DIGEST_LENGTH;
      SHA384(data, input.size(), digest.bytes);
      break;
    case Algorithm::kRs512:
    case Algorithm::kPs512:
    case Algorithm::kEs512:
      digest.md = EVP_sha512(), digest.size = SHA512_DIGEST_LENGTH;
      SHA512(data, input.size(), digest.bytes);
      break;
    default:
      digest.md = EVP_sha256(), digest.size = SHA256_DIGEST_LENGTH;
      SHA256(data, input.size(), digest.bytes);
  }
  return digest;
}

constexpr size_t kModulusBytesMax = limits::kRsaModulusBitsMax / 8;

// EncodePkcs1 writes EMSA-PKCS1-v1_5 of the digest (RFC 8017 section 9.2): 00 01 FF … FF 00 DigestInfo, whose
// last part is the digest.
void EncodePkcs1(const Digest& digest, std::span<uint8_t> encoded) {
  // SHA-256's, of which the others' differ in three octets: two lengths, and the end of the hash's
  // identifier.
  uint8_t info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                    0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
  const auto size = static_cast<uint8_t>(digest.size);
  info[1] = static_cast<uint8_t>(sizeof info - 2 + size);
  info[14] = static_cast<uint8_t>(size / 16 - 1);
  info[18] = size;
  // A key is long enough for more than the eight FF that there must be.
  static_assert(limits::kRsaModulusBitsMin / 8 > 11 + sizeof info + SHA512_DIGEST_LENGTH);
  uint8_t* const digest_at = encoded.data() + encoded.size() - digest.size;
  uint8_t* const info_at = digest_at - sizeof info;
  std::fill(encoded.data(), info_at, 0xff);
  encoded[0] = 0, encoded[1] = 1, info_at[-1] = 0;
  std::copy(std::begin(info), std::end(info), info_at);
  std::copy_n(digest.bytes, digest.size, digest_at);
}

bool IsPss(Algorithm algorithm) {
  return algorithm == Algorithm::kPs256 || algorithm == Algorithm::kPs384 || algorithm == Algorithm::kPs512;
}

bssl::UniquePtr<BIGNUM> Number(std::span<const uint8_t> big_endian) {
  return bssl::UniquePtr<BIGNUM>(BN_bin2bn(big_endian.data(), big_endian.size(), nullptr));
}

bool StartsWithZero(std::span<const uint8_t> bytes) { return !bytes.empty() && bytes.front() == 0; }

// Refuse makes the error of a factory and drops what BoringSSL has queued about it.
absl::Status Refuse(const char* why) {
  ERR_clear_error();
  return absl::InvalidArgumentError(why);
}

// EcSignature is room for r and s in the only form that every BoringSSL takes. One a thread, since making one
// costs five allocations.
class EcSignature {
 public:
  EcSignature() : signature_(ECDSA_SIG_new()) {
    bssl::UniquePtr<BIGNUM> r(BN_new()), s(BN_new());
    if (signature_ == nullptr || r == nullptr || s == nullptr) return;
    if (!ECDSA_SIG_set0(signature_.get(), r.get(), s.get())) return;
    r_ = r.release(), s_ = s.release();
  }

  // Set reads r || s; null if there is no memory.
  const ECDSA_SIG* Set(std::span<const uint8_t> raw) {
    const size_t half = raw.size() / 2;
    if (r_ == nullptr || !BN_bin2bn(raw.data(), half, r_) || !BN_bin2bn(raw.data() + half, half, s_))
      return nullptr;
    return signature_.get();
  }

 private:
  bssl::UniquePtr<ECDSA_SIG> signature_;
  BIGNUM* r_ = nullptr;  // Owned by signature_.
  BIGNUM* s_ = nullptr;
};

}  // namespace

struct VerifyKey::Impl {
  size_t signature_size = 0;
  bssl::UniquePtr<RSA> rsa;  // For PSS: how long its messages are.
  std::optional<RsaPower> rsa_power;
  bssl::UniquePtr<EC_KEY> ec;
  std::array<uint8_t, ED25519_PUBLIC_KEY_LEN> ed25519{};

  bool VerifyRsa(Algorithm algorithm, std::string_view input, std::span<const uint8_t> signature) const {
    uint8_t signed_message[kModulusBytesMax], encoded[kModulusBytesMax];
    if (!rsa_power->Raise(signature, {signed_message, signature.size()})) return false;
    const Digest digest = Hash(algorithm, input);
    if (IsPss(algorithm)) {
      // RFC 7518 section 3.5: MGF1 with the same hash function, and a salt as long as its output.
      return RSA_verify_PKCS1_PSS_mgf1(rsa.get(), digest.bytes, digest.md, digest.md, signed_message,
                                       static_cast<int>(digest.size)) == 1;
    }
    // RFC 8017 section 8.2.2, as it is written there: the message that the signature stands for is compared
    // with the only one that is right, and nothing of it is parsed.
    EncodePkcs1(digest, {encoded, signature.size()});
    return std::memcmp(signed_message, encoded, signature.size()) == 0;
  }

  bool VerifyEc(Algorithm algorithm, std::string_view input, std::span<const uint8_t> signature) const {
    thread_local EcSignature scratch;
    const ECDSA_SIG* sig = scratch.Set(signature);
    const Digest digest = Hash(algorithm, input);
    return sig != nullptr && ECDSA_do_verify(digest.bytes, digest.size, sig, ec.get()) == 1;
  }

  bool VerifyEd25519(std::string_view input, std::span<const uint8_t> signature) const {
    return ED25519_verify(reinterpret_cast<const uint8_t*>(input.data()), input.size(), signature.data(),
                          ed25519.data()) == 1;
  }
};

VerifyKey::VerifyKey(KeyType type, std::unique_ptr<const Impl> impl) : type_(type), impl_(std::move(impl)) {}
VerifyKey::VerifyKey(VerifyKey&&) noexcept = default;
VerifyKey& VerifyKey::operator=(VerifyKey&&) noexcept = default;
VerifyKey::~VerifyKey() = default;

absl::StatusOr<VerifyKey> VerifyKey::Rsa(std::span<const uint8_t> modulus,
                                         std::span<const uint8_t> exponent) {
  if (StartsWithZero(modulus)) return Refuse("RSA modulus has a leading zero octet");
  if (StartsWithZero(exponent)) return Refuse("RSA exponent has a leading zero octet");
  if (modulus.size() > kModulusBytesMax) return Refuse("RSA modulus is too long");
  if (exponent.size() > limits::kRsaExponentBitsMax / 8) return Refuse("RSA exponent is too long");
  bssl::UniquePtr<BIGNUM> n = Number(modulus), e = Number(exponent);
  bssl::UniquePtr<RSA> rsa(RSA_new());
  if (n == nullptr || e == nullptr || rsa == nullptr) return Refuse("out of memory");
  if (BN_num_bits(n.get()) < static_cast<unsigned>(limits::kRsaModulusBitsMin)) {
    return Refuse("RSA modulus is too short");
  }
  if (!BN_is_odd(n.get())) return Refuse("RSA modulus is even");
  if (!BN_is_odd(e.get()) || BN_is_one(e.get())) return Refuse("RSA exponent is even or less than 3");
  if (!RSA_set0_key(rsa.get(), n.get(), e.get(), nullptr)) return Refuse("RSA key refused");
  (void)n.release(), (void)e.release();

  // A first operation (1^e = 1), for BoringSSL to check what it checks at each.
  uint8_t one[kModulusBytesMax] = {}, out[kModulusBytesMax];
  one[modulus.size() - 1] = 1;
  size_t out_size = 0;
  if (!RSA_verify_raw(rsa.get(), &out_size, out, sizeof(out), one, modulus.size(), RSA_NO_PADDING)) {
    return Refuse("RSA key refused");
  }
  auto impl = std::make_unique<Impl>();
  impl->signature_size = modulus.size();
  impl->rsa = std::move(rsa);
  uint64_t exponent_word = 0;
  for (const uint8_t byte : exponent) exponent_word = exponent_word << 8 | byte;
  impl->rsa_power = RsaPower::Make(modulus, exponent_word);
  if (!impl->rsa_power.has_value()) return Refuse("out of memory");
  return VerifyKey(KeyType::kRsa, std::move(impl));
}

absl::StatusOr<VerifyKey> VerifyKey::Ec(KeyType type, std::span<const uint8_t> x,
                                        std::span<const uint8_t> y) {
  const Curve* curve = CurveOf(type);
  if (curve == nullptr) return Refuse("not an elliptic curve for ECDSA");
  if (x.size() != curve->field_bytes || y.size() != curve->field_bytes) {
    return Refuse("EC coordinate is not exactly as long as the field");
  }
  bssl::UniquePtr<EC_KEY> ec(EC_KEY_new_by_curve_name(curve->nid));
  const bssl::UniquePtr<BIGNUM> x_number = Number(x), y_number = Number(y);
  if (ec == nullptr || x_number == nullptr || y_number == nullptr) return Refuse("out of memory");
  // Refuses coordinates beyond the field and points off the curve; the point at infinity has no coordinates.
  if (!EC_KEY_set_public_key_affine_coordinates(ec.get(), x_number.get(), y_number.get())) {
    return Refuse("EC point is not on the curve");
  }
  auto impl = std::make_unique<Impl>();
  impl->signature_size = 2 * curve->field_bytes;
  impl->ec = std::move(ec);
  return VerifyKey(type, std::move(impl));
}

absl::StatusOr<VerifyKey> VerifyKey::Ed25519(std::span<const uint8_t> public_key) {
  if (public_key.size() != ED25519_PUBLIC_KEY_LEN) return Refuse("Ed25519 public key is not 32 bytes long");
  auto impl = std::make_unique<Impl>();
  std::copy(public_key.begin(), public_key.end(), impl->ed25519.begin());
  switch (CheckEd25519Point(impl->ed25519)) {
    case Ed25519Point::kGood:
      break;
    case Ed25519Point::kNotCanonical:
      return Refuse("Ed25519 public key is not canonical");
    case Ed25519Point::kNotOnCurve:
      return Refuse("Ed25519 public key is not on the curve");
    case Ed25519Point::kSmallOrder:
      return Refuse("Ed25519 public key has a small order");
  }
  impl->signature_size = ED25519_SIGNATURE_LEN;
  return VerifyKey(KeyType::kEd25519, std::move(impl));
}

AlgorithmSet VerifyKey::algorithms() const {
  if (const Curve* curve = CurveOf(type_)) return AlgorithmSet(curve->algorithm);
  if (type_ == KeyType::kEd25519) return AlgorithmSet(Algorithm::kEd25519);
  return AlgorithmSet(Algorithm::kRs256, Algorithm::kRs384, Algorithm::kRs512, Algorithm::kPs256,
                      Algorithm::kPs384, Algorithm::kPs512);
}

SignatureCheck VerifyKey::Verify(Algorithm algorithm, std::string_view signing_input,
                                 std::span<const uint8_t> signature) const {
  if (!algorithms().Contains(algorithm)) return SignatureCheck::kWrongKeyType;
  if (signature.size() != impl_->signature_size) return SignatureCheck::kBadLength;
  bool good = false;
  switch (type_) {
    case KeyType::kRsa:
      good = impl_->VerifyRsa(algorithm, signing_input, signature);
      break;
    case KeyType::kP256:
    case KeyType::kP384:
    case KeyType::kP521:
      good = impl_->VerifyEc(algorithm, signing_input, signature);
      break;
    case KeyType::kEd25519:
      good = impl_->VerifyEd25519(signing_input, signature);
      break;
  }
  if (good) return SignatureCheck::kGood;
  ERR_clear_error();
  return SignatureCheck::kBad;
}

}  // namespace tollgate::crypto
