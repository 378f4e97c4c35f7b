#include "policy_file/duration.h"

#include <charconv>

namespace tollgate::policy_file {
namespace {

struct Unit {
  char name;
  int64_t seconds;
};
constexpr Unit kUnits[] = {{'d', 86'400}, {'h', 3600}, {'m', 60}, {'s', 1}};

}  // namespace

std::optional<int64_t> ParseDuration(std::string_view text) {
  int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [behind, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || end - behind != 1 || number <= 0) return std::nullopt;
  for (const Unit& unit : kUnits) {
    if (unit.name != *behind) continue;
    if (number > INT64_MAX / unit.seconds) return std::nullopt;
    return number * unit.seconds;
  }
  return std::nullopt;
}

std::string FormatDuration(int64_t seconds) {
  for (const Unit& unit : kUnits) {
    if (seconds % unit.seconds == 0) return std::to_string(seconds / unit.seconds) + unit.name;
  }
  return "";  // Not reached: a second divides everything.
}

}  // namespace tollgate::policy_file
