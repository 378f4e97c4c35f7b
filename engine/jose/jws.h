#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "crypto/verify_key.h"
#include "json/document.h"
#include "tollgate/reason.h"

namespace tollgate::jose {

// CompactJws is a token cut at its two dots (RFC 7515 section 7.1). Views into the token.
struct CompactJws {
  std::string_view header;         // base64url
  std::string_view payload;        // base64url
  std::string_view signature;      // base64url
  std::string_view signing_input;  // header '.' payload
};

// SplitCompact cuts `token`. kTokenTooLong (longer than `bytes_max`), kEncryptedToken (five parts),
// kNotCompactJws (any other number of parts, or an empty header or signature; the payload of a JWS may be
// empty); the work is bounded by the first six dots. Does not allocate.
Reason SplitCompact(std::string_view token, CompactJws* out, size_t bytes_max = limits::kTokenBytesMax);

// JoseHeader holds the members of the protected header that a verifier uses; all others are read strictly and
// ignored (RFC 7515 section 4), `jwk`, `jku`, `x5u` and `x5c` among them: a key that a token brings along
// proves nothing.
struct JoseHeader {
  Algorithm algorithm{};
  bool has_key_id = false;
  std::string_view key_id;
  bool has_type = false;
  std::string_view type;
};

// ReadHeader interprets a decoded header. kNotAnObject, kBadHeaderMember (a known member of the wrong type or
// over its limit; `kid`, `typ`, `cty` are strings), kAlgorithmMissing, kAlgorithmNone (compared without case,
// RFC 8725 section 3.2), kAlgorithmSymmetric, kAlgorithmUnsupported, kEncryptedToken (`enc` is present),
// kUnknownCritical (`crit` is present, whatever it says). The views of `out` point into the document.
Reason ReadHeader(json::Value header, JoseHeader* out);

class ParsedJws;

// VerifiedJws proves that a signature was verified: only Verify makes one. It refers to the ParsedJws that it
// came from and is valid until that parses again. Thread-compatible.
class VerifiedJws {
 public:
  const JoseHeader& header() const { return *header_; }
  json::Value payload() const { return payload_; }

 private:
  friend Reason Verify(const ParsedJws&, const crypto::VerifyKey&, std::optional<VerifiedJws>*);
  VerifiedJws(const JoseHeader* header, json::Value payload) : header_(header), payload_(payload) {}
  const JoseHeader* header_;
  json::Value payload_;
};

// ParsedJws is one token read strictly but not yet believed: cut, decoded, its header interpreted, its
// payload parsed. Holds the buffers for that and is meant to be reused: after a few tokens it allocates no
// more. Owner thread only.
class ParsedJws {
 public:
  // For tokens of at most `bytes_max` bytes. Allocates some fifteen times as much.
  explicit ParsedJws(size_t bytes_max = limits::kTokenBytesMax);
  ~ParsedJws();
  // Parse reads `token`, which must live as long as this object is used. kNone, or the first reason found in
  // the order: split (an empty payload is kNotCompactJws too), header base64url, header JSON, header members,
  // signature base64url, payload base64url, payload JSON, payload is an object. After a failure nothing of
  // any token is left: the payload is absent and no signature fits.
  Reason Parse(std::string_view token);
  // ParseBare is Parse of a JWS whose payload may be any bytes, or none (RFC 7515 section 3): it is held to
  // base64url alone, and stays absent, also in the VerifiedJws.
  Reason ParseBare(std::string_view token);

  // RememberHeader lets later tokens with the same header, byte for byte, be read without decoding it: an
  // issuer signs with few headers, one for each key. For tokens that were verified, so that nobody else fills
  // the memory, which is bounded. Allocates for a header that is new.
  void RememberHeader();

  const JoseHeader& header() const { return header_; }
  std::string_view signing_input() const { return compact_.signing_input; }
  std::span<const uint8_t> signature() const { return {signature_, signature_size_}; }
  // The payload as the sender wrote it: good for finding out whose key to verify with, and for nothing else.
  json::Value unverified_payload() const { return payload_.root(); }

 private:
  enum class Payload : uint8_t { kJsonObject, kAny };
  struct KnownHeader;
  Reason ParseAs(std::string_view token, Payload payload);
  Reason ParseParts(std::string_view token, Payload payload);
  Reason ParseHeader();
  std::unique_ptr<const KnownHeader>& KnownPlace();
  void Clear();

  const size_t bytes_max_;
  const size_t payload_bytes_max_;
  CompactJws compact_;
  JoseHeader header_;
  json::Document header_document_;
  // By hash: see KnownPlace.
  std::vector<std::unique_ptr<const KnownHeader>> known_headers_;
  const KnownHeader* known_ = nullptr;  // That of the last token whose header was looked for; null: none.
  json::Document payload_;
  size_t signature_size_ = 0;
  uint8_t signature_[1024];  // Longer than any signature under limits::kRsaModulusBitsMax.
};

// Verify checks the signature of `jws` with `key` by the algorithm of its header. The caller has made sure
// that the algorithm is allowed for the issuer and for the key. kNone and a proof, or kBadSignatureLength,
// kBadSignature, kKeyAlgorithmMismatch. Costs one signature verification.
Reason Verify(const ParsedJws& jws, const crypto::VerifyKey& key, std::optional<VerifiedJws>* out);

}  // namespace tollgate::jose
