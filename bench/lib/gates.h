#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace tollgate::bench {

// GateKind says what of a benchmark is limited.
enum class GateKind {
  kRatio,    // Its median, as a multiple of the median of another one of the same run.
  kTime,     // Its median, in nanoseconds.
  kCounter,  // The highest value of one of its counters.
};

// Gate is one demand on a benchmark: what `kind` says of `numerator` is at most `limit`. Gates are data:
// bench/gates.json.
struct Gate {
  std::string name;
  std::string numerator;
  std::string denominator{};  // kRatio alone.
  double limit = 0;
  GateKind kind = GateKind::kRatio;
  std::string counter{};  // kCounter alone.
};

enum class GateOutcome { kMet, kMissed, kNotMeasured };

struct GateResult {
  Gate gate;
  GateOutcome outcome = GateOutcome::kNotMeasured;
  double observed = 0;  // Ratio, nanoseconds or count. Meaningless if not measured.
};

// Median of `values`; 0 if there are none. Takes a copy, since it sorts.
double Median(std::vector<double> values);

// ReadGates reads a list of {"name", "numerator", "denominator", "limit"}, {"name", "numerator", "limit_ns"}
// or
// {"name", "numerator", "counter", "limit"}. nullopt and one line in *error for anything else, an unknown
// member and a limit that is not positive included.
std::optional<std::vector<Gate>> ReadGates(const nlohmann::json& list, std::string* error);

// Figures is what was measured, by the name of the benchmark.
struct Figures {
  std::map<std::string, double> medians{};
  std::map<std::string, std::map<std::string, double>> counters{};
};

// EvaluateGates compares with the figures. A benchmark or counter that is absent, or a median of 0, makes its
// gate kNotMeasured, which is as bad as missed: a gate that nothing feeds guards nothing.
std::vector<GateResult> EvaluateGates(const std::vector<Gate>& gates, const Figures& figures);

std::string_view GateKindName(GateKind kind);
std::string_view GateOutcomeName(GateOutcome outcome);

}  // namespace tollgate::bench
