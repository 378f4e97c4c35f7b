#include "policy_file/text.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

namespace tollgate::policy_file {

bool NextCharacter(std::string_view* text, uint32_t* character) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>((*text)[i]); };
  const auto is_more = [&](size_t i) { return i < text->size() && (byte(i) & 0xC0) == 0x80; };
  const uint8_t first = byte(0);
  size_t len = 1;
  uint32_t value = first;
  if (first >= 0xF0 && first < 0xF8) {
    len = 4;
    value = first & 0x07u;
  } else if (first >= 0xE0 && first < 0xF0) {
    len = 3;
    value = first & 0x0Fu;
  } else if (first >= 0xC0 && first < 0xE0) {
    len = 2;
    value = first & 0x1Fu;
  }
  bool good = first < 0x80 || len > 1;
  for (size_t i = 1; good && i < len; ++i) {
    good = is_more(i);
    if (good) value = (value << 6) | (byte(i) & 0x3Fu);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  good = good && value >= kLeast[len] && value <= 0x10FFFF && !(value >= 0xD800 && value < 0xE000);
  *character = good ? value : 0xFFFD;
  text->remove_prefix(good ? len : 1);
  return good;
}

bool IsVisible(uint32_t character) {
  struct Range {
    uint32_t first, last;
  };
  // Controls; what ends a line, turns the direction of text or has no width of its own; and tags.
  constexpr Range kHidden[] = {{0x00, 0x08},     {0x0B, 0x1F},     {0x7F, 0x9F},     {0xAD, 0xAD},
                               {0x061C, 0x061C}, {0x180E, 0x180E}, {0x200B, 0x200F}, {0x2028, 0x202E},
                               {0x2060, 0x206F}, {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB}, {0xE0000, 0xE0FFF}};
  if (character >= ' ' && character <= '~') return true;
  const auto has = [character](const Range& range) {
    return character >= range.first && character <= range.last;
  };
  return (character & 0xFFFE) != 0xFFFE && std::none_of(std::begin(kHidden), std::end(kHidden), has);
}

namespace {

void AppendCharacter(uint32_t character, std::string* out) {
  const auto tail = [&](int shift) { *out += static_cast<char>(0x80 | ((character >> shift) & 0x3F)); };
  if (character < 0x80) {
    *out += static_cast<char>(character);
  } else if (character < 0x800) {
    *out += static_cast<char>(0xC0 | (character >> 6));
    tail(0);
  } else if (character < 0x10000) {
    *out += static_cast<char>(0xE0 | (character >> 12));
    tail(6);
    tail(0);
  } else {
    *out += static_cast<char>(0xF0 | (character >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

void AppendEscaped(uint32_t character, std::string* out) {
  if (character == '"' || character == '\\') {
    *out += '\\';
    *out += static_cast<char>(character);
  } else if (character == '\n') {
    *out += "\\n";
  } else if (character == '\t') {
    *out += "\\t";
  } else if (IsVisible(character)) {
    AppendCharacter(character, out);
  } else {
    char escape[16];
    std::snprintf(escape, sizeof escape, character < 0x10000 ? "\\u%04X" : "\\U%08X", character);
    *out += escape;
  }
}

}  // namespace

std::string Quoted(std::string_view text) {
  const bool whole = text.size() <= 80;
  std::string quoted = "\"";
  for (std::string_view rest = text.substr(0, 80); !rest.empty();) {
    uint32_t character;
    NextCharacter(&rest, &character);
    AppendEscaped(character, &quoted);
  }
  return quoted + (whole ? "\"" : "…\"");
}

std::string InOneLine(std::string_view message) {
  std::string line;
  while (!message.empty()) {
    uint32_t character;
    NextCharacter(&message, &character);
    if (character == '"' || character == '\\') {
      line += static_cast<char>(character);
    } else {
      AppendEscaped(character, &line);
    }
  }
  return line;
}

void AppendDoubleQuoted(std::string_view text, std::string* out) {
  *out += '"';
  while (!text.empty()) {
    uint32_t character;
    NextCharacter(&text, &character);
    AppendEscaped(character, out);
  }
  *out += '"';
}

}  // namespace tollgate::policy_file
