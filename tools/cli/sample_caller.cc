#include "tools/cli/sample_caller.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <span>

#include "absl/status/status.h"
#include "base/saturating.h"
#include "tollgate/profile.h"
#include "tollgate/reason.h"

namespace tollgate::cli {
namespace {

absl::Status Refuse(std::string_view why) { return absl::InvalidArgumentError(std::string(why)); }

// ClaimsOf returns the claims that the policy looks at.
std::vector<std::string> ClaimsOf(const Policy& policy) {
  std::set<std::string> names;
  for (const AccessRule& rule : policy.rules()) {
    for (const Predicate& predicate : rule.predicates) names.insert(predicate.claim);
  }
  return {names.begin(), names.end()};
}

// Lifetime is what the engine takes for it: see Lifetime in engine/pipeline/establish.cc.
int64_t Lifetime(const claims::AccessToken& token) {
  if (!token.has_issued_at || token.expires_at == INT64_MAX) return INT64_MAX;
  return std::max<int64_t>(0, saturating::Minus(saturating::Minus(token.expires_at, token.issued_at), 1));
}

}  // namespace

absl::StatusOr<std::unique_ptr<const SampleCaller>> SampleCaller::Read(std::string_view claims,
                                                                       const Policy& policy,
                                                                       const Options& options) {
  const std::optional<Profile> profile = Profile::ByName(options.profile);
  if (!profile) return Refuse("the issuer profile is unknown");
  std::unique_ptr<SampleCaller> sample(new SampleCaller);
  if (const Reason reason = sample->document_.Parse(claims); reason != Reason::kNone)
    return Refuse("the claims are no JSON object: " + std::string(ReasonName(reason)));
  const json::Value payload = sample->document_.root();
  if (!payload.is_object()) return Refuse("the claims are no JSON object");

  // A leeway without end, so that they are in their time at any.
  claims::Expectations expectations = {.profile = *profile, .issuer = {}, .leeway_s = INT64_MAX};
  std::string_view issuer;
  if (claims::PeekIssuer(payload, &issuer) == Reason::kNone) expectations.issuer = issuer;
  sample->claim_names_ = std::make_shared<const std::vector<std::string>>(ClaimsOf(policy));
  expectations.policy_claims = sample->claim_names_;
  if (options.opaque) expectations = claims::ExpectationsOfAnswers(expectations);
  claims::AccessToken& token = sample->token_;
  claims::TimeEvidence evidence;
  std::optional<claims::ValidatedClaims> validated;
  // Of answers, because these may leave out what says nothing about a permission.
  if (const Reason reason =
          claims::ValidateAnswer(payload, expectations, /*now_s=*/0, &token, &evidence, &validated);
      reason != Reason::kNone) {
    return Refuse("the claims are none of an access token by this profile: " +
                  std::string(ReasonName(reason)));
  }

  const std::span<const std::string_view> values = token.policy_values;
  for (const claims::PolicyClaim& claim : token.policy_claims) {
    sample->claims_.push_back({.name = claim.name,
                               .is_list = claim.is_list,
                               .is_text = claim.is_text,
                               .values = values.subspan(claim.first, claim.num_values)});
  }
  sample->profile_ = profile->name;
  sample->caller_ = {.issuer = issuer,
                     .profile = sample->profile_,
                     .subject = token.subject,
                     .client_id = token.client_id,
                     .kind = token.kind,
                     .credential = options.opaque ? CredentialKind::kOpaque : CredentialKind::kJwt,
                     .scopes = token.scopes,
                     .roles = token.roles,
                     .acr = token.acr,
                     .amr = token.amr,
                     .lifetime_s = Lifetime(token),
                     .scope_wildcards = options.scope_wildcards,
                     .claims = sample->claims_};
  return sample;
}

}  // namespace tollgate::cli
