#include "claims/access_token.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string>

#include "base/ascii.h"
#include "base/marks.h"
#include "base/saturating.h"
#include "claims/claim_values.h"

namespace tollgate::claims {
namespace {

using Limits = std::numeric_limits<int64_t>;

// ShortType leaves out "application/" where RFC 7515 section 4.1.9 lets it be left out: no other slash
// follows.
std::string_view ShortType(std::string_view type) {
  constexpr std::string_view kPrefix = "application/";
  if (!ascii::EqualIgnoringCase(type.substr(0, kPrefix.size()), kPrefix)) return type;
  const std::string_view rest = type.substr(kPrefix.size());
  return rest.find('/') == rest.npos ? rest : type;
}

// SameType is inlined: compared with a literal, most types cost no call.
TOLLGATE_INLINE bool SameType(std::string_view a, std::string_view b) {
  return a == b || ascii::EqualIgnoringCase(ShortType(a), ShortType(b));
}

Reason CheckType(const jose::JoseHeader& header, const Profile& profile) {
  if (profile.any_type) return Reason::kNone;
  if (!header.has_type) return profile.missing_type_allowed ? Reason::kNone : Reason::kWrongType;
  for (const std::string& type : profile.types) {
    if (SameType(header.type, type)) return Reason::kNone;
  }
  return Reason::kWrongType;
}

// HasIdTokenHash: only ID tokens have these claims (OpenID Connect Core sections 3.1.3.6 and 3.3.2.11).
bool HasIdTokenHash(json::Value payload) {
  return payload.Member("at_hash").present() || payload.Member("c_hash").present();
}

// NamesAnotherUse: the payload says of itself that it is no access token, as Cognito, Keycloak and Hydra
// write it.
bool NamesAnotherUse(json::Value payload) {
  if (const json::Value use = payload.Member("token_use");
      use.present() && use.string() != "access" && use.string() != "access_token") {
    return true;
  }
  constexpr std::array<std::string_view, 4> kOtherTypes = {"ID", "Refresh", "Offline", "Logout"};
  const std::optional<std::string_view> type = payload.Member("typ").string();
  return type && std::any_of(kOtherTypes.begin(), kOtherTypes.end(),
                             [&](std::string_view other) { return ascii::EqualIgnoringCase(*type, other); });
}

// CheckOtherMarks looks for the marks of ID, refresh and other tokens.
Reason CheckOtherMarks(json::Value payload, const Profile& profile) {
  if (!profile.id_tokens && HasIdTokenHash(payload)) return Reason::kNotAnAccessToken;
  return NamesAnotherUse(payload) ? Reason::kNotAnAccessToken : Reason::kNone;
}

Reason CheckMarks(const jose::JoseHeader& header, json::Value payload, const Profile& profile) {
  for (const auto& [name, value] : profile.must_equal) {
    if (payload.Pointer(name).string() != value) return Reason::kNotAnAccessToken;
  }
  // A type that says no more than "JWT" does not rule out an ID or refresh token.
  if (header.has_type && SameType(header.type, "at+jwt")) return Reason::kNone;
  return CheckOtherMarks(payload, profile);
}

void Clear(AccessToken* token) {
  static_cast<AccessTokenFields&>(*token) = {};
  token->audiences.clear();
  token->scopes.clear();
  token->roles.clear();
  token->actors.clear();
  token->amr.clear();
  token->policy_claims.clear();
  token->policy_values.clear();
  token->policy_numbers.clear();
}

// Reader reads one claim after the other and stays at the first failure.
class Reader {
 public:
  explicit Reader(json::Value payload) : payload_(payload) {}
  Reason reason() const { return reason_; }

  void Date(std::string_view name, Rounding rounding, int64_t* seconds, bool* present) {
    const json::Value value = Get(name);
    *present = value.present();
    if (*present) reason_ = ReadNumericDate(value, rounding, seconds);
  }

  void Text(std::string_view name, std::string_view* text) {
    if (const json::Value value = Get(name); value.present()) reason_ = ReadText(value, text);
  }

  void FirstText(const std::vector<std::string>& names, std::string_view* text) {
    if (const json::Value value = FirstPresent(names); value.present()) reason_ = ReadText(value, text);
  }

  void Audiences(std::string_view name, std::vector<std::string_view>* audiences) {
    if (const json::Value value = Get(name); value.present()) {
      reason_ = ReadStrings(value, limits::kAudiencesMax, audiences);
    }
  }

  void Scopes(const std::vector<std::string>& names, AccessToken* token) {
    const json::Value value = FirstPresent(names);
    if (!value.present()) return;
    token->scope_claim = value.string().value_or(std::string_view());
    token->scope_text = token->scope_texts.Find(token->scope_claim);
    if (token->scope_text != nullptr) {
      token->scopes = token->scope_text->words;
      return;
    }
    reason_ = ReadWords(value, IsScopeToken, limits::kScopesPerTokenMax, &token->scopes);
    RemoveDuplicates(&token->scopes);
  }

  void Roles(const std::vector<std::string>& names, std::vector<std::string_view>* roles) {
    for (const std::string& name : names) {
      const size_t star = name.starts_with('/') ? name.find("/*/") : std::string::npos;
      if (star == std::string::npos) {
        AppendRoles(payload_, name, roles);
      } else {
        RolesOfMembers(std::string_view(name).substr(0, star), std::string_view(name).substr(star + 2),
                       roles);
      }
    }
    RemoveDuplicates(roles);
  }

  // Actors reads who acts for the subject. One that cannot be read refuses the token: without its actor, it
  // would be the subject's own.
  void Actors(std::vector<std::string_view>* actors) {
    for (json::Value actor = Get("act"); actor.present(); actor = Get(actor, "act")) {
      if (!actor.is_object() || actors->size() == limits::kActorsMax) {
        reason_ = Reason::kBadClaim;
        return;
      }
      json::Value name = actor.Member("sub");
      if (!name.present()) name = actor.Member("client_id");
      std::string_view text;
      reason_ = name.present() ? ReadText(name, &text) : Reason::kBadClaim;
      actors->push_back(text);
    }
  }

  void Authentication(std::string_view* acr, std::vector<std::string_view>* amr) {
    if (reason_ != Reason::kNone) return;
    if (const json::Value value = payload_.Member("acr");
        value.present() && ReadText(value, acr) != Reason::kNone) {
      *acr = {};
    }
    const json::Value methods = payload_.Member("amr");
    if (!methods.is_array()) return;
    for (json::Value method = methods.FirstChild(); method.present(); method = methods.NextChild(method)) {
      std::string_view text;
      if (ReadText(method, &text) == Reason::kNone && amr->size() < limits::kAmrMax) amr->push_back(text);
    }
  }

  void Confirmation(bool* present) {
    const json::Value value = Get("cnf");
    *present = value.present();
    if (*present && !value.is_object()) reason_ = Reason::kBadClaim;
  }

 private:
  json::Value Get(std::string_view name) { return Get(payload_, name); }

  json::Value Get(json::Value object, std::string_view name) {
    if (reason_ != Reason::kNone) return json::Value();
    if (!name.starts_with('/')) return object.Member(name);
    json::Value value;
    reason_ = Find(object, name, &value);
    return reason_ == Reason::kNone ? value : json::Value();
  }

  void AppendRoles(json::Value object, std::string_view name, std::vector<std::string_view>* roles) {
    const json::Value value = Get(object, name);
    if (value.present()) reason_ = ReadWords(value, IsRole, limits::kRolesPerTokenMax, roles);
  }

  void RolesOfMembers(std::string_view container_name, std::string_view name,
                      std::vector<std::string_view>* roles) {
    const json::Value container = Get(container_name);
    if (container.present() && !container.is_object()) reason_ = Reason::kBadClaim;
    if (reason_ != Reason::kNone) return;
    for (json::Value member = container.FirstChild(); member.present();
         member = container.NextChild(member)) {
      if (!member.is_object()) reason_ = Reason::kBadClaim;
      AppendRoles(member, name, roles);
    }
  }

  json::Value FirstPresent(const std::vector<std::string>& names) {
    json::Value value;
    for (auto name = names.begin(); name != names.end() && !value.present(); ++name) value = Get(*name);
    return value;
  }

  const json::Value payload_;
  Reason reason_ = Reason::kNone;
};

PrincipalKind KindOf(json::Value payload, const Profile& profile, const AccessToken& token) {
  if (!token.actors.empty()) return PrincipalKind::kAgent;
  // Without a subject, nobody has logged in.
  if (token.subject.empty()) return PrincipalKind::kService;
  const std::string_view suffix = profile.service_subject_suffix;
  if (token.subject.size() == token.client_id.size() + suffix.size() &&
      token.subject.starts_with(token.client_id) && token.subject.ends_with(suffix)) {
    return PrincipalKind::kService;
  }
  if (token.subject == token.client_id) return PrincipalKind::kService;
  if (!profile.user_claim.empty() && !payload.Pointer(profile.user_claim).present())
    return PrincipalKind::kService;
  for (const auto& [name, value] : profile.service_marks) {
    const json::Value mark = payload.Pointer(name);
    if (mark.present() && (value.empty() || mark.string() == value)) return PrincipalKind::kService;
  }
  return PrincipalKind::kUser;
}

bool HasControls(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
}

// AddPolicyValue: what of a claim predicates see.
void AddPolicyValue(json::Value value, AccessToken* token) {
  if (const std::optional<std::string_view> text = value.string()) {
    if (!HasControls(*text)) token->policy_values.push_back(*text);
  } else if (const std::optional<bool> boolean = value.boolean()) {
    token->policy_values.push_back(*boolean ? "true" : "false");
  } else if (const std::optional<int64_t> number = value.int64()) {
    token->policy_values.push_back(token->policy_numbers.emplace_front(std::to_string(*number)));
  }
}

void ReadPolicyClaims(json::Value payload, const std::vector<std::string>& names, AccessToken* token) {
  for (const std::string& name : names) {
    const json::Value value = payload.Pointer(name);
    if (!value.present() || value.type() == json::Type::kNull) continue;
    PolicyClaim claim{.name = name, .first = token->policy_values.size()};
    claim.is_list = value.is_array();
    claim.is_text = value.string().has_value();
    if (claim.is_list) {
      for (json::Value member = value.FirstChild(); member.present(); member = value.NextChild(member))
        AddPolicyValue(member, token);
    } else {
      AddPolicyValue(value, token);
    }
    claim.num_values = token->policy_values.size() - claim.first;
    token->policy_claims.push_back(claim);
  }
}

Reason ReadClaims(json::Value payload, const Expectations& expectations, AccessToken* token,
                  bool* has_expiry) {
  const Profile& profile = expectations.profile;
  if (const Reason reason = PeekIssuer(payload, &token->issuer); reason == Reason::kBadClaim) return reason;
  Reader reader(payload);
  reader.Date("exp", Rounding::kUp, &token->expires_at, has_expiry);
  reader.Date("nbf", Rounding::kUp, &token->not_before, &token->has_not_before);
  reader.Date("iat", Rounding::kDown, &token->issued_at, &token->has_issued_at);
  reader.Text("sub", &token->subject);
  reader.FirstText(profile.client_claims, &token->client_id);
  reader.Text("jti", &token->jwt_id);
  reader.Audiences(profile.audience_claim, &token->audiences);
  reader.Scopes(profile.scope_claims, token);
  reader.Roles(profile.role_claims, &token->roles);
  reader.Confirmation(&token->sender_constrained);
  reader.Actors(&token->actors);
  reader.Authentication(&token->acr, &token->amr);
  if (reader.reason() != Reason::kNone) return reader.reason();
  token->kind = KindOf(payload, profile, *token);
  if (expectations.policy_claims != nullptr) ReadPolicyClaims(payload, *expectations.policy_claims, token);
  return Reason::kNone;
}

Reason CheckRequired(const AccessToken& token, bool has_expiry, const Expectations& expectations) {
  const Profile& profile = expectations.profile;
  if (!has_expiry) return Reason::kExpiryMissing;
  if (token.audiences.empty()) return Reason::kAudienceMissing;
  const bool issued_at_bounds = expectations.token_age_max_s > 0 || expectations.token_lifetime_max_s > 0;
  if ((profile.issued_at_required || issued_at_bounds) && !token.has_issued_at)
    return Reason::kIssuedAtMissing;
  if (profile.subject_required && token.subject.empty()) return Reason::kSubjectMissing;
  if (profile.client_required && token.client_id.empty()) return Reason::kClientMissing;
  if (profile.jwt_id_required && token.jwt_id.empty()) return Reason::kJwtIdMissing;
  return Reason::kNone;
}

// CheckLifetime compares whole seconds of exp and iat: exp is read again and rounded down like iat, so that
// equal fractions cancel. Both claims have been read; the difference of two NumericDates does not wrap.
Reason CheckLifetime(json::Value payload, const AccessToken& token, const Expectations& expectations,
                     TimeEvidence* evidence) {
  if (expectations.token_lifetime_max_s == 0) return Reason::kNone;
  // Rounded up, it would do: then rounded down, too.
  if (token.expires_at - token.issued_at <= expectations.token_lifetime_max_s) return Reason::kNone;
  int64_t end = 0;
  if (const Reason reason = ReadNumericDate(payload.Member("exp"), Rounding::kDown, &end);
      reason != Reason::kNone) {
    return reason;
  }
  const int64_t lifetime = end - token.issued_at;
  if (lifetime <= expectations.token_lifetime_max_s) return Reason::kNone;
  *evidence = {lifetime, expectations.token_lifetime_max_s};
  return Reason::kLifetimeTooLong;
}

// CheckTenant holds `tid` against the tenant whose issuer this is.
Reason CheckTenant(json::Value claims, const Expectations& expectations, bool required) {
  if (expectations.tenant.empty()) return Reason::kNone;
  const json::Value tid = claims.Member("tid");
  if (!tid.present()) return required ? Reason::kTenantMismatch : Reason::kNone;
  const std::optional<std::string_view> tenant = tid.string();
  if (!tenant) return Reason::kBadClaim;
  return *tenant == expectations.tenant ? Reason::kNone : Reason::kTenantMismatch;
}

}  // namespace

Reason PeekIssuer(json::Value unverified_payload, std::string_view* issuer) {
  const json::Value value = unverified_payload.Member("iss");
  if (!value.present()) return Reason::kIssuerMissing;
  const std::optional<std::string_view> text = value.string();
  if (!text || text->empty() || text->size() > limits::kIssuerBytesMax) return Reason::kBadClaim;
  *issuer = *text;
  return Reason::kNone;
}

Reason CheckTimes(const TimeWindow& window, const Expectations& expectations, int64_t now_s,
                  TimeEvidence* evidence) {
  const auto refuse = [evidence](Reason reason, int64_t actual, int64_t bound) {
    *evidence = {actual, bound};
    return reason;
  };
  const int64_t leeway_s = expectations.leeway_s;
  // RFC 7519 section 4.1.4: "on or after which" it must not be accepted, so that the second of exp itself is
  // too late.
  const int64_t end = saturating::Plus(window.expires_at, leeway_s);
  if (now_s >= end) return refuse(Reason::kExpired, now_s, end);
  for (const int64_t start : {window.not_before, window.issued_at}) {
    if (start == INT64_MIN) continue;
    const int64_t begin = saturating::Minus(start, leeway_s);
    if (now_s < begin) return refuse(Reason::kNotYetValid, now_s, begin);
  }
  if (window.issued_at == INT64_MIN) return Reason::kNone;
  if (expectations.token_age_max_s > 0) {
    const int64_t age = saturating::Minus(now_s, window.issued_at);
    const int64_t age_max = saturating::Plus(expectations.token_age_max_s, leeway_s);
    if (age > age_max) return refuse(Reason::kTooOld, age, age_max);
  }
  return Reason::kNone;
}

Span ValidSpan(const TimeWindow& window, const Expectations& expectations) {
  const int64_t leeway_s = expectations.leeway_s;
  const int64_t end = saturating::Plus(window.expires_at, leeway_s);
  if (end == Limits::min()) return {Limits::max(), Limits::min()};  // There is no second before it.
  Span span = {Limits::min(), end - 1};
  for (const int64_t start : {window.not_before, window.issued_at}) {
    if (start != INT64_MIN) span.from_s = std::max(span.from_s, saturating::Minus(start, leeway_s));
  }
  if (window.issued_at != INT64_MIN && expectations.token_age_max_s > 0) {
    const int64_t age_max = saturating::Plus(expectations.token_age_max_s, leeway_s);
    span.through_s = std::min(span.through_s, saturating::Plus(window.issued_at, age_max));
  }
  return span;
}

Reason Validate(const jose::VerifiedJws& jws, const Expectations& expectations, int64_t now_s,
                AccessToken* storage, TimeEvidence* evidence, std::optional<ValidatedClaims>* out) {
  out->reset();
  *evidence = {};
  Clear(storage);
  const Profile& profile = expectations.profile;
  if (const Reason reason = CheckType(jws.header(), profile); reason != Reason::kNone) return reason;
  if (const Reason reason = CheckMarks(jws.header(), jws.payload(), profile); reason != Reason::kNone)
    return reason;
  bool has_expiry = false;
  if (const Reason reason = ReadClaims(jws.payload(), expectations, storage, &has_expiry);
      reason != Reason::kNone) {
    return reason;
  }
  if (storage->issuer.empty()) return Reason::kIssuerMissing;
  if (storage->issuer != expectations.issuer) return Reason::kIssuerUnknown;
  if (const Reason reason = CheckTenant(jws.payload(), expectations, true); reason != Reason::kNone)
    return reason;
  if (const Reason reason = CheckRequired(*storage, has_expiry, expectations); reason != Reason::kNone)
    return reason;
  if (const Reason reason = CheckTimes(TimesOf(*storage), expectations, now_s, evidence);
      reason != Reason::kNone) {
    return reason;
  }
  if (const Reason reason = CheckLifetime(jws.payload(), *storage, expectations, evidence);
      reason != Reason::kNone) {
    return reason;
  }
  if (storage->scope_text == nullptr)
    storage->scope_text = storage->scope_texts.Remember(storage->scope_claim, storage->scopes);
  *out = ValidatedClaims(storage);
  return Reason::kNone;
}

Expectations ExpectationsOfAnswers(const Expectations& expectations) {
  Expectations answers = expectations;
  Profile& profile = answers.profile;
  profile.audience_claim = "aud";
  profile.client_claims.insert(profile.client_claims.begin(), "client_id");
  profile.scope_claims.insert(profile.scope_claims.begin(), "scope");
  return answers;
}

Reason ValidateAnswer(json::Value answer, const Expectations& expectations, int64_t now_s,
                      AccessToken* storage, TimeEvidence* evidence, std::optional<ValidatedClaims>* out) {
  out->reset();
  *evidence = {};
  Clear(storage);
  if (!answer.is_object()) return Reason::kNotAnObject;
  const Profile& profile = expectations.profile;
  for (const auto& [name, value] : profile.must_equal) {
    if (const json::Value mark = answer.Pointer(name); mark.present() && mark.string() != value)
      return Reason::kNotAnAccessToken;
  }
  if (const Reason reason = CheckOtherMarks(answer, profile); reason != Reason::kNone) return reason;
  bool has_expiry = false;
  if (const Reason reason = ReadClaims(answer, expectations, storage, &has_expiry); reason != Reason::kNone)
    return reason;
  if (!has_expiry) storage->expires_at = INT64_MAX;
  const bool names_issuer = !storage->issuer.empty();
  if (!names_issuer) storage->issuer = expectations.issuer;
  if (storage->issuer != expectations.issuer) return Reason::kIssuerUnknown;
  if (const Reason reason = CheckTenant(answer, expectations, !names_issuer); reason != Reason::kNone)
    return reason;
  if (expectations.token_age_max_s > 0 && !storage->has_issued_at) return Reason::kIssuedAtMissing;
  if (const json::Value type = answer.Member("token_type"); type.present()) {
    const std::optional<std::string_view> name = type.string();
    if (!name) return Reason::kBadClaim;
    const bool dpop = ascii::EqualIgnoringCase(*name, "DPoP");
    if (!dpop && !ascii::EqualIgnoringCase(*name, "Bearer")) return Reason::kNotAnAccessToken;
    storage->sender_constrained |= dpop;
  }
  if (const Reason reason = CheckTimes(TimesOf(*storage), expectations, now_s, evidence);
      reason != Reason::kNone) {
    return reason;
  }
  if (has_expiry && storage->has_issued_at) {
    if (const Reason reason = CheckLifetime(answer, *storage, expectations, evidence);
        reason != Reason::kNone) {
      return reason;
    }
  }
  *out = ValidatedClaims(storage);
  return Reason::kNone;
}

}  // namespace tollgate::claims
