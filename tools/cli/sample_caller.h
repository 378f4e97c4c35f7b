#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "claims/access_token.h"
#include "json/document.h"
#include "policy/caller.h"
#include "tollgate/policy.h"

namespace tollgate::cli {

// SampleCaller is who would be calling with a token of given claims: for questions about policies, hence
// without any check of signature, audience, time, or presence of claims. Thread-compatible.
class SampleCaller {
 public:
  struct Options {
    std::string profile = "lenient";  // Profile::name of the token's issuer.
    // The claims are an introspection response's (RFC 7662 section 2.2), else a JWT's.
    bool opaque = false;
    bool scope_wildcards = false;  // See IssuerConfig.
  };
  static constexpr size_t kBytesMax = 65536;

  // Read reads a token's claims, a JSON object, as the engine would. InvalidArgument, without a word of
  // `claims`, if the engine would not take them for an access token's.
  static absl::StatusOr<std::unique_ptr<const SampleCaller>> Read(std::string_view claims,
                                                                  const Policy& policy,
                                                                  const Options& options);
  SampleCaller(const SampleCaller&) = delete;
  SampleCaller& operator=(const SampleCaller&) = delete;

  const policy::Caller& caller() const { return caller_; }  // Valid as long as this.

 private:
  SampleCaller() : document_(kBytesMax) {}

  json::Document document_;
  std::shared_ptr<const std::vector<std::string>> claim_names_;  // token_ points into it.
  claims::AccessToken token_;
  std::string profile_;
  std::vector<policy::Claim> claims_;
  policy::Caller caller_;
};

}  // namespace tollgate::cli
