#include "pipeline/record.h"

#include <algorithm>
#include <span>

#include "base/limits.h"
#include "base/marks.h"
#include "crypto/digest.h"

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
      .audit_id = seen.id,
      .traceparent = request.traceparent,
  };
  // An introspection response may say more than there is room for.
  if (audit::EncodedBytes(record) > audit::kRecordBytesMax) record.scopes = record.roles = {};
  return context.audit->Submit(record) || duty != AuditDuty::kMustRecord;
}

}  // namespace tollgate::pipeline
