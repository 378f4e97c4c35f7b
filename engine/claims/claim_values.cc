#include "claims/claim_values.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <span>

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

// Eight bytes at a time: of each byte one bit says whether it is of a kind.
constexpr uint64_t kOnes = 0x0101010101010101, kTops = 0x80 * kOnes;

// OddBytes has a bit for some byte if one is below 0x20, is 0x7F, or is not ASCII.
constexpr uint64_t OddBytes(uint64_t word) {
  return (word | (word - 0x20 * kOnes) | ((word & ~kTops) + kOnes)) & kTops;
}

// BytesLike has a bit for some byte if one is `c`.
constexpr uint64_t BytesLike(char c, uint64_t word) {
  const uint64_t different = word ^ static_cast<uint8_t>(c) * kOnes;
  return (different - kOnes) & ~different & kTops;
}

// None tells whether `odd` has no bit for any eight bytes of the text: the last ones overlap those before,
// and what a short one lacks is made up by letters.
template <typename Odd>
bool None(std::string_view text, Odd odd) {
  if (text.size() < 8) {
    constexpr bool kLittle = std::endian::native == std::endian::little;
    const uint64_t lacking = kLittle ? ~uint64_t{0} << 8 * text.size() : ~uint64_t{0} >> 8 * text.size();
    return odd(json::NameWord(text) | (lacking & 'a' * kOnes)) == 0;
  }
  const auto at = [&](size_t i) {
    uint64_t word;
    std::memcpy(&word, text.data() + i, sizeof word);
    return odd(word);
  };
  uint64_t found = at(text.size() - 8);
  for (size_t i = 0; i + 8 < text.size(); i += 8) found |= at(i);
  return found == 0;
}

// IsPlain: nothing but printable ASCII, for which there is nothing to decode. Names are often UUIDs and
// longer, hence sixteen bytes at a time.
bool IsPlain(std::string_view text) {
  using Bytes __attribute__((vector_size(16))) = int8_t;
  if (text.size() < sizeof(Bytes)) return None(text, [](uint64_t word) { return OddBytes(word); });
  const auto odd = [&](size_t i) {
    Bytes bytes;
    std::memcpy(&bytes, text.data() + i, sizeof bytes);
    return (bytes < 0x20) | (bytes == 0x7F);  // What is not ASCII is negative.
  };
  Bytes found = odd(text.size() - sizeof(Bytes));
  for (size_t i = 0; i + sizeof(Bytes) < text.size(); i += sizeof(Bytes)) found |= odd(i);
  std::array<uint64_t, 2> halves;
  std::memcpy(&halves, &found, sizeof halves);
  return (halves[0] | halves[1]) == 0;
}

// IsPlainWord: and no space.
bool IsPlainWord(std::string_view text) {
  return None(text, [](uint64_t word) { return OddBytes(word) | BytesLike(' ', word); });
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

// AtAGlance is of the word's length and both of its ends: where it differs, words do.
uint64_t AtAGlance(std::string_view word) {
  if (word.size() < 8) return json::NameWord(word) << 8 | word.size();
  uint64_t front, back;
  std::memcpy(&front, word.data(), sizeof front);
  std::memcpy(&back, word.data() + word.size() - sizeof back, sizeof back);
  return (front * 3 ^ back) + word.size();
}

// AllDifferAtAGlance takes up to kPairwiseWordsMax words.
bool AllDifferAtAGlance(std::span<const std::string_view> words) {
  std::array<uint64_t, kPairwiseWordsMax> seen;
  bool differ = true;
  for (size_t i = 0; i < words.size(); ++i) {
    seen[i] = AtAGlance(words[i]);
    for (size_t j = 0; j < i; ++j) differ &= seen[j] != seen[i];
  }
  return differ;
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
  return !word.empty() && None(word, [](uint64_t bytes) {
    return OddBytes(bytes) | BytesLike(' ', bytes) | BytesLike('"', bytes) | BytesLike('\\', bytes);
  });
}

bool IsRole(std::string_view word) {
  return !word.empty() && (IsPlainWord(word) || !Has(word, [](uint32_t code_point) {
                             return IsControl(code_point) || IsSpace(code_point);
                           }));
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
  if (size <= kPairwiseWordsMax && AllDifferAtAGlance(all)) return;
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
