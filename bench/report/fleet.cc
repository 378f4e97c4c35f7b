#include "bench/report/fleet.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "bench/report/chart.h"
#include "bench/report/markup.h"

namespace tollgate::bench {
namespace {

using nlohmann::json;

// Twenty minutes have more seconds than a page has room for columns: of neighbours the largest is drawn.
constexpr size_t kStepsMax = 240;

const char* Title(const std::string& scenario) {
  static constexpr std::pair<const char*, const char*> kTitles[] = {
      {"start", "Start, all at once"},
      {"roll_out", "Start, over five minutes"},
      {"steady", "Steady"},
      {"rotation", "Rotation without notice"},
      {"forged", "Forged tokens at every instance"},
      {"recovery", "Back after an outage, refused"},
      {"recovery_silent", "Back after an outage in silence"},
  };
  for (const auto& [name, title] : kTitles) {
    if (scenario == name) return title;
  }
  return "";
}

std::string SecondsOf(const json& variant, const char* name) {
  if (!variant.contains(name)) return "";
  return variant.at(name).is_null() ? "not all" : Number(variant.at(name), 1) + " s";
}

// The seconds of one variant as columns, and what they show as text.
Panel MakePanel(const json& variant, size_t per_step, std::vector<std::string>* tooltips) {
  const std::string what =
      variant.at("name") == "shipped" ? "As shipped" : "Without jitter, plain exponential backoff";
  Panel panel{what + ", requests a second",
              {{"answered", "var(--allow)", {}}, {"failed", "var(--deny)", {}}},
              false,
              true,
              110};
  const auto requests = variant.at("requests").get<std::vector<uint32_t>>(),
             failed = variant.at("failed").get<std::vector<uint32_t>>();
  for (size_t begin = 0, step = 0; begin < requests.size(); begin += per_step, ++step) {
    const auto end = requests.begin() + static_cast<ptrdiff_t>(std::min(begin + per_step, requests.size()));
    const auto largest = std::max_element(requests.begin() + static_cast<ptrdiff_t>(begin), end);
    const auto at = static_cast<size_t>(largest - requests.begin());
    panel.lines[0].values.push_back(requests[at] - failed[at]);
    panel.lines[1].values.push_back(failed[at]);
    if (step == tooltips->size()) {
      tooltips->push_back("from " + std::to_string(begin) + " s on, largest of " + std::to_string(per_step) +
                          (per_step == 1 ? " second" : " seconds"));
    }
    (*tooltips)[step] +=
        "\n" + what + ": " + FormatCount(requests[at]) + " requests, failed " + FormatCount(failed[at]);
  }
  return panel;
}

std::string DrawScenario(const json& scenario) {
  const size_t seconds = scenario.at("variants").at(0).at("requests").size();
  const size_t per_step = (seconds + kStepsMax - 1) / kStepsMax;
  Timeline timeline;
  timeline.step_s = static_cast<double>(per_step);
  timeline.axis = per_step == 1 ? "seconds" : "seconds; of each " + std::to_string(per_step) + " the largest";
  for (const json& variant : scenario.at("variants"))
    timeline.panels.push_back(MakePanel(variant, per_step, &timeline.tooltips));
  for (const json& event : scenario.at("events"))
    timeline.events.emplace_back(event.at("t_s"), event.at("what"));
  return "<p>" + EscapeXml(scenario.at("text").get<std::string>()) + "</p>\n<div class='scroll'>" +
         DrawTimeline(timeline) + "</div>\n";
}

std::string Figures(const json& fleet) {
  std::string html =
      "<div class='scroll'><table><thead><tr><th></th><th></th><th class='num'>largest second</th>"
      "<th class='num'>mean</th><th class='num'>ratio</th><th class='num'>half have keys</th>"
      "<th class='num'>99 %</th><th class='num'>all</th></tr></thead><tbody>\n";
  for (const json& scenario : fleet.at("scenarios")) {
    for (const json& variant : scenario.at("variants")) {
      const bool shipped = variant.at("name") == "shipped";
      html += "<tr>" + Cell(shipped ? Title(scenario.at("name")) : "") +
              Cell(shipped ? "as shipped" : "without jitter", "muted") +
              Cell(FormatCount(variant.at("largest_hz")), "num") +
              Cell(Number(variant.at("mean_hz"), 1), "num") +
              Cell(Number(variant.at("peak_to_mean"), 2) + " ×", "num");
      for (const char* name : {"good_p50_s", "good_p99_s", "good_max_s"})
        html += Cell(SecondsOf(variant, name), "num");
      html += "</tr>\n";
    }
  }
  return html + "</tbody></table></div>\n";
}

std::string Objectives(const json& fleet) {
  std::string html =
      "<h3>What had to hold</h3>\n<div class='scroll'><table><thead><tr><th>objective</th>"
      "<th class='num'>observed</th><th class='num'>limit</th><th></th></tr></thead><tbody>\n";
  for (const json& objective : fleet.at("objectives")) {
    const bool least = objective.at("name").get<std::string>().starts_with("saw_");
    html += "<tr>" + Cell(EscapeXml(objective.at("text").get<std::string>())) +
            Cell(Number(objective.at("observed"), 2) + " ×", "num") +
            Cell((least ? "&gt; " : "≤ ") + Number(objective.at("limit"), 0) + " ×", "num") +
            Cell(Badge(objective.at("met").get<bool>(), "met", "missed")) + "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

}  // namespace

std::string RenderFleet(const json& results) {
  const json fleet = results.value("fleet", json());
  if (fleet.is_null()) return "";
  const json &timing = fleet.at("timing"), &idp = fleet.at("idp");
  std::string html =
      "<section><h2>A fleet and one identity provider</h2>\n<p>" + FormatCount(fleet.at("instances")) +
      " engines fetch the keys of one issuer, in virtual time: the engine's own schedule, unscaled, on a "
      "model of an identity provider that answers " +
      FormatCount(idp.at("capacity_hz")) + " requests a second, each after " +
      FormatCount(idp.at("response_ms")) + " ms, and refuses what would wait for longer than " +
      Number(idp.at("queue_ms_max").get<double>() / 1000, 1) + " s. Keys are refreshed every " +
      Number(timing.at("refresh_max_ms").get<double>() / 60'000, 0) + " minutes, ±" +
      timing.at("jitter_percent").dump() + " %, and a failed fetch is repeated after a random time below a " +
      "ceiling that doubles up to " + Number(timing.at("backoff_cap_ms").get<double>() / 1000, 0) +
      " s. For comparison all is done again with nothing random. The mean is over the first " +
      Number(timing.at("backoff_cap_ms").get<double>() / 1000, 0) +
      " s, where there is no moment to count from over all that is shown.</p>\n";
  html += Figures(fleet) + Objectives(fleet);
  std::string others;
  for (const json& scenario : fleet.at("scenarios")) {
    const std::string name = scenario.at("name");
    const bool first = name == "start" || name == "rotation" || name == "recovery";
    (first ? html : others) += std::string("<h3>") + Title(name) + "</h3>\n" + DrawScenario(scenario);
  }
  return html + "<details><summary>The other scenarios</summary>\n" + others +
         "</details>\n<p class='muted'>What is simulated is when requests are sent: network, server and "
         "processor are those of the model. Seed " +
         fleet.at("seed").dump() + ".</p></section>\n";
}

}  // namespace tollgate::bench
