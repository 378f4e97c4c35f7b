#pragma once

#include <cstdio>
#include <fstream>
#include <string>

#include <nlohmann/json.hpp>

namespace tollgate::bench {

// WriteJsonFile writes `value` to the file `path`, to none if that is empty; false, having said so on stderr,
// if it cannot.
inline bool WriteJsonFile(const char* program, const std::string& path, const nlohmann::json& value) {
  if (path.empty()) return true;
  std::ofstream out(path);
  if ((out << value.dump(1) << "\n").flush()) return true;
  std::fprintf(stderr, "%s: cannot write %s\n", program, path.c_str());
  return false;
}

}  // namespace tollgate::bench
