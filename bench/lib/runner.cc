#include "bench/lib/runner.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "bench/lib/gates.h"

namespace tollgate::bench {

void Collector::ReportRuns(const std::vector<Run>& runs) {
  for (const Run& run : runs) {
    if (run.run_type == Run::RT_Aggregate) continue;
    std::string name = run.run_name.function_name;
    if (!run.run_name.args.empty()) name += "/" + run.run_name.args;
    if (run.error_occurred) {
      errors_[name] = run.error_message;
      continue;
    }
    repetitions_[name].push_back(run.GetAdjustedCPUTime());
    iterations_[name] = run.iterations;
    for (const auto& [counter, value] : run.counters) {
      double& highest = counters_[name].emplace(counter, value).first->second;
      highest = std::max<double>(highest, value);
    }
  }
}

void Collector::Print() const {
  std::printf("%-52s %14s %14s %8s\n", "", "median", "spread", "runs");
  for (const auto& [name, values] : repetitions_) {
    const auto [least, most] = std::minmax_element(values.begin(), values.end());
    const double median = Median(values);
    std::printf("%-52s %11.1f ns %+6.1f%%%+6.1f%% %8zu", name.c_str(), median, 100 * (*least / median - 1),
                100 * (*most / median - 1), values.size());
    if (const auto counters = counters_.find(name); counters != counters_.end()) {
      for (const auto& [counter, value] : counters->second) std::printf("  %s %.3g", counter.c_str(), value);
    }
    std::printf("\n");
  }
  for (const auto& [name, message] : errors_) std::printf("FAILED %s: %s\n", name.c_str(), message.c_str());
}

nlohmann::json Collector::ToJson() const {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& [name, values] : repetitions_) {
    const auto [least, most] = std::minmax_element(values.begin(), values.end());
    list.push_back({{"name", name},
                    {"unit", "cpu_ns"},
                    {"repetitions", values},
                    {"median", Median(values)},
                    {"min", *least},
                    {"max", *most},
                    {"iterations", iterations_.at(name)}});
    if (const auto counters = counters_.find(name); counters != counters_.end()) {
      list.back()["counters"] = counters->second;
    }
  }
  return list;
}

void InitializeBenchmark(char* program, bool smoke, const std::vector<std::string>& flags) {
  std::vector<std::string> all = {"--benchmark_enable_random_interleaving=true",
                                  smoke ? "--benchmark_repetitions=2" : "--benchmark_repetitions=9",
                                  smoke ? "--benchmark_min_time=0.001" : "--benchmark_min_time=0.2"};
  all.insert(all.end(), flags.begin(), flags.end());
  std::vector<char*> arguments = {program};
  for (std::string& flag : all) arguments.push_back(flag.data());
  int count = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  benchmark::Initialize(&count, arguments.data());
  if (count == 1) return;
  const std::string name = std::filesystem::path(program).filename();
  std::fprintf(stderr, "%s: Google Benchmark does not know %s\n", name.c_str(), arguments[1]);
  std::exit(2);
}

}  // namespace tollgate::bench
