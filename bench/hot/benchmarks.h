#pragma once

#include <cstddef>

#include <nlohmann/json.hpp>

namespace tollgate::bench {

struct HotSettings {
  size_t many = 1'000'000;  // Tokens in the largest rotation.
  bool smoke = false;
  int scaling_rounds = 9;
  int scaling_slice_ms = 100;
};

// RegisterHotBenchmarks registers the floors, the hits, the peer and the miss path without its verification.
// Nothing is made before it is asked for by its first run.
void RegisterHotBenchmarks(const HotSettings& settings);

// MeasureScaling lets one thread and two check at once: how much more do two decide, distinct tokens or the
// same 16, compared with two threads that share nothing? The `scaling` of results.json.
nlohmann::json MeasureScaling(const HotSettings& settings);

}  // namespace tollgate::bench
