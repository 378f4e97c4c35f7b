#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tollgate/mcp_object.h"
#include "tollgate/reason.h"

namespace tollgate {

// ShadowDifference is one way in which a shadow policy decides otherwise than the one in force.
struct ShadowDifference {
  std::string server{};  // The canonical URI.
  McpObject object = McpObject::kTool;
  std::string tool{};
  Reason live{};  // kNone: allowed.
  Reason shadow{};
  uint64_t count = 0;
  // Of the first caller with whom it was seen.
  std::string issuer{};
  std::string subject{};
  std::string client_id{};
};

// ShadowReport is what has come of a shadow policy since it was set (Engine::SetShadowPolicy).
struct ShadowReport {
  uint64_t compared = 0;              // Decisions that both policies have made.
  uint64_t would_allow = 0;           // Of these: denied by the policy in force alone.
  uint64_t would_deny = 0;            // Allowed by it alone.
  uint64_t would_deny_otherwise = 0;  // Denied by both, for other reasons.
  // Which differences there were, at most kShadowDifferencesMax. One that is seen while another thread notes
  // one is counted above, but not here.
  std::vector<ShadowDifference> differences{};
};
inline constexpr size_t kShadowDifferencesMax = 256;

}  // namespace tollgate
