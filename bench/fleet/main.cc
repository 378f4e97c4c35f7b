// bench_fleet: what one identity provider sees of many engines, in virtual time. See bench/README.md.

#include <charconv>
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>

#include "base/durations.h"
#include "bench/fleet/scenarios.h"

namespace {

using tollgate::bench::FleetSettings;

constexpr char kUsage[] =
    "bench_fleet [--out FILE] [options]\n"
    "  --instances N       that start together and ask one identity provider (10000)\n"
    "  --seed N            of all randomness (1)\n"
    "  --capacity HZ       requests for keys that the identity provider answers a second (500)\n"
    "  --timing NAME=MS    a duration of the timing contract (1000 to 86400000), or jitter_percent=N;\n"
    "                      may be repeated\n"
    "  --out FILE          requests second by second and the judgement, as JSON\n"
    "Exit: 0 all objectives met, 1 one missed, 2 it could not run.\n";

bool ReadNumber(std::string_view text, int64_t least, int64_t most, int64_t* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size() && *number >= least && *number <= most;
}

// NAME=MS, from a second, below which an outage of an hour would have too many requests, to a day.
bool ReadTiming(std::string_view text, tollgate::Timing* timing) {
  const size_t at = text.find('=');
  if (at == std::string_view::npos) return false;
  const std::string_view name = text.substr(0, at), value = text.substr(at + 1);
  int64_t number = 0;
  if (name == "jitter_percent") {
    if (!ReadNumber(value, 0, 50, &number)) return false;
    timing->jitter_percent = static_cast<int32_t>(number);
    return true;
  }
  for (const tollgate::NamedDuration& duration : tollgate::kDurations) {
    if (name == duration.name) return ReadNumber(value, 1000, 86'400'000, &(timing->*duration.value));
  }
  return false;
}

bool ReadOptions(int argc, char** argv, FleetSettings* settings, std::string* out) {
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 == argc) return false;
    const std::string_view name = argv[i], value = argv[i + 1];
    int64_t number = 0;
    if (name == "--out") {
      *out = value;
    } else if (name == "--timing") {
      if (!ReadTiming(value, &settings->timing)) return false;
    } else if (name == "--instances" && ReadNumber(value, 1, 1'000'000, &number)) {
      settings->num_instances = static_cast<size_t>(number);
    } else if (name == "--seed" && ReadNumber(value, 0, INT64_MAX, &number)) {
      settings->seed = static_cast<uint64_t>(number);
    } else if (name == "--capacity" && ReadNumber(value, 1, 1'000'000, &number)) {
      settings->idp.capacity_hz = static_cast<double>(number);
    } else {
      return false;
    }
  }
  return settings->timing.backoff_min_ms <= settings->timing.backoff_cap_ms &&
         settings->timing.refresh_min_ms <= settings->timing.refresh_max_ms;
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
  if (!ReadOptions(argc, argv, &settings, &out_path)) {
    const bool asked = argc == 2 && std::string_view(argv[1]) == "--help";
    std::fputs(kUsage, asked ? stdout : stderr);
    return asked ? 0 : 2;
  }
  const nlohmann::json result = tollgate::bench::RunFleet(settings);
  if (!out_path.empty()) {
    std::ofstream out(out_path);
    if (!(out << result.dump(1) << "\n").flush()) {
      std::fprintf(stderr, "bench_fleet: %s cannot be written\n", out_path.c_str());
      return 2;
    }
  }
  return Report(result) ? 0 : 1;
}
