#pragma once

#include <string_view>

#include "base/ascii.h"

namespace tollgate::json {

// FoldsTo says whether `plain`, which is ASCII, is all that remains of `name` without its case.
bool FoldsTo(std::string_view name, std::string_view plain);

// SameButForCase says whether some reader takes a member of this `name`, which is not `plain`, for `plain`
// nevertheless: Go's encoding/json, for one, folds case, in all of Unicode. `plain` is ASCII, not empty.
inline bool SameButForCase(std::string_view name, std::string_view plain) {
  // Nearly every other name is seen at a glance to be one: of what differs in case alone, ASCII is the
  // shortest.
  if (name.size() < plain.size()) return false;
  const char first = name.front();
  if (ascii::Lower(first) != ascii::Lower(plain.front()) && static_cast<unsigned char>(first) < 0x80)
    return false;
  return FoldsTo(name, plain);
}

}  // namespace tollgate::json
