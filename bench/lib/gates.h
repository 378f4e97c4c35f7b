#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace tollgate::bench {

// Gate is one demand on a ratio of two benchmarks of the same run: the median of `numerator` is at most
// `limit` times the median of `denominator`. Gates are data: bench/gates.json.
struct Gate {
  std::string name;
  std::string numerator;
  std::string denominator;
  double limit = 0;
};

enum class GateOutcome { kMet, kMissed, kNotMeasured };

struct GateResult {
  Gate gate;
  GateOutcome outcome = GateOutcome::kNotMeasured;
  double ratio = 0;  // Meaningless if not measured.
};

// Median of `values`; 0 if there are none. Takes a copy, since it sorts.
double Median(std::vector<double> values);

// ReadGates reads a list of {"name", "numerator", "denominator", "limit"}. nullopt and one line in *error for
// anything else, an unknown member and a limit that is not positive included.
std::optional<std::vector<Gate>> ReadGates(const nlohmann::json& list, std::string* error);

// EvaluateGates compares with the medians by benchmark name. A benchmark that is absent, or whose median is
// 0, makes its gate kNotMeasured, which is as bad as missed: a gate that nothing feeds guards nothing.
std::vector<GateResult> EvaluateGates(const std::vector<Gate>& gates,
                                      const std::map<std::string, double>& medians);

std::string_view GateOutcomeName(GateOutcome outcome);

}  // namespace tollgate::bench
