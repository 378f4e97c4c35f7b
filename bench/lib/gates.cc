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
    Gate gate{text("name"), text("numerator"), text("denominator")};
    gate.counter = text("counter");
    gate.kind = item.contains("limit_ns")  ? GateKind::kTime
                : item.contains("counter") ? GateKind::kCounter
                                           : GateKind::kRatio;
    const char* const limit = gate.kind == GateKind::kTime ? "limit_ns" : "limit";
    if (item.contains(limit) && item[limit].is_number()) gate.limit = item[limit].get<double>();
    const bool complete = gate.kind == GateKind::kTime      ? item.size() == 3
                          : gate.kind == GateKind::kCounter ? !gate.counter.empty() && item.size() == 4
                                                            : !gate.denominator.empty() && item.size() == 4;
    if (gate.name.empty() || gate.numerator.empty() || !(gate.limit > 0) || !complete) {
      *error =
          "gates: an entry needs name, numerator and either denominator and limit, limit_ns, or counter and "
          "limit, positive, and nothing else: " +
          gate.name;
      return std::nullopt;
    }
    gates.push_back(std::move(gate));
  }
  return gates;
}

std::vector<GateResult> EvaluateGates(const std::vector<Gate>& gates, const Figures& figures) {
  const auto median = [&figures](const std::string& name) -> std::optional<double> {
    const auto it = figures.medians.find(name);
    return it == figures.medians.end() || !(it->second > 0) ? std::nullopt : std::optional(it->second);
  };
  const auto observe = [&](const Gate& gate) -> std::optional<double> {
    const std::optional<double> numerator = median(gate.numerator);
    switch (gate.kind) {
      case GateKind::kTime:
        return numerator;
      case GateKind::kCounter: {
        const auto counters = figures.counters.find(gate.numerator);
        if (counters == figures.counters.end()) return std::nullopt;
        const auto counter = counters->second.find(gate.counter);
        return counter == counters->second.end() ? std::nullopt : std::optional(counter->second);
      }
      case GateKind::kRatio:
        break;
    }
    const std::optional<double> denominator = median(gate.denominator);
    return numerator && denominator ? std::optional(*numerator / *denominator) : std::nullopt;
  };
  std::vector<GateResult> results;
  for (const Gate& gate : gates) {
    GateResult result{gate, GateOutcome::kNotMeasured, 0};
    if (const std::optional<double> observed = observe(gate)) {
      result.observed = *observed;
      result.outcome = *observed <= gate.limit ? GateOutcome::kMet : GateOutcome::kMissed;
    }
    results.push_back(std::move(result));
  }
  return results;
}

std::string_view GateKindName(GateKind kind) {
  switch (kind) {
    case GateKind::kRatio:
      return "ratio";
    case GateKind::kTime:
      return "time";
    case GateKind::kCounter:
      return "counter";
  }
  return "ratio";
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
