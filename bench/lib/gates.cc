#include "bench/lib/gates.h"

#include <algorithm>

namespace tollgate::bench {

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::optional<std::vector<Gate>> ReadGates(const nlohmann::json& list, std::string* error) {
  if (!list.is_array() || list.empty()) {
    *error = "gates: not a list with at least one gate";
    return std::nullopt;
  }
  std::vector<Gate> gates;
  for (const nlohmann::json& item : list) {
    const auto text = [&item](const char* member) {
      return item.contains(member) && item[member].is_string() ? item[member].get<std::string>()
                                                               : std::string();
    };
    if (!item.is_object()) {
      *error = "gates: an entry is not an object";
      return std::nullopt;
    }
    Gate gate{text("name"), text("numerator"), text("denominator"), 0};
    if (item.contains("limit") && item["limit"].is_number()) gate.limit = item["limit"].get<double>();
    if (gate.name.empty() || gate.numerator.empty() || gate.denominator.empty() || !(gate.limit > 0) ||
        item.size() != 4) {
      *error = "gates: an entry needs name, numerator, denominator, a positive limit and nothing else: " +
               gate.name;
      return std::nullopt;
    }
    gates.push_back(std::move(gate));
  }
  return gates;
}

std::vector<GateResult> EvaluateGates(const std::vector<Gate>& gates,
                                      const std::map<std::string, double>& medians) {
  const auto median = [&medians](const std::string& name) {
    const auto it = medians.find(name);
    return it == medians.end() ? 0.0 : it->second;
  };
  std::vector<GateResult> results;
  for (const Gate& gate : gates) {
    GateResult result{gate, GateOutcome::kNotMeasured, 0};
    const double numerator = median(gate.numerator), denominator = median(gate.denominator);
    if (numerator > 0 && denominator > 0) {
      result.ratio = numerator / denominator;
      result.outcome = result.ratio <= gate.limit ? GateOutcome::kMet : GateOutcome::kMissed;
    }
    results.push_back(std::move(result));
  }
  return results;
}

std::string_view GateOutcomeName(GateOutcome outcome) {
  switch (outcome) {
    case GateOutcome::kMet:
      return "met";
    case GateOutcome::kMissed:
      return "missed";
    case GateOutcome::kNotMeasured:
      return "not_measured";
  }
  return "not_measured";
}

}  // namespace tollgate::bench
