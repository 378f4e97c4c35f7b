#pragma once

#include <string>
#include <string_view>

namespace tollgate::mcp {

// DecodeFieldValue reads the value of Mcp-Name or Mcp-Param-… (MCP 2026-07-28, Streamable HTTP, "Value
// Encoding"): itself, of visible ASCII, blanks and tabs, none of these at either end; or "=?base64?…?=",
// whose middle is base64 (RFC 4648 section 4) as an encoder writes it. False if it is neither.
bool DecodeFieldValue(std::string_view value, std::string* decoded);

}  // namespace tollgate::mcp
