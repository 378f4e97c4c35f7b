#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "claims/access_token.h"
#include "crypto/verify_key.h"
#include "jose/jws.h"
#include "tools/idp/mint.h"

namespace tollgate::test {

inline constexpr int64_t kNow = 1'767'225'600;  // 2026-01-01T00:00:00Z
inline constexpr const char* kIssuer = "https://idp.example.com/";
inline constexpr const char* kAudience = "https://mcp.example.com/mcp";

// TokenReader takes claims the whole way of a token: minted and signed by the test identity provider, parsed
// and verified by the engine, then validated. Owner thread only.
class TokenReader {
 public:
  TokenReader() : key_(idp::TestKey("EdDSA")) {
    const std::string x = *idp::Base64UrlDecode(key_.PublicJwk().at("x").get<std::string>());
    verify_key_.emplace(*crypto::VerifyKey::Ed25519({reinterpret_cast<const uint8_t*>(x.data()), x.size()}));
  }

  // Claims of a good RFC 9068 token that began a minute ago and lasts an hour.
  static idp::json GoodClaims() {
    return idp::AccessTokenClaims(kIssuer, kAudience, "user-1", "client-1", "tools:read tools:write",
                                  kNow - 60, kNow + 3540);
  }

  static claims::Expectations Expect(Profile profile) {
    claims::Expectations expectations;
    expectations.profile = std::move(profile);
    expectations.issuer = kIssuer;
    return expectations;
  }

  Reason Read(const idp::json& claims, const claims::Expectations& expectations,
              const idp::json& extra_header = idp::json::object(), int64_t now_s = kNow) {
    return ReadToken(idp::Mint(key_, claims, extra_header), expectations, now_s);
  }

  // RawPayload is for claims that nlohmann would not write, such as 1.7e9.
  Reason ReadRaw(std::string_view payload, const claims::Expectations& expectations, int64_t now_s = kNow) {
    return ReadToken(idp::MintRaw(key_, R"({"alg":"EdDSA","typ":"at+jwt"})", payload), expectations, now_s);
  }

  // The proof and the reason of the last reading always agree.
  Reason ReadToken(const std::string& token, const claims::Expectations& expectations, int64_t now_s) {
    validated_.reset();
    if (const Reason reason = jws_.Parse(token); reason != Reason::kNone) return reason;
    std::optional<jose::VerifiedJws> verified;
    if (const Reason reason = jose::Verify(jws_, *verify_key_, &verified); reason != Reason::kNone)
      return reason;
    const Reason reason =
        claims::Validate(*verified, expectations, now_s, &storage_, &evidence_, &validated_);
    EXPECT_EQ(validated_.has_value(), reason == Reason::kNone);
    return reason;
  }

  // Of the last reading, which was good.
  const claims::AccessToken& token() const { return validated_->token(); }
  // Whether anything is known of this text of scopes.
  bool Knows(std::string_view scope) const { return storage_.scope_texts.Find(scope) != nullptr; }
  const claims::TimeEvidence& evidence() const { return evidence_; }
  const idp::SigningKey& key() const { return key_; }

 private:
  const idp::SigningKey& key_;
  std::optional<crypto::VerifyKey> verify_key_;
  jose::ParsedJws jws_;
  claims::AccessToken storage_;
  claims::TimeEvidence evidence_;
  std::optional<claims::ValidatedClaims> validated_;
};

// ClaimsTest reads good RFC 9068 claims with one thing changed.
class ClaimsTest : public testing::Test {
 protected:
  Reason With(const std::string& name, idp::json value) {
    idp::json claims = TokenReader::GoodClaims();
    claims[name] = std::move(value);
    return reader.Read(claims, expectations);
  }
  Reason Without(const std::string& name) {
    idp::json claims = TokenReader::GoodClaims();
    claims.erase(name);
    return reader.Read(claims, expectations);
  }
  Reason WithType(idp::json type) {
    return reader.Read(TokenReader::GoodClaims(), expectations, {{"typ", std::move(type)}});
  }
  // WithRaw writes the member exactly like this.
  Reason WithRaw(const std::string& name, const std::string& raw) {
    idp::json claims = TokenReader::GoodClaims();
    claims.erase(name);
    std::string text = claims.dump();
    text.insert(1, "\"" + name + "\":" + raw + ",");
    return reader.ReadRaw(text, expectations);
  }

  TokenReader reader;
  claims::Expectations expectations = TokenReader::Expect(Profile::Rfc9068());
};

}  // namespace tollgate::test
