#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "bench/lib/gates.h"

namespace tollgate::bench {

// CollectInput is what one run of the benchmark left behind.
struct CollectInput {
  std::vector<nlohmann::json>
      micro;  // Files of bench_micro and bench_hot; the repetitions of several runs are taken together.
  std::vector<nlohmann::json> outage;     // Files of bench_outage.
  std::vector<nlohmann::json> latency{};  // Files of bench_latency.
  std::vector<nlohmann::json> gateway{};  // Files of bench_gateway.
  nlohmann::json fleet{};                 // The file of bench_fleet: null if there is none.
  std::vector<Gate> gates;
  std::string mode;     // "quick", "plain" or "full".
  std::string command;  // As typed.
  std::string commit;
  nlohmann::json machine;
};

// Collect makes results.json (bench/README.md documents it) and judges it: `passed` is false if a benchmark
// or an objective failed, an answer was wrong, or a gate was missed or not measured. In quick mode there are
// too few repetitions to trust a time: there what depends on one is a warning. So is, in every mode, what the
// machine was too unquiet to judge.
nlohmann::json Collect(const CollectInput& input);

// DescribeMachine reads what this machine and this build are.
nlohmann::json DescribeMachine();

}  // namespace tollgate::bench
