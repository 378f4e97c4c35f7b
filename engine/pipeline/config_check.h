#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tollgate/config.h"

namespace tollgate::pipeline {

// CheckConfig returns InvalidArgument with one line that names the setting, if `config` cannot be served
// safely. What concerns keys (URLs, key sets, repeated issuers) is checked by keys::KeyStore::Create.
absl::Status CheckConfig(const Config& config);

// CheckIssuer is the part of it about one issuer; `must_introspect`: the policy demands it.
absl::Status CheckIssuer(const IssuerConfig& issuer, const DangerousOptions& dangerous,
                         std::span<const ResourceConfig> resources, bool must_introspect);

// CheckPolicy is the part of it about the policy of these servers, `is_recorded` with an audit log;
// CheckPolicyClaims is for one that comes later: it may look at no other claims than `claims`, since others
// have not been kept.
absl::Status CheckPolicy(const Policy& policy, std::span<const std::string> servers, const Timing& timing,
                         bool is_recorded);
absl::Status CheckPolicyClaims(const Policy& policy, std::span<const std::string> claims);

// PolicyClaims returns the claims that policies may look at: those of the configuration and of its policy.
std::vector<std::string> PolicyClaims(const Config& config);

// DemandsIntrospection: some tool's class asks issuers about tokens.
bool DemandsIntrospection(const Policy& policy);

}  // namespace tollgate::pipeline
