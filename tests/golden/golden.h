#pragma once

// Texts that people read, and clients depend on, are kept in files, so that a change of one is seen and
// meant. golden.sh is the same for shell scripts.

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

namespace tollgate::testing {

// ExpectGolden fails unless `text` is, to the letter, what the file at `path` holds, which is relative to the
// root of the sources. With TOLLGATE_UPDATE_GOLDEN in the environment it writes the file first.
inline void ExpectGolden(const std::string& path, std::string_view text) {
  const std::string file = std::string(TOLLGATE_GOLDEN_ROOT) + "/" + path;
  if (std::getenv("TOLLGATE_UPDATE_GOLDEN") != nullptr) std::ofstream(file, std::ios::binary) << text;
  std::ostringstream golden;
  golden << std::ifstream(file, std::ios::binary).rdbuf();
  EXPECT_EQ(golden.str(), text) << "TOLLGATE_UPDATE_GOLDEN=1 writes it anew: look at what changed in " << path
                                << " before you keep it";
}

}  // namespace tollgate::testing
