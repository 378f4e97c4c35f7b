#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/caller.h"
#include "tollgate/policy.h"

namespace tollgate::policy {

// Grants is what a token says that policies look at and that many tokens share: all of a Caller but who it
// is, which issuer it has and how long its token lives. As one text, it is kept with cached facts, so that
// another policy can be applied to them without the token.
struct Grants {
  PrincipalKind kind = PrincipalKind::kUser;
  std::span<const std::string_view> scopes{};
  ScopeText* scope_text = nullptr;  // See Caller.
  std::span<const std::string_view> roles{};
  std::span<const std::string_view> actors{};  // RFC 8693 section 4.1, the current one first.
  std::string_view acr{};
  std::span<const std::string_view> amr{};
  std::span<const Claim> claims{};
};

// GrantsHead stands in front of the text, and says where what people are shown lies in it: one behind the
// other, scopes and roles space-delimited, actors one a line.
struct GrantsHead {
  uint16_t scope_bytes = 0;
  uint16_t roles_bytes = 0;
  uint16_t actors_bytes = 0;
  PrincipalKind kind = PrincipalKind::kUser;
  uint8_t unused = 0;
};
static_assert(sizeof(GrantsHead) == 8);

// WriteGrants replaces *text. Scopes and roles are sorted, so that tokens which say the same share a text.
// False if something is too long for it.
bool WriteGrants(const Grants& grants, std::string* text);

// ReadHead takes what WriteGrants has written; or "", which is that of nobody.
inline GrantsHead ReadHead(std::string_view text) {
  GrantsHead head;
  if (text.size() >= sizeof head) std::memcpy(&head, text.data(), sizeof head);
  return head;
}

// ShownGrants is what people are shown of a text, as views into it.
struct ShownGrants {
  PrincipalKind kind = PrincipalKind::kUser;
  std::string_view scope{}, roles{}, actors{};
};
ShownGrants ReadShown(std::string_view text);

// GrantsReader reads a text again. The views of what it returns point into the text and into the reader.
// Reusable; owner thread only.
class GrantsReader {
 public:
  // Read takes what WriteGrants has written, with the same names of claims, in the order of its claims.
  const Grants& Read(std::string_view text);

 private:
  Grants grants_;
  std::vector<std::string_view> scopes_, roles_, actors_, amr_, values_;
  std::vector<Claim> claims_;
  std::vector<size_t> begins_;
};

}  // namespace tollgate::policy
