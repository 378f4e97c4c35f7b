// base64url_roundtrip: every byte string has exactly one accepted encoding
//
// Functions: jose::Base64UrlDecode, Base64UrlDecodePortable, Base64UrlEncode, Base64UrlDecodedSize. Property:
// an input is accepted if and only if the test identity provider's decoder, which shares no code with the
// engine's, accepts it, with the same bytes; what is accepted encodes to itself again; any bytes encode to
// something that decodes to them; and all that on every kind of processor.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "fuzz/fuzz.h"
#include "jose/base64url.h"
#include "tools/idp/mint.h"

namespace tollgate::fuzz {
namespace {

std::span<const uint8_t> AsBytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// Decodes into a buffer that is exactly as long as promised.
std::optional<std::string> Decode(std::string_view text) {
  const size_t size = jose::Base64UrlDecodedSize(text.size());
  const std::unique_ptr<uint8_t[]> out(new uint8_t[size]);
  const std::optional<size_t> written = jose::Base64UrlDecode(text, {out.get(), size});
  const std::unique_ptr<uint8_t[]> plain(new uint8_t[size]);
  Expect(jose::Base64UrlDecodePortable(text, {plain.get(), size}) == written,
         "every processor accepts the same");
  if (!written.has_value()) return std::nullopt;
  Expect(std::equal(out.get(), out.get() + size, plain.get()), "and decodes the same");
  Expect(*written == size, "an accepted text has the promised size");
  return std::string(reinterpret_cast<const char*>(out.get()), *written);
}

}  // namespace

bool Accepts(std::string_view input) {
  const std::optional<std::string> decoded = Decode(input);
  Expect(decoded == idp::Base64UrlDecode(input), "both decoders agree");
  if (decoded.has_value()) {
    Expect(jose::Base64UrlEncode(AsBytes(*decoded)) == input, "encode(decode(x)) == x");
  }
  const std::string encoded = jose::Base64UrlEncode(AsBytes(input));
  Expect(encoded == idp::Base64Url(input), "both encoders agree");
  Expect(Decode(encoded) == input, "decode(encode(x)) == x");
  return decoded.has_value();
}

}  // namespace tollgate::fuzz
