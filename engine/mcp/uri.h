#pragma once

#include <string_view>

namespace tollgate::mcp {

// IsNormal says whether `uri` names for a server that normalises it (WHATWG URL) what it names as it stands:
// there is no control character, no space and no backslash in it, no upper-case letter in its scheme, and no
// segment "." or ".." in its path, percent-encoded or between percent-encoded slashes neither.
bool IsNormal(std::string_view uri);

}  // namespace tollgate::mcp
