#pragma once

#include <string>
#include <string_view>

namespace tollgate::json {

// AppendString appends `text`, which is UTF-8, as a JSON string (RFC 8259 section 7). What must be escaped
// is: quotation marks, backslashes and control characters.
void AppendString(std::string_view text, std::string* out);

}  // namespace tollgate::json
