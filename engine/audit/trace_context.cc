#include "audit/trace_context.h"

#include <algorithm>

namespace tollgate::audit {
namespace {

bool IsHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool IsId(std::string_view text) { return IsHex(text) && text.find_first_not_of('0') != text.npos; }

}  // namespace

std::string_view Traceparent(std::string_view field) {
  constexpr size_t kVersion = 2, kTraceId = 32, kParentId = 16, kFlags = 2;
  constexpr size_t kSize = kVersion + 1 + kTraceId + 1 + kParentId + 1 + kFlags;
  static_assert(kTraceparentSeenBytes == kSize + 1);
  if (field.size() < kSize) return {};
  const std::string_view version = field.substr(0, kVersion);
  const bool good = IsHex(version) && version != "ff" && field[2] == '-' && IsId(field.substr(3, kTraceId)) &&
                    field[35] == '-' && IsId(field.substr(36, kParentId)) && field[52] == '-' &&
                    IsHex(field.substr(53, kFlags)) &&
                    (field.size() == kSize || (version != "00" && field[kSize] == '-'));
  return good ? field.substr(0, kSize) : std::string_view();
}

}  // namespace tollgate::audit
