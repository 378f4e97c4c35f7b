#include "mcp/members.h"

#include "json/member_name.h"

namespace tollgate::mcp {
bool PickMembers(json::LargeDocument::Value object, std::span<const std::string_view> names,
                 std::span<json::LargeDocument::Value> found) {
  for (json::LargeDocument::Value& value : found) value = {};
  return object.ForEachMember([&](std::string_view name, json::LargeDocument::Value value) {
    for (size_t i = 0; i < names.size(); ++i) {
      if (!json::MayFoldTo(name, names[i])) continue;
      if (name == names[i]) {
        const bool is_first = !found[i].present();
        found[i] = value;
        return is_first;
      }
      if (json::FoldsTo(name, names[i])) return false;
    }
    return true;
  });
}

}  // namespace tollgate::mcp
