#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>

#include "tollgate/decision.h"
#include "tollgate/mcp_object.h"
#include "tollgate/policy.h"

namespace tollgate::audit {

using AuditId = std::array<uint8_t, 16>;

// Record is what is to be recorded of one decision: claims, never a token. Texts are as the token or the
// request has them, and empty where there is nothing. As it is, it also lies in a ring, its texts behind it.
struct Record {
  int64_t time_ms = 0;  // Wall time, milliseconds since 1970.
  Verdict verdict = Verdict::kDeny;
  Reason reason = Reason::kUndecided;
  AuditDuty duty = AuditDuty::kFull;
  uint32_t sample_one_in = 1;  // This one stands for so many.
  McpObject object = McpObject::kTool;
  std::string_view tool{};         // The tool's, prompt's or method's name, or the resource's URI.
  std::string_view server{};       // The canonical URI of the server.
  std::string_view sensitivity{};  // The name of the tool's class.
  bool principal_known = false;    // Otherwise there is no `principal`.
  PrincipalKind principal = PrincipalKind::kUser;
  std::string_view issuer{};
  std::string_view subject{};
  std::string_view client_id{};
  std::string_view jwt_id{};
  std::string_view actor{};             // Who acts for the subject.
  std::string_view scopes{};            // Space-delimited, and so
  std::string_view roles{};             // are these.
  std::string_view key_id{};            // Of the key that verified the token.
  std::span<const uint8_t> audit_id{};  // An AuditId; empty: none.
  std::string_view traceparent{};       // As received (W3C Trace Context); left out unless it is well-formed.
};

static_assert(std::is_trivially_copyable_v<Record>);

// kRecordBytesMax bounds what a record takes in a ring: the claims of the longest token, which are three
// quarters of 16 KiB, and what the request says.
inline constexpr size_t kRecordBytesMax = 24 * 1024;

// StoredBytes is what Store writes.
size_t StoredBytes(const Record& record);

// Store copies a record to `room`, which is aligned as one, and its texts behind it.
void Store(const Record& record, std::byte* room);

// Stored returns the record that lies at the beginning of `room`.
inline const Record& Stored(std::span<const std::byte> room) {
  return *std::launder(reinterpret_cast<const Record*>(room.data()));
}

}  // namespace tollgate::audit
