#include "claims/claim_values.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/limits.h"

namespace tollgate::claims {
namespace {

// Up to this many words are compared pair by pair, more are sorted.
constexpr size_t kPairwiseWordsMax = 24;

// C0, DEL and C1, and the line separators that log viewers break lines at.
bool IsControl(uint32_t code_point) {
  return code_point < 0x20 || (code_point >= 0x7F && code_point <= 0x9F) || code_point == 0x2028 ||
         code_point == 0x2029;
}

// Unicode's White_Space beyond what IsControl has.
bool IsSpace(uint32_t code_point) {
  return code_point == ' ' || code_point == 0xA0 || code_point == 0x1680 ||
         (code_point >= 0x2000 && code_point <= 0x200A) || code_point == 0x202F || code_point == 0x205F ||
         code_point == 0x3000;
}

// IsPlain: eight bytes or more, and nothing but printable ASCII, for which there is nothing to decode. Eight
// bytes at a time, the last ones overlapping those before: a byte's top bit is set in the sum where the byte
// is below 0x20, is 0x7F, or has it set itself.
bool IsPlain(std::string_view text) {
  constexpr uint64_t kOnes = 0x0101010101010101, kTops = 0x80 * kOnes;
  if (text.size() < 8) return false;
  uint64_t odd = 0;
  const auto look = [&](size_t at) {
    uint64_t word;
    std::memcpy(&word, text.data() + at, sizeof word);
    odd |= word | (word - 0x20 * kOnes) | ((word & ~kTops) + kOnes);
  };
  for (size_t i = 0; i + 8 < text.size(); i += 8) look(i);
  look(text.size() - 8);
  return (odd & kTops) == 0;
}

// Has tells whether `text`, which is valid UTF-8, has a code point of the kind.
template <typename Kind>
bool Has(std::string_view text, Kind kind) {
  for (size_t i = 0; i < text.size();) {
    const auto byte = [&](size_t at) { return static_cast<uint32_t>(static_cast<uint8_t>(text[i + at])); };
    uint32_t code_point = byte(0);
    if (code_point < 0x80) {
      i += 1;
    } else if (code_point < 0xE0) {
      code_point = (code_point & 0x1F) << 6 | (byte(1) & 0x3F);
      i += 2;
    } else if (code_point < 0xF0) {
      code_point = (code_point & 0xF) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
      i += 3;
    } else {
      i += 4;  // Neither controls nor spaces lie beyond the first plane.
      continue;
    }
    if (kind(code_point)) return true;
  }
  return false;
}

Reason Append(std::string_view word, size_t max, std::vector<std::string_view>* words) {
  if (words->size() == max) return Reason::kBadClaim;
  words->push_back(word);
  return Reason::kNone;
}

}  // namespace

Reason Find(json::Value payload, std::string_view name, json::Value* value) {
  *value = payload.Pointer(name);
  if (value->present() || !name.starts_with('/')) return Reason::kNone;
  for (size_t slash = name.find('/', 1); slash != name.npos; slash = name.find('/', slash + 1)) {
    const json::Value container = payload.Pointer(name.substr(0, slash));
    if (container.present() && !container.is_object()) return Reason::kBadClaim;
  }
  return Reason::kNone;
}

Reason ReadNumericDate(json::Value value, Rounding rounding, int64_t* seconds) {
  if (const std::optional<int64_t> integer = value.int64()) {
    if (*integer < 0 || *integer > limits::kNumericDateMax) return Reason::kBadClaim;
    *seconds = *integer;
    return Reason::kNone;
  }
  const std::optional<double> number = value.number();
  // Before any conversion: an out-of-range double has no integer.
  if (!number || !(*number >= 0 && *number <= static_cast<double>(limits::kNumericDateMax)))
    return Reason::kBadClaim;
  *seconds = static_cast<int64_t>(rounding == Rounding::kDown ? std::floor(*number) : std::ceil(*number));
  return Reason::kNone;
}

Reason ReadText(json::Value value, std::string_view* text) {
  const std::optional<std::string_view> string = value.string();
  if (!string || string->empty() || (!IsPlain(*string) && Has(*string, IsControl))) return Reason::kBadClaim;
  *text = *string;
  return Reason::kNone;
}

Reason ReadStrings(json::Value value, size_t max, std::vector<std::string_view>* strings) {
  if (!value.is_array()) {
    const std::optional<std::string_view> string = value.string();
    return !string || string->empty() ? Reason::kBadClaim : Append(*string, max, strings);
  }
  for (json::Value child = value.FirstChild(); child.present(); child = value.NextChild(child)) {
    const std::optional<std::string_view> string = child.string();
    if (!string || string->empty()) return Reason::kBadClaim;
    if (const Reason reason = Append(*string, max, strings); reason != Reason::kNone) return reason;
  }
  return Reason::kNone;
}

bool IsScopeToken(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(),
                                      [](char c) { return c > ' ' && c < 0x7F && c != '"' && c != '\\'; });
}

bool IsRole(std::string_view word) {
  return !word.empty() &&
         !Has(word, [](uint32_t code_point) { return IsControl(code_point) || IsSpace(code_point); });
}

Reason ReadWords(json::Value value, bool (*is_word)(std::string_view), size_t max,
                 std::vector<std::string_view>* words) {
  const auto add = [&](std::string_view word) {
    return is_word(word) ? Append(word, max, words) : Reason::kBadClaim;
  };
  if (value.is_array()) {
    for (json::Value child = value.FirstChild(); child.present(); child = value.NextChild(child)) {
      const std::optional<std::string_view> word = child.string();
      if (!word || add(*word) != Reason::kNone) return Reason::kBadClaim;
    }
    return Reason::kNone;
  }
  const std::optional<std::string_view> string = value.string();
  if (!string) return Reason::kBadClaim;
  std::string_view rest = *string;
  while (!rest.empty()) {
    const std::string_view word = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(word.size() + 1, rest.size()));
    if (!word.empty() && add(word) != Reason::kNone) return Reason::kBadClaim;
  }
  return Reason::kNone;
}

void RemoveDuplicates(std::vector<std::string_view>* words) {
  static_assert(limits::kScopesPerTokenMax <= limits::kRolesPerTokenMax);
  const size_t size = words->size();
  std::vector<std::string_view>& all = *words;
  std::array<bool, limits::kRolesPerTokenMax> again;
  std::fill_n(again.begin(), size, false);
  if (size <= kPairwiseWordsMax) {
    for (size_t i = 1; i < size; ++i) again[i] = std::find(&all[0], &all[i], all[i]) != &all[i];
  } else {
    std::array<uint16_t, limits::kRolesPerTokenMax> order;
    for (size_t i = 0; i < size; ++i) order[i] = static_cast<uint16_t>(i);
    std::sort(order.begin(), order.begin() + size, [&](uint16_t a, uint16_t b) {
      const int compared = all[a].compare(all[b]);
      return compared != 0 ? compared < 0 : a < b;
    });
    for (size_t i = 1; i < size; ++i) again[order[i]] = all[order[i]] == all[order[i - 1]];
  }
  size_t kept = 0;
  for (size_t i = 0; i < size; ++i) {
    if (!again[i]) all[kept++] = all[i];
  }
  all.resize(kept);
}

}  // namespace tollgate::claims
