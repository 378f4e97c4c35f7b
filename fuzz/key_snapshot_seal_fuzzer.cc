// key_snapshot_seal: a snapshot is accepted only as Encode wrote it under the same key
//
// Functions: keys::Decode, Encode. The input is taken in three ways. As a snapshot: accepted only if Encode
// makes the same bytes of what was read. As the body of one, sealed here with the right MAC, as somebody
// would who has the key: the same; and with one bit changed anywhere, or under another key, it is refused as
// not authentic. As the texts and numbers of entries: Decode reads what Encode was given.

#include <algorithm>
#include <string>
#include <vector>

#include "crypto/digest.h"
#include "fuzz/fuzz.h"
#include "keys/key_snapshot.h"

namespace tollgate::fuzz {
namespace {

using keys::SnapshotEntry;
using keys::SnapshotFault;

const std::vector<uint8_t>& Key() {
  static const auto& key = *new std::vector<uint8_t>(32, 0x5a);
  return key;
}

std::string Seal(std::string_view body) {
  std::string text = "tollgate key snapshot 1 " + std::to_string(body.size()) + "\n" + std::string(body);
  const crypto::Sha256Digest mac = crypto::HmacSha256(Key(), text);
  text += "hmac ";
  for (const uint8_t byte : mac) {
    for (const int nibble : {byte >> 4, byte & 15}) text += "0123456789abcdef"[nibble];
  }
  return text + "\n";
}

SnapshotFault DecodeAndCheck(std::string_view text) {
  std::vector<SnapshotEntry> entries(1);
  const SnapshotFault fault = keys::Decode(text, Key(), &entries);
  if (fault != SnapshotFault::kNone) {
    Expect(entries.empty(), "a refused snapshot says nothing");
    return fault;
  }
  Expect(keys::Encode(entries, Key()) == text, "what is accepted is what Encode writes");
  return fault;
}

void ExpectAuthentic(std::string_view input) {
  const std::string sealed = Seal(input);
  size_t at = input.size() * 2654435761u;
  for (const char c : input) at = at * 31 + static_cast<uint8_t>(c);
  std::string changed = sealed;
  changed[at % sealed.size()] = static_cast<char>(changed[at % sealed.size()] ^ 1 << at / 8 % 8);
  const SnapshotFault fault = DecodeAndCheck(changed);
  Expect(fault != SnapshotFault::kNone && fault != SnapshotFault::kMalformed, "a changed bit is noticed");
  std::vector<SnapshotEntry> entries;
  Expect(keys::Decode(sealed, std::vector<uint8_t>(32, 0x5b), &entries) == SnapshotFault::kTampered,
         "another key is noticed");
}

// The first bytes are lengths and numbers, what follows is cut up into the texts.
void ExpectRoundTrip(std::string_view input) {
  std::vector<SnapshotEntry> entries;
  while (input.size() >= 6 && entries.size() < 8) {
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(input[i]); };
    SnapshotEntry entry;
    const std::string_view rest = input.substr(6);
    size_t from = 0;
    const auto text = [&](size_t i) {
      const std::string_view part = rest.substr(from, byte(i));
      from += part.size();
      return part;
    };
    entry.issuer = text(0);
    entry.jwks_uri = text(1);
    entry.etag = text(2);
    entry.jwks = text(3);
    entry.discovered = (byte(4) & 1) != 0;
    entry.max_age_s = int64_t{byte(4)} - 1;
    entry.last_good_wall_s = int64_t{byte(5)} << 30;
    entries.push_back(entry);
    input = rest.substr(from);
  }
  const auto encoded = keys::Encode(entries, Key());
  const bool in_range = std::all_of(entries.begin(), entries.end(), [](const SnapshotEntry& entry) {
    return entry.last_good_wall_s <= 253'402'300'799;
  });
  Expect(encoded.has_value() == in_range, "small entries can be written");
  if (!encoded) return;
  std::vector<SnapshotEntry> decoded;
  Expect(keys::Decode(*encoded, Key(), &decoded) == SnapshotFault::kNone, "what was written is accepted");
  Expect(decoded == entries, "and is what was given");
}

}  // namespace

bool Accepts(std::string_view input) {
  const SnapshotFault as_it_is = DecodeAndCheck(input);
  ExpectAuthentic(input);
  ExpectRoundTrip(input);
  const SnapshotFault sealed = DecodeAndCheck(Seal(input));
  Expect(sealed == SnapshotFault::kNone || sealed == SnapshotFault::kMalformed, "the right MAC is accepted");
  return as_it_is == SnapshotFault::kNone || sealed == SnapshotFault::kNone;
}

}  // namespace tollgate::fuzz
