#include "tools/cli/doctor_token.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/tenants.h"
#include "claims/access_token.h"
#include "jose/jws.h"
#include "keys/issuer_family.h"
#include "policy/near_miss.h"
#include "tools/cli/doctor_issuer.h"
#include "tools/cli/examine.h"

namespace tollgate::cli {
namespace {

// Whose is the issuer that a token names: the configuration's, and, of a template, the tenant.
struct Found {
  const IssuerConfig* issuer = nullptr;
  std::string tenant;
};

Found FindIssuer(const Config& config, std::string_view name) {
  for (const IssuerConfig& issuer : config.issuers) {
    if (!IsTemplate(issuer.issuer) && issuer.issuer == name) return {&issuer, ""};
    for (const std::string& tenant : issuer.tenants)
      if (ForTenant(issuer.issuer, tenant) == name) return {&issuer, tenant};
  }
  return {};
}

std::vector<std::string> AudiencesOf(const Config& config) {
  std::vector<std::string> audiences;
  for (const ResourceConfig& resource : config.resources) {
    audiences.push_back(resource.uri);
    audiences.insert(audiences.end(), resource.audiences.begin(), resource.audiences.end());
  }
  return audiences;
}

// TellOpaque: what is no JWS is for introspection, or for nobody.
void TellOpaque(const Config& config, Reason reason, Part* part) {
  const bool asked =
      std::any_of(config.resources.begin(), config.resources.end(),
                  [](const ResourceConfig& resource) { return !resource.opaque_token_issuer.empty(); });
  if (asked && reason == Reason::kNotCompactJws)
    return part->Say(Level::kNote, "form", "is no JWT: its issuer is asked about it (opaque_token_issuer)");
  part->Say(Level::kProblem, "form",
            std::string(ReasonName(reason)) + ": is no JWT that anybody could verify",
            {{"reason", ReasonName(reason)}});
}

// Examine holds the token against one profile.
Examination Examine(const Config& config, const Found& whose, std::string_view name, std::string_view jwks,
                    const Profile& profile, std::string_view token) {
  const IssuerConfig& issuer = *whose.issuer;
  ExamineOptions options;
  options.expectations = {.profile = profile,
                          .issuer = std::string(name),
                          .tenant = whose.tenant,
                          .leeway_s = issuer.leeway_s,
                          .token_age_max_s = issuer.token_age_max_s,
                          .token_lifetime_max_s = issuer.token_lifetime_max_s};
  options.audiences = AudiencesOf(config);
  options.algorithms = issuer.algorithms;
  options.now_s = WallMs() / 1000;
  absl::StatusOr<jose::JwkSet> set = UsableSet(jwks, issuer, name);
  return Examiner(set.ok() ? *std::move(set) : jose::JwkSet(), std::move(options)).Examine(token);
}

void TellSteps(const Examination& examination, Part* part) {
  for (const Step& step : examination.steps) {
    if (step.outcome == Step::Outcome::kNotReached) continue;
    part->Say(step.outcome == Step::Outcome::kPassed ? Level::kGood : Level::kProblem, step.name,
              step.detail);
  }
}

// TellProfiles: the configured one decides, the others tell what the token would need.
void TellProfiles(const Config& config, const Found& whose, std::string_view name, std::string_view jwks,
                  std::string_view token, Part* part) {
  for (const std::string_view profile : Profile::Names()) {
    const Reason reason = Examine(config, whose, name, jwks, *Profile::ByName(profile), token).reason;
    const bool configured = profile == whose.issuer->profile.name;
    part->Say(Level::kNote, "profile",
              std::string(profile) + (configured ? ", which is configured: " : ": ") +
                  (reason == Reason::kNone ? "fits" : std::string(ReasonName(reason))),
              {{"profile", profile}, {"configured", configured}, {"reason", ReasonName(reason)}});
  }
}

// TellRotation: which of the issuer's keys signs, and which do not yet, or not any more.
void TellRotation(const IssuerConfig& issuer, std::string_view name, std::string_view jwks,
                  const Examination& examination, Part* part) {
  const absl::StatusOr<jose::JwkSet> set = UsableSet(jwks, issuer, name);
  if (!set.ok()) return;
  for (const jose::Jwk& key : set->keys) {
    const bool may = key.algorithms.Intersect(issuer.algorithms).Contains(examination.algorithm);
    if (!may || !key.has_key_id || key.key_id == examination.key_id) continue;
    part->Say(Level::kNote, "rotation",
              "kid " + Printable(key.key_id) +
                  " could have signed it, too: it is announced ahead, or stays for tokens of before",
              {{"key_id", key.key_id}});
  }
}

}  // namespace

void DiagnoseToken(const Config& config, const std::map<std::string, std::string>& jwks,
                   std::string_view token, Part* part) {
  jose::ParsedJws jws;
  if (const Reason reason = jws.Parse(token); reason != Reason::kNone)
    return TellOpaque(config, reason, part);
  std::string_view name;
  if (const Reason reason = claims::PeekIssuer(jws.unverified_payload(), &name); reason != Reason::kNone)
    return part->Say(Level::kProblem, "issuer", std::string(ReasonName(reason)),
                     {{"reason", ReasonName(reason)}});
  const Found whose = FindIssuer(config, name);
  if (whose.issuer == nullptr) {
    std::vector<std::string> known;
    for (const IssuerConfig& issuer : config.issuers)
      for (std::string& each : keys::NamesOf(issuer)) known.push_back(std::move(each));
    return part->Say(
        Level::kProblem, "issuer",
        "issuer_unknown: " + Printable(name) + " is not configured" + policy::DidYouMean(name, known),
        {{"reason", "issuer_unknown"}});
  }
  const auto keys = jwks.find(whose.issuer->issuer);
  if (keys == jwks.end())
    return part->Say(Level::kProblem, "key",
                     "the issuer " + Printable(name) + " has no keys to verify it with");
  const Examination examination = Examine(config, whose, name, keys->second, whose.issuer->profile, token);
  TellSteps(examination, part);
  if (examination.thumbprint.empty()) return;  // Whose it is does not depend on the profile.
  TellRotation(*whose.issuer, name, keys->second, examination, part);
  TellProfiles(config, whose, name, keys->second, token, part);
}

}  // namespace tollgate::cli
