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

[[gnu::noinline]] TOLLGATE_HOT bool FillFromCache(const Context& context, VerdictCache::Found found,
                                                  uint32_t issuer, Principal* principal) {
  char* const to = principal->Inline();
  std::array<VerdictCache::CopiedName, 4> names;
  if (!context.cache->CopyNames(found, to, &names)) return false;
  size_t end = VerdictCache::kNamesBytes;
  bool fits = true;
  // Returns where the text begins.
  const auto append = [&](const sync::PaddedText& text) {
    const size_t begin = end;
    fits = fits && text.size() + sync::PaddedText::kBlock <= Principal::kInlineBytes - end;
    if (!fits) return begin;
    text.CopyTo(to + end);
    end += text.size();
    return begin;
  };
  const sync::PaddedText& name = context.issuer_names.Text(issuer);
  principal->Set(Principal::kIssuer, append(name), name.size());
  constexpr std::array kFields = {Principal::kSubject, Principal::kClientId, Principal::kJwtId};
  constexpr size_t kGrants = kFields.size();
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i].interned != nullptr) {
      names[i].begin = append(*names[i].interned);
      names[i].size = names[i].interned->size();
    }
    if (i != kGrants) principal->Set(kFields[i], names[i].begin, names[i].size);
  }
  if (!fits) return FillLong(context, found, issuer, principal);
  const size_t grants = names[kGrants].begin;
  const policy::GrantsHead head = policy::ReadHead({to + grants, names[kGrants].size});
  const size_t scope = grants + sizeof head, roles = scope + head.scope_bytes;
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
