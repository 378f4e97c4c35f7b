#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <utility>

#include <openssl/base64.h>
#include <openssl/bn.h>
#include <openssl/bytestring.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/rsa.h>

#include "tools/idp/mint.h"

namespace idp {
namespace {

enum class Kty { kRsa, kEc, kOkp, kOct };

struct AlgInfo {
  std::string_view name;
  Kty kty;
  const EVP_MD* (*digest)();
  bool pss;
  const char* crv;
  int nid;
  size_t coordinate_len;
};

const AlgInfo kAlgs[] = {
    {"RS256", Kty::kRsa, EVP_sha256, false, "", 0, 0},
    {"RS384", Kty::kRsa, EVP_sha384, false, "", 0, 0},
    {"RS512", Kty::kRsa, EVP_sha512, false, "", 0, 0},
    {"PS256", Kty::kRsa, EVP_sha256, true, "", 0, 0},
    {"PS384", Kty::kRsa, EVP_sha384, true, "", 0, 0},
    {"PS512", Kty::kRsa, EVP_sha512, true, "", 0, 0},
    {"ES256", Kty::kEc, EVP_sha256, false, "P-256", NID_X9_62_prime256v1, 32},
    {"ES384", Kty::kEc, EVP_sha384, false, "P-384", NID_secp384r1, 48},
    {"ES512", Kty::kEc, EVP_sha512, false, "P-521", NID_secp521r1, 66},
    {"EdDSA", Kty::kOkp, nullptr, false, "Ed25519", 0, 0},
    {"Ed25519", Kty::kOkp, nullptr, false, "Ed25519", 0, 0},
    {"HS256", Kty::kOct, EVP_sha256, false, "", 0, 0},
    {"HS384", Kty::kOct, EVP_sha384, false, "", 0, 0},
    {"HS512", Kty::kOct, EVP_sha512, false, "", 0, 0},
};

[[noreturn]] void Die(std::string_view what, std::string_view which) {
  std::fprintf(stderr, "idp: %.*s: %.*s\n", static_cast<int>(what.size()), what.data(),
               static_cast<int>(which.size()), which.data());
  std::abort();
}

const AlgInfo* FindAlg(std::string_view name) {
  for (const AlgInfo& info : kAlgs) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

const AlgInfo& MustFindAlg(std::string_view name) {
  const AlgInfo* info = FindAlg(name);
  if (info == nullptr) Die("no such algorithm", name);
  return *info;
}

const uint8_t* Bytes(std::string_view s) { return reinterpret_cast<const uint8_t*>(s.data()); }
uint8_t* Bytes(std::string& s) { return reinterpret_cast<uint8_t*>(s.data()); }

using UniqueBn = bssl::UniquePtr<BIGNUM>;

std::string Padded(const BIGNUM* number, size_t len) {
  std::string out(len, '\0');
  if (!BN_bn2bin_padded(Bytes(out), len, number)) Die("number too long", "BIGNUM");
  return out;
}

// Base64urlUInt of RFC 7518 section 2: the shortest form.
std::string Base64UrlUint(const BIGNUM* number) { return Base64Url(Padded(number, BN_num_bytes(number))); }

// Member reads one base64url member of a JWK.
std::optional<std::string> Member(const json& jwk, const char* name) {
  const auto it = jwk.find(name);
  if (it == jwk.end() || !it->is_string()) return std::nullopt;
  return Base64UrlDecode(it->get_ref<const std::string&>());
}

UniqueBn NumberMember(const json& jwk, const char* name) {
  const std::optional<std::string> bytes = Member(jwk, name);
  if (!bytes || bytes->empty()) return nullptr;
  return UniqueBn(BN_bin2bn(Bytes(std::string_view(*bytes)), bytes->size(), nullptr));
}

bssl::UniquePtr<EVP_PKEY> LoadRsa(const json& jwk) {
  UniqueBn n = NumberMember(jwk, "n"), e = NumberMember(jwk, "e"), d = NumberMember(jwk, "d");
  UniqueBn p = NumberMember(jwk, "p"), q = NumberMember(jwk, "q");
  UniqueBn dp = NumberMember(jwk, "dp"), dq = NumberMember(jwk, "dq"), qi = NumberMember(jwk, "qi");
  if (!n || !e || !d || !p || !q || !dp || !dq || !qi) return nullptr;
  bssl::UniquePtr<RSA> rsa(RSA_new());
  RSA_set0_key(rsa.get(), n.release(), e.release(), d.release());
  RSA_set0_factors(rsa.get(), p.release(), q.release());
  RSA_set0_crt_params(rsa.get(), dp.release(), dq.release(), qi.release());
  if (!RSA_check_key(rsa.get())) return nullptr;
  bssl::UniquePtr<EVP_PKEY> key(EVP_PKEY_new());
  return EVP_PKEY_set1_RSA(key.get(), rsa.get()) ? std::move(key) : nullptr;
}

bssl::UniquePtr<EVP_PKEY> LoadEc(const json& jwk, const AlgInfo& info) {
  UniqueBn x = NumberMember(jwk, "x"), y = NumberMember(jwk, "y"), d = NumberMember(jwk, "d");
  if (jwk.value("crv", json()) != info.crv || !x || !y || !d) return nullptr;
  bssl::UniquePtr<EC_KEY> ec(EC_KEY_new_by_curve_name(info.nid));
  if (!EC_KEY_set_public_key_affine_coordinates(ec.get(), x.get(), y.get()) ||
      !EC_KEY_set_private_key(ec.get(), d.get()) || !EC_KEY_check_key(ec.get())) {
    return nullptr;
  }
  bssl::UniquePtr<EVP_PKEY> key(EVP_PKEY_new());
  return EVP_PKEY_set1_EC_KEY(key.get(), ec.get()) ? std::move(key) : nullptr;
}

bssl::UniquePtr<EVP_PKEY> LoadEd25519(std::string_view seed) {
  return bssl::UniquePtr<EVP_PKEY>(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, Bytes(seed), seed.size()));
}

bssl::UniquePtr<EVP_PKEY> NewKey(const AlgInfo& info, int rsa_bits) {
  bssl::UniquePtr<EVP_PKEY> key(EVP_PKEY_new());
  if (info.kty == Kty::kRsa) {
    bssl::UniquePtr<RSA> rsa(RSA_new());
    UniqueBn e(BN_new());
    if (!BN_set_word(e.get(), RSA_F4) || !RSA_generate_key_ex(rsa.get(), rsa_bits, e.get(), nullptr) ||
        !EVP_PKEY_set1_RSA(key.get(), rsa.get())) {
      Die("cannot generate an RSA key of this size", std::to_string(rsa_bits));
    }
  } else if (info.kty == Kty::kEc) {
    bssl::UniquePtr<EC_KEY> ec(EC_KEY_new_by_curve_name(info.nid));
    if (!EC_KEY_generate_key(ec.get()) || !EVP_PKEY_set1_EC_KEY(key.get(), ec.get())) {
      Die("cannot generate a key on curve", info.crv);
    }
  } else {
    key = LoadEd25519(RandomBytes(32));
  }
  return key;
}

// An EVP context knows PKCS #1 v1.5 unless told otherwise; RFC 7518 section 3.5 wants the salt as long as the
// digest, which is what -1 says.
bool SetPadding(EVP_PKEY_CTX* context, const AlgInfo& info) {
  return !info.pss || (EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) &&
                       EVP_PKEY_CTX_set_rsa_pss_saltlen(context, -1));
}

const EVP_MD* Digest(const AlgInfo& info) { return info.digest == nullptr ? nullptr : info.digest(); }

std::string Hmac(const AlgInfo& info, std::string_view secret, std::string_view input) {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned len = 0;
  // An empty secret still needs a pointer.
  const char* key = secret.empty() ? "" : secret.data();
  HMAC(info.digest(), key, secret.size(), Bytes(input), input.size(), Bytes(out), &len);
  out.resize(len);
  return out;
}

std::string DerToFixed(std::string_view der, size_t coordinate_len) {
  bssl::UniquePtr<ECDSA_SIG> sig(ECDSA_SIG_from_bytes(Bytes(der), der.size()));
  if (!sig) Die("not a DER signature", "ECDSA");
  const BIGNUM *r = nullptr, *s = nullptr;
  ECDSA_SIG_get0(sig.get(), &r, &s);
  return Padded(r, coordinate_len) + Padded(s, coordinate_len);
}

}  // namespace

struct SigningKey::Material {
  bssl::UniquePtr<EVP_PKEY> key;  // null for HS*
  std::string secret;             // the HMAC secret, or the Ed25519 seed
};

SigningKey::SigningKey(std::string_view alg, std::string_view kid, std::shared_ptr<const Material> material)
    : alg_(alg), kid_(kid), material_(std::move(material)) {}

bool SigningKey::Supports(std::string_view alg) { return FindAlg(alg) != nullptr; }

SigningKey SigningKey::Generate(std::string_view alg, std::string_view kid, int rsa_bits) {
  const AlgInfo& info = MustFindAlg(alg);
  if (info.kty == Kty::kOct) return FromSecret(alg, kid, RandomBytes(EVP_MD_size(info.digest())));
  return SigningKey(alg, kid, std::make_shared<Material>(Material{NewKey(info, rsa_bits), ""}));
}

SigningKey SigningKey::FromSecret(std::string_view alg, std::string_view kid, std::string_view secret) {
  if (MustFindAlg(alg).kty != Kty::kOct) Die("not an HMAC algorithm", alg);
  return SigningKey(alg, kid, std::make_shared<Material>(Material{nullptr, std::string(secret)}));
}

std::optional<SigningKey> SigningKey::FromPrivateJwk(const json& jwk, std::string* error) {
  const auto text = [&jwk](const char* name) {
    const auto it = jwk.find(name);
    return it != jwk.end() && it->is_string() ? it->get<std::string>() : std::string();
  };
  const AlgInfo* info = jwk.is_object() ? FindAlg(text("alg")) : nullptr;
  if (info == nullptr) {
    *error = "a private JWK needs an \"alg\" that is supported here";
    return std::nullopt;
  }
  static constexpr std::string_view kKtyNames[] = {"RSA", "EC", "OKP", "oct"};
  if (text("kty") != kKtyNames[static_cast<int>(info->kty)]) {
    *error = "\"kty\" does not fit \"alg\" " + std::string(info->name);
    return std::nullopt;
  }
  if (info->kty == Kty::kOct) {
    const std::optional<std::string> secret = Member(jwk, "k");
    if (secret) return FromSecret(info->name, text("kid"), *secret);
  }
  Material material;
  if (info->kty == Kty::kRsa) material.key = LoadRsa(jwk);
  if (info->kty == Kty::kEc) material.key = LoadEc(jwk, *info);
  if (info->kty == Kty::kOkp && text("crv") == info->crv) {
    material.key = LoadEd25519(Member(jwk, "d").value_or(""));
  }
  if (!material.key) {
    *error = "a member of the private JWK is missing or wrong";
    return std::nullopt;
  }
  return SigningKey(info->name, text("kid"), std::make_shared<Material>(std::move(material)));
}

SigningKey SigningKey::WithKid(std::string_view kid) const { return SigningKey(alg_, kid, material_); }

SigningKey SigningKey::WithAlg(std::string_view alg) const {
  const AlgInfo &from = MustFindAlg(alg_), &to = MustFindAlg(alg);
  if (from.kty != to.kty || from.nid != to.nid) Die("the key is of another kind", alg);
  return SigningKey(alg, kid_, material_);
}

json SigningKey::PublicJwk(const JwkOptions& options) const {
  const AlgInfo& info = MustFindAlg(alg_);
  json jwk;
  switch (info.kty) {
    case Kty::kRsa: {
      const RSA* rsa = EVP_PKEY_get0_RSA(material_->key.get());
      jwk = {{"kty", "RSA"}, {"n", Base64UrlUint(RSA_get0_n(rsa))}, {"e", Base64UrlUint(RSA_get0_e(rsa))}};
      break;
    }
    case Kty::kEc: {
      const EC_KEY* ec = EVP_PKEY_get0_EC_KEY(material_->key.get());
      UniqueBn x(BN_new()), y(BN_new());
      if (!EC_POINT_get_affine_coordinates_GFp(EC_KEY_get0_group(ec), EC_KEY_get0_public_key(ec), x.get(),
                                               y.get(), nullptr)) {
        Die("no public point", alg_);
      }
      jwk = {{"kty", "EC"},
             {"crv", info.crv},
             {"x", Base64Url(Padded(x.get(), info.coordinate_len))},
             {"y", Base64Url(Padded(y.get(), info.coordinate_len))}};
      break;
    }
    case Kty::kOkp: {
      std::string x(32, '\0');
      size_t len = x.size();
      EVP_PKEY_get_raw_public_key(material_->key.get(), Bytes(x), &len);
      jwk = {{"kty", "OKP"}, {"crv", info.crv}, {"x", Base64Url(x)}};
      break;
    }
    case Kty::kOct:
      jwk = {{"kty", "oct"}, {"k", Base64Url(material_->secret)}};
      break;
  }
  if (options.kid) jwk["kid"] = kid_;
  if (options.alg) jwk["alg"] = alg_;
  if (options.use) jwk["use"] = "sig";
  if (options.key_ops) jwk["key_ops"] = {"verify"};
  return jwk;
}

json SigningKey::PrivateJwk() const {
  json jwk = PublicJwk();
  const AlgInfo& info = MustFindAlg(alg_);
  if (info.kty == Kty::kRsa) {
    const RSA* rsa = EVP_PKEY_get0_RSA(material_->key.get());
    jwk["d"] = Base64UrlUint(RSA_get0_d(rsa));
    jwk["p"] = Base64UrlUint(RSA_get0_p(rsa));
    jwk["q"] = Base64UrlUint(RSA_get0_q(rsa));
    jwk["dp"] = Base64UrlUint(RSA_get0_dmp1(rsa));
    jwk["dq"] = Base64UrlUint(RSA_get0_dmq1(rsa));
    jwk["qi"] = Base64UrlUint(RSA_get0_iqmp(rsa));
  } else if (info.kty == Kty::kEc) {
    const EC_KEY* ec = EVP_PKEY_get0_EC_KEY(material_->key.get());
    jwk["d"] = Base64Url(Padded(EC_KEY_get0_private_key(ec), info.coordinate_len));
  } else if (info.kty == Kty::kOkp) {
    std::string seed(32, '\0');
    size_t len = seed.size();
    EVP_PKEY_get_raw_private_key(material_->key.get(), Bytes(seed), &len);
    jwk["d"] = Base64Url(seed);
  }
  return jwk;
}

std::string SigningKey::PublicPem() const {
  if (!material_->key) return "";
  bssl::ScopedCBB cbb;
  uint8_t* der = nullptr;
  size_t der_len = 0;
  if (!CBB_init(cbb.get(), 512) || !EVP_marshal_public_key(cbb.get(), material_->key.get()) ||
      !CBB_finish(cbb.get(), &der, &der_len)) {
    Die("cannot encode the public key", alg_);
  }
  std::string text((der_len + 2) / 3 * 4 + 1, '\0');
  text.resize(EVP_EncodeBlock(Bytes(text), der, der_len));
  OPENSSL_free(der);
  std::string pem = "-----BEGIN PUBLIC KEY-----\n";
  for (size_t at = 0; at < text.size(); at += 64) pem += text.substr(at, 64) + "\n";
  return pem + "-----END PUBLIC KEY-----\n";
}

std::string SigningKey::Thumbprint() const { return JwkThumbprint(PublicJwk()); }

std::string SigningKey::Sign(std::string_view signing_input) const {
  const AlgInfo& info = MustFindAlg(alg_);
  if (info.kty == Kty::kOct) return Hmac(info, material_->secret, signing_input);
  bssl::ScopedEVP_MD_CTX context;
  EVP_PKEY_CTX* key_context = nullptr;
  size_t len = 0;
  std::string out;
  if (!EVP_DigestSignInit(context.get(), &key_context, Digest(info), nullptr, material_->key.get()) ||
      !SetPadding(key_context, info) ||
      !EVP_DigestSign(context.get(), nullptr, &len, Bytes(signing_input), signing_input.size())) {
    Die("cannot sign", alg_);
  }
  out.resize(len);
  if (!EVP_DigestSign(context.get(), Bytes(out), &len, Bytes(signing_input), signing_input.size())) {
    Die("cannot sign", alg_);
  }
  out.resize(len);
  return info.kty == Kty::kEc ? DerToFixed(out, info.coordinate_len) : out;
}

size_t SigningKey::SignatureLength() const {
  const AlgInfo& info = MustFindAlg(alg_);
  if (info.kty == Kty::kOct) return EVP_MD_size(info.digest());
  if (info.kty == Kty::kEc) return 2 * info.coordinate_len;
  return static_cast<size_t>(EVP_PKEY_size(material_->key.get()));
}

const SigningKey& TestKey(std::string_view alg, int n) {
  // Never destroyed: tests may sign from threads that outlive main's statics.
  static auto& mutex = *new std::mutex;
  static auto& keys = *new std::map<std::pair<std::string, int>, SigningKey>;
  const std::lock_guard lock(mutex);
  const std::pair<std::string, int> name(alg, n);
  auto it = keys.find(name);
  if (it == keys.end()) {
    std::string kid = "test-" + name.first + "-" + std::to_string(n);
    it = keys.emplace(name, SigningKey::Generate(alg, kid)).first;
  }
  return it->second;
}

bool SaveKeys(const std::string& path, std::span<const SigningKey> keys, std::string* error) {
  json set = {{"keys", json::array()}};
  for (const SigningKey& key : keys) set["keys"].push_back(key.PrivateJwk());
  const std::string text = set.dump(2) + "\n";
  const std::string temporary = path + ".tmp";
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  bool written = fd >= 0 && write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (fd >= 0) written = close(fd) == 0 && written;
  if (written && std::rename(temporary.c_str(), path.c_str()) == 0) return true;
  *error = "cannot write " + path;
  return false;
}

std::optional<std::vector<SigningKey>> LoadKeys(const std::string& path, std::string* error) {
  std::ifstream file(path);
  const json set = json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (!file || !set.is_object() || !set.contains("keys") || !set["keys"].is_array()) {
    *error = path + " is not a JSON file with an array \"keys\"";
    return std::nullopt;
  }
  std::vector<SigningKey> keys;
  for (const json& jwk : set["keys"]) {
    std::optional<SigningKey> key = SigningKey::FromPrivateJwk(jwk, error);
    if (!key) {
      *error = path + ", key " + std::to_string(keys.size() + 1) + ": " + *error;
      return std::nullopt;
    }
    keys.push_back(*std::move(key));
  }
  return keys;
}

}  // namespace idp
