#pragma once

#include <cstdio>
#include <string>

#include <nlohmann/json.hpp>

#include "bench/lib/json_file.h"

namespace tollgate::bench {

// Measure is what a benchmark's main does with its measurement: prepares and runs it, prints what came of it,
// and writes that to the file `out` unless the name is empty. Returns the exit status: 0, 1 if Run found
// something wrong, 2 if it could not begin or
// the file not be written.
template <typename Measurement>
int Measure(const char* program, Measurement& measurement, void (*print)(const nlohmann::json&),
            const std::string& out) {
  if (!measurement.Prepare()) {
    std::fprintf(stderr, "%s: %s\n", program, measurement.error().c_str());
    return 2;
  }
  const bool good = measurement.Run();
  nlohmann::json result = measurement.ToJson();
  print(result);
  if (!good) {
    std::printf("FAILED %s\n", measurement.error().c_str());
    result["error"] = measurement.error();
  }
  if (!WriteJsonFile(program, out, result)) return 2;
  return good ? 0 : 1;
}

}  // namespace tollgate::bench
