#pragma once

#include <span>

#include "absl/status/status.h"
#include "tollgate/config.h"

namespace tollgate::pipeline {

// CheckConfig returns InvalidArgument with one line that names the setting, if `config` cannot be served
// safely. What concerns keys (URLs, key sets, repeated issuers) is checked by keys::KeyStore::Create.
absl::Status CheckConfig(const Config& config);

// CheckIssuer is the part of it about one issuer; `must_introspect`: the policy demands it.
absl::Status CheckIssuer(const IssuerConfig& issuer, const DangerousOptions& dangerous,
                         std::span<const ResourceConfig> resources, bool must_introspect);

// DemandsIntrospection: some tool's class asks issuers about tokens.
bool DemandsIntrospection(const Policy& policy);

}  // namespace tollgate::pipeline
