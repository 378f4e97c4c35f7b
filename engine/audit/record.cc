#include "audit/record.h"

#include <cstring>

#include "audit/trace_context.h"

namespace tollgate::audit {
namespace {

constexpr std::array kTexts = {&Record::tool,   &Record::server,  &Record::sensitivity,
                               &Record::issuer, &Record::subject, &Record::client_id,
                               &Record::jwt_id, &Record::actor,   &Record::scopes,
                               &Record::roles,  &Record::key_id,  &Record::traceparent};

// Of what is received as traceparent no more is kept than it takes to see whether it is well-formed.
Record Kept(const Record& record) {
  Record kept = record;
  kept.traceparent = record.traceparent.substr(0, kTraceparentSeenBytes);
  return kept;
}

}  // namespace

size_t StoredBytes(const Record& record) {
  const Record kept = Kept(record);
  size_t bytes = sizeof(Record) + kept.audit_id.size();
  for (const auto text : kTexts) bytes += (kept.*text).size();
  return bytes;
}

void Store(const Record& record, std::byte* room) {
  Record* const stored = new (room) Record(Kept(record));
  std::byte* at = room + sizeof(Record);
  // Returns where the copy lies.
  const auto copy = [&at](const void* bytes, size_t size) {
    std::byte* const to = at;
    if (size != 0) std::memcpy(to, bytes, size);
    at += size;
    return to;
  };
  for (const auto member : kTexts) {
    std::string_view& text = stored->*member;
    text = {reinterpret_cast<const char*>(copy(text.data(), text.size())), text.size()};
  }
  std::span<const uint8_t>& id = stored->audit_id;
  id = {reinterpret_cast<const uint8_t*>(copy(id.data(), id.size())), id.size()};
}

}  // namespace tollgate::audit
