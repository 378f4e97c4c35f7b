#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "capi/convert.h"
#include "capi/handles.h"
#include "policy/c_policy.h"

namespace tollgate::c_abi {
namespace {

// Numbers takes over numbers of a configuration by convention 7, and remembers the first that is none.
class Numbers {
 public:
  template <typename Number>
  void Take(const char* name, int64_t given, Number* setting) {
    if (given == 0) return;
    if (given < -1 || std::cmp_greater(given, std::numeric_limits<Number>::max())) {
      if (status_.ok()) status_ = Invalid(std::string(name) + ": is out of range");
      return;
    }
    *setting = given == -1 ? Number{0} : static_cast<Number>(given);
  }
  const absl::Status& status() const { return status_; }

 private:
  absl::Status status_;
};

absl::Status Unknown(const char* setting, const std::string& name) {
  return absl::InvalidArgumentError(absl::StrCat(setting, ": there is no \"", name, "\""));
}

absl::Status ReadIssuer(const tollgate_issuer& from, IssuerConfig* issuer) {
  Texts texts;
  issuer->issuer = texts.Copy(from.issuer);
  issuer->jwks = texts.Copy(from.jwks);
  issuer->jwks_uri = texts.Copy(from.jwks_uri);
  issuer->jwks_file = texts.Copy(from.jwks_file);
  issuer->signed_jwks_uri = texts.Copy(from.signed_jwks_uri);
  issuer->signed_jwks_keys = texts.Copy(from.signed_jwks_keys);
  issuer->tenants = texts.Copy(from.tenants);
  issuer->discovery_hosts = texts.Copy(from.discovery_hosts);
  issuer->introspection.endpoint = texts.Copy(from.introspection_endpoint);
  issuer->introspection.client_id = texts.Copy(from.client_id);
  issuer->introspection.client_secret = texts.Copy(from.client_secret);
  const std::vector<std::string> algorithms = texts.Words(from.algorithms);
  const std::string profile = texts.Copy(from.profile);
  if (!texts.good()) return BadString();

  if (!algorithms.empty()) issuer->algorithms = {};
  for (const std::string& name : algorithms) {
    const std::optional<Algorithm> algorithm = AlgorithmFromName(name);
    if (!algorithm) return Unknown("algorithms", name);
    issuer->algorithms.Insert(*algorithm);
  }
  if (!profile.empty()) {
    std::optional<Profile> found = Profile::ByName(profile);
    if (!found) return Unknown("profile", profile);
    issuer->profile = *std::move(found);
  }
  Numbers numbers;
  numbers.Take("leeway_s", from.leeway_s, &issuer->leeway_s);
  numbers.Take("token_age_max_s", from.token_age_max_s, &issuer->token_age_max_s);
  numbers.Take("token_lifetime_max_s", from.token_lifetime_max_s, &issuer->token_lifetime_max_s);
  issuer->discovery = from.discovery != 0;
  issuer->private_network = from.private_network != 0;
  issuer->scope_wildcards = from.scope_wildcards != 0;
  issuer->introspection.discovery = from.introspection_discovery != 0;
  return numbers.status();
}

absl::Status ReadOptions(const tollgate_options& from, tollgate_config* to) {
  Texts texts;
  SnapshotConfig snapshot;
  snapshot.path = texts.Copy(from.snapshot_path);
  snapshot.key = texts.Copy(from.snapshot_key);
  snapshot.key_file = texts.Copy(from.snapshot_key_file);
  snapshot.shared = from.snapshot_shared != 0;
  std::string audit_file = texts.Copy(from.audit_file);
  AuditConfig audit;
  audit.key = texts.Copy(from.audit_key);
  std::string ca_file = texts.Copy(from.ca_file);
  if (!texts.good()) return BadString();
  if (!audit_file.empty() && from.audit_write != nullptr)
    return Invalid("audit_file, audit_write: only one of them can be had");

  Timing timing;
  size_t verdict_cache_bytes = Config().verdict_cache_bytes;
  VerificationLimits limits;
  Numbers numbers;
  numbers.Take("refresh_min_ms", from.refresh_min_ms, &timing.refresh_min_ms);
  numbers.Take("refresh_max_ms", from.refresh_max_ms, &timing.refresh_max_ms);
  numbers.Take("cooldown_ms", from.cooldown_ms, &timing.cooldown_ms);
  numbers.Take("staleness_bound_ms", from.staleness_bound_ms, &timing.staleness_bound_ms);
  numbers.Take("backoff_min_ms", from.backoff_min_ms, &timing.backoff_min_ms);
  numbers.Take("backoff_cap_ms", from.backoff_cap_ms, &timing.backoff_cap_ms);
  numbers.Take("fetch_timeout_ms", from.fetch_timeout_ms, &timing.fetch_timeout_ms);
  numbers.Take("file_interval_ms", from.file_interval_ms, &timing.file_interval_ms);
  numbers.Take("verdict_age_max_ms", from.verdict_age_max_ms, &timing.verdict_age_max_ms);
  numbers.Take("verdict_cache_bytes", from.verdict_cache_bytes, &verdict_cache_bytes);
  numbers.Take("verifications_in_flight_max", from.verifications_in_flight_max, &limits.in_flight_max);
  numbers.Take("in_vain_percent_max", from.in_vain_percent_max, &limits.in_vain_percent_max);
  if (!numbers.status().ok()) return numbers.status();

  to->config.snapshot = std::move(snapshot);
  to->config.audit = std::move(audit);
  to->config.timing = timing;
  to->config.verdict_cache_bytes = verdict_cache_bytes;
  to->config.verification_limits = limits;
  to->config.dangerous.dangerous_allow_http_on_loopback = from.dangerous_allow_http_on_loopback != 0;
  to->audit_file = std::move(audit_file);
  to->audit_write = from.audit_write;
  to->audit_user = from.audit_user;
  to->ca_file = std::move(ca_file);
  to->read_clock = from.read_clock;
  to->clock_user = from.clock_user;
  to->wanted = from.wanted;
  to->wanted_user = from.wanted_user;
  to->own_thread = from.no_thread == 0;
  return absl::OkStatus();
}

}  // namespace
}  // namespace tollgate::c_abi

using namespace tollgate;

tollgate_policy* tollgate_policy_new() noexcept {
  return c_abi::Made([] { return new tollgate_policy; });
}

void tollgate_policy_free(tollgate_policy* policy) noexcept { delete policy; }

tollgate_status tollgate_policy_add_rule(tollgate_policy* policy, const tollgate_rule* rule,
                                         tollgate_error* error) noexcept {
  return c_abi::Guarded(error, [&]() -> absl::Status {
    if (policy == nullptr || rule == nullptr) return c_abi::NullArgument();
    tollgate_rule from;
    if (!c_abi::ReadStruct(rule, &from)) return c_abi::BadStruct();
    c_abi::Texts texts;
    AccessRule to;
    to.name = texts.Copy(from.name);
    to.scopes = texts.Words(from.scopes);
    to.any_valid_token = from.any_valid_token != 0;
    to.server = texts.Copy(from.server);
    const std::string sensitivity = texts.Copy(from.sensitivity);
    if (!sensitivity.empty()) to.sensitivity = sensitivity;
    if (!texts.good()) return c_abi::BadString();
    if (!c_abi::ReadObject(from.object, &to.object)) return c_abi::Invalid("object: is out of range");
    policy->builder.AddRule(std::move(to));
    return absl::OkStatus();
  });
}

tollgate_status tollgate_policy_add_protocol(tollgate_policy* policy, tollgate_string server,
                                             tollgate_error* error) noexcept {
  return c_abi::Guarded(error, [&]() -> absl::Status {
    if (policy == nullptr) return c_abi::NullArgument();
    c_abi::Texts texts;
    std::string name = texts.Copy(server);
    if (!texts.good()) return c_abi::BadString();
    // As a whole or not at all, should memory run out.
    PolicyBuilder builder = policy->builder;
    builder.AddProtocol(std::move(name));
    policy->builder = std::move(builder);
    return absl::OkStatus();
  });
}

tollgate_config* tollgate_config_new() noexcept {
  return c_abi::Made([] { return new tollgate_config; });
}

void tollgate_config_free(tollgate_config* config) noexcept { delete config; }

tollgate_status tollgate_config_add_issuer(tollgate_config* config, const tollgate_issuer* issuer,
                                           tollgate_error* error) noexcept {
  return c_abi::Guarded(error, [&]() -> absl::Status {
    if (config == nullptr || issuer == nullptr) return c_abi::NullArgument();
    tollgate_issuer from;
    if (!c_abi::ReadStruct(issuer, &from)) return c_abi::BadStruct();
    IssuerConfig to;
    if (absl::Status status = c_abi::ReadIssuer(from, &to); !status.ok()) return status;
    config->config.issuers.push_back(std::move(to));
    return absl::OkStatus();
  });
}

tollgate_status tollgate_config_add_resource(tollgate_config* config, const tollgate_resource* resource,
                                             tollgate_error* error) noexcept {
  return c_abi::Guarded(error, [&]() -> absl::Status {
    if (config == nullptr || resource == nullptr) return c_abi::NullArgument();
    tollgate_resource from;
    if (!c_abi::ReadStruct(resource, &from)) return c_abi::BadStruct();
    c_abi::Texts texts;
    ResourceConfig to;
    to.uri = texts.Copy(from.uri);
    to.audiences = texts.Copy(from.audiences);
    to.issuers = texts.Copy(from.issuers);
    to.opaque_token_issuer = texts.Copy(from.opaque_token_issuer);
    if (!texts.good()) return c_abi::BadString();
    config->config.resources.push_back(std::move(to));
    return absl::OkStatus();
  });
}

tollgate_status tollgate_config_set_policy(tollgate_config* config, const tollgate_policy* policy,
                                           tollgate_error* error) noexcept {
  return c_abi::GuardedInEngine(error, [&]() -> absl::Status {
    if (config == nullptr || policy == nullptr) return c_abi::NullArgument();
    absl::StatusOr<Policy> built = policy->builder.Build();
    if (!built.ok()) return built.status();
    config->config.policy = *std::move(built);
    return absl::OkStatus();
  });
}

tollgate_status tollgate_config_set_options(tollgate_config* config, const tollgate_options* options,
                                            tollgate_error* error) noexcept {
  return c_abi::Guarded(error, [&]() -> absl::Status {
    if (config == nullptr || options == nullptr) return c_abi::NullArgument();
    tollgate_options from;
    if (!c_abi::ReadStruct(options, &from)) return c_abi::BadStruct();
    return c_abi::ReadOptions(from, config);
  });
}
