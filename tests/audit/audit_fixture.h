#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/log.h"
#include "audit/verifier.h"

namespace tollgate::audit::testing {

inline constexpr int64_t kWallS = 1'800'000'000;

inline Now At(int64_t mono_ms) { return {.wall_s = kWallS + mono_ms / 1000, .mono_ms = mono_ms}; }

// MemorySink keeps lines, and fails as long as it is told to.
class MemorySink final : public AuditSink {
 public:
  AuditTail Tail() override { return tail; }
  absl::Status Write(std::span<const std::string_view> given) override {
    ++writes;
    if (failing) return absl::UnavailableError("write: no room");
    lines.insert(lines.end(), given.begin(), given.end());
    return absl::OkStatus();
  }

  // Records returns what kinds of lines there are: "start decision stop".
  std::string Records() const {
    std::string records;
    for (const std::string& line : lines) {
      if (!records.empty()) records += ' ';
      records += std::string(Parsed(line)["unmapped"]["record"]);
    }
    return records;
  }
  static nlohmann::json Parsed(const std::string& line) { return nlohmann::json::parse(line); }

  AuditTail tail;
  std::vector<std::string> lines;
  size_t writes = 0;
  bool failing = false;
};

inline std::span<const uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// Verify returns the first fault of lines that all have a line break.
inline ChainFault Verify(const std::vector<std::string>& lines, std::string_view key = {},
                         std::optional<ChainValue> after = {}) {
  Verifier verifier(Bytes(key), after);
  for (const std::string& line : lines) verifier.Line(line, true);
  return verifier.End();
}

inline ChainValue ValueOf(const std::string& line) { return SplitLine(line)->value; }

inline constexpr std::array<uint8_t, 16> kChainId = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
inline constexpr std::string_view kKey = "thirty-two bytes, random or not.";
inline constexpr AuditId kAuditId = {0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
                                     0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf};

inline Record GoodRecord() {
  return {.time_ms = kWallS * 1000 + 123,
          .verdict = Verdict::kAllow,
          .reason = Reason::kNone,
          .duty = AuditDuty::kFull,
          .tool = "delete_customer",
          .server = "https://mcp.example/mcp",
          .sensitivity = "privileged",
          .principal_known = true,
          .principal = PrincipalKind::kUser,
          .issuer = "https://idp.example",
          .subject = "alice",
          .client_id = "agent-1",
          .jwt_id = "id-1",
          .actor = {},
          .scopes = "files:read files:write",
          .roles = "admin",
          .key_id = "ec-1",
          .audit_id = kAuditId,
          .traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"};
}

}  // namespace tollgate::audit::testing
