#include "pipeline/caller.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>

#include "base/marks.h"
#include "policy/grants.h"

namespace tollgate::pipeline {
namespace {

using verdicts::Details;
using verdicts::VerdictCache;

std::string Joined(std::span<const std::string_view> words, char separator) {
  std::string all;
  for (std::string_view word : words) {
    if (!all.empty()) all += separator;
    all += word;
  }
  return all;
}

// FillLong is for a caller who does not fit into a Principal without an allocation.
TOLLGATE_MISS bool FillLong(const Context& context, VerdictCache::Found found, uint32_t issuer,
                            Principal* principal) {
  Details details;
  if (!context.cache->ReadDetails(found, &details)) return false;
  const verdicts::Names& names = details.names;
  const policy::ShownGrants shown = policy::ReadShown(names.grants);
  principal->Assign(
      std::array<std::string_view, Principal::kFieldCount>{context.issuer_names.Text(issuer).view(),
                                                           names.subject, names.client_id, names.jwt_id,
                                                           shown.scope, shown.roles, shown.actors},
      shown.kind);
  return true;
}

}  // namespace

// Nothing here waits for a branch on what comes from memory late (the details, and behind them the grants),
// unless it goes the way that it nearly always goes.
[[gnu::noinline]] TOLLGATE_HOT bool FillFromCache(const Context& context, VerdictCache::Found found,
                                                  uint32_t issuer, Principal* principal) {
  char* const to = principal->Inline();
  VerdictCache::CopiedNames names;
  if (!context.cache->CopyNames(found, to, &names)) return false;
  const auto set = [principal](Principal::FieldIndex field, const VerdictCache::CopiedName& name) {
    principal->Set(field, name.begin, name.size);
  };
  set(Principal::kSubject, names.subject);
  set(Principal::kClientId, names.client_id);
  set(Principal::kJwtId, names.jwt_id);

  uint32_t end = VerdictCache::kNamesBytes;
  // Appends a whole text; false if there is no room for its blocks.
  const auto append = [to, &end](const auto& text) {
    if (text.size() + text.kBlock > Principal::kInlineBytes - end) return false;
    text.CopyTo(to + end);
    end += static_cast<uint32_t>(text.size());
    return true;
  };
  const IssuerNames::Name name = context.issuer_names.Text(issuer);
  principal->Set(Principal::kIssuer, end, name.size());
  if (!append(name)) return FillLong(context, found, issuer, principal);
  if (names.client_interned) [[unlikely]] {
    const VerdictCache::Text client = context.cache->TextOf(names.client_text);
    principal->Set(Principal::kClientId, end, client.size());
    if (!append(client)) return FillLong(context, found, issuer, principal);
  }
  uint32_t begin = names.grants.begin;
  std::string_view grants(to + begin, names.grants.size);
  if (names.grants_interned) {
    const VerdictCache::Text text = context.cache->TextOf(names.grants_text);
    begin = end;
    grants = text.view();
    if (!append(text)) return FillLong(context, found, issuer, principal);
  }
  const policy::GrantsHead head = policy::ReadHead(grants);
  const uint32_t scope = begin + sizeof head, roles = scope + head.scope_bytes;
  principal->Set(Principal::kScope, scope, head.scope_bytes);
  principal->Set(Principal::kRoles, roles, head.roles_bytes);
  principal->Set(Principal::kActors, roles + head.roles_bytes, head.actors_bytes);
  principal->SetKind(head.kind);
  return true;
}

TOLLGATE_MISS void FillFromClaims(const claims::AccessToken& token, Principal* principal) {
  const std::string scope = Joined(token.scopes, ' ');
  const std::string roles = Joined(token.roles, ' ');
  const std::string actors = Joined(token.actors, '\n');
  principal->Assign(
      std::array<std::string_view, Principal::kFieldCount>{token.issuer, token.subject, token.client_id,
                                                           token.jwt_id, scope, roles, actors},
      token.kind);
}

}  // namespace tollgate::pipeline
