#include "jose/jws.h"

#include <string>

#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"

#include "base/ascii.h"
#include "jose/base64url.h"

namespace tollgate::jose {
namespace {

// SplitOther tells a JWE (RFC 7516 section 7.1: five parts, some of which may be empty) from everything else
// that is not three parts. `rest` begins behind the second dot.
TOLLGATE_SLOW Reason SplitOther(std::string_view rest) {
  int dots = 2;
  for (size_t dot = rest.find('.'); dot != std::string_view::npos && dots < 6; dot = rest.find('.')) {
    ++dots;
    rest.remove_prefix(dot + 1);
  }
  return dots == 4 ? Reason::kEncryptedToken : Reason::kNotCompactJws;
}

Reason ReadAlgorithm(std::string_view name, Algorithm* out) {
  if (const std::optional<Algorithm> algorithm = AlgorithmFromName(name)) {
    *out = *algorithm;
    return Reason::kNone;
  }
  if (ascii::EqualIgnoringCase(name, "none")) return Reason::kAlgorithmNone;
  if (name == "HS256" || name == "HS384" || name == "HS512") return Reason::kAlgorithmSymmetric;
  return Reason::kAlgorithmUnsupported;
}

// DecodeInto decodes one part straight into the document's buffer and parses it there.
Reason DecodeInto(std::string_view part, size_t bytes_max, json::Document* document) {
  if (Base64UrlDecodedSize(part.size()) > bytes_max) return Reason::kTokenTooLong;
  auto* buffer = reinterpret_cast<uint8_t*>(document->Buffer());
  const std::optional<size_t> size = Base64UrlDecode(part, {buffer, bytes_max});
  return size ? document->ParseBuffer(*size) : Reason::kBadBase64Url;
}

// Headers that a thread knows: some thousand keys in use at a time, about a kilobyte each at the most.
constexpr size_t kKnownHeadersMax = 2048;
constexpr size_t kKnownHeaderBytesMax = 512;

}  // namespace

Reason SplitCompact(std::string_view token, CompactJws* out, size_t bytes_max) {
  if (token.size() > bytes_max) return Reason::kTokenTooLong;
  const size_t first = token.find('.');
  if (first == std::string_view::npos) return Reason::kNotCompactJws;
  const size_t second = token.find('.', first + 1);
  if (second == std::string_view::npos) return Reason::kNotCompactJws;
  out->header = token.substr(0, first);
  out->payload = token.substr(first + 1, second - first - 1);
  out->signature = token.substr(second + 1);
  out->signing_input = token.substr(0, second);
  if (out->signature.find('.') != std::string_view::npos) return SplitOther(out->signature);
  if (out->header.empty() || out->signature.empty()) return Reason::kNotCompactJws;
  return Reason::kNone;
}

Reason ReadHeader(json::Value header, JoseHeader* out) {
  *out = JoseHeader{};
  if (!header.is_object()) return Reason::kNotAnObject;
  json::Value alg, kid, typ, cty, crit, enc;
  for (json::Value member = header.FirstChild(); member.present(); member = header.NextChild(member)) {
    const std::string_view name = member.name();
    if (name == "alg")
      alg = member;
    else if (name == "kid")
      kid = member;
    else if (name == "typ")
      typ = member;
    else if (name == "cty")
      cty = member;
    else if (name == "crit")
      crit = member;
    else if (name == "enc")
      enc = member;
  }
  if (enc.present()) return Reason::kEncryptedToken;
  for (const json::Value member : {alg, kid, typ, cty}) {
    if (member.present() && !member.string()) return Reason::kBadHeaderMember;
  }
  if (kid.present()) {
    out->has_key_id = true;
    out->key_id = *kid.string();
    if (out->key_id.size() > limits::kKeyIdBytesMax) return Reason::kBadHeaderMember;
  }
  if (typ.present()) {
    out->has_type = true;
    out->type = *typ.string();
  }
  if (!alg.present()) return Reason::kAlgorithmMissing;
  if (const Reason reason = ReadAlgorithm(*alg.string(), &out->algorithm); reason != Reason::kNone)
    return reason;
  return crit.present() ? Reason::kUnknownCritical : Reason::kNone;
}

// KnownHeader owns what its views point to.
struct ParsedJws::KnownHeader {
  KnownHeader(std::string_view base64url, const JoseHeader& read) : header(read) {
    bytes.reserve(base64url.size() + read.key_id.size() + read.type.size());
    bytes.append(base64url).append(read.key_id).append(read.type);
    const std::string_view all = bytes;
    text = all.substr(0, base64url.size());
    header.key_id = all.substr(text.size(), read.key_id.size());
    header.type = all.substr(text.size() + read.key_id.size());
  }
  KnownHeader(const KnownHeader&) = delete;
  KnownHeader& operator=(const KnownHeader&) = delete;

  std::string bytes;
  std::string_view text;  // In base64url.
  JoseHeader header;
};

ParsedJws::ParsedJws(size_t bytes_max)
    : bytes_max_(bytes_max),
      payload_bytes_max_(Base64UrlDecodedSize(bytes_max)),
      header_document_(limits::kHeaderBytesMax),
      known_headers_(kKnownHeadersMax),
      payload_(payload_bytes_max_) {}
ParsedJws::~ParsedJws() = default;

Reason ParsedJws::Parse(std::string_view token) { return ParseAs(token, Payload::kJsonObject); }

Reason ParsedJws::ParseBare(std::string_view token) { return ParseAs(token, Payload::kAny); }

Reason ParsedJws::ParseAs(std::string_view token, Payload payload) {
  const Reason reason = ParseParts(token, payload);
  if (reason != Reason::kNone) Clear();
  return reason;
}

// A part too long for its buffer is refused in the place of its base64url check, undecoded.
Reason ParsedJws::ParseParts(std::string_view token, Payload payload) {
  if (const Reason reason = SplitCompact(token, &compact_, bytes_max_); reason != Reason::kNone)
    return reason;
  if (payload == Payload::kJsonObject && compact_.payload.empty()) return Reason::kNotCompactJws;
  if (const Reason reason = ParseHeader(); reason != Reason::kNone) return reason;
  if (Base64UrlDecodedSize(compact_.signature.size()) > sizeof(signature_))
    return Reason::kBadSignatureLength;
  const std::optional<size_t> size = Base64UrlDecode(compact_.signature, signature_);
  if (!size) return Reason::kBadBase64Url;
  signature_size_ = *size;
  if (payload == Payload::kAny) {
    // Decoded where its JSON would be, and then forgotten.
    auto* buffer = reinterpret_cast<uint8_t*>(payload_.Buffer());
    const bool good = Base64UrlDecode(compact_.payload, {buffer, payload_bytes_max_}).has_value();
    (void)payload_.ParseBuffer(0);
    return good ? Reason::kNone : Reason::kBadBase64Url;
  }
  if (const Reason reason = DecodeInto(compact_.payload, payload_bytes_max_, &payload_);
      reason != Reason::kNone) {
    return reason;
  }
  return payload_.root().is_object() ? Reason::kNone : Reason::kNotAnObject;
}

// KnownPlace is where the header is or could be: of the four places from its hash on the one that has it,
// else one that is empty, else the first.
std::unique_ptr<const ParsedJws::KnownHeader>& ParsedJws::KnownPlace() {
  constexpr size_t kPlaces = 4;
  const absl::string_view text(compact_.header.data(), compact_.header.size());
  const size_t first = absl::HashOf(text);
  for (size_t i = 0; i < kPlaces; ++i) {
    const size_t place = (first + i) % kKnownHeadersMax;
    if (known_headers_[place] == nullptr) return known_headers_[place];
    if (known_headers_[place]->text == compact_.header) return known_headers_[place];
  }
  return known_headers_[first % kKnownHeadersMax];
}

// A header that is known, byte for byte, needs no decoding.
Reason ParsedJws::ParseHeader() {
  // Most often it is the one before.
  if (known_ == nullptr || known_->text != compact_.header) {
    known_ = KnownPlace().get();
    if (known_ != nullptr && known_->text != compact_.header) known_ = nullptr;
  }
  if (known_ != nullptr) {
    header_ = known_->header;
    return Reason::kNone;
  }
  if (const Reason reason = DecodeInto(compact_.header, limits::kHeaderBytesMax, &header_document_);
      reason != Reason::kNone) {
    return reason;
  }
  return ReadHeader(header_document_.root(), &header_);
}

void ParsedJws::RememberHeader() {
  if (known_ != nullptr || compact_.header.empty() || compact_.header.size() > kKnownHeaderBytesMax) return;
  std::unique_ptr<const KnownHeader>& place = KnownPlace();
  place = std::make_unique<const KnownHeader>(compact_.header, header_);
  known_ = place.get();
}

// Nothing of this token, nor of the one before, can be taken for a token that was read.
void ParsedJws::Clear() {
  compact_ = CompactJws{};
  header_ = JoseHeader{};
  signature_size_ = 0;
  (void)payload_.ParseBuffer(0);
}

Reason Verify(const ParsedJws& jws, const crypto::VerifyKey& key, std::optional<VerifiedJws>* out) {
  out->reset();
  switch (key.Verify(jws.header().algorithm, jws.signing_input(), jws.signature())) {
    case crypto::SignatureCheck::kGood:
      *out = VerifiedJws(&jws.header(), jws.unverified_payload());
      return Reason::kNone;
    case crypto::SignatureCheck::kBadLength:
      return Reason::kBadSignatureLength;
    case crypto::SignatureCheck::kWrongKeyType:
      return Reason::kKeyAlgorithmMismatch;
    case crypto::SignatureCheck::kBad:
      break;
  }
  return Reason::kBadSignature;
}

}  // namespace tollgate::jose
