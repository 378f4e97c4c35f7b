#pragma once

#include <cstddef>
#include <string_view>

#include "base/ascii.h"

namespace tollgate::tollgated {

// CharacterSet is a set of bytes. Thread-compatible.
class CharacterSet {
 public:
  // Letters and digits, and these.
  explicit constexpr CharacterSet(std::string_view others) {
    for (const char c : others) has_[static_cast<unsigned char>(c)] = true;
    for (unsigned char c = 0; c < 128; ++c) {
      const char lower = ascii::Lower(static_cast<char>(c));
      if ((c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z')) has_[c] = true;
    }
  }

  constexpr bool Has(char c) const { return has_[static_cast<unsigned char>(c)]; }

  // Span returns how many bytes `text` begins with that are members.
  constexpr size_t Span(std::string_view text) const {
    size_t length = 0;
    while (length < text.size() && Has(text[length])) ++length;
    return length;
  }

 private:
  bool has_[256] = {};
};

}  // namespace tollgate::tollgated
