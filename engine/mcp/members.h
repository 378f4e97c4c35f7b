#pragma once

#include <span>
#include <string_view>

#include "json/large_document.h"

namespace tollgate::mcp {

// PickMembers puts the members of `object` with these `names` where the same places of `found` are, or absent
// values. `names` are ASCII, and no two of them are the same but for case. False if `object` has one of them
// twice, or another member that some reader takes for it: Go's encoding/json, for one, folds case, in all of
// Unicode.
bool PickMembers(json::LargeDocument::Value object, std::span<const std::string_view> names,
                 std::span<json::LargeDocument::Value> found);

}  // namespace tollgate::mcp
