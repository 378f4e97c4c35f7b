// bench_fleet: what one identity provider sees of many engines, in virtual time. See bench/README.md.

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "base/durations.h"
#include "bench/fleet/scenarios.h"
#include "bench/lib/command_line.h"
#include "bench/lib/json_file.h"

namespace {

using tollgate::bench::Between;
using tollgate::bench::CanBeWritten;
using tollgate::bench::FleetSettings;
using tollgate::bench::ParseCommandLine;
using tollgate::bench::ReadNumber;

// SetTiming takes NAME=MS; "", or what is wrong. From a second, below which an outage of an hour would have
// too many requests, to a day.
std::string SetTiming(const std::string& text, tollgate::Timing* timing) {
  const size_t at = text.find('=');
  const std::string name = text.substr(0, at), value = at == text.npos ? "" : text.substr(at + 1);
  if (name == "jitter_percent") {
    return ReadNumber(value, 0, 50, &timing->jitter_percent) ? "" : "needs a number from 0 to 50";
  }
  for (const tollgate::NamedDuration& duration : tollgate::kDurations) {
    if (name != duration.name) continue;
    const bool good = ReadNumber<int64_t>(value, 1000, 86'400'000, &(timing->*duration.value));
    return good ? "" : "needs a number from 1000 to 86400000";
  }
  return "is no duration of the timing contract: " + name;
}

std::optional<int> ReadOptions(int argc, char** argv, FleetSettings* settings, std::string* out) {
  CLI::App app(
      "What one identity provider sees of many engines, in virtual time.\n"
      "Exit: 0 all objectives met, 1 one missed, 2 it could not run.",
      "bench_fleet");
  app.add_option("--instances", settings->num_instances,
                 "that start together and ask one identity provider (10000)")
      ->check(Between<size_t>(1, 1'000'000));
  app.add_option("--seed", settings->seed, "of all randomness (1)")->check(Between<int64_t>(0, INT64_MAX));
  app.add_option("--capacity", settings->idp.capacity_hz,
                 "requests for keys that the identity provider answers a second (500)")
      ->check(Between(1.0, 1e6));
  std::vector<std::string> timings;
  app.add_option("--timing", timings,
                 "NAME=MS, a duration of the timing contract (1000 to 86400000), or jitter_percent=N; may be "
                 "repeated")
      ->check([settings](const std::string& text) { return SetTiming(text, &settings->timing); });
  app.add_option("--out", *out, "requests second by second and the judgement, as JSON")
      ->check(CanBeWritten());
  if (const std::optional<int> status = ParseCommandLine(app, argc, argv)) return status;
  const tollgate::Timing& timing = settings->timing;
  if (timing.backoff_min_ms <= timing.backoff_cap_ms && timing.refresh_min_ms <= timing.refresh_max_ms)
    return std::nullopt;
  std::fputs("bench_fleet: --timing makes a least duration longer than its greatest\n", stderr);
  return 2;
}

// Report prints the scenarios and objectives and returns whether all objectives were met.
bool Report(const nlohmann::json& result) {
  std::printf("%-32s %12s %12s %8s %14s\n", "", "largest 1/s", "mean 1/s", "ratio", "all have keys");
  for (const nlohmann::json& scenario : result.at("scenarios")) {
    for (const nlohmann::json& variant : scenario.at("variants")) {
      const std::string name =
          scenario.at("name").get<std::string>() + ", " + variant.at("name").get<std::string>();
      const nlohmann::json good_s = variant.value("good_max_s", nlohmann::json());
      std::printf("%-32s %12.0f %12.1f %8.2f %12s s\n", name.c_str(), variant.at("largest_hz").get<double>(),
                  variant.at("mean_hz").get<double>(), variant.at("peak_to_mean").get<double>(),
                  good_s.is_null() ? "-" : good_s.dump().c_str());
    }
  }
  bool all = true;
  for (const nlohmann::json& objective : result.at("objectives")) {
    const bool met = objective.at("met");
    all &= met;
    std::printf("%-6s %-32s %.2f (limit %g)\n", met ? "met" : "MISSED",
                objective.at("name").get<std::string>().c_str(), objective.at("observed").get<double>(),
                objective.at("limit").get<double>());
  }
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  FleetSettings settings;
  std::string out_path;
  if (const std::optional<int> status = ReadOptions(argc, argv, &settings, &out_path)) return *status;
  const nlohmann::json result = tollgate::bench::RunFleet(settings);
  if (!tollgate::bench::WriteJsonFile("bench_fleet", out_path, result)) return 2;
  return Report(result) ? 0 : 1;
}
