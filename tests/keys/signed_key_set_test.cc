// Signed JWK Sets (OpenID Federation 1.0): which are taken, and which are not.

#include "keys/signed_key_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "jose/jwk.h"
#include "tests/keys/store_fixture.h"

namespace tollgate::keys {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kIssuer[] = "https://idp.example";
constexpr int64_t kNow = 1'800'000'000;

const idp::SigningKey& Voucher(int n = 0) { return idp::TestKey("EdDSA", n); }

SignedSetRules Rules(const std::vector<idp::SigningKey>& vouchers = {Voucher()}) {
  auto parsed = jose::ParseJwkSet(idp::Jwks(vouchers).dump());
  EXPECT_TRUE(parsed.ok());
  std::vector<IssuerKey> keys;
  for (jose::Jwk& jwk : parsed->keys) {
    std::string thumbprint(jwk.thumbprint.begin(), jwk.thumbprint.end());
    keys.push_back({.jwk = std::make_shared<const jose::Jwk>(std::move(jwk)),
                    .thumbprint = std::move(thumbprint),
                    .ref = {}});
  }
  return {
      .issuer = kIssuer, .algorithms = AlgorithmSet::All(), .leeway_s = 60, .keys = KeySet(std::move(keys))};
}

json Payload(const json& patch = json::object()) {
  json payload = {{"iss", kIssuer}, {"sub", kIssuer}, {"keys", json::array({Key(0, "a")})}};
  payload.merge_patch(patch);
  return payload;
}

std::string Signed(const json& payload = Payload(), const json& header = json::object(),
                   const idp::SigningKey& key = Voucher()) {
  json extra = {{"typ", "jwk-set+jwt"}};
  extra.update(header);
  return idp::Mint(key, payload, extra);
}

std::string WhyNot(const std::string& text, const SignedSetRules& rules = Rules()) {
  const auto set = ReadSignedSet(text, rules, kNow);
  if (set.ok()) return "";
  const std::string why(set.status().message());
  EXPECT_THAT(why, StartsWith("signed JWK Set: "));
  EXPECT_THAT(why, Not(HasSubstr("\n")));
  EXPECT_LT(why.size(), 100u);
  return why;
}

TEST(SignedKeySet, IsReadWithItsTimes) {
  const auto bare = ReadSignedSet(Signed(), Rules(), kNow);
  ASSERT_TRUE(bare.ok()) << bare.status();
  EXPECT_EQ(json::parse(bare->jwks), Payload());
  EXPECT_EQ(jose::ParseJwkSet(bare->jwks)->keys.size(), 1u);
  EXPECT_EQ(bare->issued_at, std::nullopt);
  EXPECT_EQ(bare->expires_at, std::nullopt);
  const auto dated = ReadSignedSet(Signed(Payload({{"iat", kNow - 5}, {"exp", kNow + 5.5}})), Rules(), kNow);
  ASSERT_TRUE(dated.ok()) << dated.status();
  EXPECT_EQ(dated->issued_at, kNow - 5);
  EXPECT_EQ(dated->expires_at, kNow + 5);
}

TEST(SignedKeySet, IsVouchedForByTheKeysThatAreGiven) {
  EXPECT_EQ(WhyNot(Signed()), "");
  EXPECT_EQ(WhyNot(Signed(Payload(), {{"kid", nullptr}})), "");
  EXPECT_THAT(WhyNot(Signed(Payload(), {{"kid", "other"}})), HasSubstr("unknown_key"));
  EXPECT_THAT(WhyNot(Signed(Payload(), json::object(), Voucher(1).WithKid(Voucher().kid()))),
              HasSubstr("bad_signature"));
  // The set's own key does not vouch for it.
  EXPECT_THAT(WhyNot(Signed(Payload(), json::object(), idp::TestKey("ES256").WithKid("a"))),
              HasSubstr("unknown_key"));
  const SignedSetRules both = Rules({Voucher(), Voucher(1)});
  EXPECT_EQ(WhyNot(Signed(Payload(), json::object(), Voucher(1)), both), "");
  EXPECT_THAT(WhyNot(Signed(Payload(), {{"kid", nullptr}}), both), HasSubstr("key_ambiguous"));
}

TEST(SignedKeySet, IsOfItsTypeAlone) {
  for (const json& type : {json("at+jwt"), json("JWT"), json("JWK-SET+JWT"), json("application/jwk-set+jwt"),
                           json("entity-statement+jwt"), json(""), json(nullptr)}) {
    EXPECT_THAT(WhyNot(Signed(Payload(), {{"typ", type}})), HasSubstr("typ")) << type;
  }
}

TEST(SignedKeySet, AlgorithmsAreTheIssuersAndTheKeys) {
  SignedSetRules rules = Rules();
  rules.algorithms = AlgorithmSet(Algorithm::kEs256);
  EXPECT_THAT(WhyNot(Signed(), rules), HasSubstr("algorithm"));
  const std::string header = R"({"alg":"none","typ":"jwk-set+jwt"})";
  EXPECT_THAT(WhyNot(idp::Base64Url(header) + "." + idp::Base64Url(Payload().dump()) + "."),
              StartsWith("signed JWK Set: "));
  const idp::SigningKey forger = idp::SigningKey::FromSecret("HS256", Voucher().kid(), Voucher().PublicPem());
  EXPECT_THAT(WhyNot(Signed(Payload(), json::object(), forger)), HasSubstr("symmetric"));
  const idp::SigningKey& rsa = idp::TestKey("RS256");
  EXPECT_EQ(WhyNot(Signed(Payload(), json::object(), rsa), Rules({rsa})), "");
  // The key says RS256.
  EXPECT_THAT(WhyNot(Signed(Payload(), json::object(), rsa.WithAlg("PS256")), Rules({rsa})),
              HasSubstr("key_algorithm_mismatch"));
}

TEST(SignedKeySet, IsTheIssuersOwn) {
  for (const char* name : {"iss", "sub"}) {
    for (const json& value :
         {json(nullptr), json("https://idp.example/"), json("https://other.example"), json(7)}) {
      EXPECT_THAT(WhyNot(Signed(Payload({{name, value}}))), HasSubstr(name)) << value;
    }
  }
}

TEST(SignedKeySet, CountsWithinItsTimes) {
  const auto with = [](const char* name, const json& value) { return Signed(Payload({{name, value}})); };
  EXPECT_EQ(WhyNot(with("exp", kNow - 59)), "");
  EXPECT_THAT(WhyNot(with("exp", kNow - 60)), HasSubstr("exp"));
  EXPECT_THAT(WhyNot(with("exp", "1800000600")), HasSubstr("exp"));
  EXPECT_THAT(WhyNot(with("exp", -1)), HasSubstr("exp"));
  EXPECT_THAT(WhyNot(with("exp", 253'402'300'800)), HasSubstr("exp"));
  EXPECT_EQ(WhyNot(with("iat", kNow + 60)), "");
  EXPECT_THAT(WhyNot(with("iat", kNow + 61)), HasSubstr("iat"));
  EXPECT_THAT(WhyNot(with("iat", true)), HasSubstr("iat"));
}

TEST(SignedKeySet, IsStrictAsATokenIs) {
  const std::string good = Signed();
  EXPECT_NE(WhyNot(""), "");
  EXPECT_NE(WhyNot(good + "\n"), "");
  EXPECT_NE(WhyNot(good.substr(0, good.size() / 2)), "");
  EXPECT_NE(WhyNot(Payload().dump()), "");
  EXPECT_NE(WhyNot("eyJhbGciOiJkaXIifQ..AA.AA.AA"), "");
  EXPECT_NE(WhyNot(Signed(Payload(), {{"crit", {"exp"}}})), "");
  const auto raw = [](const std::string& payload) {
    return idp::MintRaw(Voucher(), R"({"alg":"EdDSA","typ":"jwk-set+jwt"})", payload);
  };
  EXPECT_EQ(WhyNot(raw(Payload().dump())), "");
  EXPECT_NE(WhyNot(raw("[]")), "");
  EXPECT_NE(WhyNot(raw(R"({"iss":"https://idp.example","iss":"https://idp.example","sub":"x","keys":[]})")),
            "");
}

// More than any token, up to a bound of its own.
TEST(SignedKeySet, MayBeLong) {
  const std::string long_one = Signed(Payload({{"pad", std::string(1'000'000, 'x')}}));
  ASSERT_GT(long_one.size(), 8 * limits::kTokenBytesMax);
  EXPECT_EQ(WhyNot(long_one), "");
  EXPECT_THAT(WhyNot(Signed(Payload({{"pad", std::string(1'200'000, 'x')}}))), HasSubstr("too long"));
}

}  // namespace
}  // namespace tollgate::keys
