#include "bench/report/gateway.h"

#include <utility>
#include <vector>

#include "bench/report/chart.h"
#include "bench/report/markup.h"

namespace tollgate::bench {
namespace {

using nlohmann::json;

std::string DemandText(const json& demand) {
  const std::string what = demand.at("server").get<std::string>() +
                           (demand.at("of") == "p99" ? ": p99 at half load" : ": requests a second"),
                    reference = demand.at("reference");
  if (demand.at("limit") == 0) return what + ", beside " + reference;
  return what + (demand.at("at_least").get<bool>() ? ", at least " : ", at most ") +
         Times(demand.at("limit")) + " that of " + reference;
}

std::string RenderGateway(const json& gateway) {
  std::string html =
      "<section><h2>Behind a proxy: tollgated</h2>\n<p>One generator asks each server over " +
      FormatCount(gateway.at("connections")) +
      " connections that stay open, with the same requests: " + FormatCount(gateway.at("tokens")) +
      " tokens in turn, requests of " + FormatCount(gateway.at("request_bytes")) +
      " bytes, a tool call in the body. Server and generator share one processor; the generator's own "
      "part of "
      "each request is in the table. Slices of " +
      Number(gateway.at("slice_s"), 2) + " s, the servers in turn, " + FormatCount(gateway.at("rounds")) +
      " rounds. At half load requests have their times, and what one takes counts from its time.</p>\n"
      "<div class='scroll'><table><thead><tr><th>server</th><th class='num'>requests a second</th><th "
      "class='num'>of the generator</th><th class='num'>half load</th><th class='num'>p50</th><th "
      "class='num'>p99</th><th class='num'>p99.9</th><th class='num'>longest</th></tr></thead><tbody>\n";
  std::vector<BarGroup> bars(2);
  bars[0].caption = "Requests a second";
  bars[1].caption = "p99 at half load";
  for (const json& server : gateway.at("servers")) {
    const std::string about = server.at("about"), name = server.at("name");
    const char* const color = name == "tollgated" || name == "nginx_module" || name == "nginx_bare_module"
                                  ? "var(--series-1)"
                                  : "var(--series-2)";
    html += "<tr>" + Cell(EscapeXml(about)) + Cell(FormatCount(server.at("requests_hz")), "num") +
            Cell(FormatNs(server.at("client_ns")), "num");
    const bool is_timed = server.contains("half_load");
    html += Cell(is_timed ? FormatCount(server.at("half_load").at("requests_hz")) : "", "num");
    for (const char* percentile : {"p50_ns", "p99_ns", "p999_ns", "max_ns"})
      html += Cell(is_timed ? FormatNs(server.at("half_load").at(percentile)) : "", "num");
    html += "</tr>\n";
    bars[0].bars.push_back({name, server.at("requests_hz"), FormatCount(server.at("requests_hz")), color});
    if (!is_timed) continue;
    const double p99_ns = server.at("half_load").at("p99_ns");
    bars[1].bars.push_back({name, p99_ns, FormatNs(p99_ns), color});
  }
  html +=
      "</tbody></table></div>\n" + HorizontalBars(bars) +
      "<div class='scroll'><table><thead><tr><th>demanded</th><th class='num'>median of the rounds</th><th "
      "class='num'>the reference to itself</th><th></th></tr></thead><tbody>\n";
  for (const json& demand : gateway.at("demands")) {
    const std::string outcome = demand.at("outcome");
    html += "<tr>" + Cell(EscapeXml(DemandText(demand))) + Cell(Times(demand.at("ratio")), "num") +
            Cell(Times(demand.at("spread")), "num") +
            Cell(outcome == "reported" ? "" : Badge(outcome == "met", "met", outcome.c_str())) + "</tr>\n";
  }
  return html +
         "</tbody></table></div>\n<p class='muted'>Missed is what is beyond the limit by more than the "
         "reference "
         "differs from itself from one slice to the next.</p></section>\n";
}

}  // namespace

std::string RenderGateways(const json& results) {
  std::string html;
  // Results of earlier versions have none.
  for (const json& gateway : results.value("gateways", json::array())) html += RenderGateway(gateway);
  return html;
}

}  // namespace tollgate::bench
