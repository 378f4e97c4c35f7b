#include "tollgate/principal.h"

#include <cstring>

namespace tollgate {

void Principal::Clear() {
  fields_.fill({});
  kind_ = PrincipalKind::kUser;
  overflow_.clear();
}

void Principal::Assign(std::span<const std::string_view, kFieldCount> fields, PrincipalKind kind) {
  kind_ = kind;
  size_t total = 0;
  for (std::string_view field : fields) total += field.size();
  overflow_.clear();
  char* to = inline_.data();
  if (total > kInlineBytes) {
    overflow_.resize(total);
    to = overflow_.data();
  }
  size_t end = 0;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (!fields[i].empty()) std::memcpy(to + end, fields[i].data(), fields[i].size());
    Set(static_cast<FieldIndex>(i), end, fields[i].size());
    end += fields[i].size();
  }
}

}  // namespace tollgate
