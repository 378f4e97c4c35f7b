#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tollgate::policy_file {

// NextCharacter takes one character off the front of `text`, which is not empty. False for what is not UTF-8
// (RFC 3629): then it takes one byte, and *character is U+FFFD.
bool NextCharacter(std::string_view* text, uint32_t* character);

// IsVisible tells whether a person who reads a file sees `character`, where it stands, and takes it for what
// every YAML reader takes it for: no control characters, no line ends but "\n", nothing that turns the
// direction of text or has no width, no byte order mark, no noncharacter.
bool IsVisible(uint32_t character);

// Quoted returns `text` as people may see it in one line, in quotation marks: what is not visible is escaped,
// and what is behind 80 bytes left out.
std::string Quoted(std::string_view text);

// InOneLine returns a message of which parts come from elsewhere, with what is not visible escaped.
std::string InOneLine(std::string_view message);

// AppendDoubleQuoted appends `text` as a double-quoted YAML scalar. Bytes that are not UTF-8 become U+FFFD.
void AppendDoubleQuoted(std::string_view text, std::string* out);

}  // namespace tollgate::policy_file
