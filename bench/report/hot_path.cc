#include "bench/report/hot_path.h"

#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "bench/report/chart.h"
#include "bench/report/markup.h"

namespace tollgate::bench {
namespace {

using nlohmann::json;

class HotPath {
 public:
  explicit HotPath(const json& results) : results_(results) {
    for (const json& benchmark : results.at("benchmarks"))
      medians_[benchmark.at("name")] = benchmark.at("median");
  }

  std::string Render() const {
    const std::vector<size_t> counts = HotTokenCounts(results_);
    if (counts.empty()) return "";
    std::vector<BarGroup> apart, together;
    for (const size_t tokens : counts) {
      apart.push_back(Group(tokens, "/serial"));
      together.push_back(Group(tokens, ""));
    }
    std::string html =
        "<section><h2>The hot path</h2>\n<p>A hundred issuers with four keys each, two hundred sets of "
        "scopes, a "
        "thousand tools, tokens of 700 to 900 bytes. The whole decision: header value and tool name in, "
        "decision out. The floor reads the same tokens once (XXH3-128) and then one line of a table at a "
        "place that follows from the result: nothing that remembers tokens by their bytes can do with "
        "less.</p>\n<h3>One request at a time</h3>\n<p>A fence between two requests: what a caller waits for "
        "one decision. The batch decides 32 together; its time is for one of them.</p>\n";
    html += HorizontalBars(apart);
    html +=
        "<h3>Back to back</h3>\n<p>Independent requests, which the processor overlaps: what a decision costs "
        "a busy server.</p>\n";
    html += HorizontalBars(together);
    return html + Threads() + MissOverhead() + "</section>\n";
  }

 private:
  std::optional<double> MedianOf(const std::string& name) const {
    const auto it = medians_.find(name);
    return it == medians_.end() ? std::nullopt : std::optional(it->second);
  }

  void Add(BarGroup* group, const std::string& label, const std::string& name, const char* color,
           std::optional<double> floor) const {
    const std::optional<double> value = MedianOf(name);
    if (!value) return;
    group->bars.push_back(
        {label, *value, FormatNs(*value) + (floor ? "  (" + Times(*value / *floor) + ")" : ""), color});
  }

  BarGroup Group(size_t tokens, const std::string& mode) const {
    const std::string parameters = "/tokens:" + std::to_string(tokens) + "/bytes:800";
    const std::optional<double> floor = MedianOf("BM_Floor_PassMiss" + parameters + mode);
    BarGroup group{tokens == 1 ? "One token" : FormatCount(static_cast<double>(tokens)) + " tokens in turn",
                   {}};
    Add(&group, "floor: pass and one line", "BM_Floor_PassMiss" + parameters + mode, "var(--floor)",
        std::nullopt);
    Add(&group, "hit", "BM_Hit" + parameters + mode, "var(--series-1)", floor);
    Add(&group, "… and who is calling", "BM_HitPrincipal" + parameters + mode, "var(--series-1)", floor);
    if (mode == "/serial")
      Add(&group, "hit, 32 together", "BM_HitBatch" + parameters, "var(--series-1)", floor);
    Add(&group, "Envoy's jwt_cache, rebuilt", "BM_Peer_EnvoyJwtCache" + parameters + mode, "var(--series-2)",
        floor);
    const std::optional<double> zipf = MedianOf("BM_Floor_PassMiss" + parameters + "/zipf" + mode);
    Add(&group, "floor, by Zipf's law", "BM_Floor_PassMiss" + parameters + "/zipf" + mode, "var(--floor)",
        std::nullopt);
    Add(&group, "hit, by Zipf's law", "BM_Hit" + parameters + "/zipf" + mode, "var(--series-1)", zipf);
    return group;
  }

  std::string Threads() const {
    std::string html;
    for (const json& scaling : results_.at("scaling")) {
      html +=
          "<h3>Two threads</h3>\n<p>How many times the work of one thread two do together. Two that share "
          "nothing and only compute do " +
          Times(scaling.at("calibration")) + " here; below " + Times(scaling.at("calibration_min")) +
          " nothing can be concluded.</p>\n<div class='scroll'><table><thead><tr><th>tokens</th><th "
          "class='num'>two threads</th><th class='num'>of what the machine gives</th><th "
          "class='num'>demanded</th><th></th></tr></thead><tbody>\n";
      for (const json& kind : scaling.at("kinds")) {
        const std::string name = kind.at("name"), outcome = kind.at("outcome");
        html += "<tr>" + Cell(name == "distinct" ? "each thread its own" : "the same 16") +
                Cell(Times(kind.at("speedup")), "num") + Cell(Number(kind.at("relative"), 3), "num") +
                Cell("≥ " + Number(kind.at("limit"), 2), "num") +
                Cell(Badge(outcome == "met", "met", outcome == "missed" ? "missed" : "inconclusive")) +
                "</tr>\n";
      }
      html += "</tbody></table></div>\n";
    }
    return html;
  }

  std::string MissOverhead() const {
    std::vector<BarGroup> groups(1);
    for (const json& benchmark : results_.at("benchmarks")) {
      const std::string name = benchmark.at("name");
      if (!name.starts_with("BM_MissOverhead/")) continue;
      const double median = benchmark.at("median");
      std::string text = FormatNs(median);
      const json counters = benchmark.value("counters", json::object());
      if (counters.contains("allocations"))
        text += ", " + Number(counters.at("allocations"), 0) + " allocations";
      groups[0].bars.push_back({name.substr(16), median, text, "var(--series-1)"});
    }
    if (groups[0].bars.empty()) return "";
    return "<h3>A token never seen, without its verification</h3>\n<p>The whole miss path with a recorded "
           "verdict in the place of the signature's verification: everything that is tollgate's own.</p>\n" +
           HorizontalBars(groups);
  }

  const json& results_;
  std::map<std::string, double> medians_;
};

std::string ConditionText(const std::string& name) {
  static const std::map<std::string, std::string> kTexts = {
      {"quiet", "nothing"},
      {"neighbour", "arithmetic, nothing of the engine"},
      {"refresh", "fetches key sets that change each time"},
      {"inserts", "has new tokens decided and cached"},
      {"forged", "has forged tokens denied"},
  };
  const auto it = kTexts.find(name);
  return it == kTexts.end() ? name : it->second;
}

std::string RenderLatency(const json& latency) {
  std::string html =
      "<section><h2>How long a single hit takes</h2>\n<p>Each check of one of " +
      FormatCount(latency.at("tokens")) +
      " known tokens timed by itself, one after the other, while another thread does what the first column "
      "says, in slices of " +
      Number(latency.at("slice_s"), 2) + " s, quiet and disturbed in turn. The ratio is the median of " +
      FormatCount(latency.at("pairs")) + " pairs. At most " + Number(latency.at("ratio_max"), 0) +
      " is demanded, or what quiet slices differ among each other by themselves, here " +
      Number(latency.at("quiet_spread_p999"), 2) +
      ".</p>\n<div class='scroll'><table><thead><tr><th>the other thread</th><th class='num'>a second</th>"
      "<th class='num'>p50</th><th class='num'>p99</th><th class='num'>p99.9</th><th class='num'>p99.99</th>"
      "<th class='num'>longest</th><th class='num'>p99.9 to quiet</th><th></th></tr></thead><tbody>\n";
  std::vector<BarGroup> tails;
  for (const json& condition : latency.at("conditions")) {
    const std::string name = condition.at("name"), outcome = condition.at("outcome");
    const double rate = condition.value("done_hz", 0.0);
    html += "<tr>" + Cell(EscapeXml(ConditionText(name))) + Cell(rate > 0 ? FormatCount(rate) : "", "num");
    for (const char* percentile : {"p50_ns", "p99_ns", "p999_ns", "p9999_ns", "max_ns"})
      html += Cell(FormatNs(condition.at(percentile)), "num");
    html += Cell(condition.contains("ratio_p999") ? Times(condition.at("ratio_p999")) : "", "num") +
            Cell(outcome == "reference"
                     ? "<span class='muted'>for comparison</span>"
                     : Badge(outcome == "met", "met", outcome == "missed" ? "missed" : outcome.c_str())) +
            "</tr>\n";
    BarGroup group{ConditionText(name), {}};
    for (const auto& [percentile, label] :
         {std::pair{"p50_ns", "p50"}, std::pair{"p99_ns", "p99"}, std::pair{"p999_ns", "p99.9"}}) {
      const double value = condition.at(percentile);
      group.bars.push_back({label, value, FormatNs(value),
                            std::string_view(label) == "p99.9" ? "var(--series-3)" : "var(--series-1)"});
    }
    tails.push_back(std::move(group));
  }
  return html + "</tbody></table></div>\n" + HorizontalBars(tails) +
         "<p class='muted'>Bars compare inside each group. The two readings of the clock (" +
         EscapeXml(latency.at("timer").at("source").get<std::string>()) + ") that enclose a check cost " +
         FormatNs(latency.at("timer").at("cost_ns")) +
         ", which are subtracted. The longest times are those in which the machine ran something "
         "else.</p></section>\n";
}

}  // namespace

std::vector<size_t> HotTokenCounts(const json& results) {
  constexpr std::string_view kPrefix = "BM_Hit/tokens:";
  std::set<size_t> counts;
  for (const json& benchmark : results.at("benchmarks")) {
    const std::string name = benchmark.at("name");
    if (!name.starts_with(kPrefix)) continue;
    size_t count = 0;
    std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), count);
    counts.insert(count);
  }
  return {counts.begin(), counts.end()};
}

std::string RenderHotPath(const json& results) { return HotPath(results).Render(); }

std::string RenderLatencies(const json& results) {
  std::string html;
  for (const json& latency : results.at("latencies")) html += RenderLatency(latency);
  return html;
}

}  // namespace tollgate::bench
