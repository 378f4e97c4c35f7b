#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tollgate::policy_file {

// ParseDuration reads a number and its unit, s, m, h or d: "90s", "15m". In seconds, more than 0; nullopt for
// anything else, and for what 64 bits do not hold.
std::optional<int64_t> ParseDuration(std::string_view text);

// FormatDuration writes `seconds`, more than 0, in the largest unit that divides it.
std::string FormatDuration(int64_t seconds);

// ParseDurationMs reads milliseconds, too: "200ms". 0 or more; nullopt for anything else, and for what 64
// bits do not hold.
std::optional<int64_t> ParseDurationMs(std::string_view text);
std::string FormatDurationMs(int64_t ms);

// ParseBytes reads a number and its unit, B, KiB, MiB or GiB: "64KiB". 0 or more; nullopt for anything else,
// and for what 63 bits do not hold.
std::optional<int64_t> ParseBytes(std::string_view text);
std::string FormatBytes(int64_t bytes);

}  // namespace tollgate::policy_file
