#include "tools/cli/doctor_settings.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "keys/key_source.h"
#include "policy_file/duration.h"
#include "tollgate/challenge.h"
#include "tools/cli/examine.h"

namespace tollgate::cli {
namespace {

using nlohmann::ordered_json;
using policy_file::FormatDuration;
using policy_file::FormatDurationMs;

void TellTiming(const Timing& timing, Part* part) {
  part->Say(Level::kNote, "refresh",
            "keys every " + FormatDurationMs(timing.refresh_min_ms) + " to " +
                FormatDurationMs(timing.refresh_max_ms) + " as Cache-Control asks, " +
                std::to_string(timing.jitter_percent) + " % more or less; for an absent kid once in " +
                FormatDurationMs(timing.cooldown_ms) + " at most",
            {{"refresh_min_ms", timing.refresh_min_ms},
             {"refresh_max_ms", timing.refresh_max_ms},
             {"jitter_percent", timing.jitter_percent},
             {"cooldown_ms", timing.cooldown_ms}});
  part->Say(Level::kNote, "backoff",
            "a fetch may take " + FormatDurationMs(timing.fetch_timeout_ms) +
                "; the next try after a failure comes within " + FormatDurationMs(timing.backoff_min_ms) +
                ", doubled up to " + FormatDurationMs(timing.backoff_cap_ms),
            {{"fetch_timeout_ms", timing.fetch_timeout_ms},
             {"backoff_min_ms", timing.backoff_min_ms},
             {"backoff_cap_ms", timing.backoff_cap_ms}});
  part->Say(
      Level::kNote, "staleness",
      "keys serve for " + FormatDurationMs(timing.staleness_bound_ms) +
          " after the last good answer; a signature is verified again after " +
          FormatDurationMs(timing.verdict_age_max_ms),
      {{"staleness_bound_ms", timing.staleness_bound_ms}, {"verdict_age_max_ms", timing.verdict_age_max_ms}});
}

void TellIssuerSmells(const IssuerConfig& issuer, Part* part) {
  const auto warn = [&](const std::string& what) {
    part->Say(Level::kWarning, "issuer", Printable(issuer.issuer) + ": " + what);
  };
  const Profile& profile = issuer.profile;
  if (profile.id_tokens) {
    warn("takes ID tokens for access tokens (profile)");
  } else if (profile.any_type || profile.name == "lenient") {
    warn("the profile " + profile.name +
         " cannot tell every ID token from an access token: prefer the provider's own");
  }
  if (issuer.leeway_s == 0) warn("a clock that is a second apart refuses tokens (leeway)");
  if (issuer.token_age_max_s == 0 && issuer.token_lifetime_max_s == 0)
    warn("tokens may live for ever (token_age_max, token_lifetime_max)");
}

void TellServerSmells(const tollgated::Settings& settings, Part* part) {
  for (const tollgated::ServerSettings& server : settings.servers) {
    if (!server.dangerous_trust_mcp_headers.empty())
      part->Say(Level::kWarning, "server",
                Printable(server.name) + ": believes Mcp-Method and Mcp-Name (dangerous_trust_mcp_headers)");
  }
  if (settings.admin_listen.empty())
    part->Say(Level::kWarning, "admin_listen", "is not set: nobody sees /readyz, /metrics and /status");
  if (settings.bounds.wait_max.count() == 0)
    part->Say(Level::kWarning, "wait_max",
              "is 0: the first requests after a start get 503 instead of waiting for keys");
}

// TellMetadata holds a document against what tokens and clients need.
void TellMetadata(const Config& config, const ResourceConfig& resource,
                  const tollgated::ServerSettings* server, const Exchange& exchange, Part* part) {
  const auto problem = [&](const std::string& what) { part->Say(Level::kProblem, "metadata", what); };
  const ordered_json document =
      ordered_json::parse(exchange.result.body, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object()) return problem("is no JSON object: " + Printable(exchange.url));
  const ordered_json says = document.value("resource", ordered_json());
  if (says != resource.uri)
    return problem("its resource is " + (says.is_string() ? Printable(says.get<std::string>()) : "missing") +
                   ": clients refuse it, or ask for tokens that are refused (audience_mismatch)");
  const ordered_json servers = document.value("authorization_servers", ordered_json::array());
  if (!servers.is_array() || servers.empty() || !servers.front().is_string())
    return problem("names no authorization server: clients do not know where to log in");
  const auto first = servers.front().get<std::string>();
  std::vector<std::string> expected;
  if (server != nullptr) {
    expected = server->authorization_servers;
  } else {
    for (const IssuerConfig& issuer : config.issuers) expected.push_back(issuer.issuer);
  }
  if (std::find(expected.begin(), expected.end(), first) == expected.end())
    return problem("sends clients to " + Printable(first) + ", which is not among what is configured");
  part->Say(Level::kGood, "metadata",
            "200, " + std::to_string(exchange.result.body.size()) + " bytes in " +
                std::to_string(exchange.seen.took_ms) + " ms: clients log in at " + Printable(first),
            {{"url", exchange.url}, {"took_ms", exchange.seen.took_ms}});
}

}  // namespace

void DiagnoseSettings(const tollgated::Settings& settings, bool served, Part* part) {
  const Config& config = settings.engine;
  TellTiming(config.timing, part);
  for (const IssuerConfig& issuer : config.issuers) TellIssuerSmells(issuer, part);
  if (!served) return;
  if (config.dangerous.dangerous_allow_http_on_loopback)
    part->Say(Level::kWarning, "dangerous", "keys may come over plain http from loopback");
  if (config.dangerous.dangerous_accept_id_tokens)
    part->Say(Level::kWarning, "dangerous", "profiles may take ID tokens for access tokens");
  TellServerSmells(settings, part);
}

void DiagnoseServer(const Config& config, const ResourceConfig& resource,
                    const tollgated::ServerSettings* server, Prober& prober, Part* part) {
  const std::string url = ResourceMetadataUrl(resource.uri);
  if (url.empty())
    return part->Say(Level::kNote, "metadata",
                     "has no place: " + Printable(resource.uri) + " is no URL of a server");
  // A server of one's own may well be in a private network.
  const Exchange exchange = prober.Fetch(
      {.url = url,
       .accept = "application/json",
       .timeout_ms = static_cast<uint32_t>(std::min<int64_t>(config.timing.fetch_timeout_ms, UINT32_MAX)),
       .reach = Reach::kPrivate});
  if (exchange.answered(200)) return TellMetadata(config, resource, server, exchange, part);
  std::string text = keys::WhyFailed(exchange.result) + ", at " + Printable(url);
  if (!exchange.seen.location.empty()) text += ": it redirects to " + Printable(exchange.seen.location);
  part->Say(Level::kWarning, "metadata", text + ": new clients do not learn where to log in",
            {{"url", url}, {"took_ms", exchange.seen.took_ms}});
}

void TellPolicyInOutage(const Policy& policy, Part* part) {
  std::set<std::string> used;
  for (const AccessRule& rule : policy.rules()) used.insert(rule.sensitivity);
  for (const SensitivityClass& each : policy.classes()) {
    // What is asked behind the answer stays with its signature.
    if (each.mode != ValidationMode::kIntrospect || !used.contains(each.name)) continue;
    std::string becomes = "get 503";
    if (each.introspection_outage == IntrospectionOutage::kLastKnown)
      becomes = "go on with an \"active\" of the last " + FormatDuration(each.last_known_age_max_s) +
                ", or get 503";
    if (each.introspection_outage == IntrospectionOutage::kLocalSignature)
      becomes = "go on with the signature alone";
    part->Say(Level::kNote, "introspection",
              "while nobody answers, tools of class " + Printable(each.name) + " " + becomes);
  }
}

}  // namespace tollgate::cli
