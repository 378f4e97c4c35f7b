#pragma once

#include <algorithm>
#include <string_view>

#include "base/limits.h"

namespace tollgate::policy {

// IsClaimName tells whether policies can look at a claim of this name: a member without control characters,
// or an RFC 6901 JSON pointer.
inline bool IsClaimName(std::string_view name) {
  if (name.empty() || name.size() > limits::kClaimNameBytesMax) return false;
  if (std::any_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }))
    return false;
  for (size_t at = name.find('~'); name.front() == '/' && at != name.npos; at = name.find('~', at + 1)) {
    if (at + 1 == name.size() || (name[at + 1] != '0' && name[at + 1] != '1')) return false;
  }
  return true;
}

}  // namespace tollgate::policy
