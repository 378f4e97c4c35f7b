#include "bench/report/collect.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <map>
#include <set>
#include <utility>

#include "tollgate/version.h"

namespace tollgate::bench {
namespace {

using nlohmann::json;

// The value of the first line "name : value" or "name=value" of a file of the system.
std::string LineOf(const char* path, std::string_view name, char separator) {
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    const size_t at = line.find(separator);
    if (at == std::string::npos || !line.starts_with(name)) continue;
    const size_t begin = line.find_first_not_of(" \t\"", at + 1);
    const size_t end = line.find_last_not_of(" \t\"");
    return begin == std::string::npos ? "" : line.substr(begin, end - begin + 1);
  }
  return "";
}

std::string UtcNow() {
  char text[32];
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

// Benchmarks of all files by name, in the order of the first one, with medians over all repetitions.
json MergeBenchmarks(const std::vector<json>& files) {
  std::vector<std::string> order;
  std::map<std::string, json> by_name;
  for (const json& file : files) {
    for (const json& benchmark : file.value("benchmarks", json::array())) {
      const std::string name = benchmark.at("name");
      const auto [it, is_new] = by_name.emplace(name, benchmark);
      if (is_new) {
        order.push_back(name);
      } else {
        for (const json& value : benchmark.at("repetitions")) it->second["repetitions"].push_back(value);
      }
    }
  }
  json merged = json::array();
  for (const std::string& name : order) {
    json& benchmark = by_name[name];
    const auto values = benchmark.at("repetitions").get<std::vector<double>>();
    if (values.empty()) continue;
    benchmark["median"] = Median(values);
    benchmark["min"] = *std::min_element(values.begin(), values.end());
    benchmark["max"] = *std::max_element(values.begin(), values.end());
    merged.push_back(std::move(benchmark));
  }
  return merged;
}

std::string RatioText(const GateResult& result) {
  char text[160];
  std::snprintf(text, sizeof text, "gate %s: %s is %.3f times %s, limit %.2f", result.gate.name.c_str(),
                result.gate.numerator.c_str(), result.ratio, result.gate.denominator.c_str(),
                result.gate.limit);
  return text;
}

}  // namespace

json DescribeMachine() {
  utsname system{};
  uname(&system);
  // Instruction sets that the cryptography and the hashes of this repository look for.
  std::set<std::string> wanted = {"aes",       "avx2",   "avx512f", "bmi2",      "gfni",
                                  "pclmulqdq", "sha_ni", "vaes",    "vpclmulqdq"};
  json features = json::array();
  std::string flags = LineOf("/proc/cpuinfo", "flags", ':') + " ";
  for (size_t at = 0, end; (end = flags.find(' ', at)) != std::string::npos; at = end + 1) {
    if (wanted.contains(flags.substr(at, end - at))) features.push_back(flags.substr(at, end - at));
  }
  return {{"cpu", LineOf("/proc/cpuinfo", "model name", ':')},
          {"cores", sysconf(_SC_NPROCESSORS_ONLN)},
          {"memory_mib", sysconf(_SC_PHYS_PAGES) / 1024 * sysconf(_SC_PAGESIZE) / 1024},
          {"cpu_features", features},
          {"kernel", std::string(system.sysname) + " " + system.release + " " + system.machine},
          {"os", LineOf("/etc/os-release", "PRETTY_NAME", '=')},
#ifdef __clang__
          {"compiler", "clang " __clang_version__},
#else
          {"compiler", "gcc " __VERSION__},
#endif
          {"build_type", TOLLGATE_BENCH_BUILD_TYPE}};
}

json Collect(const CollectInput& input) {
  json failures = json::array(), warnings = json::array();
  const json benchmarks = MergeBenchmarks(input.micro);
  std::map<std::string, double> medians;
  for (const json& benchmark : benchmarks) medians[benchmark.at("name")] = benchmark.at("median");

  for (const json& file : input.micro) {
    const json errors = file.value("errors", json::object());
    for (const auto& [name, message] : errors.items()) {
      failures.push_back("benchmark " + name + ": " + message.get<std::string>());
    }
  }
  json gates = json::array();
  for (const GateResult& result : EvaluateGates(input.gates, medians)) {
    gates.push_back({{"name", result.gate.name},
                     {"numerator", result.gate.numerator},
                     {"denominator", result.gate.denominator},
                     {"limit", result.gate.limit},
                     {"ratio", result.ratio},
                     {"outcome", GateOutcomeName(result.outcome)}});
    if (result.outcome == GateOutcome::kNotMeasured)
      failures.push_back("gate " + result.gate.name + ": not measured");
    if (result.outcome == GateOutcome::kMissed) {
      (input.mode == "quick" ? warnings : failures).push_back(RatioText(result));
    }
  }
  if (input.outage.empty()) failures.push_back("no outage was measured");
  for (const json& outage : input.outage) {
    if (outage.at("objectives").empty()) failures.push_back("an outage has no objectives");
    for (const json& objective : outage.at("objectives")) {
      if (objective.at("met").get<bool>()) continue;
      failures.push_back("outage objective " + objective.at("name").get<std::string>() + ": " +
                         objective.at("observed").dump() + ", limit " + objective.at("limit").dump());
    }
  }
  return {
      {"schema", 1},
      {"tollgate", {{"version", std::string(Version())}, {"commit", input.commit}}},
      {"when", UtcNow()},
      {"mode", input.mode},
      {"command", input.command},
      {"machine", input.machine},
      {"tokens", input.micro.empty() ? json::object() : input.micro.front().value("tokens", json::object())},
      {"benchmarks", benchmarks},
      {"gates", gates},
      {"outages", input.outage},
      {"passed", failures.empty()},
      {"failures", failures},
      {"warnings", warnings}};
}

}  // namespace tollgate::bench
