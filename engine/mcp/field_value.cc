#include "mcp/field_value.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"

namespace tollgate::mcp {
namespace {

constexpr std::string_view kBegin = "=?base64?";
constexpr std::string_view kEnd = "?=";

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

bool IsPlain(std::string_view value) {
  const auto may_stand = [](char c) { return IsBlank(c) || (c > ' ' && c <= '~'); };
  return std::all_of(value.begin(), value.end(), may_stand) &&
         (value.empty() || (!IsBlank(value.front()) && !IsBlank(value.back())));
}

}  // namespace

bool DecodeFieldValue(std::string_view value, std::string* decoded) {
  if (!IsPlain(value)) return false;
  // "=?base64?=" has both, and no middle.
  if (value.size() < kBegin.size() + kEnd.size() || !value.starts_with(kBegin) || !value.ends_with(kEnd)) {
    *decoded = value;
    return true;
  }
  value.remove_prefix(kBegin.size());
  value.remove_suffix(kEnd.size());
  const absl::string_view base64(value.data(), value.size());
  // Abseil's decoder takes other forms too, of which only one is what its encoder makes.
  return absl::Base64Unescape(base64, decoded) && absl::Base64Escape(*decoded) == base64;
}

}  // namespace tollgate::mcp
