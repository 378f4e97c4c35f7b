#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "tollgate/export.h"
#include "tollgate/mcp_object.h"

namespace tollgate {

// A policy says what a good token may do: which tools, prompts, resources and methods of which servers it may
// use (Policy), what it needs for each (AccessRule), and how strictly it is looked at (SensitivityClass).
// What no rule names is denied.

// ValidationMode says what has to be asked before a tool may be called.
enum class ValidationMode : uint8_t {
  // The token's signature and claims; or, of an opaque token, that it was active not too long ago.
  kSignature,
  // And its issuer, by RFC 7662. Refused by the engine unless every issuer has an introspection endpoint,
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

// PrincipalKind says what kind of caller a token speaks for.
enum class PrincipalKind : uint8_t {
  kUser,     // Somebody who has logged in, through a client.
  kService,  // A client for itself (RFC 6749 section 4.4): `sub` is its id, or there is none; see Profile.
  kAgent,    // An actor for somebody else: the token has `act` (RFC 8693 section 4.1).
};

// CredentialKind says how a caller has proved who they are.
enum class CredentialKind : uint8_t {
  kJwt,     // A token whose signature was verified.
  kOpaque,  // A token that its issuer called active.
};

// AuditDuty says which decisions about a class of tools are recorded.
enum class AuditDuty : uint8_t {
  kNone,
  kSampled,     // Some of those that allow; all others in full.
  kFull,        // All, as long as there is room: losses are counted.
  kMustRecord,  // All; what cannot be recorded is not allowed.
};

// SensitivityClass is a named demand that many tools share. Of an empty list nothing is demanded.
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
  // A token that lives longer, exp − iat, is not accepted, in seconds; 0: no bound beyond the issuer's own.
  int64_t token_lifetime_max_s = 0;
  std::vector<std::string> acr_values{};      // The token's `acr` is one of these (RFC 9470).
  std::vector<std::string> amr_values{};      // The token's `amr` has all of these (RFC 8176).
  std::vector<PrincipalKind> principals{};    // Who may use the class.
  std::vector<CredentialKind> credentials{};  // With what.
  // The token must be bound to a key that the request proves to have. No such proof is read yet, so that this
  // denies everybody.
  bool sender_constraint = false;
  AuditDuty audit = AuditDuty::kSampled;
};

// Predicate is a condition on one claim. A claim's value is a string, an integer or a boolean, which count as
// they stand in JSON, or an array of these; what has another form, or control characters in it, is present
// and nothing else.
struct Predicate {
  enum class Operator : uint8_t {
    kPresent,   // The token has the claim, and it is not null.
    kEquals,    // It is this one value.
    kIn,        // It is one of these.
    kPrefix,    // It is a string that begins with one of these.
    kContains,  // It is an array with one of these in it, or this one value.
  };
  std::string claim{};  // A top-level member, or an RFC 6901 JSON pointer ("/org/tier").
  Operator operation = Operator::kPresent;
  std::vector<std::string> values{};
};

// AccessRule says what one tool, prompt, resource or method needs, all of it.
struct AccessRule {
  // Matched exactly. Of a resource it may be a URI template (RFC 6570, level 1: each `{variable}` stands for
  // one or more characters but / ? # and %2F), or with a `*` at its end a prefix up to a slash:
  // `file:///docs/*` is all that lies below. The rule with the longest text that matches counts, an exact one
  // before a template and that before a prefix. Templates and prefixes match no URI that servers could take
  // for another one: see docs/policy.md.
  std::string name{};
  std::vector<std::string> scopes{};  // All are needed. Compared exactly; a `*` is a letter like any other.
  bool any_valid_token = false;       // Says on purpose that neither scopes nor roles are needed.
  std::string sensitivity = "read";   // The name of a SensitivityClass.
  McpObject object = McpObject::kTool;
  // A server's canonical URI, ResourceConfig::uri: the rule is for that one, and there before a rule for all;
  // empty: for all.
  std::string server{};
  std::vector<std::string> roles{};         // One of these is needed; names of RoleRules.
  std::vector<PrincipalKind> principals{};  // Beside what the class says. Empty: all.
  std::vector<Predicate> predicates{};
  std::vector<std::string> systems{};  // Downstream systems that a call reaches, for people and reports.
};

// ScopeRule declares a scope and what it implies. A pattern is a scope with a `*` at its end: all scopes that
// the policy names and that begin with what is in front of it.
struct ScopeRule {
  std::string scope{};  // May itself be a pattern's text ("files:*"): then it implies its matches.
  std::vector<std::string> implies{};  // Scopes or patterns: whoever holds `scope` holds these.
};

// RoleRule declares a role.
struct RoleRule {
  // Where tokens have the role from: as this `value`, in a token of this `issuer` (its URI, or its
  // Profile::name); empty: of all.
  struct Source {
    std::string issuer{};
    std::string value{};
  };
  std::string role{};
  std::vector<std::string> scopes{};  // Or patterns: whoever has the role holds these, too,
  // if they are of these kinds. An agent does not get by its user's role what it was not granted itself.
  std::vector<PrincipalKind> principals = {PrincipalKind::kUser, PrincipalKind::kService};
  std::vector<Source> from{};  // Empty: tokens call it by its name.
};

// PolicyFinding is what there is to say of one part of a policy.
struct PolicyFinding {
  enum class Part : uint8_t { kPolicy, kClass, kScope, kRole, kRule };
  bool is_error = false;  // Else a warning: a scope that nothing needs, a tool that nobody can use.
  Part part = Part::kPolicy;
  size_t index = 0;      // Which one, in the order in which they were added.
  std::string member{};  // Of that part, by its name here ("scopes"); empty: the part itself.
  size_t item = 0;       // Of a list, which one.
  // One line that names the part and what is wrong, with a near-miss name if there is one.
  std::string message{};
};

// Policy is a validated set of rules. Made by PolicyBuilder alone. Thread-compatible.
class TOLLGATE_API Policy {
 public:
  const std::vector<SensitivityClass>& classes() const { return classes_; }
  const std::vector<ScopeRule>& scopes() const { return scopes_; }
  const std::vector<RoleRule>& roles() const { return roles_; }
  const std::vector<AccessRule>& rules() const { return rules_; }

 private:
  friend class PolicyBuilder;
  std::vector<SensitivityClass> classes_;
  std::vector<ScopeRule> scopes_;
  std::vector<RoleRule> roles_;
  std::vector<AccessRule> rules_;
};

// PolicyBuilder collects rules and validates them together. The classes `read`, `write` and `privileged`
// exist from the start; AddClass with the same name replaces one. A token for the first two lives an hour at
// most, for `privileged` fifteen minutes, and what is done with that is recorded in full. Thread-compatible.
class TOLLGATE_API PolicyBuilder {
 public:
  static constexpr size_t kRulesMax = 16384;
  static constexpr size_t kScopesMax = 2048;  // Different scopes in one policy.
  static constexpr size_t kRolesMax = 1024;
  static constexpr size_t kClassesMax = 64;
  static constexpr size_t kConditionsMax = 256;  // Different predicates.

  PolicyBuilder();
  PolicyBuilder& AddClass(SensitivityClass sensitivity);
  PolicyBuilder& AddScope(ScopeRule rule);
  PolicyBuilder& AddRole(RoleRule rule);
  PolicyBuilder& AddRule(AccessRule rule);
  // AddProtocol adds a rule of any_valid_token for each method by which MCP itself works and that concerns
  // nothing with a name: initialize, ping, server/discover, the lists, notifications and answers. `server`:
  // see AccessRule.
  PolicyBuilder& AddProtocol(std::string server = {});

  // Findings says all that is wrong with what was added, errors first, in the order of the parts. Once there
  // is a ScopeRule, each scope that a rule or a role names must be declared, but for those that patterns of
  // other rules match.
  std::vector<PolicyFinding> Findings() const;

  // Build returns the policy, or InvalidArgument with the first error of Findings.
  absl::StatusOr<Policy> Build() const;

 private:
  std::vector<SensitivityClass> classes_;
  std::vector<ScopeRule> scopes_;
  std::vector<RoleRule> roles_;
  std::vector<AccessRule> rules_;
};

// Names for people and files: "signature", "introspect", "introspect_behind"; "deny_unavailable",
// "last_known", "local_signature"; "user", "service", "agent"; "jwt", "opaque"; "none", "sampled", "full",
// "must_record"; "present", "equals", "in", "prefix", "contains"; "method", "tool", "prompt", "resource".
// Static storage.
TOLLGATE_API std::string_view NameOf(ValidationMode mode);
TOLLGATE_API std::string_view NameOf(IntrospectionOutage outage);
TOLLGATE_API std::string_view NameOf(PrincipalKind kind);
TOLLGATE_API std::string_view NameOf(CredentialKind kind);
TOLLGATE_API std::string_view NameOf(AuditDuty duty);
TOLLGATE_API std::string_view NameOf(Predicate::Operator operation);
TOLLGATE_API std::string_view NameOf(McpObject object);

}  // namespace tollgate
