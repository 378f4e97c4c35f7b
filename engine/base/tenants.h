#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tollgate {

// kTenantPlaceholder is what the name of a templated issuer has in the place of a tenant's id, as Microsoft
// Entra ID writes it in its metadata and in its keys' member `issuer`.
inline constexpr std::string_view kTenantPlaceholder = "{tenantid}";

// IsTemplate: the issuer's name is a template.
inline bool IsTemplate(std::string_view issuer) {
  return issuer.find(kTenantPlaceholder) != std::string_view::npos;
}

// ForTenant returns `text` with the tenant's id in the place of each placeholder.
inline std::string ForTenant(std::string_view text, std::string_view tenant) {
  std::string filled;
  for (size_t at; (at = text.find(kTenantPlaceholder)) != std::string_view::npos;
       text.remove_prefix(at + kTenantPlaceholder.size())) {
    filled.append(text.substr(0, at)).append(tenant);
  }
  return filled.append(text);
}

}  // namespace tollgate
