#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tollgate::cli {

// What all commands say in the same way.

inline constexpr int kExitUnusable = 2;

// Fail says on standard error why a command cannot be carried out; returns kExitUnusable.
int Fail(std::string_view message);

void Warn(std::string_view message);

// Written returns `exit_code`, or kExitUnusable with a word if standard output took less than all of it.
int Written(int exit_code);

// ReadFile reads a file; nullopt if it cannot be read. Of one that is longer than `bytes_max` it returns one
// byte more than these, so that the parser says "too long" itself.
std::optional<std::string> ReadFile(const std::string& path, size_t bytes_max);

}  // namespace tollgate::cli
