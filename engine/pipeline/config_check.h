#pragma once

#include "absl/status/status.h"
#include "tollgate/config.h"

namespace tollgate::pipeline {

// CheckConfig returns InvalidArgument with one line that names the setting, if `config` cannot be served
// safely. What concerns keys (URLs, key sets, repeated issuers) is checked by keys::KeyStore::Create.
absl::Status CheckConfig(const Config& config);

// CheckIssuer is the part of it about one issuer.
absl::Status CheckIssuer(const IssuerConfig& issuer, const DangerousOptions& dangerous);

}  // namespace tollgate::pipeline
