#include "audit/chain.h"

namespace tollgate::audit {
namespace {

constexpr std::string_view kEndBefore = ",\"chain\":\"";
constexpr std::string_view kEndBehind = "\"}}";
constexpr size_t kHexBytes = 2 * sizeof(ChainValue);
constexpr size_t kEndBytes = kEndBefore.size() + kHexBytes + kEndBehind.size();

std::string_view Text(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// The value of a digit of lower-case hex, or −1.
int Digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

}  // namespace

ChainValue Chain::Next(const ChainValue& before, std::string_view open) {
  input_ = kChainPurpose;
  input_ += Text(before);
  input_ += open;
  return keyed() ? crypto::HmacSha256(Bytes(key_), input_) : crypto::Sha256(input_);
}

ChainValue Chain::Close(const ChainValue& before, std::string* out, size_t begin) {
  const ChainValue value = Next(before, std::string_view(*out).substr(begin));
  *out += kEndBefore;
  *out += Hex(value);
  *out += kEndBehind;
  return value;
}

std::string_view ChainAlgorithm(bool keyed) { return keyed ? "HMAC-SHA-256" : "SHA-256"; }

std::optional<SplitLineResult> SplitLine(std::string_view line) {
  if (line.size() < kEndBytes) return std::nullopt;
  const std::string_view open = line.substr(0, line.size() - kEndBytes), end = line.substr(open.size());
  if (!end.starts_with(kEndBefore) || !end.ends_with(kEndBehind)) return std::nullopt;
  const std::optional<ChainValue> value = ChainValueFromHex(end.substr(kEndBefore.size(), kHexBytes));
  if (!value) return std::nullopt;
  return SplitLineResult{open, *value};
}

std::string Hex(std::span<const uint8_t> bytes) {
  std::string hex;
  hex.reserve(2 * bytes.size());
  for (const uint8_t byte : bytes) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

std::optional<ChainValue> ChainValueFromHex(std::string_view hex) {
  ChainValue value;
  if (hex.size() != 2 * value.size()) return std::nullopt;
  for (size_t i = 0; i < value.size(); ++i) {
    const int high = Digit(hex[2 * i]), low = Digit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    value[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return value;
}

}  // namespace tollgate::audit
