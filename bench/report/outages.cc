#include "bench/report/outages.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "bench/report/chart.h"
#include "bench/report/markup.h"

namespace tollgate::bench {
namespace {

using nlohmann::json;

// A run of minutes has more bins than a page has pixels: neighbours are drawn together.
constexpr size_t kStepsMax = 320;

// A duration of the contract: 900000 → "15 min".
std::string Duration(double ms) {
  if (ms < 1000) return Number(ms, 0) + " ms";
  if (ms < 60'000) return Number(ms / 1000, std::fmod(ms, 1000) == 0 ? 0 : 1) + " s";
  if (ms < 3'600'000) return Number(ms / 60'000, std::fmod(ms, 60'000) == 0 ? 0 : 1) + " min";
  return Number(ms / 3'600'000, std::fmod(ms, 3'600'000) == 0 ? 0 : 1) + " h";
}

const char* BandColor(const std::string& freshness) {
  if (freshness == "stale") return "var(--stale)";
  if (freshness == "degraded") return "var(--degraded)";
  if (freshness == "unavailable") return "var(--unavailable)";
  return "var(--fresh)";
}

Timeline MakeTimeline(const json& outage, size_t steps_max) {
  const json& bins = outage.at("bins");
  const double bin_s = outage.at("bin_ms").get<double>() / 1000;
  const size_t per_step = (bins.size() + steps_max - 1) / steps_max;
  Timeline timeline;
  timeline.step_s = bin_s * static_cast<double>(per_step);
  Panel verdicts{
      "Answers a second, good tokens",
      {{"allow", "var(--allow)", {}}, {"unavailable", "var(--warn)", {}}, {"deny", "var(--deny)", {}}},
      false,
      true,
      150};
  Panel latency{
      "Latency of known tokens from the intended start, µs",
      {{"p50", "var(--series-1)", {}}, {"p99", "var(--series-2)", {}}, {"p99.9", "var(--series-3)", {}}},
      true,
      false,
      150};
  Panel requests{"Requests to the identity provider a second",
                 {{"answered", "var(--allow)", {}}, {"failed", "var(--deny)", {}}},
                 false,
                 true,
                 80};
  for (size_t begin = 0; begin < bins.size(); begin += per_step) {
    const size_t end = std::min(begin + per_step, bins.size());
    const double seconds = static_cast<double>(end - begin) * bin_s;
    std::map<std::string, double> sum, most;
    for (size_t i = begin; i < end; ++i) {
      for (const char* name : {"allow", "deny", "unavailable", "idp_requests", "idp_failures"}) {
        sum[name] += bins[i].at(name).get<double>();
      }
      for (const char* name : {"p50_us", "p99_us", "p999_us"}) {
        most[name] = std::max(most[name], bins[i].at(name).get<double>());
      }
      const std::string freshness = bins[i].at("freshness");
      const double at_s = static_cast<double>(i) * bin_s;
      if (timeline.bands.empty() || timeline.bands.back().color != BandColor(freshness)) {
        timeline.bands.push_back({at_s, at_s + bin_s, BandColor(freshness)});
      }
      timeline.bands.back().end_s = at_s + bin_s;
    }
    for (Line& line : verdicts.lines) line.values.push_back(sum[line.name] / seconds);
    latency.lines[0].values.push_back(most["p50_us"]);
    latency.lines[1].values.push_back(most["p99_us"]);
    latency.lines[2].values.push_back(most["p999_us"]);
    requests.lines[0].values.push_back((sum["idp_requests"] - sum["idp_failures"]) / seconds);
    requests.lines[1].values.push_back(sum["idp_failures"] / seconds);
    timeline.tooltips.push_back(
        Number(static_cast<double>(begin) * bin_s, 1) + " s: keys " +
        bins[begin].at("freshness").get<std::string>() + ", " +
        Number(bins[begin].at("keys_age_ms").get<double>() / 1000, 1) + " s old\nallow " +
        FormatCount(sum["allow"]) + " · unavailable " + FormatCount(sum["unavailable"]) + " · deny " +
        FormatCount(sum["deny"]) + "\np50 " + Number(most["p50_us"], 1) + " µs · p99 " +
        Number(most["p99_us"], 1) + " µs · p99.9 " + Number(most["p999_us"], 1) +
        " µs\nrequests to the identity provider: " + FormatCount(sum["idp_requests"]) + ", failed " +
        FormatCount(sum["idp_failures"]));
  }
  timeline.panels = {verdicts, latency, requests};
  for (const json& event : outage.at("events"))
    timeline.events.emplace_back(event.at("t_s"), event.at("what"));
  return timeline;
}

// What was offered over the whole scenario.
std::string LoadText(const json& rates) {
  return FormatCount(rates.at("known_hz")) + " checks a second of " + FormatCount(rates.at("known_tokens")) +
         " known tokens, " + Number(rates.at("fresh_hz"), 0) + " of others that are good and " +
         Number(rates.at("forged_hz"), 0) + " of forged ones";
}

std::string Outage(const json& outage, size_t steps_max) {
  std::string html = "<section><h2>Outage: " + EscapeXml(outage.at("scenario").get<std::string>()) +
                     "</h2>\n<p>" + EscapeXml(outage.at("about").get<std::string>()) + " Tokens of " +
                     EscapeXml(outage.at("tokens").get<std::string>()) + "; " + LoadText(outage.at("rates")) +
                     " are offered on schedule, answered or not.</p>\n";
  html += "<div class='scroll'>" + DrawTimeline(MakeTimeline(outage, steps_max)) + "</div>\n";
  html +=
      "<div class='scroll'><table><thead><tr><th>phase</th><th class='num'>seconds</th><th "
      "class='num'>allow</th><th class='num'>deny</th>"
      "<th class='num'>unavailable</th><th class='num'>forged</th><th class='num'>requests to the "
      "IdP</th><th class='num'>p50</th>"
      "<th class='num'>p99</th><th class='num'>p99.9</th></tr></thead><tbody>\n";
  for (const json& phase : outage.at("phases")) {
    const auto us = [&phase](const char* name) { return FormatNs(phase.at(name).get<double>() * 1000); };
    html += "<tr>" + Cell(EscapeXml(phase.at("name").get<std::string>())) +
            Cell(Number(phase.at("end_s").get<double>() - phase.at("begin_s").get<double>(), 1), "num");
    for (const char* name : {"allow", "deny", "unavailable", "forged_offered", "idp_requests"})
      html += Cell(FormatCount(phase.at(name)), "num");
    html += Cell(us("p50_us"), "num") + Cell(us("p99_us"), "num") + Cell(us("p999_us"), "num") + "</tr>\n";
  }
  html +=
      "</tbody></table></div>\n<h3>What had to hold</h3>\n<div "
      "class='scroll'><table><thead><tr><th>objective</th><th class='num'>observed</th>"
      "<th class='num'>limit</th><th></th></tr></thead><tbody>\n";
  for (const json& objective : outage.at("objectives")) {
    const std::string outcome = objective.at("outcome");
    const double observed = objective.at("observed"), limit = objective.at("limit");
    const bool whole = observed == std::floor(observed) && limit == std::floor(limit);
    html += "<tr>" + Cell(EscapeXml(objective.at("text").get<std::string>())) +
            Cell(whole ? FormatCount(observed) : Number(observed, 2), "num") +
            Cell((objective.at("at_least").get<bool>() ? "≥ " : "≤ ") +
                     (whole ? FormatCount(limit) : Number(limit, 2)),
                 "num") +
            Cell(outcome == "inconclusive" ? "inconclusive" : Badge(outcome == "met", "met", "missed")) +
            "</tr>\n";
  }
  const auto late = [&outage](const char* name) {
    return FormatNs(outage.at("slip").at(name).get<double>() * 1000);
  };
  return html + "</tbody></table></div>\n<p class='muted'>Pacing: the load sustained " +
         FormatCount(outage.at("rates").at("known_sustained_hz")) +
         " known-token checks a second; half of all calls started within " + late("p50_us") +
         " of their intended time, 99.9 % within " + late("p999_us") + ", the latest " + late("max_us") +
         " late. Latency counts from the intended time, so such delays of the machine are in "
         "it.</p></section>\n";
}

std::string Contract(const json& outage) {
  const json &defaults = outage.at("timing").at("defaults"), &scaled = outage.at("timing").at("scaled");
  static constexpr std::pair<const char*, const char*> kTexts[] = {
      {"refresh_min_ms", "Keys are refreshed no more often than this"},
      {"refresh_max_ms", "… and no less often than this"},
      {"cooldown_ms", "Least time between fetches that an unknown key id forces"},
      {"staleness_bound_ms", "Keys older than this serve nobody"},
      {"backoff_min_ms", "First ceiling of the random backoff after a failed fetch"},
      {"backoff_cap_ms", "… and the last"},
      {"verdict_age_max_ms", "A verified signature is verified again after this"},
      {"fetch_timeout_ms", "One fetch from an identity provider (here never below 250 ms)"},
  };
  const double factor = outage.at("factor");
  std::string html =
      "<section><h2>The timing contract</h2>\n<p>What the engine promises towards identity providers, as "
      "shipped, and as scaled for this run: every duration × " +
      (factor < 1 ? "1/" + Number(1 / factor, 0) : Number(factor, 2)) +
      ", so that an hour's outage need not take an hour. Refreshes are moved by up to ±" +
      scaled.at("jitter_percent").dump() +
      " %.</p>\n<div class='scroll'><table><thead><tr><th>setting</th><th>meaning</th>"
      "<th class='num'>default</th><th class='num'>in this run</th></tr></thead><tbody>\n";
  for (const auto& [name, text] : kTexts) {
    html += "<tr>" + Cell("<code>" + std::string(name) + "</code>") + Cell(text) +
            Cell(Duration(defaults.at(name)), "num") + Cell(Duration(scaled.at(name)), "num") + "</tr>\n";
  }
  return html + "</tbody></table></div></section>\n";
}

bool AllMet(const json& outage) {
  const json& objectives = outage.at("objectives");
  return std::all_of(objectives.begin(), objectives.end(),
                     [](const json& objective) { return objective.at("met").get<bool>(); });
}

struct Totals {
  uint64_t answers = 0;
  double wrong = 0;
};

Totals TotalsOf(const json& outage) {
  Totals totals;
  for (const json& phase : outage.at("phases"))
    totals.answers += phase.at("offered").get<uint64_t>() + phase.at("forged_offered").get<uint64_t>();
  for (const json& objective : outage.at("objectives")) {
    if (objective.at("name").get<std::string>().starts_with("wrongly_"))
      totals.wrong += objective.at("observed").get<double>();
  }
  return totals;
}

// One row for each scenario.
std::string Overview(const json& outages) {
  const json& first = outages.front();
  std::string html =
      "<section><h2>When the identity provider fails</h2>\n<p>Within the staleness bound, here " +
      Duration(first.at("timing").at("scaled").at("staleness_bound_ms")) +
      " after the identity provider's last good answer, tokens go on being decided with the keys at hand. "
      "Beyond it the engine cannot know, and says so: <em>unavailable</em>, HTTP 503 with Retry-After, "
      "neither allow nor deny.</p>\n"
      "<p class='legend'>Behind the curves below, how far the keys may be trusted: <span class='swatch' "
      "style='background:var(--fresh)'></span>fresh <span class='swatch' "
      "style='background:var(--stale)'></span>stale (refreshing) <span class='swatch' "
      "style='background:var(--degraded)'></span>degraded (refreshes fail, within the bound) <span "
      "class='swatch' style='background:var(--unavailable)'></span>unavailable</p>\n"
      "<div class='scroll'><table><thead><tr><th>scenario</th><th>what happens</th><th "
      "class='num'>answers</th>"
      "<th class='num'>wrong</th><th></th></tr></thead><tbody>\n";
  for (const json& outage : outages) {
    const Totals totals = TotalsOf(outage);
    html += "<tr>" + Cell(EscapeXml(outage.at("scenario").get<std::string>())) +
            Cell(EscapeXml(outage.at("about").get<std::string>()), "words") +
            Cell(FormatCount(static_cast<double>(totals.answers)), "num") +
            Cell(FormatCount(totals.wrong), "num") + Cell(Badge(AllMet(outage), "all met", "missed")) +
            "</tr>\n";
  }
  return html + "</tbody></table></div></section>\n";
}

}  // namespace

std::string OutagesInShort(const json& results) {
  const json& outages = results.at("outages");
  if (outages.empty()) return "";
  Totals all;
  for (const json& outage : outages) {
    const Totals totals = TotalsOf(outage);
    all.answers += totals.answers;
    all.wrong += totals.wrong;
  }
  return "<p><strong>Outage</strong>: while the identity provider failed, in " +
         (outages.size() == 1 ? "one scenario, " : std::to_string(outages.size()) + " scenarios, ") +
         FormatCount(static_cast<double>(all.answers)) + " questions were answered, " +
         (all.wrong == 0 ? "none of them wrongly"
                         : "<strong>" + FormatCount(all.wrong) + " answers were wrong</strong>") +
         ". " +
         Badge(std::all_of(outages.begin(), outages.end(), AllMet), "all objectives met",
               "an objective was missed") +
         "</p>\n";
}

std::string RenderOutages(const json& results) {
  const json& outages = results.at("outages");
  if (outages.empty()) return "";
  // Of many timelines each is drawn coarser.
  const size_t steps_max = outages.size() > 4 ? kStepsMax / 2 : kStepsMax;
  std::string html = Overview(outages);
  for (const json& outage : outages) html += Outage(outage, steps_max);
  return html + Contract(outages.front());
}

}  // namespace tollgate::bench
