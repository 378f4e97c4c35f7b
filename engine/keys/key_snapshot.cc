#include "keys/key_snapshot.h"

#include <algorithm>
#include <charconv>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "crypto/digest.h"

namespace tollgate::keys {
namespace {

constexpr std::string_view kPurpose = "tollgate key snapshot ";
constexpr std::string_view kVersion = "1";
constexpr std::string_view kMacName = "hmac ";
constexpr size_t kMacLineBytes = kMacName.size() + 2 * sizeof(crypto::Sha256Digest) + 1;
// Longer than any URL that may be fetched, and than any entity tag that is kept.
constexpr size_t kUriBytesMax = 16 * 1024;
constexpr size_t kEtagBytesMax = 1024;

absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }

std::span<const uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string MacLine(std::string_view authenticated, std::span<const uint8_t> key) {
  std::string line(kMacName);
  for (const uint8_t byte : crypto::HmacSha256(key, authenticated)) {
    line += "0123456789abcdef"[byte >> 4];
    line += "0123456789abcdef"[byte & 15];
  }
  line += '\n';
  return line;
}

std::string FirstLine(size_t body_bytes) {
  return absl::StrCat(ToAbsl(kPurpose), ToAbsl(kVersion), " ", body_bytes, "\n");
}

std::string EntryLine(const SnapshotEntry& entry) {
  return absl::StrCat("issuer ", entry.issuer.size(), entry.discovered ? " discovery " : " jwks_uri ",
                      entry.jwks_uri.size(), " ", entry.etag.size(), " ", entry.jwks.size(), " ",
                      entry.max_age_s < 0 ? std::string("-") : absl::StrCat(entry.max_age_s), " ",
                      entry.last_good_wall_s, "\n");
}

bool WithinBounds(const SnapshotEntry& entry) {
  return entry.issuer.size() <= limits::kIssuerBytesMax && entry.jwks_uri.size() <= kUriBytesMax &&
         entry.etag.size() <= kEtagBytesMax && entry.jwks.size() <= limits::kJwksBytesMax &&
         entry.max_age_s >= -1 && entry.last_good_wall_s >= 0 &&
         entry.last_good_wall_s <= limits::kNumericDateMax;
}

// Reader takes the text apart from the front. What is not there in exactly the form that Encode writes fails
// and stays failed.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool failed() const { return failed_; }
  bool done() const { return rest_.empty(); }
  size_t size() const { return rest_.size(); }

  bool Skip(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  void Expect(std::string_view word) {
    if (!Skip(word)) failed_ = true;
  }
  int64_t Number() {
    int64_t number = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number);
    const auto length = static_cast<size_t>(end - rest_.data());
    if (error != std::errc() || number < 0 || (length > 1 && rest_.front() == '0') || rest_.front() == '-') {
      failed_ = true;
      return 0;
    }
    rest_.remove_prefix(length);
    return number;
  }
  // A text of this length and the line break behind it.
  std::string_view Text(int64_t length) {
    if (failed_ || static_cast<uint64_t>(length) >= rest_.size()) {
      failed_ = true;
      return {};
    }
    const std::string_view text = rest_.substr(0, static_cast<size_t>(length));
    rest_.remove_prefix(text.size());
    Expect("\n");
    return text;
  }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

SnapshotEntry ReadEntry(Reader& reader) {
  SnapshotEntry entry;
  reader.Expect("issuer ");
  const int64_t issuer_len = reader.Number();
  entry.discovered = reader.Skip(" discovery ");
  if (!entry.discovered) reader.Expect(" jwks_uri ");
  const int64_t uri_len = reader.Number();
  reader.Expect(" ");
  const int64_t etag_len = reader.Number();
  reader.Expect(" ");
  const int64_t jwks_len = reader.Number();
  reader.Expect(" ");
  if (!reader.Skip("-")) entry.max_age_s = reader.Number();
  reader.Expect(" ");
  entry.last_good_wall_s = reader.Number();
  reader.Expect("\n");
  entry.issuer = reader.Text(issuer_len);
  entry.jwks_uri = reader.Text(uri_len);
  entry.etag = reader.Text(etag_len);
  entry.jwks = reader.Text(jwks_len);
  return entry;
}

// ReadFirstLine says how long the body is, or why this is no snapshot. `bytes` may end anywhere.
SnapshotFault ReadFirstLine(std::string_view bytes, size_t* line_bytes, size_t* body_bytes) {
  if (bytes.size() < kPurpose.size())
    return kPurpose.starts_with(bytes) ? SnapshotFault::kTruncated : SnapshotFault::kTampered;
  if (!bytes.starts_with(kPurpose)) return SnapshotFault::kTampered;
  const size_t line_end = bytes.substr(0, kSnapshotFrameBytesMax).find('\n');
  const std::string_view line = bytes.substr(0, line_end);
  Reader reader(line.substr(kPurpose.size()));
  const auto cut_or = [&](SnapshotFault fault) {
    return line_end == line.npos && bytes.size() < kSnapshotFrameBytesMax && reader.done()
               ? SnapshotFault::kTruncated
               : fault;
  };
  if (reader.done()) return cut_or(SnapshotFault::kTampered);
  const int64_t version = reader.Number();
  if (reader.failed()) return SnapshotFault::kTampered;
  if (!reader.Skip(" ") || reader.done()) return cut_or(SnapshotFault::kTampered);
  if (version != 1) return SnapshotFault::kUnknownVersion;
  *body_bytes = static_cast<size_t>(reader.Number());
  if (reader.failed() || !reader.done()) return SnapshotFault::kTampered;
  if (line_end == line.npos) return cut_or(SnapshotFault::kTampered);
  *line_bytes = line.size() + 1;
  return SnapshotFault::kNone;
}

}  // namespace

size_t EncodedBytes(const SnapshotEntry& entry) {
  return EntryLine(entry).size() + entry.issuer.size() + entry.jwks_uri.size() + entry.etag.size() +
         entry.jwks.size() + 4;
}

std::optional<std::string> Encode(std::span<const SnapshotEntry> entries, std::span<const uint8_t> key) {
  size_t body_bytes = 0;
  for (const SnapshotEntry& entry : entries) {
    if (!WithinBounds(entry)) return std::nullopt;
    body_bytes += EncodedBytes(entry);
  }
  if (entries.size() > limits::kIssuersMax ||
      body_bytes > limits::kSnapshotBytesMax - kSnapshotFrameBytesMax) {
    return std::nullopt;
  }
  std::string text = FirstLine(body_bytes);
  text.reserve(text.size() + body_bytes + kMacLineBytes);
  for (const SnapshotEntry& entry : entries) {
    text += EntryLine(entry);
    for (const std::string_view part : {entry.issuer, entry.jwks_uri, entry.etag, entry.jwks}) {
      text += part;
      text += '\n';
    }
  }
  text += MacLine(text, key);
  return text;
}

std::string_view SnapshotFaultText(SnapshotFault fault) {
  switch (fault) {
    case SnapshotFault::kNone:
      return "";
    case SnapshotFault::kTooLarge:
      return "is too large";
    case SnapshotFault::kTruncated:
      return "is truncated";
    case SnapshotFault::kUnknownVersion:
      return "has a version that is not known here";
    case SnapshotFault::kTampered:
      return "was not written with this key, or changed since";
    case SnapshotFault::kMalformed:
      return "is authentic, but malformed";
  }
  return "is refused";
}

SnapshotFault Decode(std::string_view bytes, std::span<const uint8_t> key,
                     std::vector<SnapshotEntry>* entries) {
  entries->clear();
  if (bytes.size() > limits::kSnapshotBytesMax) return SnapshotFault::kTooLarge;
  size_t line_bytes = 0, body_bytes = 0;
  const SnapshotFault fault = ReadFirstLine(bytes, &line_bytes, &body_bytes);
  if (fault != SnapshotFault::kNone) return fault;
  if (body_bytes > limits::kSnapshotBytesMax) return SnapshotFault::kTooLarge;
  const size_t wanted = line_bytes + body_bytes + kMacLineBytes;
  if (bytes.size() < wanted) return SnapshotFault::kTruncated;
  if (bytes.size() > wanted) return SnapshotFault::kTampered;

  const std::string_view authenticated = bytes.substr(0, line_bytes + body_bytes);
  const std::string mac_line = MacLine(authenticated, key);
  if (!crypto::EqualInConstantTime(Bytes(mac_line), Bytes(bytes.substr(authenticated.size()))))
    return SnapshotFault::kTampered;

  std::vector<SnapshotEntry> found;
  for (Reader reader(authenticated.substr(line_bytes)); !reader.done();) {
    const SnapshotEntry entry = ReadEntry(reader);
    if (reader.failed() || !WithinBounds(entry) || found.size() == limits::kIssuersMax)
      return SnapshotFault::kMalformed;
    found.push_back(entry);
  }
  *entries = std::move(found);
  return SnapshotFault::kNone;
}

}  // namespace tollgate::keys
