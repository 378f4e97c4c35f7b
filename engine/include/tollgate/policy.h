#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tollgate/export.h"

namespace tollgate {

// ValidationMode says what has to be asked before a tool may be called.
enum class ValidationMode : uint8_t {
  // The token's signature and claims; or, of an opaque token, that it was active not too long ago.
  kSignature,
  // And its issuer, by RFC 7662. Refused by Engine::Create unless every issuer has an introspection endpoint,
  // like the next one.
  kIntrospect,
  // The token's signature is answered from at once, and the issuer asked behind it: what it calls inactive is
  // denied from then on.
  kIntrospectBehind,
};

// IntrospectionOutage says what a class of tools does about a token of a good signature while its issuer
// cannot be asked whether it is active.
enum class IntrospectionOutage : uint8_t {
  kDenyUnavailable,  // 503 with Retry-After: nobody knows.
  kLastKnown,        // The last answer, if it was "active" and not longer ago than last_known_age_max_s.
  kLocalSignature,   // The signature and the claims, as if kSignature had been demanded.
};

// SensitivityClass is a named demand that many tools share.
struct SensitivityClass {
  std::string name{};
  ValidationMode mode = ValidationMode::kSignature;
  // A token is too old for the class this long after its iat, in seconds; 0: no bound beyond the issuer's
  // own.
  int64_t token_age_max_s = 0;
  // With kIntrospect: an answer is too old for the class after this, in seconds; 0: no bound beyond
  // Timing::active_age_max_ms.
  int64_t introspection_age_max_s = 0;
  IntrospectionOutage introspection_outage = IntrospectionOutage::kDenyUnavailable;
  int64_t last_known_age_max_s = 0;  // For kLastKnown, in seconds; more than 0.
};

// ToolRule says what one tool needs.
struct ToolRule {
  std::string tool{};
  std::vector<std::string> scopes{};  // All are needed. Compared exactly; a `*` is a letter like any other.
  bool any_valid_token = false;       // Says on purpose that `scopes` is empty.
  std::string sensitivity = "read";
};

// Policy is a validated set of rules: what is not named in it is denied. Made by PolicyBuilder alone.
// Thread-compatible.
class TOLLGATE_API Policy {
 public:
  const std::vector<SensitivityClass>& classes() const { return classes_; }
  const std::vector<ToolRule>& tools() const { return tools_; }

 private:
  friend class PolicyBuilder;
  std::vector<SensitivityClass> classes_;
  std::vector<ToolRule> tools_;
};

// PolicyBuilder collects rules and validates them together. The classes `read`, `write` and `privileged`
// exist from the start, all with kSignature; AddClass with the same name replaces one. Thread-compatible.
class TOLLGATE_API PolicyBuilder {
 public:
  static constexpr size_t kToolsMax = 16384;
  static constexpr size_t kScopesMax = 256;  // Different scopes in one policy.

  PolicyBuilder();
  PolicyBuilder& AddClass(SensitivityClass sensitivity);
  PolicyBuilder& AddTool(ToolRule rule);

  // Build returns the policy, or InvalidArgument naming the rule: no tool at all, an empty or repeated tool
  // name, no scope without any_valid_token (or scopes with it), a scope that is not an RFC 6749 section 3.3
  // scope-token, an unknown class, a limit passed.
  absl::StatusOr<Policy> Build() const;

 private:
  std::vector<SensitivityClass> classes_;
  std::vector<ToolRule> tools_;
};

}  // namespace tollgate
