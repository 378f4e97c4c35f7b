#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tollgate/algorithm.h"

namespace tollgate::sim {

// All that tokens are made of: issuers, their keys, and times. The same for every seed, so that a token is
// signed once in the life of the process. Keys are made anew in each process: nothing that a simulation says
// depends on their material.

inline constexpr int kIssuersMax = 4;          // A seed configures the first few of them.
inline constexpr int kStranger = kIssuersMax;  // An issuer that nobody configures.
inline constexpr int64_t kWallStart = 1'800'000'000;

constexpr char kResourceA[] = "https://a.example/mcp";
constexpr char kResourceB[] = "https://b.example/mcp";

// IssuerName returns the `iss` of an issuer's tokens. All but the first share a host.
std::string_view IssuerName(int issuer);

// Each issuer has these keys. Key 4 is new material under the kid of key 0, and key 5 shares its kid with key
// 1 but not its algorithm.
inline constexpr int kKeys = 6;
std::string_view KeyId(int key);
Algorithm KeyAlgorithm(int key);
std::string KeyThumbprint(int issuer, int key);

// KeyMask is a key set: bit k stands for key k.
using KeyMask = uint32_t;
inline constexpr KeyMask kAllKeys = (1u << kKeys) - 1;

// JwksText is the set as an identity provider publishes it; `odd` adds a key that nobody can use. Static
// storage.
const std::string& JwksText(int issuer, KeyMask keys, bool odd);

enum class Form : uint8_t {
  kPlain,
  kNoKid,           // The header names no key.
  kForged,          // Signed by somebody else.
  kOtherAlgorithm,  // The header's `alg` is not the key's.
  kBound,           // `cnf` binds it to a key.
  kGarbage,         // Not a token at all: or an opaque one of which nobody knows.
  kOpaque,          // Says nothing by itself; its issuer knows what the others' claims say.
};

// The times that a token may have, in seconds of the wall clock. INT64_MIN: absent.
struct TokenTimes {
  int64_t issued_at;
  int64_t not_before;
  int64_t expires_at;
};
inline constexpr int kTimes = 8;
TokenTimes TimesOf(int times);

inline constexpr int kScopes = 3;  // None; read; read and write.
std::string_view ScopeText(int scope);
inline constexpr int kAudiences = 3;  // Resource A; resource B; somebody else's.
std::string_view AudienceName(int audience);
inline constexpr int kSubjects = 2;
std::string_view SubjectName(int subject);
inline constexpr char kClient[] = "agent-1";

// Accounts are what an issuer calls active or not: the tokens of a subject with the same scope.
inline constexpr int kAccounts = kSubjects * kScopes;

// TokenSpec names one token.
struct TokenSpec {
  uint8_t issuer = 0;
  uint8_t key = 0;
  uint8_t times = 0;
  uint8_t scope = 0;
  uint8_t audience = 0;
  uint8_t subject = 0;
  Form form = Form::kPlain;

  bool operator==(const TokenSpec&) const = default;
  int account() const { return subject * kScopes + scope; }
  bool opaque() const { return form == Form::kGarbage || form == Form::kOpaque; }
  // There may be two keys by which it could be verified.
  bool may_be_ambiguous() const { return form == Form::kNoKid || key == 0 || key == 4; }
  uint64_t number() const {
    uint64_t all = 0;
    for (const uint8_t part : {issuer, key, times, scope, audience, subject, static_cast<uint8_t>(form)})
      all = all << 8 | part;
    return all;
  }
};

struct Token {
  std::string authorization;  // The header field's value.
  std::string jwt_id;
};

// TokenOf returns the token, signed on the first call. Static storage.
const Token& TokenOf(const TokenSpec& spec);

// NobodysAuthorization is an opaque token of which no issuer knows; NobodysNumber its number, beside those of
// TokenSpec.
std::string NobodysAuthorization(uint64_t number);
constexpr uint64_t NobodysNumber(uint64_t number) { return uint64_t{1} << 63 | number; }

// NumberOf returns the number of the token with this text, 0 if it is not of this simulation. SpecOf returns
// which one has a number; null: nobody's.
uint64_t NumberOf(std::string_view text);
const TokenSpec* SpecOf(uint64_t number);

// UnknownKidAuthorization is a token of `issuer` with a kid that no set has. Its signature is no signature:
// nobody gets as far as that.
std::string UnknownKidAuthorization(int issuer, std::string_view kid);

// HeaderAlgorithm and HeaderKid say what the token's header names; the kid is empty where it names none.
Algorithm HeaderAlgorithm(const TokenSpec& spec);
std::string_view HeaderKid(const TokenSpec& spec);

std::string Describe(const TokenSpec& spec);

}  // namespace tollgate::sim
