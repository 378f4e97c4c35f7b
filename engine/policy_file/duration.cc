#include "policy_file/duration.h"

#include <charconv>
#include <span>

namespace tollgate::policy_file {
namespace {

struct Unit {
  std::string_view name;
  int64_t size;
};
// The largest first; each is a multiple of the next.
constexpr Unit kSeconds[] = {{"d", 86'400}, {"h", 3600}, {"m", 60}, {"s", 1}};
constexpr Unit kMilliseconds[] = {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}};
constexpr Unit kBytes[] = {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}};

std::optional<int64_t> Parse(std::string_view text, std::span<const Unit> units) {
  int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [behind, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || text.front() == '-') return std::nullopt;
  const std::string_view name(behind, static_cast<size_t>(end - behind));
  for (const Unit& unit : units) {
    if (unit.name == name && number <= INT64_MAX / unit.size) return number * unit.size;
  }
  return std::nullopt;
}

std::string Format(int64_t value, std::span<const Unit> units) {
  const Unit* unit = units.data();
  while (value % unit->size != 0 || (value == 0 && unit + 1 != units.data() + units.size())) ++unit;
  return std::to_string(value / unit->size) + std::string(unit->name);
}

}  // namespace

std::optional<int64_t> ParseDuration(std::string_view text) {
  const std::optional<int64_t> seconds = Parse(text, kSeconds);
  return seconds == 0 ? std::nullopt : seconds;
}

std::string FormatDuration(int64_t seconds) { return Format(seconds, kSeconds); }

std::optional<int64_t> ParseDurationMs(std::string_view text) { return Parse(text, kMilliseconds); }
std::string FormatDurationMs(int64_t ms) { return Format(ms, kMilliseconds); }

std::optional<int64_t> ParseBytes(std::string_view text) { return Parse(text, kBytes); }
std::string FormatBytes(int64_t bytes) { return Format(bytes, kBytes); }

}  // namespace tollgate::policy_file
