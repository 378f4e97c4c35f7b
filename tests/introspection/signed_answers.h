#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>

#include "introspection/signed_answer.h"
#include "jose/jwk.h"
#include "tests/keys/fake_transport.h"
#include "tools/idp/mint.h"

// Signed answers (RFC 9701), as an issuer makes them.
namespace tollgate::introspection {

// What is signed about a token with these members, at `iat`.
inline idp::json SignedClaims(const idp::json& members, int64_t iat) {
  return {{"iss", "https://idp.example"}, {"aud", "client"}, {"iat", iat}, {"token_introspection", members}};
}

inline testing::FakeAnswer SignedBody(std::string jws) {
  testing::FakeAnswer answer;
  answer.body = std::move(jws);
  answer.content_type = kSignedAnswerType;
  return answer;
}

inline std::string Sign(const idp::SigningKey& key, const idp::json& claims,
                        const idp::json& header = {{"typ", "token-introspection+jwt"}}) {
  return idp::Mint(key, claims, header);
}

// OneKey verifies by one key, whatever the kid. Lives as long as what it is given to.
class OneKey {
 public:
  explicit OneKey(const idp::SigningKey& key) : set_(*jose::ParseJwkSet(idp::Jwks({&key}).dump())) {}

  VerifyAnswer Verifier() const {
    return [this](std::string_view, const jose::ParsedJws& answer, Now,
                  std::optional<jose::VerifiedJws>* verified) {
      return jose::Verify(answer, set_.keys[0].key, verified);
    };
  }

 private:
  jose::JwkSet set_;
};

}  // namespace tollgate::introspection
