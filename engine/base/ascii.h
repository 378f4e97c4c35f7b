#pragma once

#include <algorithm>
#include <string_view>

namespace tollgate::ascii {

constexpr char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

// EqualIgnoringCase compares as protocols do: of letters, A to Z alone have a case, whatever the locale.
constexpr bool EqualIgnoringCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return x == y || Lower(x) == Lower(y); });
}

}  // namespace tollgate::ascii
