#include "pipeline/record.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <span>

#include "audit/trace_context.h"
#include "base/limits.h"
#include "base/marks.h"
#include "crypto/digest.h"
#include "policy/grants.h"

namespace tollgate::pipeline {
namespace {

std::string_view KeyIdOf(const Context& context, const sync::ReadScope& scope, uint32_t issuer, KeyRef ref) {
  if (ref.generation == 0 || issuer == Decision::kNoIssuer) return {};
  const keys::IssuerKey* const key = context.keys->FindByRef(scope, issuer, ref);
  return key == nullptr ? std::string_view() : std::string_view(key->jwk->key_id);
}

}  // namespace

audit::AuditId AuditIdOf(const Context& context, std::string_view token) {
  audit::AuditId id{};
  if (token.empty() || token.size() > limits::kTokenBytesMax) return id;
  const crypto::Sha256Digest mac = crypto::HmacSha256(context.audit_id_key, token);
  std::copy_n(mac.begin(), id.size(), id.begin());
  return id;
}

TOLLGATE_SLOW bool Record(Context& context, const sync::ReadScope& scope, const Request& request,
                          const Seen& seen, Now now, const Decision& decision) {
  // Of a name that no rule has, whoever calls chooses the length.
  constexpr size_t kUnknownNameBytesMax = 1024;
  const Principal& principal = *seen.principal;
  const AuditDuty duty = DutyOf(seen.tool);
  const auto resource = static_cast<size_t>(request.resource);
  audit::Record record = {
      .time_ms = now.wall_s * 1000,
      .verdict = decision.verdict,
      .reason = decision.reason,
      .duty = duty,
      .sample_one_in = context.audit->SampleOneIn(duty, decision.verdict),
      .object = request.object,
      .tool = seen.tool != nullptr ? request.tool : request.tool.substr(0, kUnknownNameBytesMax),
      .server = resource < context.resource_uris.size() ? std::string_view(context.resource_uris[resource])
                                                        : std::string_view(),
      .sensitivity = seen.tool != nullptr ? seen.policy->SensitivityOf(*seen.tool) : std::string_view(),
      .principal_known = !principal.issuer().empty(),
      .principal = principal.kind(),
      .issuer = principal.issuer(),
      .subject = principal.subject(),
      .client_id = principal.client_id(),
      .jwt_id = principal.jwt_id(),
      .actor = principal.actors(),
      .scopes = principal.scope(),
      .roles = principal.roles(),
      .key_id = KeyIdOf(context, scope, decision.issuer, seen.key),
      .audit_id = seen.id == audit::AuditId{} ? std::span<const uint8_t>() : seen.id,
      .traceparent = request.traceparent,
  };
  // An introspection response may say more than there is room for.
  if (audit::StoredBytes(record) > audit::kRecordBytesMax) record.scopes = record.roles = {};
  return context.audit->Submit(record) || duty != AuditDuty::kMustRecord;
}

// What is copied behind the record is what may change or end before it is written: of the request, of the
// policy, of the issuer and its keys. The server's name and what the cache interned outlive the log.
TOLLGATE_HOT HitRecorded RecordHit(Context& context, const sync::ReadScope& scope, const Request& request,
                                   const policy::CompiledPolicy& policy, const policy::CompiledTool& tool,
                                   KeyRef key, verdicts::VerdictCache::Found found, Now now,
                                   const Decision& decision) {
  using verdicts::VerdictCache;
  const IssuerNames::Name& issuer = context.issuer_names.Text(decision.issuer);
  const std::string_view sensitivity = policy.SensitivityOf(tool);
  const std::string_view key_id = KeyIdOf(context, scope, decision.issuer, key);
  const std::string_view traceparent = request.traceparent.substr(0, audit::kTraceparentSeenBytes);
  std::byte* const room =
      context.audit->Claim(tool.audit, /*principal_known=*/true,
                           sizeof(audit::Record) + VerdictCache::kNamesBytes + issuer.size() + issuer.kBlock +
                               request.tool.size() + sensitivity.size() + key_id.size() + traceparent.size());
  if (room == nullptr) [[unlikely]]
    return tool.audit == AuditDuty::kMustRecord ? HitRecorded::kMustNotBe : HitRecorded::kDone;

  char* const names = reinterpret_cast<char*>(room + sizeof(audit::Record));
  VerdictCache::CopiedNames places;
  if (!context.cache->CopyNames(found, names, &places)) [[unlikely]]
    return HitRecorded::kChanged;
  const auto name = [&](const VerdictCache::CopiedName& place, bool interned = false, uint16_t number = 0) {
    return interned ? context.cache->TextOf(number).view()
                    : std::string_view(names + place.begin, place.size);
  };
  const policy::ShownGrants grants =
      policy::ReadShown(name(places.grants, places.grants_interned, places.grants_text));
  char* at = names + VerdictCache::kNamesBytes;
  const auto copy = [&at](std::string_view text) {
    if (text.empty()) return text;
    std::memcpy(at, text.data(), text.size());
    at += text.size();
    return std::string_view(at - text.size(), text.size());
  };
  issuer.CopyTo(at);  // Ahead of the others: it writes to the end of a block.
  at += issuer.size();
  new (room) audit::Record{
      .time_ms = now.wall_s * 1000,
      .verdict = decision.verdict,
      .reason = decision.reason,
      .duty = tool.audit,
      .sample_one_in = context.audit->SampleOneIn(tool.audit, decision.verdict),
      .object = request.object,
      .tool = copy(request.tool),
      .server = context.resource_uris[static_cast<size_t>(request.resource)],
      .sensitivity = copy(sensitivity),
      .principal_known = true,
      .principal = grants.kind,
      .issuer = {names + VerdictCache::kNamesBytes, issuer.size()},
      .subject = name(places.subject),
      .client_id = name(places.client_id, places.client_interned, places.client_text),
      .jwt_id = name(places.jwt_id),
      .actor = grants.actors,
      .scopes = grants.scope,
      .roles = grants.roles,
      .key_id = copy(key_id),
      .audit_id = {reinterpret_cast<const uint8_t*>(names) + VerdictCache::kAuditIdBegin,
                   verdicts::kAuditIdBytes},
      .traceparent = copy(traceparent),
  };
  context.audit->Publish();
  return HitRecorded::kDone;
}

}  // namespace tollgate::pipeline
