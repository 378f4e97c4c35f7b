// cache_tag_variants: every variant of this processor makes the same tags, and different tokens different
// ones
//
// Functions: crypto::TagKey::Derive. Property: the tag of each carry-less variant is that of a reference that
// multiplies bit by bit; a token with a bit flipped, a byte appended or one taken away has another tag, by
// SHA-256 too; tokens with the same last 16 bytes have the same place. The key is fixed. The first byte says
// how the token lies in memory and how often what follows the second byte is repeated, the second byte where
// the bit is; an input without these two is rejected.

#include <memory>
#include <string>
#include <vector>

#include "base/limits.h"
#include "crypto/cache_tag.h"
#include "fuzz/fuzz.h"
#include "fuzz/random.h"
#include "tests/crypto/cache_tag_reference.h"

namespace tollgate::fuzz {
namespace {

struct Keys {
  std::vector<uint8_t> secret;
  std::vector<std::unique_ptr<crypto::TagKey>> variants;

  Keys() : secret(crypto::TagKey::kSecretBytes) {
    Random random(1);
    for (uint8_t& byte : secret) byte = static_cast<uint8_t>(random.Below(256));
    for (const crypto::TagVariant variant : crypto::TagKey::SupportedVariants()) {
      variants.push_back(crypto::TagKey::WithSecretForTest(variant, secret));
    }
  }
};

// Derives from a copy that begins `offset` bytes behind a boundary and ends where its memory ends.
crypto::Derived Derive(const crypto::TagKey& key, const std::string& token, size_t offset) {
  const std::unique_ptr<char[]> copy(new char[offset + token.size()]);
  std::copy(token.begin(), token.end(), copy.get() + offset);
  crypto::Derived derived;
  key.Derive({copy.get() + offset, token.size()}, &derived);
  return derived;
}

}  // namespace

bool Accepts(std::string_view input) {
  static const Keys keys;
  if (input.size() < 2) return false;
  const size_t offset = static_cast<uint8_t>(input[0]) % 64;
  const size_t times = 1 + static_cast<uint8_t>(input[0]) / 64;
  const size_t bit = static_cast<uint8_t>(input[1]);
  std::string token;
  for (size_t i = 0; i < times; ++i) token += input.substr(2);
  token.resize(std::min(token.size(), limits::kTokenBytesMax - 1));

  std::vector<std::string> others = {token + '\0', token + token.substr(0, 1) + "x"};
  if (!token.empty()) {
    others.push_back(token.substr(1));
    others.push_back(token.substr(0, token.size() - 1));
    others.push_back(token);
    const size_t at = bit * 257 % token.size();
    others.back()[at] = static_cast<char>(token[at] ^ 1 << bit % 8);
  }
  const crypto::CacheTag reference = crypto::test::ReferenceTag(keys.secret, token);
  for (const auto& key : keys.variants) {
    const crypto::Derived derived = Derive(*key, token, offset);
    Expect(key->variant() == crypto::TagVariant::kSha256 || derived.tag == reference,
           "the tag is the reference's");
    for (const std::string& other : others) {
      Expect(!(Derive(*key, other, offset).tag == derived.tag), "another token has another tag");
    }
    if (token.size() >= 16) {
      Expect(Derive(*key, token.substr(token.size() - 16), offset).place == derived.place,
             "the place is of the last 16 bytes");
    }
  }
  return true;
}

}  // namespace tollgate::fuzz
