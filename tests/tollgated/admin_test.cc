// What operators see: metrics by a strict reader of their format, JSON, the page.

#include "tools/tollgated/admin.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace tollgate::tollgated {
namespace {

using nlohmann::json;

// Exposition is a text of metrics, read.
struct Exposition {
  std::map<std::string, std::string> types;  // By family.
  std::map<std::string, std::string> helps;
  std::map<std::string, double> samples;            // By name and labels, as they stand there.
  std::map<std::string, std::string> label_values;  // The last one of each label.
};

bool IsName(std::string_view text) {
  return !text.empty() && !(text[0] >= '0' && text[0] <= '9') &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

// ReadLabels reads `{name="value",…}` from the beginning of *rest.
bool ReadLabels(std::string_view* rest, Exposition* exposition) {
  std::set<std::string> names;
  do {
    rest->remove_prefix(1);
    const size_t equals = rest->find("=\"");
    if (equals == rest->npos) return false;
    const std::string name(rest->substr(0, equals));
    if (!IsName(name) || !names.insert(name).second) return false;
    std::string value;
    size_t at = equals + 2;
    for (; at < rest->size() && (*rest)[at] != '"'; ++at) {
      if ((*rest)[at] != '\\') {
        value += (*rest)[at];
        continue;
      }
      if (++at == rest->size()) return false;
      const char escaped = (*rest)[at];
      if (escaped != '\\' && escaped != '"' && escaped != 'n') return false;
      value += escaped == 'n' ? '\n' : escaped;
    }
    if (at + 1 >= rest->size()) return false;
    rest->remove_prefix(at + 1);
    exposition->label_values[name] = value;
  } while (rest->front() == ',');
  if (rest->front() != '}') return false;
  rest->remove_prefix(1);
  return true;
}

// ReadExposition reads the text format, version 0.0.4, without what is optional: each family is a HELP line,
// a TYPE line, and its samples. nullopt, with *why, for anything else.
std::optional<Exposition> ReadExposition(std::string_view text, std::string* why) {
  Exposition exposition;
  std::string family;
  bool typed = true;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    *why = line;
    if (end == text.npos) return std::nullopt;
    text.remove_prefix(end + 1);
    if (line.starts_with("# HELP ")) {
      line.remove_prefix(7);
      family = line.substr(0, line.find(' '));
      const std::string help(line.substr(std::min(line.size(), family.size() + 1)));
      if (!typed || !IsName(family) || help.empty() || !exposition.helps.emplace(family, help).second)
        return std::nullopt;
      typed = false;
    } else if (line.starts_with("# TYPE ")) {
      line.remove_prefix(7);
      const std::string type(line.substr(std::min(line.size(), family.size() + 1)));
      if (typed || !line.starts_with(family + " ") || (type != "counter" && type != "gauge"))
        return std::nullopt;
      if ((type == "counter") != family.ends_with("_total")) return std::nullopt;
      exposition.types[family] = type;
      typed = true;
    } else {
      std::string_view rest = line;
      if (!typed || !rest.starts_with(family)) return std::nullopt;
      rest.remove_prefix(family.size());
      if (rest.starts_with("{") && !ReadLabels(&rest, &exposition)) return std::nullopt;
      const std::string key(line.substr(0, line.size() - rest.size()));
      if (!rest.starts_with(" ")) return std::nullopt;
      const std::string number(rest.substr(1));
      char* number_end = nullptr;
      const double value = std::strtod(number.c_str(), &number_end);
      if (number.empty() || number[0] == ' ' || *number_end != '\0') return std::nullopt;
      if (!exposition.samples.emplace(key, value).second) return std::nullopt;
    }
  }
  return typed ? std::optional(exposition) : std::nullopt;
}

StatusReading Reading() {
  StatusReading reading;
  reading.wall_s = 1'800'000'000;
  reading.metrics.checks = 7;
  reading.metrics.issuer_bytes = 123'456'789'012;
  reading.http.requests = 5;
  reading.servers = {"crm", "web"};
  reading.refusals = {{{0, Reason::kExpired}, 3}, {{1, Reason::kUndecided}, 1}};
  reading.recent_refusals = {{1'799'999'999, 0, Reason::kExpired}};
  IssuerHealth good;
  good.issuer = "https://good.example";
  good.freshness = Freshness::kFresh;
  good.keys_age_ms = 1500;
  good.num_keys = 2;
  good.next_fetch_in_ms = 60'000;
  IssuerHealth bad;
  bad.issuer = "https://bad.example/<script>\"\\\n";
  bad.freshness = Freshness::kDegraded;
  bad.keys_age_ms = 130'000;
  bad.fetches = 9;
  bad.fetch_failures = 4;
  bad.last_error = "answered <500> & \"no\"";
  bad.introspection_paused_for_ms = 3'000;
  reading.issuers = {good, bad};
  return reading;
}

HttpAnswer Ask(std::string_view target, std::string_view host = "127.0.0.1:9181",
               std::string_view method = "GET") {
  const auto handler = MakeAdminHandler(Reading);
  HttpAnswer answer;
  EXPECT_TRUE(handler->Answer({.method = method, .target = target, .fields = {{"Host", host}}}, &answer,
                              []() -> HttpHandler::Later { return nullptr; }));
  return answer;
}

TEST(AdminTest, MetricsAreByTheirFormat) {
  std::string why;
  const std::optional<Exposition> exposition = ReadExposition(MetricsText(Reading()), &why);
  ASSERT_TRUE(exposition.has_value()) << why;
  const auto& samples = exposition->samples;
  EXPECT_EQ(samples.at("tollgate_checks_total"), 7);
  EXPECT_EQ(samples.at("tollgate_issuer_bytes"), 123'456'789'012);
  EXPECT_EQ(samples.at("tollgate_http_requests_total"), 5);
  EXPECT_EQ(samples.at(R"(tollgate_refusals_total{server="crm",reason="expired"})"), 3);
  EXPECT_EQ(samples.at(R"(tollgate_refusals_total{server="web",reason="undecided"})"), 1);
  EXPECT_EQ(samples.at(R"(tollgate_issuer_keys_age_seconds{issuer="https://good.example"})"), 1.5);
  EXPECT_EQ(
      samples.at(R"(tollgate_issuer_fetch_failures_total{issuer="https://bad.example/<script>\"\\\n"})"), 4);
  EXPECT_EQ(samples.at("tollgate_snapshot_written_ago_seconds"), -1);
  EXPECT_EQ(samples.at("tollgate_issuers_not_shown"), 0);
  for (const auto& [family, help] : exposition->helps) {
    EXPECT_TRUE(family.starts_with("tollgate_")) << family;
    EXPECT_TRUE(exposition->types.contains(family)) << family;
  }
}

TEST(AdminTest, TheReaderOfMetricsIsStrict) {
  std::string why;
  const std::string family = "# HELP a_total b\n# TYPE a_total counter\n";
  EXPECT_TRUE(ReadExposition(family + "a_total{x=\"1\",y=\"\\n\"} 1\n", &why).has_value());
  for (const std::string& wrong :
       {family + "a_total 1", family + "b 1\n", family + "a_total x\n", family + "a_total 1\na_total 1\n",
        family + "a_total{x=\"1\",x=\"2\"} 1\n", family + "a_total{x=\"\n\"} 1\n",
        family + "a_total{x=\"\\t\"} 1\n", family + family, family + "a_total{x=1} 1\n",
        std::string("a_total 1\n# HELP b c\n"), std::string("# HELP a b\n# TYPE a counter\n"),
        std::string("# HELP a_total b\na_total 1\n")}) {
    EXPECT_FALSE(ReadExposition(wrong, &why).has_value()) << wrong;
  }
}

TEST(AdminTest, SoManyIssuersAreShownAndTheWorstAreAmongThem) {
  StatusReading reading;
  reading.issuers.resize(kIssuersShownMax + 10);
  for (size_t i = 0; i < reading.issuers.size(); ++i) {
    reading.issuers[i].issuer = "https://" + std::to_string(i);
    reading.issuers[i].freshness = Freshness::kFresh;
  }
  reading.issuers.back().freshness = Freshness::kDegraded;
  std::string why;
  const std::optional<Exposition> exposition = ReadExposition(MetricsText(reading), &why);
  ASSERT_TRUE(exposition.has_value()) << why;
  EXPECT_EQ(exposition->samples.at("tollgate_issuers_not_shown"), 10);
  const std::string worst = "tollgate_issuer_freshness{issuer=\"" + reading.issuers.back().issuer + "\"}";
  EXPECT_EQ(exposition->samples.at(worst), 2);
}

TEST(AdminTest, StatusIsJson) {
  const HttpAnswer answer = Ask("/status");
  EXPECT_EQ(answer.status, 200);
  const json status = json::parse(answer.body);
  EXPECT_EQ(status["time"], "2027-01-15T08:00:00Z");
  EXPECT_EQ(status["ready"], true);
  EXPECT_EQ(status["checks_total"], 7);
  EXPECT_EQ(status["snapshot"]["read"], "not configured");
  ASSERT_EQ(status["issuers"].size(), 2u);
  EXPECT_EQ(status["issuers"][0]["freshness"], "degraded");  // The worst first.
  EXPECT_EQ(status["issuers"][0]["last_error"], "answered <500> & \"no\"");
  EXPECT_EQ(status["issuers"][1]["issuer"], "https://good.example");
  EXPECT_EQ(status["refusals"][0], json({{"server", "crm"}, {"reason", "expired"}, {"count", 3}}));
  EXPECT_EQ(status["recent_refusals"][0]["reason"], "expired");
}

TEST(AdminTest, ThePageShowsTextAndRunsNothing) {
  const HttpAnswer answer = Ask("/");
  EXPECT_EQ(answer.status, 200);
  EXPECT_NE(answer.fields.find("Content-Security-Policy: default-src 'none'"), std::string::npos);
  const std::string& page = answer.body;
  EXPECT_EQ(page.find("<script"), page.npos);
  EXPECT_NE(page.find("https://bad.example/&lt;script&gt;&quot;"), page.npos);
  EXPECT_NE(page.find("answered &lt;500&gt; &amp; &quot;no&quot;"), page.npos);
  EXPECT_NE(page.find("open, 3 s"), page.npos);
  EXPECT_NE(page.find("the token has expired"), page.npos);
  EXPECT_EQ(page.find("http-equiv"), page.npos);
}

TEST(AdminTest, ReadyIsWhoHasHadEveryIssuersKeys) {
  StatusReading reading = Reading();
  Readiness readiness = ReadinessOf(reading);
  EXPECT_TRUE(readiness.ready);
  EXPECT_EQ(readiness.text, "ready\nhttps://bad.example/<script>\"\\?: degraded\n");
  // Too old by now: others would not do better.
  reading.issuers[1].freshness = Freshness::kUnavailable;
  EXPECT_TRUE(ReadinessOf(reading).ready);
  reading.issuers[1].keys_age_ms = -1;
  readiness = ReadinessOf(reading);
  EXPECT_FALSE(readiness.ready);
  EXPECT_EQ(readiness.text, "not ready\nhttps://bad.example/<script>\"\\?: unavailable, keys never had\n");
  EXPECT_TRUE(ReadinessOf(StatusReading{}).ready);
}

TEST(AdminTest, AnswersByPath) {
  EXPECT_EQ(Ask("/healthz").body, "ok\n");
  EXPECT_EQ(Ask("/readyz").status, 200);
  EXPECT_EQ(Ask("/metrics?x").status, 200);
  EXPECT_NE(Ask("/metrics").fields.find("text/plain; version=0.0.4"), std::string::npos);
  EXPECT_EQ(Ask("/nothing").status, 404);
  EXPECT_EQ(Ask("/metrics", "127.0.0.1", "POST").status, 405);
  EXPECT_EQ(Ask("/metrics", "127.0.0.1", "HEAD").status, 200);
}

TEST(AdminTest, PagesOfTheWebDoNotReachIt) {
  for (const char* host :
       {"127.0.0.1:9181", "127.0.0.1", "localhost:9181", "LOCALHOST", "[::1]:9181", "10.0.0.1"})
    EXPECT_EQ(Ask("/status", host).status, 200) << host;
  for (const char* host :
       {"evil.example:9181", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example"})
    EXPECT_EQ(Ask("/status", host).status, 421) << host;
}

}  // namespace
}  // namespace tollgate::tollgated
