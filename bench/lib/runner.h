#pragma once

#include <map>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>

namespace tollgate::bench {

// Collector keeps the repetitions of every benchmark, in CPU nanoseconds: on a machine that is shared with
// others the wall clock measures them too. Owner thread only.
class Collector final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override;

  void Print() const;
  // The `benchmarks` of results.json, see bench/README.md.
  nlohmann::json ToJson() const;

  const std::map<std::string, std::string>& errors() const { return errors_; }
  bool empty() const { return repetitions_.empty(); }

 private:
  std::map<std::string, std::vector<double>> repetitions_;
  std::map<std::string, int64_t> iterations_;
  std::map<std::string, std::map<std::string, double>> counters_;  // The highest of all repetitions.
  std::map<std::string, std::string> errors_;
};

// InitializeBenchmark hands Google Benchmark the defaults and then `flags`, so that a flag given on the
// command line wins. Repetitions are shuffled among each other. `smoke`: as short as can be. Ends the program
// for a flag that it does not know: one line on stderr, exit 2.
void InitializeBenchmark(char* program, bool smoke, const std::vector<std::string>& flags);

}  // namespace tollgate::bench
