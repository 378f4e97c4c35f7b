#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>

namespace tollgate::test {

// StrictOracle answers whether json::Document must accept a text. It is written from the grammar of RFC 8259
// alone, shares nothing with the engine or simdjson, and is as slow as it likes: a recursive descent over
// single bytes. Tests and fuzzers demand that both give the same answer.
class StrictOracle {
 public:
  // The rules beside the grammar: valid UTF-8, no byte order mark, no lone surrogates, no two equal member
  // names in an object, at most `depth_max` levels of arrays and objects, integers within −2^63 … 2^64 − 1,
  // doubles finite.
  static bool Accepts(std::string_view text, size_t depth_max = 32) {
    StrictOracle oracle(text, depth_max);
    oracle.SkipSpace();
    if (!oracle.Value(0)) return false;
    oracle.SkipSpace();
    return oracle.pos_ == text.size();
  }

 private:
  StrictOracle(std::string_view text, size_t depth_max) : text_(text), depth_max_(depth_max) {}

  // Peek is −1 behind the end, so that a NUL in the text is no end.
  int Peek() const { return pos_ < text_.size() ? static_cast<unsigned char>(text_[pos_]) : -1; }
  bool Take(char c) { return Peek() == c && ++pos_; }
  void SkipSpace() {
    while (Peek() == ' ' || Peek() == '\t' || Peek() == '\n' || Peek() == '\r') ++pos_;
  }
  bool Word(std::string_view word) {
    if (text_.substr(pos_, word.size()) != word) return false;
    pos_ += word.size();
    return true;
  }

  bool Value(size_t depth) {
    switch (Peek()) {
      case '{':
        return depth < depth_max_ && Object(depth + 1);
      case '[':
        return depth < depth_max_ && Array(depth + 1);
      case '"': {
        std::string ignored;
        return String(&ignored);
      }
      case 't':
        return Word("true");
      case 'f':
        return Word("false");
      case 'n':
        return Word("null");
      default:
        return Number();
    }
  }

  bool Object(size_t depth) {
    std::set<std::string> names;
    ++pos_;
    SkipSpace();
    if (Take('}')) return true;
    do {
      std::string name;
      SkipSpace();
      if (Peek() != '"' || !String(&name) || !names.insert(name).second) return false;
      SkipSpace();
      if (!Take(':')) return false;
      SkipSpace();
      if (!Value(depth)) return false;
      SkipSpace();
    } while (Take(','));
    return Take('}');
  }

  bool Array(size_t depth) {
    ++pos_;
    SkipSpace();
    if (Take(']')) return true;
    do {
      SkipSpace();
      if (!Value(depth)) return false;
      SkipSpace();
    } while (Take(','));
    return Take(']');
  }

  bool Digits() {
    const size_t begin = pos_;
    while (Peek() >= '0' && Peek() <= '9') ++pos_;
    return pos_ > begin;
  }

  bool Number() {
    const size_t begin = pos_;
    const bool negative = Take('-');
    const size_t digits = pos_;
    if (!Take('0') && !Digits()) return false;
    const std::string_view integer = text_.substr(digits, pos_ - digits);
    bool is_integer = true;
    if (Take('.')) {
      is_integer = false;
      if (!Digits()) return false;
    }
    if (Take('e') || Take('E')) {
      is_integer = false;
      if (!Take('+')) Take('-');
      if (!Digits()) return false;
    }
    if (!is_integer)
      return std::isfinite(std::strtod(std::string(text_.substr(begin, pos_ - begin)).c_str(), nullptr));
    const std::string_view bound = negative ? "9223372036854775808" : "18446744073709551615";
    return integer.size() < bound.size() || (integer.size() == bound.size() && integer <= bound);
  }

  bool Hex4(uint32_t* value) {
    *value = 0;
    for (int i = 0; i < 4; ++i, ++pos_) {
      const int c = Peek();
      uint32_t digit = 0;
      if (c >= '0' && c <= '9') {
        digit = static_cast<uint32_t>(c - '0');
      } else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) {
        digit = static_cast<uint32_t>((c | 0x20) - 'a' + 10);
      } else {
        return false;
      }
      *value = *value * 16 + digit;
    }
    return true;
  }

  // Append writes four bytes a code point: only the equality of names matters.
  static void Append(uint32_t code_point, std::string* out) {
    for (int shift = 24; shift >= 0; shift -= 8) out->push_back(static_cast<char>(code_point >> shift));
  }

  bool Escape(std::string* out) {
    static constexpr std::string_view kNames = "\"\\/bfnrt";
    static constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    if (!Take('u')) {
      const size_t which = Peek() < 0 ? kNames.npos : kNames.find(static_cast<char>(Peek()));
      if (which == kNames.npos) return false;
      ++pos_;
      Append(static_cast<unsigned char>(kMeanings[which]), out);
      return true;
    }
    uint32_t unit = 0;
    if (!Hex4(&unit)) return false;
    if (unit >= 0xD800 && unit <= 0xDFFF) {
      uint32_t low = 0;
      if (unit > 0xDBFF || !Word("\\u") || !Hex4(&low) || low < 0xDC00 || low > 0xDFFF) return false;
      unit = 0x10000 + (unit - 0xD800) * 0x400 + (low - 0xDC00);
    }
    Append(unit, out);
    return true;
  }

  // Raw reads one UTF-8 sequence, RFC 3629 section 3.
  bool Raw(std::string* out) {
    const auto lead = static_cast<uint32_t>(Peek());
    ++pos_;
    const int more = lead < 0x80   ? 0
                     : lead < 0xC0 ? -1
                     : lead < 0xE0 ? 1
                     : lead < 0xF0 ? 2
                     : lead < 0xF8 ? 3
                                   : -1;
    if (more < 0) return false;
    uint32_t code_point = more == 0 ? lead : lead & (0x3Fu >> more);
    for (int i = 0; i < more; ++i, ++pos_) {
      if (Peek() < 0x80 || Peek() > 0xBF) return false;
      code_point = code_point << 6 | static_cast<uint32_t>(Peek() - 0x80);
    }
    static constexpr uint32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
    if (code_point < kLeast[more] || code_point > 0x10FFFF) return false;
    if (code_point >= 0xD800 && code_point <= 0xDFFF) return false;
    Append(code_point, out);
    return true;
  }

  bool String(std::string* out) {
    ++pos_;
    while (Peek() >= 0x20) {
      if (Take('"')) return true;
      if (!(Take('\\') ? Escape(out) : Raw(out))) return false;
    }
    return false;
  }

  const std::string_view text_;
  const size_t depth_max_;
  size_t pos_ = 0;
};

}  // namespace tollgate::test
