#include "mcp/content.h"

#include <algorithm>

#include "base/ascii.h"

namespace tollgate::mcp {
namespace {

bool IsTokenCharacter(char c) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";  // RFC 9110 section 5.6.2.
  return (c >= '0' && c <= '9') || (ascii::Lower(c) >= 'a' && ascii::Lower(c) <= 'z') ||
         kOthers.find(c) != kOthers.npos;
}

std::string_view TakeToken(std::string_view* rest) {
  const auto end = std::find_if_not(rest->begin(), rest->end(), IsTokenCharacter);
  const std::string_view token = rest->substr(0, static_cast<size_t>(end - rest->begin()));
  rest->remove_prefix(token.size());
  return token;
}

void SkipBlanks(std::string_view* rest) {
  rest->remove_prefix(std::min(rest->find_first_not_of(" \t"), rest->size()));
}

bool Skip(char c, std::string_view* rest) {
  if (!rest->starts_with(c)) return false;
  rest->remove_prefix(1);
  return true;
}

}  // namespace

bool IsPlainJson(std::string_view content_type) {
  constexpr std::string_view kJson = "application/json", kCharset = "charset";
  if (content_type == kJson) return true;
  std::string_view rest = content_type;
  if (!ascii::EqualIgnoringCase(rest.substr(0, kJson.size()), kJson)) return false;
  rest.remove_prefix(kJson.size());
  while (!rest.empty()) {
    SkipBlanks(&rest);
    if (rest.empty()) break;
    if (!Skip(';', &rest)) return false;
    SkipBlanks(&rest);
    const std::string_view name = TakeToken(&rest);
    if (name.empty()) continue;  // RFC 9110 has parameters that are not there.
    if (!Skip('=', &rest)) return false;
    const bool quoted = Skip('"', &rest);
    const std::string_view value = TakeToken(&rest);
    if (value.empty() || (quoted && !Skip('"', &rest))) return false;
    // charset* too (RFC 8187), which some take for it.
    if (!ascii::EqualIgnoringCase(name.substr(0, kCharset.size()), kCharset)) continue;
    if (name.size() != kCharset.size() || !ascii::EqualIgnoringCase(value, "utf-8")) return false;
  }
  return true;
}

}  // namespace tollgate::mcp
