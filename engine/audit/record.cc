#include "audit/record.h"

#include <cstring>

#include "audit/trace_context.h"

namespace tollgate::audit {
namespace {

constexpr size_t kTexts = 12;

std::array<std::string_view, kTexts> TextsOf(const Record& record) {
  // Of what is received as traceparent no more is kept than it takes to see whether it is well-formed.
  return {record.tool,   record.server,  record.sensitivity,
          record.issuer, record.subject, record.client_id,
          record.jwt_id, record.actor,   record.scopes,
          record.roles,  record.key_id,  record.traceparent.substr(0, kTraceparentSeenBytes)};
}

struct Head {
  int64_t time_ms;
  AuditId audit_id;
  uint32_t sample_one_in;
  uint16_t reason;
  uint8_t verdict;
  uint8_t duty;
  uint8_t object;
  uint8_t principal;
  uint8_t principal_known;
  uint8_t unused;
  std::array<uint16_t, kTexts> sizes;
  uint32_t unused_too;
};
static_assert(sizeof(Head) == 64);

}  // namespace

size_t EncodedBytes(const Record& record) {
  static_assert(kRecordBytesMax <= UINT16_MAX, "what is larger than Head::sizes can say is refused");
  size_t bytes = sizeof(Head);
  for (const std::string_view text : TextsOf(record)) bytes += text.size();
  return bytes;
}

void Encode(const Record& record, std::byte* out) {
  const std::array<std::string_view, kTexts> texts = TextsOf(record);
  Head head = {.time_ms = record.time_ms,
               .audit_id = record.audit_id,
               .sample_one_in = record.sample_one_in,
               .reason = static_cast<uint16_t>(record.reason),
               .verdict = static_cast<uint8_t>(record.verdict),
               .duty = static_cast<uint8_t>(record.duty),
               .object = static_cast<uint8_t>(record.object),
               .principal = static_cast<uint8_t>(record.principal),
               .principal_known = record.principal_known,
               .unused = 0,
               .sizes = {},
               .unused_too = 0};
  std::byte* at = out + sizeof head;
  for (size_t i = 0; i < kTexts; ++i) {
    head.sizes[i] = static_cast<uint16_t>(texts[i].size());
    if (texts[i].empty()) continue;
    std::memcpy(at, texts[i].data(), texts[i].size());
    at += texts[i].size();
  }
  std::memcpy(out, &head, sizeof head);
}

Record Decode(std::span<const std::byte> bytes) {
  Head head;
  std::memcpy(&head, bytes.data(), sizeof head);
  std::array<std::string_view, kTexts> texts;
  const char* at = reinterpret_cast<const char*>(bytes.data()) + sizeof head;
  for (size_t i = 0; i < kTexts; ++i) {
    texts[i] = {at, head.sizes[i]};
    at += head.sizes[i];
  }
  return {.time_ms = head.time_ms,
          .verdict = static_cast<Verdict>(head.verdict),
          .reason = static_cast<Reason>(head.reason),
          .duty = static_cast<AuditDuty>(head.duty),
          .sample_one_in = head.sample_one_in,
          .object = static_cast<McpObject>(head.object),
          .tool = texts[0],
          .server = texts[1],
          .sensitivity = texts[2],
          .principal_known = head.principal_known != 0,
          .principal = static_cast<PrincipalKind>(head.principal),
          .issuer = texts[3],
          .subject = texts[4],
          .client_id = texts[5],
          .jwt_id = texts[6],
          .actor = texts[7],
          .scopes = texts[8],
          .roles = texts[9],
          .key_id = texts[10],
          .audit_id = head.audit_id,
          .traceparent = texts[11]};
}

}  // namespace tollgate::audit
