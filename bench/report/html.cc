#include "bench/report/html.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <vector>

#include "bench/report/chart.h"
#include "bench/report/fleet.h"
#include "bench/report/gateway.h"
#include "bench/report/hot_path.h"
#include "bench/report/markup.h"
#include "bench/report/outages.h"
#include "bench/report/style.h"

namespace tollgate::bench {
namespace {

using nlohmann::json;

class Report {
 public:
  explicit Report(const json& results) : results_(results) {
    for (const json& benchmark : results.at("benchmarks"))
      medians_[benchmark.at("name")] = benchmark.at("median");
    for (const auto& [name, median] : medians_) {
      if (name.starts_with("BM_Miss/")) algorithms_.push_back(name.substr(8));
      if (name.starts_with("BM_HitReal/tokens:") && Tokens(name) >= Tokens(hit_)) hit_ = name;
    }
    const std::vector<std::string> usual = {"RS256", "ES256", "EdDSA"};
    std::stable_sort(
        algorithms_.begin(), algorithms_.end(), [&usual](const std::string& a, const std::string& b) {
          return std::find(usual.begin(), usual.end(), a) < std::find(usual.begin(), usual.end(), b);
        });
  }

  std::string Render() const {
    std::string page =
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        "<meta name='color-scheme' content='light dark'>\n<title>tollgate benchmark report</title>\n<style>";
    page += kStyle;
    page += "</style></head>\n<body><main>\n";
    page += Head() + InShort() + RenderHotPath(results_) + Speed() + RenderLatencies(results_);
    page += RenderGateways(results_) + RenderOutages(results_) + RenderFleet(results_) + HowMeasured() +
            AllFigures();
    return page + "</main></body></html>\n";
  }

 private:
  static int Tokens(const std::string& name) {
    const size_t at = name.find("tokens:");
    return at == std::string::npos ? -1 : std::atoi(name.c_str() + at + 7);
  }

  std::optional<double> MedianOf(const std::string& name) const {
    const auto it = medians_.find(name);
    return it == medians_.end() ? std::nullopt : std::optional<double>(it->second);
  }

  // The limit that a gate sets on a benchmark.
  std::string Demand(const std::string& numerator) const {
    for (const json& gate : results_.at("gates")) {
      if (gate.at("numerator") != numerator) continue;
      const std::string outcome = gate.at("outcome");
      return "at most " + gate.at("limit").dump() + (gate.at("kind") == "ratio" ? " × " : " ") +
             (outcome == "met" ? Badge(true, "met", "")
                               : Badge(false, "", outcome == "missed" ? "missed" : "not measured"));
    }
    return "<span class='muted'>none</span>";
  }

  bool IsQuick() const { return results_.at("mode") == "quick"; }

  const char* Headline() const {
    if (!results_.at("passed").get<bool>()) return "Some demands were not met";
    if (results_.at("warnings").empty()) return "All demands met";
    return IsQuick() ? "Every answer was right; speed was not judged"
                     : "All demands met that could be judged";
  }

  std::string Head() const {
    const json& machine = results_.at("machine");
    std::string html = "<header><p class='eyebrow'>tollgate " +
                       EscapeXml(results_.at("tollgate").at("version").get<std::string>()) +
                       " · benchmark report · " + EscapeXml(results_.at("when").get<std::string>()) +
                       "</p>\n<h1>" + Headline() + "</h1>\n";
    html +=
        "<p class='lead'>tollgate decides, inside a server, who is calling and whether they may call this "
        "tool: an "
        "access token and the name of a tool go in; <em>allow</em>, <em>deny</em> or <em>unavailable</em> "
        "comes out. "
        "This page shows what such a decision costs, compared with the least that it could cost on the same "
        "machine, "
        "and what callers see while the identity provider is down.</p>\n";
    html += "<p class='muted'>" + EscapeXml(machine.at("cpu").get<std::string>()) + ", " +
            machine.at("cores").dump() + " cores · " + EscapeXml(machine.at("os").get<std::string>()) +
            " · " + EscapeXml(machine.at("compiler").get<std::string>()) + " · <code>" +
            EscapeXml(results_.at("command").get<std::string>()) + "</code></p>\n";
    for (const char* kind : {"failures", "warnings"}) {
      if (results_.at(kind).empty()) continue;
      html += std::string("<div class='note ") + kind + "'><strong>" +
              (kind[0] == 'f' ? "Not met"
               : IsQuick()    ? "A quick run has too few repetitions to judge a time, so these are warnings"
                              : "Not to be judged by this run") +
              "</strong><ul>";
      for (const json& line : results_.at(kind))
        html += "<li>" + EscapeXml(line.get<std::string>()) + "</li>";
      html += "</ul></div>\n";
    }
    return html + "</header>\n";
  }

  std::string SpeedRow(const std::string& what, const std::string& name, const std::string& floor,
                       const std::string& words) const {
    const std::optional<double> value = MedianOf(name), least = MedianOf(floor);
    if (!value || !least) return "";
    return "<tr>" + Cell(what) + Cell(FormatNs(*value), "num") + Cell(FormatNs(*least), "num muted") +
           Cell("<strong>" + Times(*value / *least) + "</strong>", "num") + Cell(Demand(name)) +
           Cell(words, "words") + "</tr>\n";
  }

  std::string InShort() const {
    std::string html =
        "<section><h2>In short</h2>\n<div class='scroll'><table class='headline'><thead><tr><th>A whole "
        "decision</th>"
        "<th class='num'>takes</th><th class='num'>its floor takes</th><th class='num'>ratio</th>"
        "<th>demanded</th><th>in words</th></tr></thead><tbody>\n";
    for (const size_t tokens : HotTokenCounts(results_)) {
      if (tokens == 1) continue;
      const std::string parameters = "/tokens:" + std::to_string(tokens) + "/bytes:800";
      html += SpeedRow(
          "<strong>Hit</strong>: one of " + FormatCount(static_cast<double>(tokens)) + " tokens seen before",
          "BM_Hit" + parameters, "BM_Floor_PassMiss" + parameters,
          tokens == 1000 ? "The floor reads the token's bytes once (XXH3-128) and then one line "
                           "of a table, at a place that follows from them."
                         : "");
    }
    html += SpeedRow("<strong>Hit</strong>, tokens of the identity provider", hit_, "BM_Floor_Pass/bytes:800",
                     "The floor reads the token's bytes once.");
    bool first = true;
    for (const std::string& algorithm : algorithms_) {
      html += SpeedRow("<strong>Miss</strong>: a token never seen, " + EscapeXml(algorithm),
                       "BM_Miss/" + algorithm, "BM_Floor_Verify/" + algorithm,
                       first ? "The floor is BoringSSL's digest and signature verification alone, on a "
                               "prepared key. All else "
                               "(parsing, claims, policy) is what exceeds 1."
                             : "");
      first = false;
    }
    html += "</tbody></table></div>\n";
    html += OutagesInShort(results_);
    return html + "</section>\n";
  }

  std::string Speed() const {
    std::vector<BarGroup> hit(1), miss, stages(1);
    const auto add = [this](BarGroup* group, const std::string& label, const std::string& name,
                            const char* color, std::optional<double> floor) {
      const std::optional<double> value = MedianOf(name);
      if (!value) return;
      group->bars.push_back(
          {label, *value, FormatNs(*value) + (floor ? "  (" + Times(*value / *floor) + ")" : ""), color});
    };
    const std::optional<double> pass = MedianOf("BM_Floor_Pass/bytes:800");
    std::string with_principal = hit_;
    with_principal.replace(0, 10, "BM_HitRealPrincipal");
    add(&hit[0], "floor: one pass of XXH3-128", "BM_Floor_Pass/bytes:800", "var(--floor)", std::nullopt);
    add(&hit[0], "hit, one token", "BM_HitReal/tokens:1/bytes:800", "var(--series-1)", pass);
    if (Tokens(hit_) > 1)
      add(&hit[0], "hit, " + FormatCount(Tokens(hit_)) + " tokens in turn", hit_, "var(--series-1)", pass);
    add(&hit[0], "… and who is calling", with_principal, "var(--series-2)", pass);
    for (const std::string& algorithm : algorithms_) {
      BarGroup group{algorithm, {}};
      const std::optional<double> floor = MedianOf("BM_Floor_Verify/" + algorithm);
      add(&group, "floor: verification alone", "BM_Floor_Verify/" + algorithm, "var(--floor)", std::nullopt);
      add(&group, "miss, no cache", "BM_Miss/" + algorithm, "var(--series-1)", floor);
      add(&group, "miss, put into the cache", "BM_MissInsert/" + algorithm, "var(--series-2)", floor);
      miss.push_back(std::move(group));
    }
    for (const auto& [name, median] : medians_) {
      if (name.starts_with("BM_Stage_")) {
        stages[0].bars.push_back({name.substr(9), median, FormatNs(median), "var(--series-1)"});
      }
    }
    std::sort(stages[0].bars.begin(), stages[0].bars.end(),
              [](const Bar& a, const Bar& b) { return a.value > b.value; });
    std::string html =
        "<section><h2>With tokens of the identity provider</h2>\n<h3>A token seen before</h3>\n<p>The whole "
        "decision: the value of the "
        "<code>Authorization</code> header and the tool's name in, the decision out, tokens visited in a "
        "shuffled order. Time for one decision, lower is better.</p>\n";
    html += HorizontalBars(hit);
    html +=
        "<h3>A token never seen</h3>\n<p>One signature must be verified, and that sets the scale. The bars "
        "are to be "
        "compared inside each algorithm: the distance from the floor is everything that tollgate adds.</p>\n";
    html += HorizontalBars(miss);
    if (!stages[0].bars.empty()) {
      html +=
          "<h3>Where a miss spends the rest</h3>\n<p>Parts of the work measured one at a time, on RS256 "
          "tokens whose "
          "bytes are already in the processor's cache. Parse contains Split, Base64url and Header.</p>\n" +
          HorizontalBars(stages);
    }
    return html + "</section>\n";
  }

  std::string HowMeasured() const {
    const json &machine = results_.at("machine"), &tokens = results_.at("tokens");
    std::string html =
        "<section><h2>How it was measured, and what not to conclude</h2>\n<ul class='prose'>\n";
    if (tokens.contains("source")) {
      html += "<li>Tokens were issued by " + EscapeXml(tokens.at("source").get<std::string>()) + ":";
      std::string separator = " ";
      for (const auto& [algorithm, of] : tokens.at("algorithms").items()) {
        html += separator + FormatCount(of.at("count")) + " of " + EscapeXml(algorithm) + " (" +
                of.at("bytes_mean").dump() + " bytes)";
        separator = ", ";
      }
      html += ". Every one is different. They expire long after the run; the clock is the system's.</li>\n";
    }
    html +=
        "<li>Floors and checks ran in one process, their repetitions shuffled among each other, so that both "
        "met the same "
        "machine. The figures are medians of CPU time over the repetitions.</li>\n"
        "<li>Absolute times belong to this machine on this day and may differ by tens of percent tomorrow. "
        "Ratios inside "
        "one run are what can be compared.</li>\n"
        "<li>Before a check is timed it is made sure that the answer is <em>allow</em>, and after timing "
        "that every timed "
        "answer was, from the cache for hits and by verification for misses.</li>\n"
        "<li>“Miss, put into the cache” makes every cached verdict too old between two rounds, so each token "
        "is verified and "
        "stored as if it were new.</li>\n"
        "<li>In the outage, an account kept outside of the engine says for each answer how old its keys "
        "were, hence what it had "
        "to be. Answers within 20 ms of the bound may be either.</li>\n"
        "<li>Load generator, engine and identity provider share the machine.</li>\n</ul>\n";
    html += "<div class='scroll'><table><tbody>\n";
    const auto row = [&html](const char* name, const std::string& value) {
      html += "<tr>" + Cell(name, "muted") + Cell(EscapeXml(value)) + "</tr>\n";
    };
    row("Processor", machine.at("cpu").get<std::string>() + ", " + machine.at("cores").dump() + " cores");
    std::string features;
    for (const json& feature : machine.at("cpu_features")) features += feature.get<std::string>() + " ";
    row("Instruction sets", features);
    row("Memory", FormatCount(machine.at("memory_mib")) + " MiB");
    row("System", machine.at("os").get<std::string>() + ", " + machine.at("kernel").get<std::string>());
    row("Build",
        machine.at("compiler").get<std::string>() + ", " + machine.at("build_type").get<std::string>());
    row("Commit", results_.at("tollgate").at("commit").get<std::string>());
    row("Command", results_.at("command").get<std::string>());
    return html + "</tbody></table></div></section>\n";
  }

  std::string AllFigures() const {
    std::string html =
        "<section><details><summary>All figures</summary>\n<div "
        "class='scroll'><table><thead><tr><th>benchmark</th>"
        "<th class='num'>median</th><th class='num'>least</th><th class='num'>most</th>"
        "<th class='num'>repetitions</th></tr></thead><tbody>\n";
    for (const json& benchmark : results_.at("benchmarks")) {
      html += "<tr>" + Cell("<code>" + EscapeXml(benchmark.at("name").get<std::string>()) + "</code>");
      for (const char* name : {"median", "min", "max"}) html += Cell(FormatNs(benchmark.at(name)), "num");
      html += Cell(std::to_string(benchmark.at("repetitions").size()), "num") + "</tr>\n";
    }
    return html + "</tbody></table></div></details></section>\n";
  }

  const json& results_;
  std::map<std::string, double> medians_;
  std::vector<std::string> algorithms_;
  std::string hit_;
};

}  // namespace

std::string RenderHtml(const json& results) { return Report(results).Render(); }

}  // namespace tollgate::bench
