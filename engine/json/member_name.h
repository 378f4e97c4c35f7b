#pragma once

#include <string_view>

#include "base/ascii.h"

namespace tollgate::json {

// FoldsTo says whether `plain`, which is ASCII, is all that remains of `name` without its case.
bool FoldsTo(std::string_view name, std::string_view plain);

// MayFoldTo is false, at a glance, for nearly every `name` that does not fold to `plain`: of what differs in
// case alone, ASCII is the shortest, and of ASCII one bit differs. `plain` is ASCII, not empty.
inline bool MayFoldTo(std::string_view name, std::string_view plain) {
  if (name.size() < plain.size()) return false;
  const char first = name.front();
  return ((first ^ plain.front()) & ~0x20) == 0 || static_cast<unsigned char>(first) >= 0x80;
}

// SameButForCase says whether some reader takes a member of this `name`, which is not `plain`, for `plain`
// nevertheless: Go's encoding/json, for one, folds case, in all of Unicode. `plain` is ASCII, not empty.
inline bool SameButForCase(std::string_view name, std::string_view plain) {
  return MayFoldTo(name, plain) && FoldsTo(name, plain);
}

}  // namespace tollgate::json
