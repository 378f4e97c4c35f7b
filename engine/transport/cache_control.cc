#include "transport/cache_control.h"

#include <algorithm>
#include <optional>

#include "base/ascii.h"

namespace tollgate::transport {
namespace {

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// TakeMember cuts the next comma-separated member off `list`. A comma inside a quoted string does not
// separate.
std::string_view TakeMember(std::string_view* list) {
  bool quoted = false;
  size_t i = 0;
  for (; i < list->size() && (quoted || (*list)[i] != ','); ++i) {
    if ((*list)[i] == '"') quoted = !quoted;
    if (quoted && (*list)[i] == '\\') ++i;
  }
  const std::string_view member = Trim(list->substr(0, i));
  list->remove_prefix(std::min(i + 1, list->size()));
  return member;
}

// RFC 9111 section 1.2.2; a quoted form is legal to receive (section 5.2).
std::optional<int64_t> DeltaSeconds(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  if (text.empty()) return std::nullopt;
  constexpr int64_t kMost = int64_t{1} << 31;
  int64_t seconds = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    seconds = std::min(seconds * 10 + (c - '0'), kMost);
  }
  return seconds;
}

}  // namespace

int64_t MaxAgeSeconds(std::string_view cache_control, std::string_view age) {
  int64_t max_age = -1;
  while (!cache_control.empty()) {
    const std::string_view member = TakeMember(&cache_control);
    const size_t equals = member.find('=');
    const std::string_view name = member.substr(0, equals);
    if (ascii::EqualIgnoringCase(name, "no-store") || ascii::EqualIgnoringCase(name, "no-cache")) return 0;
    if (!ascii::EqualIgnoringCase(name, "max-age")) continue;
    const auto seconds = equals == member.npos ? std::nullopt : DeltaSeconds(member.substr(equals + 1));
    if (!seconds) return 0;
    max_age = max_age < 0 ? *seconds : std::min(max_age, *seconds);
  }
  if (max_age < 0) return -1;
  // A malformed Age is ignored, and of several the first counts (section 5.1).
  const int64_t spent = DeltaSeconds(TakeMember(&age)).value_or(0);
  return std::max<int64_t>(max_age - spent, 0);
}

}  // namespace tollgate::transport
