#include "tools/tollgated/admin.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "json/writer.h"
#include "tollgate/version.h"
#include "tools/tollgated/answer.h"

namespace tollgate::tollgated {
namespace {

// One family of metrics that is read from a member. Those named _total only grow.
template <typename Struct>
struct Counter {
  const char* name;
  uint64_t Struct::*member;
  const char* help;
};

constexpr Counter<Metrics> kCounters[] = {
    {"checks_total", &Metrics::checks, "Checks"},
    {"allowed_total", &Metrics::allowed, "Checks that allowed"},
    {"denied_total", &Metrics::denied, "Checks that denied"},
    {"unavailable_total", &Metrics::unavailable, "Checks that could not know"},
    {"cache_hits_total", &Metrics::cache_hits, "Checks answered without a verification"},
    {"signature_verifications_total", &Metrics::signature_verifications, "Signatures verified, good or bad"},
    {"verifications_in_vain_total", &Metrics::verifications_in_vain,
     "Verifications of forged signatures or refused tokens"},
    {"refused_in_flight_total", &Metrics::refused_in_flight,
     "Tokens not verified: too many verifications at a time"},
    {"refused_in_vain_total", &Metrics::refused_in_vain,
     "Tokens not verified: too many of the issuer's were verified in vain"},
    {"cache_inserts_total", &Metrics::cache_inserts, "Tokens that the cache took"},
    {"cache_evictions_total", &Metrics::cache_evictions, "Tokens that the cache gave up for others"},
    {"not_cached_too_long_total", &Metrics::not_cached_too_long, "Tokens too long for the cache"},
    {"not_cached_over_share_total", &Metrics::not_cached_over_share,
     "Tokens not cached: their subject or issuer had displaced its share"},
    {"grant_sets_full_total", &Metrics::grant_sets_full, "Sets of grants too many to be kept"},
    {"rechecks_total", &Metrics::rechecks, "Hits looked at again after a revocation or a change of policy"},
    {"introspection_fallbacks_total", &Metrics::introspection_fallbacks,
     "Checks that went on although the issuer could not be asked"},
    {"audit_written_total", &Metrics::audit_written, "Audit records written"},
    {"audit_lost_total", &Metrics::audit_lost, "Audit records lost"},
    {"audit_sampled_out_total", &Metrics::audit_sampled_out, "Audit records left out by sampling"},
    {"audit_sink_failures_total", &Metrics::audit_sink_failures, "Failures of the audit sink"},
    {"issuers", &Metrics::issuers, "Issuers"},
    {"issuers_max", &Metrics::issuers_max, "Issuers that there is room for"},
    {"issuers_fresh", &Metrics::issuers_fresh, "Issuers whose keys are fresh"},
    {"issuers_stale", &Metrics::issuers_stale, "Issuers whose keys are due for a refresh"},
    {"issuers_degraded", &Metrics::issuers_degraded, "Issuers that fail, with keys within the bound"},
    {"issuers_unavailable", &Metrics::issuers_unavailable, "Issuers without keys, or beyond the bound"},
    {"issuer_keys", &Metrics::issuer_keys, "Usable keys of all issuers"},
    {"issuer_bytes", &Metrics::issuer_bytes, "Memory of issuers and their keys"},
};
static_assert(std::size(kCounters) == sizeof(Metrics) / sizeof(uint64_t), "every counter has its line");

constexpr Counter<HttpCounters> kHttpCounters[] = {
    {"http_connections_total", &HttpCounters::connections, "Connections accepted"},
    {"http_connections_refused_total", &HttpCounters::connections_refused,
     "Connections closed at once: there were too many"},
    {"http_connections", &HttpCounters::connections_open, "Connections at this moment"},
    {"http_requests_total", &HttpCounters::requests, "Requests read"},
    {"http_requests_malformed_total", &HttpCounters::requests_malformed, "Requests that could not be read"},
    {"http_timeouts_total", &HttpCounters::timeouts, "Connections ended by a timeout"},
};
static_assert(std::size(kHttpCounters) == sizeof(HttpCounters) / sizeof(uint64_t),
              "every counter has its line");

double Seconds(int64_t ms) { return ms < 0 ? -1 : static_cast<double>(ms) / 1000; }

// What is said of each issuer.
struct IssuerMetric {
  const char* name;
  double (*value)(const IssuerHealth& health);
  const char* help;
};
constexpr IssuerMetric kIssuerMetrics[] = {
    {"issuer_freshness", [](const IssuerHealth& h) { return static_cast<double>(h.freshness); },
     "0 fresh, 1 stale, 2 degraded, 3 unavailable"},
    {"issuer_keys_age_seconds", [](const IssuerHealth& h) { return Seconds(h.keys_age_ms); },
     "Since the last good answer; -1: there was none"},
    {"issuer_keys_from_snapshot", [](const IssuerHealth& h) { return h.from_snapshot ? 1.0 : 0.0; },
     "1: the keys are those of the snapshot"},
    {"issuer_key_place", [](const IssuerHealth& h) { return static_cast<double>(h.key_place); },
     "Where the keys are from: 0 the first place, n the n-th fallback"},
    {"issuer_usable_keys", [](const IssuerHealth& h) { return static_cast<double>(h.num_keys); },
     "Keys that can be used"},
    {"issuer_skipped_keys", [](const IssuerHealth& h) { return static_cast<double>(h.num_keys_skipped); },
     "Keys that cannot be used"},
    {"issuer_tenants", [](const IssuerHealth& h) { return static_cast<double>(h.num_tenants); },
     "Tenants of a template"},
    {"issuer_fetches_total", [](const IssuerHealth& h) { return static_cast<double>(h.fetches); },
     "Fetches begun"},
    {"issuer_fetch_failures_total",
     [](const IssuerHealth& h) { return static_cast<double>(h.fetch_failures); },
     "Fetches that brought no usable key set"},
    {"issuer_consecutive_failures",
     [](const IssuerHealth& h) { return static_cast<double>(h.consecutive_failures); },
     "Failed fetches since the last good one"},
    {"issuer_next_fetch_seconds", [](const IssuerHealth& h) { return Seconds(h.next_fetch_in_ms); },
     "Until the next fetch; -1: none is planned"},
    {"issuer_verifications_refused_total",
     [](const IssuerHealth& h) { return static_cast<double>(h.verifications_refused); },
     "Tokens not verified, by the limits on verifications"},
    {"issuer_verifications_refused_seconds",
     [](const IssuerHealth& h) { return Seconds(h.verifications_refused_for_ms); },
     "How long new tokens are still refused for what was verified in vain"},
    {"issuer_introspections_total",
     [](const IssuerHealth& h) { return static_cast<double>(h.introspections); }, "Questions about tokens"},
    {"issuer_introspection_failures_total",
     [](const IssuerHealth& h) { return static_cast<double>(h.introspection_failures); },
     "Questions that brought no answer"},
    {"issuer_introspections_refused_total",
     [](const IssuerHealth& h) { return static_cast<double>(h.introspections_refused); },
     "Questions that were not asked: no room, or given up"},
    {"issuer_introspections_in_flight",
     [](const IssuerHealth& h) { return static_cast<double>(h.introspections_in_flight); },
     "Questions under way"},
    {"issuer_introspection_paused_seconds",
     [](const IssuerHealth& h) { return Seconds(h.introspection_paused_for_ms); },
     "How long the breaker stays open"},
    {"issuer_introspection_endpoint_known",
     [](const IssuerHealth& h) { return h.introspection_endpoint_known ? 1.0 : 0.0; },
     "1: there is an endpoint to ask"},
};

struct SnapshotMetric {
  const char* name;
  double (*value)(const SnapshotHealth& health);
  const char* help;
};
constexpr SnapshotMetric kSnapshotMetrics[] = {
    {"snapshot_read", [](const SnapshotHealth& h) { return static_cast<double>(h.read); },
     "What became of the snapshot: 0 not configured, 1 absent, 2 accepted, else refused"},
    {"snapshot_issuers_restored",
     [](const SnapshotHealth& h) { return static_cast<double>(h.issuers_restored); },
     "Issuers whose keys it brought"},
    {"snapshot_issuers_too_old",
     [](const SnapshotHealth& h) { return static_cast<double>(h.issuers_too_old); },
     "Issuers whose keys in it were too old"},
    {"snapshot_issuers_future_dated",
     [](const SnapshotHealth& h) { return static_cast<double>(h.issuers_future_dated); },
     "Issuers whose keys in it were of a later time than now"},
    {"snapshot_issuers_source_changed",
     [](const SnapshotHealth& h) { return static_cast<double>(h.issuers_source_changed); },
     "Issuers in it whose keys come from elsewhere now"},
    {"snapshot_issuers_unusable",
     [](const SnapshotHealth& h) { return static_cast<double>(h.issuers_unusable); },
     "Issuers in it without a usable key"},
    {"snapshot_writes_total", [](const SnapshotHealth& h) { return static_cast<double>(h.writes); },
     "Good writes"},
    {"snapshot_write_failures_total",
     [](const SnapshotHealth& h) { return static_cast<double>(h.write_failures); }, "Failed writes"},
    {"snapshot_issuers_written",
     [](const SnapshotHealth& h) { return static_cast<double>(h.issuers_written); }, "Issuers in the file"},
    {"snapshot_written_ago_seconds", [](const SnapshotHealth& h) { return Seconds(h.written_ago_ms); },
     "Since the last good write; -1: there was none"},
};

absl::string_view Abseil(std::string_view text) { return {text.data(), text.size()}; }

// Printable is what of a text may be shown: nothing but ASCII is expected where this is used.
std::string Printable(std::string_view text) {
  std::string printable(text);
  std::replace_if(
      printable.begin(), printable.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return printable;
}

std::string NumberText(double value) {
  std::array<char, 32> text;
  const int size = std::snprintf(text.data(), text.size(), "%.15g", value);
  return {text.data(), static_cast<size_t>(size)};
}

// Exposition writes the text format.
class Exposition {
 public:
  void Family(const char* name, const char* help) {
    name_ = name;
    const bool grows = std::string_view(name).ends_with("_total");
    absl::StrAppend(&text_, "# HELP tollgate_", name, " ", help, "\n# TYPE tollgate_", name, " ",
                    grows ? "counter" : "gauge", "\n");
  }
  void Sample(double value) { Sample({}, value); }
  void Sample(const std::vector<std::pair<const char*, std::string>>& labels, double value) {
    absl::StrAppend(&text_, "tollgate_", name_);
    for (const auto& label : labels) {
      absl::StrAppend(&text_, &label == &labels.front() ? "{" : ",", label.first, "=\"");
      for (const char c : label.second) {
        if (c == '"' || c == '\\') text_ += '\\';
        if (c == '\n') {
          text_ += "\\n";
        } else {
          text_ += c;
        }
      }
      text_ += '"';
    }
    absl::StrAppend(&text_, labels.empty() ? " " : "} ", NumberText(value), "\n");
  }
  std::string Take() { return std::move(text_); }

 private:
  const char* name_ = "";
  std::string text_;
};

std::string ServerName(const StatusReading& reading, size_t server) {
  return server < reading.servers.size() ? reading.servers[server] : "?";
}

// Shown returns the issuers that are shown one by one.
std::vector<const IssuerHealth*> Shown(const StatusReading& reading) {
  std::vector<const IssuerHealth*> issuers;
  for (const IssuerHealth& health : reading.issuers) issuers.push_back(&health);
  std::stable_sort(issuers.begin(), issuers.end(),
                   [](const IssuerHealth* a, const IssuerHealth* b) { return a->freshness > b->freshness; });
  if (issuers.size() > kIssuersShownMax) issuers.resize(kIssuersShownMax);
  return issuers;
}

std::string_view SnapshotReadName(SnapshotRead read) {
  switch (read) {
    case SnapshotRead::kNotConfigured:
      return "not configured";
    case SnapshotRead::kAbsent:
      return "absent";
    case SnapshotRead::kAccepted:
      return "accepted";
    case SnapshotRead::kNoKey:
      return "refused: no key";
    case SnapshotRead::kUnreadable:
      return "refused: unreadable";
    case SnapshotRead::kTooLarge:
      return "refused: too large";
    case SnapshotRead::kTruncated:
      return "refused: truncated";
    case SnapshotRead::kUnknownVersion:
      return "refused: of another version";
    case SnapshotRead::kTampered:
      return "refused: tampered with, or of another key";
  }
  return "?";
}

std::string TimeText(int64_t wall_s) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixSeconds(wall_s), absl::UTCTimeZone());
}

// JsonText writes objects and arrays, of which the caller keeps the order.
class JsonText {
 public:
  void Begin(char bracket) {
    Separate();
    text_ += bracket;
    first_ = true;
  }
  void End(char bracket) {
    text_ += bracket;
    first_ = false;
  }
  void Name(std::string_view name) {
    Separate();
    json::AppendString(name, &text_);
    text_ += ':';
    first_ = true;  // Its value needs no comma.
  }
  void Text(std::string_view value) {
    Separate();
    json::AppendString(Printable(value), &text_);
  }
  void Number(double value) {
    Separate();
    text_ += NumberText(value);
  }
  void Literal(bool value) {
    Separate();
    text_ += value ? "true" : "false";
  }
  void Text(std::string_view name, std::string_view value) {
    Name(name);
    Text(value);
  }
  void Number(std::string_view name, double value) {
    Name(name);
    Number(value);
  }
  std::string Take() { return std::move(text_); }

 private:
  void Separate() {
    if (!first_) text_ += ',';
    first_ = false;
  }

  std::string text_;
  bool first_ = true;
};

// Html escapes text.
std::string Html(std::string_view text) {
  std::string escaped;
  for (const char c : Printable(text)) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string DurationText(int64_t ms) {
  if (ms < 0) return "never";
  if (ms < 120'000) return absl::StrCat(ms / 1000, " s");
  return ms < 7'200'000 ? absl::StrCat(ms / 60'000, " min") : absl::StrCat(ms / 3'600'000, " h");
}

std::string BreakerText(const IssuerHealth& health) {
  if (health.introspection_paused_for_ms > 0)
    return absl::StrCat("open, ", DurationText(health.introspection_paused_for_ms));
  return health.introspection_endpoint_known ? "closed" : "-";
}

// Table writes an HTML table row by row; cells are text.
class Table {
 public:
  Table(std::string* page, const char* title, const std::vector<const char*>& heads) : page_(*page) {
    absl::StrAppend(&page_, "<h2>", title, "</h2>\n<table>\n<tr>");
    for (const char* head : heads) absl::StrAppend(&page_, "<th>", head, "</th>");
    page_ += "</tr>\n";
  }
  ~Table() { page_ += "</table>\n"; }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  void Row(const std::vector<std::string>& cells, std::string_view style = {}) {
    absl::StrAppend(&page_, "<tr class=\"", Abseil(style), "\">");
    for (const std::string& cell : cells) absl::StrAppend(&page_, "<td>", Html(cell), "</td>");
    page_ += "</tr>\n";
  }

 private:
  std::string& page_;
};

constexpr char kPageHead[] = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>tollgated</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: .15em 1em .15em 0; border-bottom: 1px solid #ddd; vertical-align: top; }
.stale { color: #666; } .degraded { color: #a60; } .unavailable { color: #b00; font-weight: bold; }
</style></head><body>
<h1>tollgated</h1>
)";

// IsOwnHost says whether a Host field's value is an address or localhost: what a page of the web has made its
// own name lead here (DNS rebinding) is its name.
bool IsOwnHost(std::string_view host) {
  if (host.starts_with('[')) return true;
  host = host.substr(0, host.rfind(':'));
  return ascii::EqualIgnoringCase(host, "localhost") ||
         std::all_of(host.begin(), host.end(), [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
}

class AdminHandler final : public HttpHandler {
 public:
  explicit AdminHandler(std::function<StatusReading()> read) : read_(std::move(read)) {}

  bool Answer(const HttpRequest& request, HttpAnswer* answer, absl::FunctionRef<Later()> /*later*/) override {
    *answer = Page(request);
    return true;
  }

 private:
  static HttpAnswer Content(std::string body, std::string_view type, int status = 200) {
    HttpAnswer answer{.status = status, .body = std::move(body)};
    answer.Add("Content-Type", type);
    answer.Add("Cache-Control", "no-store");
    answer.Add("X-Content-Type-Options", "nosniff");
    answer.Add("Content-Security-Policy",
               "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
    return answer;
  }

  HttpAnswer Page(const HttpRequest& request) const {
    for (const HttpField& field : request.fields) {
      if (field.Is("host") && !IsOwnHost(field.value))
        return ErrorAnswer(421, "misdirected_request", "ask by an address or by localhost");
    }
    if (request.method != "GET" && request.method != "HEAD") {
      HttpAnswer answer = ErrorAnswer(405, "method_not_allowed", "there is nothing here to change");
      answer.Add("Allow", "GET, HEAD");
      return answer;
    }
    const std::string_view path = request.target.substr(0, request.target.find('?'));
    if (path == "/healthz") return Content("ok\n", "text/plain; charset=utf-8");
    if (path == "/metrics") return Content(MetricsText(read_()), "text/plain; version=0.0.4; charset=utf-8");
    if (path == "/status") return Content(StatusJson(read_()), "application/json");
    if (path == "/") return Content(StatusPage(read_()), "text/html; charset=utf-8");
    if (path == "/readyz") {
      Readiness readiness = ReadinessOf(read_());
      return Content(std::move(readiness.text), "text/plain; charset=utf-8", readiness.ready ? 200 : 503);
    }
    return ErrorAnswer(404, "not_found", "there are /metrics, /healthz, /readyz, /status and /");
  }

  const std::function<StatusReading()> read_;
};

}  // namespace

std::string MetricsText(const StatusReading& reading) {
  Exposition text;
  text.Family("build_info", "The version, as a label");
  text.Sample({{"version", std::string(Version())}}, 1);
  for (const auto& counter : kCounters) {
    text.Family(counter.name, counter.help);
    text.Sample(static_cast<double>(reading.metrics.*counter.member));
  }
  for (const auto& counter : kHttpCounters) {
    text.Family(counter.name, counter.help);
    text.Sample(static_cast<double>(reading.http.*counter.member));
  }
  text.Family("refusals_total", "Requests that were not allowed, by server and reason");
  for (const auto& [of, count] : reading.refusals) {
    text.Sample({{"server", ServerName(reading, of.first)}, {"reason", std::string(ReasonName(of.second))}},
                static_cast<double>(count));
  }
  const std::vector<const IssuerHealth*> issuers = Shown(reading);
  text.Family("issuers_not_shown", "Issuers that are not among those named below");
  text.Sample(static_cast<double>(reading.issuers.size() - issuers.size()));
  for (const IssuerMetric& metric : kIssuerMetrics) {
    text.Family(metric.name, metric.help);
    for (const IssuerHealth* health : issuers)
      text.Sample({{"issuer", health->issuer}}, metric.value(*health));
  }
  for (const SnapshotMetric& metric : kSnapshotMetrics) {
    text.Family(metric.name, metric.help);
    text.Sample(metric.value(reading.snapshot));
  }
  const std::pair<const char*, uint64_t> shadow[] = {
      {"shadow_compared_total", reading.shadow.compared},
      {"shadow_would_allow_total", reading.shadow.would_allow},
      {"shadow_would_deny_total", reading.shadow.would_deny},
      {"shadow_would_deny_otherwise_total", reading.shadow.would_deny_otherwise}};
  for (const auto& [name, count] : shadow) {
    text.Family(name, "Of the shadow policy, since it was set");
    text.Sample(static_cast<double>(count));
  }
  return text.Take();
}

std::string StatusJson(const StatusReading& reading) {
  JsonText text;
  text.Begin('{');
  text.Text("version", Version());
  text.Text("time", TimeText(reading.wall_s));
  text.Name("ready");
  text.Literal(ReadinessOf(reading).ready);
  text.Text("configuration", reading.configuration);
  text.Text("audit_error", reading.audit_error);
  for (const auto& counter : kCounters)
    text.Number(counter.name, static_cast<double>(reading.metrics.*counter.member));
  for (const auto& counter : kHttpCounters)
    text.Number(counter.name, static_cast<double>(reading.http.*counter.member));
  text.Name("snapshot");
  text.Begin('{');
  text.Text("read", SnapshotReadName(reading.snapshot.read));
  for (const SnapshotMetric& metric : kSnapshotMetrics) {
    if (std::string_view(metric.name) != "snapshot_read")
      text.Number(metric.name, metric.value(reading.snapshot));
  }
  text.Text("read_error", reading.snapshot.read_error);
  text.Text("write_error", reading.snapshot.write_error);
  text.End('}');
  text.Name("issuers");
  text.Begin('[');
  for (const IssuerHealth* health : Shown(reading)) {
    text.Begin('{');
    text.Text("issuer", health->issuer);
    text.Text("freshness", FreshnessName(health->freshness));
    for (const IssuerMetric& metric : kIssuerMetrics) {
      if (std::string_view(metric.name) != "issuer_freshness")
        text.Number(metric.name, metric.value(*health));
    }
    text.Text("last_error", health->last_error);
    text.Text("last_introspection_error", health->last_introspection_error);
    text.End('}');
  }
  text.End(']');
  text.Name("refusals");
  text.Begin('[');
  for (const auto& [of, count] : reading.refusals) {
    text.Begin('{');
    text.Text("server", ServerName(reading, of.first));
    text.Text("reason", ReasonName(of.second));
    text.Number("count", static_cast<double>(count));
    text.End('}');
  }
  text.End(']');
  text.Name("recent_refusals");
  text.Begin('[');
  for (const RefusalBook::Refusal& refusal : reading.recent_refusals) {
    text.Begin('{');
    text.Text("time", TimeText(refusal.wall_s));
    text.Text("server", ServerName(reading, refusal.server));
    text.Text("reason", ReasonName(refusal.reason));
    text.End('}');
  }
  text.End(']');
  text.End('}');
  return text.Take();
}

std::string StatusPage(const StatusReading& reading) {
  const Metrics& metrics = reading.metrics;
  std::string page = kPageHead;
  absl::StrAppend(&page, "<p>", Html(Version()), ", ", TimeText(reading.wall_s), ", ",
                  ReadinessOf(reading).ready ? "ready" : "not ready", "</p>\n");
  if (!reading.configuration.empty())
    absl::StrAppend(&page, "<p>Configuration: ", Html(reading.configuration), "</p>\n");
  if (!reading.audit_error.empty())
    absl::StrAppend(&page, "<p class=\"unavailable\">Audit log: ", Html(reading.audit_error), "</p>\n");
  {
    Table table(&page, "Issuers",
                {"issuer", "keys", "age", "usable", "next fetch", "failures", "breaker", "last error"});
    for (const IssuerHealth* health : Shown(reading)) {
      const std::string_view freshness = FreshnessName(health->freshness);
      const std::string_view separator =
          health->last_error.empty() || health->last_introspection_error.empty() ? "" : "; ";
      table.Row({health->issuer, std::string(freshness) + (health->from_snapshot ? " (snapshot)" : ""),
                 DurationText(health->keys_age_ms), absl::StrCat(health->num_keys),
                 DurationText(health->next_fetch_in_ms), absl::StrCat(health->consecutive_failures),
                 BreakerText(*health),
                 absl::StrCat(health->last_error, Abseil(separator), health->last_introspection_error)},
                freshness);
    }
  }
  {
    Table table(&page, "Checks", {"", ""});
    const auto row = [&table](const char* name, uint64_t count) { table.Row({name, absl::StrCat(count)}); };
    row("allowed", metrics.allowed);
    row("denied", metrics.denied);
    row("unavailable", metrics.unavailable);
    row("from the cache", metrics.cache_hits);
    row("signatures verified", metrics.signature_verifications);
    row("of these in vain", metrics.verifications_in_vain);
    row("cache evictions", metrics.cache_evictions);
    row("audit records lost", metrics.audit_lost);
    table.Row({"snapshot", std::string(SnapshotReadName(reading.snapshot.read))});
    if (!reading.snapshot.write_error.empty()) table.Row({"snapshot write", reading.snapshot.write_error});
    row("connections", reading.http.connections_open);
  }
  {
    Table table(&page, "Refusals", {"server", "reason", "", "count"});
    for (const auto& [of, count] : reading.refusals) {
      table.Row({ServerName(reading, of.first), std::string(ReasonName(of.second)),
                 std::string(ReasonText(of.second)), absl::StrCat(count)});
    }
  }
  {
    Table table(&page, "Recent refusals", {"time", "server", "reason"});
    for (const RefusalBook::Refusal& refusal : reading.recent_refusals) {
      table.Row({TimeText(refusal.wall_s), ServerName(reading, refusal.server),
                 std::string(ReasonName(refusal.reason))});
    }
  }
  page += "</body></html>\n";
  return page;
}

Readiness ReadinessOf(const StatusReading& reading) {
  Readiness readiness{.ready = true};
  for (const IssuerHealth& health : reading.issuers)
    readiness.ready &= health.freshness != Freshness::kUnavailable || health.keys_age_ms >= 0;
  for (const IssuerHealth* health : Shown(reading)) {
    if (health->freshness == Freshness::kFresh || health->freshness == Freshness::kStale) continue;
    absl::StrAppend(&readiness.text, Printable(health->issuer), ": ",
                    Abseil(FreshnessName(health->freshness)),
                    health->keys_age_ms < 0 ? ", keys never had\n" : "\n");
  }
  readiness.text.insert(0, readiness.ready ? "ready\n" : "not ready\n");
  return readiness;
}

std::unique_ptr<HttpHandler> MakeAdminHandler(std::function<StatusReading()> read) {
  return std::make_unique<AdminHandler>(std::move(read));
}

}  // namespace tollgate::tollgated
