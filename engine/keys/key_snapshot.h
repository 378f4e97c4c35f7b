#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::keys {

// SnapshotEntry is what a restart needs of one issuer's keys to go on where the last process stood. The texts
// belong to whoever made the entry.
struct SnapshotEntry {
  std::string_view issuer{};
  bool discovered = false;      // Where the keys came from: by metadata, or configured.
  std::string_view jwks_uri{};  // Of the last good answer.
  std::string_view etag{};      // Its entity tag, or empty.
  std::string_view jwks{};      // The set itself, the bytes of the answer.
  int64_t max_age_s = -1;       // By Cache-Control; −1: not given.
  int64_t last_good_wall_s = 0;

  bool operator==(const SnapshotEntry&) const = default;
};

// The snapshot's text, version 1, for as many issuers as there are:
//
//   tollgate key snapshot 1 BODY_BYTES
//   issuer ISSUER_BYTES jwks_uri|discovery URI_BYTES ETAG_BYTES JWKS_BYTES MAX_AGE|- LAST_GOOD
//   the four texts, each with a line break behind it
//   hmac HEX
//
// Numbers are decimal without leading zeros, so that what an entry says can be written in one way alone. The
// MAC is HMAC-SHA-256 of all bytes ahead of its line. The first of these name purpose and version: a key that
// also serves for something else does not make snapshots there.

// EncodedBytes is what one entry adds to a snapshot, and kSnapshotFrameBytesMax what is around all of them.
size_t EncodedBytes(const SnapshotEntry& entry);
inline constexpr size_t kSnapshotFrameBytesMax = 128;

// Encode returns the snapshot of `entries`, in their order; nullopt if it would be longer than
// limits::kSnapshotBytesMax, or an entry is longer or larger than Decode accepts. `key` may have any length.
std::optional<std::string> Encode(std::span<const SnapshotEntry> entries, std::span<const uint8_t> key);

enum class SnapshotFault : uint8_t {
  kNone,
  kTooLarge,
  kTruncated,       // The beginning of a snapshot.
  kUnknownVersion,  // Of this purpose, in a form that a later version writes.
  kTampered,        // Not what somebody with this key has written.
  kMalformed,       // Written with this key, but not by Encode.
};

// SnapshotFaultText is one line for people. Static storage.
std::string_view SnapshotFaultText(SnapshotFault fault);

// Decode reads a snapshot. kNone: `entries` are what Encode was given, as views into `bytes`, and Encode
// makes the same bytes of them again. Any fault leaves `entries` empty. The MAC is compared in constant time,
// before anything but the first line is looked at.
SnapshotFault Decode(std::string_view bytes, std::span<const uint8_t> key,
                     std::vector<SnapshotEntry>* entries);

}  // namespace tollgate::keys
