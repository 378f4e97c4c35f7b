#pragma once

#include <string>
#include <string_view>

namespace tollgate::json {

// AppendString appends `text`, which is UTF-8, as a JSON string (RFC 8259 section 7). What must be escaped
// is: quotation marks, backslashes and control characters; and so are those that may stand there, but that a
// terminal obeys or at which some readers end a line (U+007F to U+009F, U+2028, U+2029).
void AppendString(std::string_view text, std::string* out);

}  // namespace tollgate::json
