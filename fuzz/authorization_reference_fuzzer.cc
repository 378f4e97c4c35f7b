// authorization_reference: exactly "Bearer", one space and one token gives a token
//
// Functions: claims::ReadAuthorization. Property: what the grammar of RFC 6750 section 2.1 allows is
// accepted, and the token is all that is behind the space; a token that is handed out begins and ends with a
// letter of token68; an empty value and another scheme are refused as such.

#include <algorithm>
#include <string>

#include "claims/authorization_header.h"
#include "fuzz/fuzz.h"

namespace tollgate::fuzz {
namespace {

constexpr std::string_view kAlphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

bool AllOf(std::string_view text, const std::string& letters) {
  return !text.empty() && text.find_first_not_of(letters) == std::string_view::npos;
}

bool IsToken68(std::string_view text) {
  const std::string_view letters = text.substr(0, text.find_last_not_of('=') + 1);
  return AllOf(letters, std::string(kAlphanumeric) + "-._~+/");
}

bool IsSchemeName(std::string_view text) {
  return AllOf(text, std::string(kAlphanumeric) + "!#$%&'*+-.^_`|~");
}

bool IsBearer(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower == "bearer";
}

}  // namespace

bool Accepts(std::string_view input) {
  std::string_view token;
  const Reason reason = claims::ReadAuthorization(input, &token);
  const std::string_view scheme = input.substr(0, input.find(' '));
  const std::string_view rest = input.substr(std::min(scheme.size() + 1, input.size()));
  if (reason == Reason::kNone) {
    Expect(IsBearer(scheme) && token.data() == rest.data() && token.size() == rest.size(),
           "the token is all that is behind \"Bearer \"");
    for (const char c : {token.front(), token.back()}) {
      Expect(c == '=' || IsToken68({&c, 1}), "the token has no white space at its ends");
    }
    return true;
  }
  Expect(!IsBearer(scheme) || !IsToken68(rest), "what the grammar allows is accepted");
  const bool no_credential = reason == Reason::kNoCredential,
             unsupported = reason == Reason::kUnsupportedScheme;
  Expect(no_credential == input.empty(), "an empty value, and nothing else, is no credential");
  if (IsSchemeName(scheme)) Expect(unsupported != IsBearer(scheme), "another scheme is refused as such");
  Expect(no_credential || unsupported || reason == Reason::kMalformedAuthorization,
         "one of the three reasons");
  return false;
}

}  // namespace tollgate::fuzz
