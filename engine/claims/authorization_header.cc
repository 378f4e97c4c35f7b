#include "claims/authorization_header.h"

#include <algorithm>

namespace tollgate::claims {
namespace {

constexpr std::string_view kScheme = "bearer";

bool IsAlphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// RFC 9110 section 5.6.2.
bool IsTokenChar(char c) {
  return IsAlphanumeric(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool StartsWithBearer(std::string_view value) {
  if (value.size() < kScheme.size()) return false;
  for (size_t i = 0; i < kScheme.size(); ++i) {
    if ((value[i] | 0x20) != kScheme[i]) return false;
  }
  return true;
}

}  // namespace

namespace internal {

TOLLGATE_SLOW Reason WhyNoToken(std::string_view value) {
  if (value.empty()) return Reason::kNoCredential;
  if (StartsWithBearer(value) && (value.size() == kScheme.size() || !IsTokenChar(value[kScheme.size()]))) {
    return Reason::kMalformedAuthorization;
  }
  return IsTokenChar(value.front()) ? Reason::kUnsupportedScheme : Reason::kMalformedAuthorization;
}

}  // namespace internal

bool IsB64Token(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return IsAlphanumeric(c) || std::string_view("-._~+/").find(c) != std::string_view::npos;
  });
}

}  // namespace tollgate::claims
