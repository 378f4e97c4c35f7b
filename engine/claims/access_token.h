#pragma once

#include <cstddef>
#include <cstdint>
#include <forward_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/scope_text.h"
#include "claims/scope_texts.h"
#include "jose/jws.h"
#include "json/document.h"
#include "tollgate/policy.h"
#include "tollgate/profile.h"
#include "tollgate/reason.h"

namespace tollgate::claims {

// PolicyClaim is one claim that policies look at: strings as they are, integers and booleans as JSON has
// them. A claim of another form is there, but has no values; and so are members of an array, or strings with
// control characters.
struct PolicyClaim {
  std::string_view name;
  bool is_list = false;
  bool is_text = false;  // Its one value is a string.
  size_t first = 0;      // Position of its first value.
  size_t num_values = 0;
};

// AccessTokenFields is the part of an AccessToken that keeps nothing from one token to the next.
struct AccessTokenFields {
  std::string_view issuer;
  std::string_view subject;
  std::string_view client_id;
  std::string_view jwt_id;
  // NumericDates, RFC 7519 section 2, in seconds. Fractions are legal: exp and nbf are rounded up, so that
  // comparing them with a clock of whole seconds is exact, and iat down. has_… is false for absent ones.
  int64_t expires_at = 0;
  int64_t not_before = 0;
  int64_t issued_at = 0;
  bool has_not_before = false;
  bool has_issued_at = false;
  bool sender_constrained = false;  // `cnf` is present (RFC 7800).
  PrincipalKind kind = PrincipalKind::kUser;
  // The scope claim, if it is one text; and what is known of that text, null if that is nothing.
  std::string_view scope_claim;
  ScopeText* scope_text = nullptr;
  // How the subject has authenticated, with `amr`. What is of another form than RFC 9068 section 2.2.1.1 has
  // it proves nothing, and is left out.
  std::string_view acr;
};

// AccessToken holds the claims of one access token, typed by its issuer's profile. Views point into the
// document that they were read from, and into this. Reusable; the vectors keep their storage. Owner thread
// only.
struct AccessToken : AccessTokenFields {
  std::vector<std::string_view> audiences;
  std::vector<std::string_view> scopes;  // In the token's order; duplicates removed.
  std::vector<std::string_view> roles;   // Likewise.
  // Who acts for the subject, by `sub` (or `client_id`) of `act`, RFC 8693 section 4.1: the current one
  // first.
  std::vector<std::string_view> actors;
  std::vector<std::string_view> amr;
  // Those of Expectations::policy_claims that are there.
  std::vector<PolicyClaim> policy_claims;
  std::vector<std::string_view> policy_values;    // PolicyClaim::first names some of these.
  std::forward_list<std::string> policy_numbers;  // What of them does not stand in the document as it is.

  ScopeTexts scope_texts;  // Of earlier tokens.
};

// PeekIssuer returns `iss` of a payload that nobody has verified yet: kIssuerMissing, or kBadClaim if it is
// no string, is empty or longer than limits::kIssuerBytesMax.
Reason PeekIssuer(json::Value unverified_payload, std::string_view* issuer);

// Expectations is what an issuer's access tokens must be like. Made once at configuration. Thread-compatible.
struct Expectations {
  Profile profile;
  std::string issuer;
  std::string tenant{};  // What `tid` must be; empty: it is not looked at.
  int64_t leeway_s = 60;
  int64_t token_age_max_s = 0;
  int64_t token_lifetime_max_s = 0;
  // Config::policy_claims and those of the policy, by their names there. Null: none.
  std::shared_ptr<const std::vector<std::string>> policy_claims{};
};

// TimeEvidence tells what was compared when a token was refused by time: the quantity of this moment (the
// time, the token's age or its lifetime) and the bound that it broke, leeway included. All in seconds.
struct TimeEvidence {
  int64_t actual = 0;
  int64_t bound = 0;
};

// CheckTimes is the time window, for a fresh token and for a cached one alike: kExpired at now ≥ exp +
// leeway, kNotYetValid at now < nbf − leeway or now < iat − leeway, kTooOld at now − iat > token_age_max (+
// leeway); the first of these in this order. The bound on the lifetime does not depend on the moment:
// Validate alone holds it. Sums are held at the ends of the range, so that no value of any argument wraps.
// Pure.
struct TimeWindow {
  int64_t expires_at = 0;
  int64_t not_before = INT64_MIN;  // INT64_MIN: absent.
  int64_t issued_at = INT64_MIN;   // INT64_MIN: absent.
};
inline TimeWindow TimesOf(const AccessToken& token) {
  return {.expires_at = token.expires_at,
          .not_before = token.has_not_before ? token.not_before : INT64_MIN,
          .issued_at = token.has_issued_at ? token.issued_at : INT64_MIN};
}
Reason CheckTimes(const TimeWindow& window, const Expectations& expectations, int64_t now_s,
                  TimeEvidence* evidence);

// ValidSpan returns the first and the last second at which CheckTimes finds a window in order whose lifetime
// is; both within int64_t's range, and empty if first > last. Pure.
struct Span {
  int64_t from_s = 0;
  int64_t through_s = 0;
};
Span ValidSpan(const TimeWindow& window, const Expectations& expectations);

// ValidatedClaims proves that the claims of a verified token were found to be an access token of the expected
// issuer in its time. Only Validate and ValidateAnswer make one. It says nothing about the audience:
// `audiences` is for the caller to match with the resource at hand. Refers to the AccessToken it was made
// over. Thread-compatible.
class ValidatedClaims {
 public:
  const AccessToken& token() const { return *token_; }

 private:
  friend Reason Validate(const jose::VerifiedJws&, const Expectations&, int64_t, AccessToken*, TimeEvidence*,
                         std::optional<ValidatedClaims>*);
  friend Reason ValidateAnswer(json::Value, const Expectations&, int64_t, AccessToken*, TimeEvidence*,
                               std::optional<ValidatedClaims>*);
  explicit ValidatedClaims(const AccessToken* token) : token_(token) {}
  const AccessToken* token_;
};

// Validate reads the claims of `jws` by the profile into `storage` and checks them in this order: typ
// (kWrongType); the profile's must_equal marks, and, under any typ but at+jwt, the marks of ID and refresh
// tokens that Profile::id_tokens names (kNotAnAccessToken); types, ranges and lengths of all claims that are
// used (kBadClaim; a claim of the wrong type, null too, is never taken as absent); issuer equal
// (kIssuerMissing, kIssuerUnknown), and tenant (kTenantMismatch); required claims present (kExpiryMissing,
// kAudienceMissing, also for an empty array, kIssuedAtMissing, also where a bound on age or lifetime needs
// it, kSubjectMissing, kClientMissing, kJwtIdMissing); times, and kLifetimeTooLong at exp − iat >
// token_lifetime_max, both without their fractions (`evidence` filled). claim_values.h says how each value is
// read. kNone and a proof, or that reason and none; `storage` is then unspecified. RFC 7519 section 4.1, RFC
// 8725 section 3, RFC 9068 sections 2.2 and 4.
Reason Validate(const jose::VerifiedJws& jws, const Expectations& expectations, int64_t now_s,
                AccessToken* storage, TimeEvidence* evidence, std::optional<ValidatedClaims>* out);

// ExpectationsOfAnswers derives what an issuer's introspection responses must be like: RFC 7662's own names
// for scope and client come before the profile's, and the audience is `aud`.
Expectations ExpectationsOfAnswers(const Expectations& expectations);

// ValidateAnswer is Validate for an introspection response (RFC 7662 section 2.2) that calls a token active,
// with the expectations of answers. Its members stand for the token's claims, and all may be absent: `iss` is
// then the expected issuer, exp is never (INT64_MAX), and the audience is empty, which is for the caller to
// judge; of a tenant, one of `iss` and `tid` must be there; iat must be there where the issuer's token age is
// bounded. An issuer may call its refresh tokens active, too: the marks of other tokens that Validate looks
// for refuse it (kNotAnAccessToken), and so does a mark of the profile's must_equal that is there and
// different. So does a token_type that is neither Bearer nor DPoP; the latter is a sender constraint (RFC
// 9449 section 6.2), with `cnf` or without.
Reason ValidateAnswer(json::Value answer, const Expectations& expectations, int64_t now_s,
                      AccessToken* storage, TimeEvidence* evidence, std::optional<ValidatedClaims>* out);

}  // namespace tollgate::claims
