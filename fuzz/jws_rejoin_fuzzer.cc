// jws_rejoin: a token is cut and read as the rules of RFC 7515 say, and its parts make up the token again
//
// Functions: jose::SplitCompact, jose::ParsedJws::Parse and ParseBare. Property: SplitCompact gives the
// reason that a naive splitter gives; the parts joined are the token; Parse accepts exactly what the model
// (model.h) accepts, with the same header and signature; after a refusal nothing of the token is left to be
// read.

#include <string>

#include "base/limits.h"
#include "fuzz/fuzz.h"
#include "fuzz/model.h"
#include "jose/base64url.h"
#include "jose/jws.h"

namespace tollgate::fuzz {
namespace {

Reason NaiveSplit(std::string_view token) {
  if (token.size() > limits::kTokenBytesMax) return Reason::kTokenTooLong;
  const std::vector<std::string_view> parts = SplitAtDots(token);
  if (parts.size() == 5) return Reason::kEncryptedToken;
  if (parts.size() != 3 || parts[0].empty() || parts[2].empty()) return Reason::kNotCompactJws;
  return Reason::kNone;
}

void ExpectSame(const jose::ParsedJws& jws, const ModelJws& model) {
  const jose::JoseHeader& header = jws.header();
  Expect(AlgorithmName(header.algorithm) == model.header.alg, "the same alg");
  Expect(header.has_key_id == model.header.kid.has_value() && header.key_id == model.header.kid.value_or(""),
         "the same kid");
  Expect(header.has_type == model.header.typ.has_value() && header.type == model.header.typ.value_or(""),
         "the same typ");
  Expect(jws.signing_input() == model.signing_input, "the same signing input");
  Expect(jws.unverified_payload().is_object(), "the payload is an object");
}

}  // namespace

bool Accepts(std::string_view input) {
  jose::CompactJws compact;
  const Reason split = jose::SplitCompact(input, &compact);
  Expect(split == NaiveSplit(input), "both splitters agree");
  if (split == Reason::kNone) {
    Expect(std::string(compact.header) + '.' + std::string(compact.payload) == compact.signing_input,
           "the signing input is header and payload");
    Expect(std::string(compact.signing_input) + '.' + std::string(compact.signature) == input,
           "the parts make up the token");
  }

  static auto& jws = *new jose::ParsedJws;
  const Reason reason = jws.Parse(input);
  const std::optional<ModelJws> model = ReadModelJws(input);
  Expect((reason == Reason::kNone) == model.has_value(), "the model agrees");
  Expect(split == Reason::kNone || reason == split, "what cannot be cut is refused for that");
  if (split == Reason::kNone && compact.payload.empty()) {
    Expect(reason == Reason::kNotCompactJws, "an access token has a payload");
  }
  if (!model.has_value()) {
    Expect(!jws.unverified_payload().is_object() && jws.signature().empty() && jws.signing_input().empty(),
           "nothing is left of a refused token");
    return false;
  }
  ExpectSame(jws, *model);
  Expect(jose::Base64UrlEncode(jws.signature()) == compact.signature,
         "the signature is the one of the token");
  // A header that is the one before is not read again.
  Expect(jws.Parse(input) == Reason::kNone, "the same token again is the same");
  ExpectSame(jws, *model);
  Expect(jws.ParseBare(input) == Reason::kNone, "what is a token is a JWS");
  Expect(!jws.unverified_payload().present(), "the payload of a bare JWS is nobody's business");
  return true;
}

}  // namespace tollgate::fuzz
