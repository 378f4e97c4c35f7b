#include "bench/fleet/scenarios.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/durations.h"
#include "bench/fleet/instance.h"
#include "bench/fleet/simulation.h"

namespace tollgate::bench {
namespace {

using nlohmann::json;

// So many refreshes after a start at once nothing of it is to be seen in the rate any more, with jitter.
constexpr int64_t kRefreshesToSteady = 16;
constexpr int64_t kRollOutMs = 300'000;

// Scenario is one script and what it is there to show.
struct Scenario {
  std::string name;
  std::string text;
  FleetScript script{};
  std::vector<std::pair<int64_t, const char*>> events{};  // In virtual time.
  bool lasting = false;  // No moment to count from: figures are over all that is recorded.
  bool judged = false;
};

int64_t WholeSeconds(int64_t ms) { return ms / 1000 * 1000; }

std::vector<Scenario> MakeScenarios(const FleetSettings& settings) {
  const Timing& timing = settings.timing;
  const int64_t steady_ms = WholeSeconds(kRefreshesToSteady * timing.refresh_max_ms);
  const int64_t back_ms = steady_ms + WholeSeconds(settings.outage_ms);
  // Long enough for the wave of first refreshes, and for a whole backoff.
  const int64_t wave_ms = std::max(timing.refresh_max_ms * 4 / 3, 2 * timing.backoff_cap_ms);
  std::vector<Scenario> all;
  // Recorded are the seconds from so long before `since_ms` to so long after it. The reference lasts until
  // the next one is added.
  const auto add = [&](const char* name, std::string text, int64_t before_ms, int64_t since_ms,
                       int64_t after_ms) -> Scenario& {
    Scenario scenario{name, std::move(text)};
    scenario.script.num_instances = settings.num_instances;
    scenario.script.seed = settings.seed;
    scenario.script.begin_ms = since_ms - WholeSeconds(before_ms);
    scenario.script.end_ms = since_ms + std::max<int64_t>(WholeSeconds(after_ms), 1000);
    scenario.script.since_ms = since_ms;
    all.push_back(std::move(scenario));
    return all.back();
  };

  add("start", "The whole fleet starts in the same millisecond, without keys.", 0, 0, wave_ms);
  add("roll_out", "The fleet is started over five minutes, without keys.", 0, 0, wave_ms + kRollOutMs)
      .script.roll_out_ms = kRollOutMs;
  add("steady", "Nothing happens, hours after a start of the whole fleet at once.", 0, steady_ms, wave_ms)
      .lasting = true;

  Scenario& rotation =
      add("rotation",
          "The identity provider signs with a new key that it has not announced; within five seconds every "
          "instance has seen a token of it, and goes on seeing them.",
          60'000, steady_ms, 2 * timing.cooldown_ms + 2 * timing.backoff_cap_ms);
  rotation.script.rotation_ms = steady_ms;
  rotation.events = {{steady_ms, "new key"}};

  Scenario& forged = add("forged",
                         "Within five seconds forged tokens begin to reach every instance, one a second with "
                         "a key id that does not exist, and do not stop.",
                         0, steady_ms, 5 * timing.cooldown_ms);
  forged.script.rotation_ms = steady_ms;
  forged.script.forged = true;
  forged.script.token_interval_ms = 1000;
  forged.lasting = true;

  for (const bool silent : {false, true}) {
    Scenario& recovery = add(silent ? "recovery_silent" : "recovery",
                             "The identity provider comes back after " +
                                 std::to_string(settings.outage_ms / 60'000) + " minutes in which " +
                                 (silent ? "every request ran into its timeout." : "it refused connections."),
                             std::min<int64_t>(settings.outage_ms, 120'000), back_ms, wave_ms);
    recovery.script.outage = {.begin_ms = steady_ms, .end_ms = back_ms, .silent = silent};
    recovery.events = {{back_ms, "back"}};
    recovery.judged = true;
  }
  return all;
}

double Seconds(int64_t ms) { return static_cast<double>(ms) / 1000; }

FleetPeak PeakAfter(const FleetScript& script, const FleetTrace& trace, int64_t span_ms) {
  const auto begin = static_cast<size_t>((script.since_ms - script.begin_ms) / 1000);
  const auto wanted = static_cast<size_t>(std::max<int64_t>(span_ms / 1000, 1));
  return PeakOf(std::span(trace.requests).subspan(begin, std::min(wanted, trace.requests.size() - begin)));
}

json Variant(const char* name, const Scenario& scenario, const FleetTrace& trace, const Timing& timing) {
  const FleetScript& script = scenario.script;
  const FleetPeak peak =
      PeakAfter(script, trace, scenario.lasting ? script.end_ms - script.since_ms : timing.backoff_cap_ms);
  json variant = {{"name", name},
                  {"requests", trace.requests},
                  {"failed", trace.failed},
                  {"largest_hz", peak.largest_hz},
                  {"mean_hz", peak.mean_hz},
                  {"peak_to_mean", peak.ratio()}};
  if (scenario.lasting) return variant;
  // The instance that comes after all but this share of the fleet; null: it still waits at the end.
  const auto good_s = [&](double share) {
    const auto place = static_cast<size_t>(share * static_cast<double>(script.num_instances - 1));
    return place < trace.good_after_ms.size() ? json(Seconds(trace.good_after_ms[place])) : json();
  };
  variant["good_p50_s"] = good_s(0.5);
  variant["good_p99_s"] = good_s(0.99);
  variant["good_max_s"] = good_s(1);
  return variant;
}

json TimingToJson(const Timing& timing) {
  json all = {{"jitter_percent", timing.jitter_percent}};
  for (const NamedDuration& duration : kDurations) all[duration.name] = timing.*duration.value;
  return all;
}

}  // namespace

FleetPeak PeakOf(std::span<const uint32_t> seconds) {
  FleetPeak peak;
  for (const uint32_t requests : seconds) {
    peak.largest_hz = std::max(peak.largest_hz, static_cast<double>(requests));
    peak.mean_hz += static_cast<double>(requests) / static_cast<double>(seconds.size());
  }
  return peak;
}

json RunFleet(const FleetSettings& settings) {
  const std::pair<const char*, Contract> contracts[] = {{"shipped", {settings.timing, {}}},
                                                        {"without_jitter", WithoutJitter(settings.timing)}};
  json scenarios = json::array(), objectives = json::array();
  for (const Scenario& scenario : MakeScenarios(settings)) {
    const FleetScript& script = scenario.script;
    json events = json::array(), variants = json::array();
    for (const auto& [at_ms, what] : scenario.events)
      events.push_back({{"t_s", Seconds(at_ms - script.begin_ms)}, {"what", what}});
    for (const auto& [name, contract] : contracts) {
      const FleetTrace trace = SimulateFleet(script, contract, settings.idp);
      variants.push_back(Variant(name, scenario, trace, settings.timing));
      if (!scenario.judged) continue;
      const double observed = variants.back().at("peak_to_mean");
      const bool control = contract.draw.has_value();
      const std::string what =
          script.outage.silent ? "after an outage in silence" : "after an outage with refusals";
      objectives.push_back(
          {{"name", (control ? "saw_stampede_" : "peak_") + scenario.name},
           {"text", control ? "Without jitter that is not so, else nothing was tested: " + what
                            : "Largest second of requests to the mean of the first backoff cap: " + what},
           {"observed", observed},
           {"limit", kFleetPeakMax},
           {"met", control ? observed > kFleetPeakMax : observed > 0 && observed <= kFleetPeakMax}});
    }
    scenarios.push_back({{"name", scenario.name},
                         {"text", scenario.text},
                         {"since_s", Seconds(script.since_ms - script.begin_ms)},
                         {"events", events},
                         {"variants", variants}});
  }
  return {{"instances", settings.num_instances},
          {"seed", settings.seed},
          {"timing", TimingToJson(settings.timing)},
          {"idp",
           {{"capacity_hz", settings.idp.capacity_hz},
            {"response_ms", settings.idp.response_ms},
            {"queue_ms_max", settings.idp.queue_ms_max}}},
          {"scenarios", scenarios},
          {"objectives", objectives}};
}

}  // namespace tollgate::bench
