#include "pipeline/config_check.h"

#include <algorithm>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "audit/log.h"
#include "base/ascii.h"
#include "base/durations.h"
#include "base/limits.h"
#include "base/tenants.h"
#include "introspection/client.h"
#include "keys/issuer_family.h"
#include "keys/key_source.h"
#include "policy/claim_name.h"
#include "transport/url.h"

namespace tollgate::pipeline {
namespace {

absl::Status Invalid(std::string_view what, std::string_view name, std::string_view why) {
  const auto view = [](std::string_view text) { return absl::string_view(text.data(), text.size()); };
  return absl::InvalidArgumentError(absl::StrCat(view(what), " \"", view(name), "\": ", view(why)));
}

// Keeps every sum and product below far from 64 bits.
constexpr int64_t kDurationMaxMs = int64_t{366} * 24 * 3600 * 1000;

absl::Status CheckTiming(const Timing& timing) {
  for (const NamedDuration& duration : kDurations) {
    if (timing.*duration.value < 1 || timing.*duration.value > kDurationMaxMs) {
      return Invalid("timing", duration.name, "must be between 1 ms and 366 days");
    }
  }
  if (timing.jitter_percent < 0 || timing.jitter_percent > 50) {
    return Invalid("timing", "jitter_percent", "must be between 0 and 50");
  }
  if (timing.active_age_max_ms < timing.introspection_timeout_ms) {
    return Invalid("timing", "active_age_max_ms", "must not be less than introspection_timeout_ms");
  }
  if (timing.host_burst < 1 || timing.host_burst > 1000) {
    return Invalid("timing", "host_burst", "must be between 1 and 1000");
  }
  if (timing.refresh_min_ms > timing.refresh_max_ms) {
    return Invalid("timing", "refresh_min_ms", "must not exceed refresh_max_ms");
  }
  if (timing.backoff_min_ms > timing.backoff_cap_ms) {
    return Invalid("timing", "backoff_min_ms", "must not exceed backoff_cap_ms");
  }
  // Otherwise good keys would run out between two refreshes that both succeed: the latest one begins so long
  // after the last good answer, and may take as long as an exchange may.
  const int64_t refreshed_ms =
      (timing.refresh_max_ms * (100 + timing.jitter_percent) + 99) / 100 + timing.fetch_timeout_ms;
  if (timing.staleness_bound_ms < refreshed_ms) {
    return Invalid("timing", "staleness_bound_ms",
                   "must not be less than refresh_max_ms with its jitter and fetch_timeout_ms");
  }
  return absl::OkStatus();
}

absl::Status CheckVerificationLimits(const VerificationLimits& verification) {
  if (verification.in_flight_max > limits::kVerificationsInFlightMax) {
    return Invalid("verification_limits", "in_flight_max", "must not exceed 65536");
  }
  if (verification.in_flight_per_issuer_max > limits::kVerificationsInFlightMax) {
    return Invalid("verification_limits", "in_flight_per_issuer_max", "must not exceed 65536");
  }
  if (verification.in_flight_max != 0 && verification.in_flight_per_issuer_max > verification.in_flight_max) {
    return Invalid("verification_limits", "in_flight_per_issuer_max", "must not exceed in_flight_max");
  }
  if (verification.in_vain_percent_max > limits::kInVainPercentMax) {
    return Invalid("verification_limits", "in_vain_percent_max", "must not exceed 10000");
  }
  return absl::OkStatus();
}

// RFC 8707 section 2: an absolute URI without a fragment. Its scheme is RFC 3986 section 3.1's; without it
// the colon is the one of a port or a path.
bool IsResourceUri(std::string_view uri) {
  const size_t colon = uri.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == uri.size()) return false;
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const std::string_view scheme = uri.substr(0, colon);
  return is_letter(scheme.front()) &&
         std::all_of(scheme.begin(), scheme.end(),
                     [&](char c) {
                       return is_letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
                     }) &&
         std::all_of(uri.begin(), uri.end(),
                     [](char c) { return c > ' ' && c <= '~' && c != '#' && c != '"'; });
}

absl::Status CheckResource(const ResourceConfig& resource, const absl::flat_hash_set<std::string>& issuers) {
  if (!IsResourceUri(resource.uri)) {
    return Invalid("resource", resource.uri, "must be an absolute URI without a fragment");
  }
  for (const std::string& audience : resource.audiences) {
    if (audience.empty()) return Invalid("resource", resource.uri, "has an empty audience");
  }
  for (const std::string& issuer : resource.issuers) {
    if (!issuers.contains(issuer))
      return Invalid("resource", resource.uri, "names an issuer that is not configured");
  }
  return absl::OkStatus();
}

// `introspecting`: by name, what the issuer is configured as.
absl::Status CheckOpaque(const ResourceConfig& resource,
                         const absl::flat_hash_map<std::string, std::string>& introspecting) {
  const std::string& issuer = resource.opaque_token_issuer;
  if (issuer.empty()) return absl::OkStatus();
  const auto found = introspecting.find(issuer);
  if (found == introspecting.end()) {
    return Invalid("resource", resource.uri,
                   "its opaque_token_issuer is not configured, or has no introspection endpoint");
  }
  const std::vector<std::string>& accepted = resource.issuers;
  const auto accepts = [&](const std::string& name) {
    return std::find(accepted.begin(), accepted.end(), name) != accepted.end();
  };
  if (!accepted.empty() && !accepts(issuer) && !accepts(found->second))
    return Invalid("resource", resource.uri, "its opaque_token_issuer is not one of its issuers");
  return absl::OkStatus();
}

// SeveralAsk: several resources have one of these as their opaque_token_issuer.
bool SeveralAsk(std::span<const ResourceConfig> resources, const std::vector<std::string>& names) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return std::count_if(resources.begin(), resources.end(), [&](const ResourceConfig& resource) {
             return resource.opaque_token_issuer == name;
           }) > 1;
  });
}

absl::Status CheckSnapshot(const SnapshotConfig& snapshot) {
  if (snapshot.path.empty()) {
    if (snapshot.shared) return Invalid("snapshot", "path", "is empty, though it is shared");
    if (snapshot.key.empty() && snapshot.key_file.empty()) return absl::OkStatus();
    return Invalid("snapshot", "path", "is empty, though there is a key for it");
  }
  if (!keys::IsFilePath(snapshot.path)) return Invalid("snapshot", "path", "must be a file's absolute path");
  if (snapshot.key.empty() == snapshot.key_file.empty())
    return Invalid("snapshot", "key", "exactly one of key and key_file is needed");
  if (!snapshot.key.empty() && snapshot.key.size() < 32)
    return Invalid("snapshot", "key", "must have at least 32 bytes");
  if (snapshot.key_file.empty()) return absl::OkStatus();
  if (!keys::IsFilePath(snapshot.key_file))
    return Invalid("snapshot", "key_file", "must be a file's absolute path");
  if (snapshot.key_file == snapshot.path) return Invalid("snapshot", "key_file", "must not be path");
  return absl::OkStatus();
}

// IsNearly: a slash at the end, or the case of letters, is what the two differ in.
bool IsNearly(std::string_view a, std::string_view b) {
  for (std::string_view* uri : {&a, &b}) {
    if (uri->ends_with('/')) uri->remove_suffix(1);
  }
  return ascii::EqualIgnoringCase(a, b);
}

}  // namespace

absl::Status CheckPolicy(const Policy& policy, std::span<const std::string> servers, const Timing& timing,
                         bool is_recorded) {
  if (policy.rules().empty())
    return absl::InvalidArgumentError("policy: allows no tool; make one with PolicyBuilder");
  for (const SensitivityClass& sensitivity : policy.classes()) {
    if (sensitivity.audit == AuditDuty::kMustRecord && !is_recorded)
      return Invalid("class", sensitivity.name, "must be recorded, and there is no audit.sink");
    // The age of an answer counts from its question.
    const int64_t age_max_s = sensitivity.introspection_age_max_s;
    if (age_max_s != 0 && age_max_s < timing.introspection_timeout_ms / 1000) {
      return Invalid("class", sensitivity.name,
                     "introspection_age_max_s must not be less than timing.introspection_timeout_ms");
    }
  }
  // A policy may be for several engines. But the rules for all servers must not stand in for one's own
  // because of a slash.
  for (const AccessRule& rule : policy.rules()) {
    if (rule.server.empty() || std::find(servers.begin(), servers.end(), rule.server) != servers.end())
      continue;
    for (const std::string& server : servers) {
      if (IsNearly(rule.server, server))
        return Invalid("policy", rule.name,
                       "is for the server \"" + rule.server + "\"; did you mean \"" + server + "\"?");
    }
  }
  return absl::OkStatus();
}

std::vector<std::string> PolicyClaims(const Config& config) {
  std::vector<std::string> claims = config.policy_claims;
  for (const AccessRule& rule : config.policy.rules()) {
    for (const Predicate& predicate : rule.predicates) claims.push_back(predicate.claim);
  }
  std::sort(claims.begin(), claims.end());
  claims.erase(std::unique(claims.begin(), claims.end()), claims.end());
  return claims;
}

absl::Status CheckPolicyClaims(const Policy& policy, std::span<const std::string> claims) {
  for (const AccessRule& rule : policy.rules()) {
    for (const Predicate& predicate : rule.predicates) {
      if (std::find(claims.begin(), claims.end(), predicate.claim) == claims.end()) {
        return Invalid("policy", rule.name,
                       "looks at the claim \"" + predicate.claim +
                           "\", which is in no policy so far and not in Config::policy_claims");
      }
    }
  }
  return absl::OkStatus();
}

bool DemandsIntrospection(const Policy& policy) {
  return std::any_of(policy.rules().begin(), policy.rules().end(), [&](const AccessRule& tool) {
    return std::any_of(policy.classes().begin(), policy.classes().end(), [&](const SensitivityClass& c) {
      return c.name == tool.sensitivity && c.mode != ValidationMode::kSignature;
    });
  });
}

absl::Status CheckIssuer(const IssuerConfig& issuer, const DangerousOptions& dangerous,
                         std::span<const ResourceConfig> resources, bool must_introspect) {
  if (issuer.issuer.empty() || issuer.issuer.size() > limits::kIssuerBytesMax) {
    return Invalid("issuer", issuer.issuer.substr(0, 64), "the name is empty or too long");
  }
  if (const absl::Status tenants = keys::CheckTenants(issuer); !tenants.ok())
    return Invalid("issuer", issuer.issuer, std::string(tenants.message()));
  if (const absl::Status places = keys::CheckKeyPlaces(issuer); !places.ok()) {
    return Invalid("issuer", issuer.issuer, std::string(places.message()));
  }
  if (!issuer.discovery && !issuer.discovery_hosts.empty()) {
    return Invalid("issuer", issuer.issuer, "has discovery_hosts, which are for discovery alone");
  }
  if (issuer.algorithms.empty()) return Invalid("issuer", issuer.issuer, "allows no algorithm");
  if (issuer.introspection.discovery && !issuer.discovery)
    return Invalid("issuer", issuer.issuer, "introspection.discovery needs discovery");
  // The document is the template's, and so would be its endpoint.
  if (issuer.introspection.discovery && !issuer.tenants.empty())
    return Invalid("issuer", issuer.issuer, "introspection.discovery is not for a template");
  if (introspection::IsAsked(issuer.introspection)) {
    const transport::FetchRules rules{.reach = issuer.private_network ? Reach::kPrivate : Reach::kPublic,
                                      .loopback = dangerous.dangerous_allow_http_on_loopback};
    IntrospectionConfig asked = issuer.introspection;
    // One tenant's id is as good as another's.
    if (!issuer.tenants.empty()) asked.endpoint = ForTenant(asked.endpoint, issuer.tenants.front());
    const absl::Status status = introspection::CheckIntrospectionConfig(asked, rules);
    if (!status.ok())
      return Invalid("issuer", issuer.issuer, absl::StrCat("introspection.", status.message()));
  }
  if (must_introspect && !introspection::IsAsked(issuer.introspection)) {
    return Invalid("issuer", issuer.issuer,
                   "has no introspection endpoint, which the class of a tool demands of every issuer");
  }
  if (issuer.introspection.introspection_scoped_to_us && SeveralAsk(resources, keys::NamesOf(issuer))) {
    return Invalid("issuer", issuer.issuer,
                   "introspection_scoped_to_us, but several resources have it as their opaque_token_issuer");
  }
  if (issuer.leeway_s < 0 || issuer.leeway_s > 300) {
    return Invalid("issuer", issuer.issuer, "leeway_s must be between 0 and 300");
  }
  if (issuer.token_age_max_s < 0 || issuer.token_lifetime_max_s < 0) {
    return Invalid("issuer", issuer.issuer, "token_age_max_s and token_lifetime_max_s must not be negative");
  }
  if (issuer.profile.types.empty() && !issuer.profile.missing_type_allowed && !issuer.profile.any_type) {
    return Invalid("issuer", issuer.issuer, "its profile accepts no token type");
  }
  if (issuer.profile.audience_claim.empty()) {
    return Invalid("issuer", issuer.issuer, "its profile names no audience claim");
  }
  if (issuer.profile.id_tokens && !dangerous.dangerous_accept_id_tokens) {
    return Invalid("issuer", issuer.issuer,
                   "its profile takes ID tokens; that needs dangerous_accept_id_tokens");
  }
  return absl::OkStatus();
}

absl::Status CheckConfig(const Config& config) {
  if (absl::Status status = CheckTiming(config.timing); !status.ok()) return status;
  if (absl::Status status = CheckVerificationLimits(config.verification_limits); !status.ok()) return status;
  if (config.issuers_max > limits::kIssuersMax) {
    return absl::InvalidArgumentError(absl::StrCat("issuers_max: must not exceed ", limits::kIssuersMax));
  }
  const size_t issuers_max = config.issuers_max != 0 ? config.issuers_max : limits::kIssuersMax;
  if ((config.issuers.empty() && config.issuers_max == 0) || keys::NumIssuers(config) > issuers_max) {
    return absl::InvalidArgumentError(absl::StrCat("issuers: between 1 and ", issuers_max, " are needed"));
  }
  absl::flat_hash_set<std::string> issuers;
  absl::flat_hash_map<std::string, std::string> introspecting;
  const bool must_introspect = DemandsIntrospection(config.policy);
  for (const IssuerConfig& issuer : config.issuers) {
    if (config.snapshot.shared && issuer.introspection.discovery)
      return Invalid("issuer", issuer.issuer, "introspection.discovery is not for a shared snapshot");
    absl::Status status = CheckIssuer(issuer, config.dangerous, config.resources, must_introspect);
    if (!status.ok()) return status;
    issuers.insert(issuer.issuer);
    for (const std::string& name : keys::NamesOf(issuer)) {
      issuers.insert(name);
      if (introspection::IsAsked(issuer.introspection)) introspecting.emplace(name, issuer.issuer);
    }
  }
  if (config.resources.empty() || config.resources.size() > limits::kResourcesMax) {
    return absl::InvalidArgumentError(absl::StrCat("resources: between 1 and ", limits::kResourcesMax,
                                                   " are needed: without one every audience would do"));
  }
  absl::flat_hash_set<std::string> uris;
  for (const ResourceConfig& resource : config.resources) {
    if (absl::Status status = CheckResource(resource, issuers); !status.ok()) return status;
    if (absl::Status status = CheckOpaque(resource, introspecting); !status.ok()) return status;
    if (!uris.insert(resource.uri).second) return Invalid("resource", resource.uri, "is configured twice");
  }
  if (config.introspection_cache_bytes < limits::kIntrospectionCacheBytesMin) {
    return absl::InvalidArgumentError("introspection_cache_bytes: needs 128 KiB at least");
  }
  if (absl::Status status = CheckSnapshot(config.snapshot); !status.ok()) return status;
  for (const std::string& claim : config.policy_claims) {
    if (!policy::IsClaimName(claim))
      return Invalid("policy_claims", claim.substr(0, 64), "is no member's name and no JSON pointer");
  }
  if (PolicyClaims(config).size() > limits::kPolicyClaimsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("policy_claims: those and the policy's are more than ", limits::kPolicyClaimsMax));
  }
  const bool is_recorded = config.audit.sink != nullptr;
  if (absl::Status status = audit::CheckAuditConfig(config.audit); is_recorded && !status.ok())
    return absl::InvalidArgumentError("audit." + std::string(status.message()));
  std::vector<std::string> servers;
  for (const ResourceConfig& resource : config.resources) servers.push_back(resource.uri);
  return CheckPolicy(config.policy, servers, config.timing, is_recorded);
}

}  // namespace tollgate::pipeline
