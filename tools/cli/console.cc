#include "tools/cli/console.h"

#include <fstream>
#include <iostream>

namespace tollgate::cli {

int Fail(std::string_view message) {
  std::cerr << "tollgate: " << message << '\n';
  return kExitUnusable;
}

void Warn(std::string_view message) { std::cerr << "tollgate: warning: " << message << '\n'; }

int Written(int exit_code) { return std::cout.flush() ? exit_code : Fail("cannot write standard output"); }

std::optional<std::string> ReadFile(const std::string& path, size_t bytes_max) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string text(bytes_max + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return std::nullopt;
  text.resize(static_cast<size_t>(file.gcount()));
  return text;
}

}  // namespace tollgate::cli
