#pragma once

#include <cstdint>

namespace tollgate {

// McpObject says of what a caller needs the permission.
enum class McpObject : uint8_t {
  kMethod,    // The method itself, which concerns nothing that has a name: initialize, tools/list, …
  kTool,      // A tool, by its name.
  kPrompt,    // A prompt, by its name.
  kResource,  // A resource, or a template of such, by its URI.
};

}  // namespace tollgate
