#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "crypto/digest.h"

namespace tollgate::audit {

// Each line of a log ends in its chain value, in lower-case hex:
//
//   {…,"unmapped":{…,"chain":"VALUE"}}
//
// which is SHA-256, or under a key HMAC-SHA-256, of kChainPurpose, the value of the line before (of a first
// one: zeros) and the line up to `,"chain"`. The purpose is no part of any token: a key that makes audit ids
// as well makes no chain there.

using ChainValue = crypto::Sha256Digest;
inline constexpr std::string_view kChainPurpose = "tollgate audit chain 1\n";

// kLineBytesMax bounds a line: of the longest record each byte becomes six (a control character is \u00XX),
// those of the tool's name twice, and there is what stands around them.
inline constexpr size_t kLineBytesMax = 320 * 1024;

// Chain adds one value to another. Thread-compatible.
class Chain {
 public:
  // `key` is copied; empty: plain SHA-256.
  explicit Chain(std::span<const uint8_t> key) : key_(key.begin(), key.end()) {}

  bool keyed() const { return !key_.empty(); }
  // Next returns the value of a line of which `open` is what is ahead of `,"chain"`; `before` is the value of
  // the line before.
  ChainValue Next(const ChainValue& before, std::string_view open);

  // Close ends the line that begins at `begin` of `out`, so far without its end, and returns its value.
  ChainValue Close(const ChainValue& before, std::string* out, size_t begin = 0);

 private:
  const std::string key_;
  std::string input_;  // Kept for its room.
};

// ChainAlgorithm is what a log calls it: "HMAC-SHA-256" or "SHA-256".
std::string_view ChainAlgorithm(bool keyed);

// SplitLine returns what is ahead of the end of `line`, and the value there; nullopt if it has no such end.
struct SplitLineResult {
  std::string_view open;
  ChainValue value;
};
std::optional<SplitLineResult> SplitLine(std::string_view line);

// Lower-case hex, and back: nullopt if it is not of exactly this length, or in upper case.
std::string Hex(std::span<const uint8_t> bytes);
std::optional<ChainValue> ChainValueFromHex(std::string_view hex);

}  // namespace tollgate::audit
