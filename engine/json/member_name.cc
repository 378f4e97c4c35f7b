#include "json/member_name.h"

namespace tollgate::json {
namespace {

// Two characters beyond ASCII have a lower-case ASCII letter among those that they differ from in case alone
// (Unicode's CaseFolding.txt): the long s and the sign of the kelvin.
constexpr std::string_view kLongS = "\u017f";
constexpr std::string_view kKelvin = "\u212a";

}  // namespace

bool FoldsTo(std::string_view name, std::string_view plain) {
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

}  // namespace tollgate::json
