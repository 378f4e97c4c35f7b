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
#include <vector>

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
        const json counters = benchmark.value("counters", json::object());
        for (const auto& [counter, value] : counters.items()) {
          json& highest = it->second["counters"][counter];
          highest = std::max(highest.is_null() ? 0.0 : highest.get<double>(), value.get<double>());
        }
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

std::string Number(double value) {
  char text[64];
  std::snprintf(text, sizeof text, value < 10 ? "%.3f" : "%.1f", value);
  return text;
}

std::string MissedText(const GateResult& result) {
  const Gate& gate = result.gate;
  const std::string what = "gate " + gate.name + ": " + gate.numerator, observed = Number(result.observed),
                    limit = Number(gate.limit);
  switch (gate.kind) {
    case GateKind::kTime:
      return what + " takes " + observed + " ns, limit " + limit + " ns";
    case GateKind::kCounter:
      return what + " has " + observed + " " + gate.counter + ", limit " + limit;
    case GateKind::kRatio:
      break;
  }
  return what + " is " + observed + " times " + gate.denominator + ", limit " + limit;
}

json ToJson(const GateResult& result) {
  const Gate& gate = result.gate;
  json out = {{"name", gate.name},           {"kind", GateKindName(gate.kind)},
              {"limit", gate.limit},         {"numerator", gate.numerator},
              {"observed", result.observed}, {"outcome", GateOutcomeName(result.outcome)}};
  if (gate.kind == GateKind::kRatio) {
    out["denominator"] = gate.denominator;
    out["ratio"] = result.observed;
  }
  if (gate.kind == GateKind::kCounter) out["counter"] = gate.counter;
  return out;
}

// Verdicts sorts what was found into failures and warnings.
struct Verdicts {
  bool times_are_judged;  // False in quick mode.
  json failures = json::array();
  json warnings = json::array();

  void Missed(const std::string& line, bool by_time) {
    (by_time && !times_are_judged ? warnings : failures).push_back(line);
  }
  // An outcome that depends on times: "met", "missed", "inconclusive", "not_measured"; "reference" is none.
  void Add(const std::string& outcome, const std::string& line) {
    if (outcome == "missed") Missed(line, true);
    if (outcome == "inconclusive") warnings.push_back(line + " (inconclusive: the machine was not quiet)");
    if (outcome == "not_measured") failures.push_back(line + " (not measured)");
  }
};

// JudgeScaling judges the median of all runs, as of everything else that is measured several times; runs
// whose calibration says nothing do not count.
void JudgeScaling(const json& runs, Verdicts* verdicts) {
  struct Kind {
    std::vector<double> relatives;
    double limit = 0;
  };
  std::map<std::string, Kind> kinds;
  for (const json& run : runs) {
    for (const json& measured : run.at("kinds")) {
      Kind& kind = kinds[measured.at("name")];
      kind.limit = measured.at("limit");
      if (measured.at("outcome") != "inconclusive") kind.relatives.push_back(measured.at("relative"));
    }
  }
  for (const auto& [name, kind] : kinds) {
    const size_t num = kind.relatives.size();
    const double median = Median(kind.relatives);
    const std::string limit = "limit " + Number(kind.limit) + " of what the machine gives";
    const std::string measured =
        num == 0 ? limit : Number(median) + ", " + limit + ", median of " + std::to_string(num);
    const char* const outcome = num == 0 ? "inconclusive" : median >= kind.limit ? "met" : "missed";
    verdicts->Add(outcome, "two threads, " + name + ": " + measured);
  }
}

void JudgeLatencies(const json& latency, Verdicts* verdicts) {
  if (latency.contains("error"))
    verdicts->failures.push_back("latency: " + latency.at("error").get<std::string>());
  for (const json& condition : latency.at("conditions")) {
    verdicts->Add(condition.at("outcome"), "latency, " + condition.at("name").get<std::string>() +
                                               ": p99.9 is " + Number(condition.value("ratio_p999", 0.0)) +
                                               " times quiet, limit " + Number(latency.at("ratio_max")) +
                                               ", quiet against quiet " +
                                               Number(latency.at("quiet_spread_p999")));
  }
}

void JudgeGateways(const json& gateway, Verdicts* verdicts) {
  if (gateway.contains("error"))
    verdicts->failures.push_back("gateway: " + gateway.at("error").get<std::string>());
  for (const json& demand : gateway.at("demands")) {
    verdicts->Add(demand.at("outcome"), "gateway " + demand.at("name").get<std::string>() + ": " +
                                            Number(demand.at("ratio")) + ", limit " +
                                            Number(demand.at("limit")) + ", the reference to itself " +
                                            Number(demand.at("spread")));
  }
}

void JudgeObjectives(const std::string& of, const json& file, Verdicts* verdicts) {
  if (file.at("objectives").empty()) verdicts->failures.push_back(of + ": no objectives");
  for (const json& objective : file.at("objectives")) {
    const std::string line = of + " objective " + objective.at("name").get<std::string>() + ": " +
                             objective.at("observed").dump() + ", limit " + objective.at("limit").dump();
    // Only what the machine was too unquiet for is neither met nor missed.
    if (objective.value("outcome", "") == "inconclusive") verdicts->Add("inconclusive", line);
    if (!objective.at("met").get<bool>()) verdicts->failures.push_back(line);
  }
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
  Verdicts verdicts{input.mode != "quick"};
  const json benchmarks = MergeBenchmarks(input.micro);
  Figures figures;
  for (const json& benchmark : benchmarks) {
    figures.medians[benchmark.at("name")] = benchmark.at("median");
    if (benchmark.contains("counters"))
      figures.counters[benchmark.at("name")] = benchmark.at("counters").get<std::map<std::string, double>>();
  }
  json scaling = json::array();
  for (const json& file : input.micro) {
    const json errors = file.value("errors", json::object());
    for (const auto& [name, message] : errors.items()) {
      verdicts.failures.push_back("benchmark " + name + ": " + message.get<std::string>());
    }
    if (!file.contains("scaling") || !file.at("scaling").contains("kinds")) continue;
    scaling.push_back(file.at("scaling"));
  }
  JudgeScaling(scaling, &verdicts);
  json gates = json::array();
  for (const GateResult& result : EvaluateGates(input.gates, figures)) {
    gates.push_back(ToJson(result));
    if (result.outcome == GateOutcome::kNotMeasured)
      verdicts.failures.push_back("gate " + result.gate.name + ": not measured");
    if (result.outcome == GateOutcome::kMissed)
      verdicts.Missed(MissedText(result), result.gate.kind != GateKind::kCounter);
  }
  if (input.latency.empty()) verdicts.failures.push_back("no latency was measured");
  for (const json& latency : input.latency) JudgeLatencies(latency, &verdicts);
  if (input.gateway.empty()) verdicts.failures.push_back("no gateway was measured");
  for (const json& gateway : input.gateway) JudgeGateways(gateway, &verdicts);
  if (input.outage.empty()) verdicts.failures.push_back("no outage was measured");
  for (const json& outage : input.outage)
    JudgeObjectives("outage " + outage.at("scenario").get<std::string>() + ",", outage, &verdicts);
  if (input.fleet.is_null()) {
    verdicts.failures.push_back("no fleet was simulated");
  } else {
    JudgeObjectives("fleet", input.fleet, &verdicts);
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
      {"scaling", scaling},
      {"latencies", input.latency},
      {"gateways", input.gateway},
      {"outages", input.outage},
      {"fleet", input.fleet},
      {"passed", verdicts.failures.empty()},
      {"failures", verdicts.failures},
      {"warnings", verdicts.warnings}};
}

}  // namespace tollgate::bench
