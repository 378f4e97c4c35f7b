#include "json/writer.h"

#include <cstddef>

namespace tollgate::json {
namespace {

// Escape is the character that a text begins with, if it is to be written as \uXXXX: else of no bytes.
struct Escape {
  unsigned code_point = 0;
  size_t num_bytes = 0;
};

Escape EscapeAt(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  if (first < 0x20 || first == 0x7F) return {first, 1};
  if (first == 0xC2 && text.size() > 1 && (text[1] & 0xE0) == 0x80)
    return {static_cast<unsigned char>(text[1]), 2};
  if (text.starts_with("\xE2\x80\xA8")) return {0x2028, 3};
  if (text.starts_with("\xE2\x80\xA9")) return {0x2029, 3};
  return {};
}

}  // namespace

void AppendString(std::string_view text, std::string* out) {
  *out += '"';
  while (!text.empty()) {
    const Escape escape = EscapeAt(text);
    if (escape.num_bytes == 0) {
      if (text.front() == '"' || text.front() == '\\') *out += '\\';
      *out += text.front();
      text.remove_prefix(1);
      continue;
    }
    *out += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) *out += "0123456789abcdef"[escape.code_point >> shift & 15];
    text.remove_prefix(escape.num_bytes);
  }
  *out += '"';
}

}  // namespace tollgate::json
