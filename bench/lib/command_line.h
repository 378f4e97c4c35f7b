#pragma once

#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <ios>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include <CLI/CLI.hpp>

namespace tollgate::bench {

// ParseCommandLine reads what `app` describes. Returns the status to exit with if the program is to end here:
// 0 after --help, 2 after one line on stderr that says what is wrong.
inline std::optional<int> ParseCommandLine(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    std::fprintf(stderr, "%s: %s\n", app.get_name().c_str(), error.what());
    return 2;
  }
  return std::nullopt;
}

// ParseBenchmarkCommandLine is ParseCommandLine of a program that hands Google Benchmark's flags on, in
// *rest.
inline constexpr char kGoogleBenchmarkHelp[] =
    "Google Benchmark's own flags may follow. Exit: 0 good, 1 a benchmark failed, 2 unusable arguments.";
inline std::optional<int> ParseBenchmarkCommandLine(CLI::App& app, int argc, char** argv,
                                                    std::vector<std::string>* rest) {
  app.allow_extras();
  if (const std::optional<int> status = ParseCommandLine(app, argc, argv)) return status;
  *rest = app.remaining();
  for (const std::string& argument : *rest) {
    if (argument.starts_with("--benchmark_") || argument.starts_with("--v=")) continue;
    std::fprintf(stderr, "%s: The following argument was not expected: %s\n", app.get_name().c_str(),
                 argument.c_str());
    return 2;
  }
  return std::nullopt;
}

// ReadNumber takes a number from `least` to `most`, as CLI11 reads it too: not, where a zero in front makes
// that octal.
template <typename T>
bool ReadNumber(const std::string& text, T least, T most, T* number) {
  const char* const end = text.data() + text.size();
  const auto [behind, error] = std::from_chars(text.data(), end, *number);
  T again{};
  return error == std::errc() && behind == end && *number >= least && *number <= most &&
         CLI::detail::lexical_cast(text, again) && again == *number;
}

// Between is CLI::Range, which lets NaN and what does not fit pass.
template <typename T>
CLI::Validator Between(T least, T most) {
  std::ostringstream range;
  range << "from " << least << " to " << most;
  return {[=, range = range.str()](std::string& text) {
            T value{};
            return ReadNumber(text, least, most, &value) ? std::string() : "needs a number " + range;
          },
          range.str()};
}

// CanBeWritten opens the file now, and not only when all has been measured; and leaves none that was not
// there.
inline CLI::Validator CanBeWritten() {
  return {[](std::string& path) {
            std::error_code ignored;
            const auto status = std::filesystem::status(path, ignored);
            if (std::filesystem::exists(status) && std::filesystem::is_other(status)) return std::string();
            if (!std::ofstream(path, std::ios::app)) return "cannot write " + path;
            if (!std::filesystem::exists(status)) std::filesystem::remove(path, ignored);
            return std::string();
          },
          "FILE"};
}

}  // namespace tollgate::bench
