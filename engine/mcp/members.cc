#include "mcp/members.h"

#include "base/ascii.h"

namespace tollgate::mcp {
namespace {

// Two characters beyond ASCII have a lower-case ASCII letter among those that they differ from in case alone
// (Unicode's CaseFolding.txt): the long s and the sign of the kelvin.
constexpr std::string_view kLongS = "\u017f";
constexpr std::string_view kKelvin = "\u212a";

// MayBe: nearly every name that is not `plain` in some case is seen at a glance not to be.
bool MayBe(std::string_view name, std::string_view plain) {
  if (name.size() < plain.size()) return false;  // Of what differs in case alone, ASCII is the shortest.
  const char first = name.front();
  return ascii::Lower(first) == ascii::Lower(plain.front()) || static_cast<unsigned char>(first) >= 0x80;
}

// SameButForCase: `plain` is all that remains of `name` without its case.
bool SameButForCase(std::string_view name, std::string_view plain) {
  for (const char c : plain) {
    const char wanted = ascii::Lower(c);
    size_t size = 1;
    if (name.empty()) return false;
    if (wanted == 's' && name.starts_with(kLongS)) {
      size = kLongS.size();
    } else if (wanted == 'k' && name.starts_with(kKelvin)) {
      size = kKelvin.size();
    } else if (ascii::Lower(name.front()) != wanted) {
      return false;
    }
    name.remove_prefix(size);
  }
  return name.empty();
}

}  // namespace

bool PickMembers(json::LargeDocument::Value object, std::span<const std::string_view> names,
                 std::span<json::LargeDocument::Value> found) {
  for (json::LargeDocument::Value& value : found) value = {};
  return object.ForEachMember([&](std::string_view name, json::LargeDocument::Value value) {
    for (size_t i = 0; i < names.size(); ++i) {
      if (name != names[i]) {
        if (MayBe(name, names[i]) && SameButForCase(name, names[i])) return false;
        continue;
      }
      if (found[i].present()) return false;
      found[i] = value;
    }
    return true;
  });
}

}  // namespace tollgate::mcp
