#include "keys/key_set.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "jose/base64url.h"
#include "jose/jwk.h"
#include "tools/idp/mint.h"

namespace tollgate::keys {
namespace {

using nlohmann::json;

KeySet SetOf(const std::vector<json>& jwks) {
  auto parsed = jose::ParseJwkSet(json{{"keys", jwks}}.dump());
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->keys.size(), jwks.size());
  std::vector<IssuerKey> keys;
  for (jose::Jwk& jwk : parsed->keys) {
    IssuerKey key;
    key.thumbprint = jose::Base64UrlEncode(jwk.thumbprint);
    key.ref = {static_cast<uint32_t>(keys.size()), 2};
    key.jwk = std::make_shared<const jose::Jwk>(std::move(jwk));
    keys.push_back(std::move(key));
  }
  return KeySet(std::move(keys));
}

json Es256(int n, std::string_view kid) { return idp::TestKey("ES256", n).WithKid(kid).PublicJwk(); }
json Rs256(int n, std::string_view kid) { return idp::TestKey("RS256", n).WithKid(kid).PublicJwk(); }
json WithoutAlg(json jwk) {
  jwk.erase("alg");
  return jwk;
}
json WithoutKid(json jwk) {
  jwk.erase("kid");
  return jwk;
}

// What Select says, and the position of the key in the set, −1 for none.
struct Answer {
  Reason reason;
  int position;
  friend bool operator==(const Answer&, const Answer&) = default;
  friend void PrintTo(const Answer& a, std::ostream* out) {
    *out << ReasonName(a.reason) << " at " << a.position;
  }
};

Answer Ask(const KeySet& set, bool has_key_id, std::string_view key_id, Algorithm algorithm) {
  const IssuerKey* key = &set.keys().front();  // Must be overwritten by a refusal too.
  const Reason reason = set.Select(has_key_id, key_id, algorithm, &key);
  return {reason, key == nullptr ? -1 : static_cast<int>(key - set.keys().data())};
}
Answer Ask(const KeySet& set, std::string_view key_id, Algorithm algorithm) {
  return Ask(set, true, key_id, algorithm);
}
Answer AskWithoutKid(const KeySet& set, Algorithm algorithm) { return Ask(set, false, "", algorithm); }

TEST(KeySetSelect, FindsTheKeyByKid) {
  const KeySet set = SetOf({Es256(0, "a"), Es256(1, "b")});
  EXPECT_EQ(Ask(set, "a", Algorithm::kEs256), (Answer{Reason::kNone, 0}));
  EXPECT_EQ(Ask(set, "b", Algorithm::kEs256), (Answer{Reason::kNone, 1}));
}

TEST(KeySetSelect, KidIsComparedExactly) {
  const KeySet set = SetOf({Es256(0, "a")});
  for (const std::string& kid : {std::string("A"), std::string("a "), std::string(), std::string("a\0", 2)}) {
    EXPECT_EQ(Ask(set, kid, Algorithm::kEs256), (Answer{Reason::kKeyUnknown, -1}));
  }
}

TEST(KeySetSelect, HeadersAlgorithmNeverSelectsAnotherKeyType) {
  const KeySet set = SetOf({Es256(0, "a"), Rs256(0, "b")});
  EXPECT_EQ(Ask(set, "a", Algorithm::kRs256), (Answer{Reason::kKeyAlgorithmMismatch, -1}));
  EXPECT_EQ(Ask(set, "b", Algorithm::kPs256), (Answer{Reason::kKeyAlgorithmMismatch, -1}));
}

TEST(KeySetSelect, KeyWithoutAlgPermitsWhatItsTypeCan) {
  const KeySet set = SetOf({WithoutAlg(Rs256(0, "a"))});
  EXPECT_EQ(Ask(set, "a", Algorithm::kRs256).reason, Reason::kNone);
  EXPECT_EQ(Ask(set, "a", Algorithm::kPs512).reason, Reason::kNone);
  EXPECT_EQ(Ask(set, "a", Algorithm::kEs256).reason, Reason::kKeyAlgorithmMismatch);
}

TEST(KeySetSelect, KidThatOccursTwiceSelectsByAlgorithm) {
  const KeySet set = SetOf({Es256(0, "a"), Rs256(0, "a")});
  EXPECT_EQ(Ask(set, "a", Algorithm::kEs256), (Answer{Reason::kNone, 0}));
  EXPECT_EQ(Ask(set, "a", Algorithm::kRs256), (Answer{Reason::kNone, 1}));
}

TEST(KeySetSelect, KidThatOccursTwiceForOneAlgorithmSelectsNone) {
  const KeySet set = SetOf({Es256(0, "a"), Es256(1, "a")});
  EXPECT_EQ(Ask(set, "a", Algorithm::kEs256), (Answer{Reason::kKeyAmbiguous, -1}));
}

TEST(KeySetSelect, KeyThatIsListedTwiceIsOneKey) {
  const KeySet set = SetOf({Es256(0, "a"), Es256(0, "a")});
  EXPECT_EQ(Ask(set, "a", Algorithm::kEs256), (Answer{Reason::kNone, 0}));
}

TEST(KeySetSelect, WithoutKidExactlyOneKeyMustPermitTheAlgorithm) {
  const KeySet set = SetOf({Es256(0, "a"), Es256(1, "b"), Rs256(0, "c")});
  EXPECT_EQ(AskWithoutKid(set, Algorithm::kRs256), (Answer{Reason::kNone, 2}));
  EXPECT_EQ(AskWithoutKid(set, Algorithm::kEs256), (Answer{Reason::kKeyAmbiguous, -1}));
  EXPECT_EQ(AskWithoutKid(set, Algorithm::kEdDsa), (Answer{Reason::kKeyUnknown, -1}));
}

TEST(KeySetSelect, KeyWithoutKidAnswersNoKid) {
  const KeySet set = SetOf({WithoutKid(Es256(0, "x"))});
  EXPECT_EQ(Ask(set, "", Algorithm::kEs256).reason, Reason::kKeyUnknown);
  EXPECT_EQ(Ask(set, "x", Algorithm::kEs256).reason, Reason::kKeyUnknown);
  EXPECT_EQ(AskWithoutKid(set, Algorithm::kEs256), (Answer{Reason::kNone, 0}));
}

TEST(KeySetSelect, EmptyKidIsAKidAndNotTheAbsenceOfOne) {
  const KeySet set = SetOf({Es256(0, ""), Es256(1, "b")});
  EXPECT_EQ(Ask(set, "", Algorithm::kEs256), (Answer{Reason::kNone, 0}));
  EXPECT_EQ(AskWithoutKid(set, Algorithm::kEs256).reason, Reason::kKeyAmbiguous);
}

TEST(KeySetSelect, BothNamesOfEd25519SelectTheSameKey) {
  const KeySet set = SetOf({idp::TestKey("EdDSA").WithKid("a").PublicJwk()});
  EXPECT_EQ(Ask(set, "a", Algorithm::kEdDsa), (Answer{Reason::kNone, 0}));
  EXPECT_EQ(Ask(set, "a", Algorithm::kEd25519), (Answer{Reason::kNone, 0}));
}

}  // namespace
}  // namespace tollgate::keys
