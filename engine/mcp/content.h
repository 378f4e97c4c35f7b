#pragma once

#include <string_view>

namespace tollgate::mcp {

// IsPlainJson says whether this value of Content-Type is application/json with no other charset than UTF-8,
// in the eyes of careless readers too: parameters (RFC 9110 section 5.6.6) have values that are tokens,
// quoted or not.
bool IsPlainJson(std::string_view content_type);

}  // namespace tollgate::mcp
