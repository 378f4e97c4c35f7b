#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "tollgate/decision.h"
#include "tollgate/mcp_object.h"
#include "tollgate/policy.h"

namespace tollgate::audit {

using AuditId = std::array<uint8_t, 16>;

// Record is what is to be recorded of one decision: claims, never a token. The views are read while it is
// handed over. Texts are as the token or the request has them, and empty where there is nothing.
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
  std::string_view actor{};        // Who acts for the subject.
  std::string_view scopes{};       // Space-delimited, and so
  std::string_view roles{};        // are these.
  std::string_view key_id{};       // Of the key that verified the token.
  AuditId audit_id{};              // All zero: none.
  std::string_view traceparent{};  // As received (W3C Trace Context); left out unless it is well-formed.
};

// kRecordBytesMax bounds what a record takes in a ring: the claims of the longest token, which are three
// quarters of 16 KiB, and what the request says.
inline constexpr size_t kRecordBytesMax = 24 * 1024;

// EncodedBytes is what Encode writes; more than kRecordBytesMax if a text is too long to be encoded at all.
size_t EncodedBytes(const Record& record);

// Encode writes the record to as many bytes at `out`: a head of fixed size, then the texts.
void Encode(const Record& record, std::byte* out);

// Decode returns what Encode wrote, as views into `bytes`, which no one but Encode has written.
Record Decode(std::span<const std::byte> bytes);

}  // namespace tollgate::audit
