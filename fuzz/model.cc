#include "fuzz/model.h"

#include <algorithm>
#include <cmath>

#include "base/limits.h"
#include "fuzz/world.h"
#include "tests/json/strict_oracle.h"
#include "tools/idp/mint.h"

namespace tollgate::fuzz {
namespace {

using nlohmann::json;

// A claim that must be read and is of the wrong form ends the reading.
struct Malformed {};

std::string Lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

// RFC 7515 section 4.1.9: "application/" may be left out where no other slash follows.
std::string MediaType(const std::string& type) {
  const std::string lower = Lower(type);
  return lower.find('/') == std::string::npos ? "application/" + lower : lower;
}

bool HasAny(const std::string& text, const std::vector<std::string>& pieces) {
  return std::any_of(pieces.begin(), pieces.end(),
                     [&](const std::string& piece) { return text.find(piece) != std::string::npos; });
}

// In UTF-8, where no character's bytes begin inside those of another.
const std::vector<std::string>& Controls() {
  static const auto& controls = *new std::vector<std::string>([] {
    std::vector<std::string> all = {"\x7F", "\xE2\x80\xA8", "\xE2\x80\xA9"};
    for (int c = 0; c < 0x20; ++c) all.emplace_back(1, static_cast<char>(c));
    for (int c = 0x80; c < 0xA0; ++c) all.push_back(std::string("\xC2") + static_cast<char>(c));
    return all;
  }());
  return controls;
}

const std::vector<std::string>& Spaces() {
  static const auto& spaces = *new std::vector<std::string>([] {
    std::vector<std::string> all = {" ",           "\xC2\xA0", "\xE1\x9A\x80", "\xE2\x80\xAF", "\xE2\x81\x9F",
                                    "\xE3\x80\x80"};
    for (int c = 0x80; c <= 0x8A; ++c) all.push_back(std::string("\xE2\x80") + static_cast<char>(c));
    return all;
  }());
  return spaces;
}

bool IsScope(const std::string& word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return c == 0x21 || (c >= 0x23 && c <= 0x5B) || (c >= 0x5D && c <= 0x7E);
  });
}

bool IsRole(const std::string& word) {
  return !word.empty() && !HasAny(word, Controls()) && !HasAny(word, Spaces());
}

const json* Find(const json& payload, const std::string& name) {
  const json* at = &payload;
  if (!name.starts_with('/')) {
    const auto found = payload.find(name);
    return found == payload.end() ? nullptr : &*found;
  }
  for (size_t begin = 1; begin <= name.size();) {
    if (!at->is_object()) throw Malformed();
    const size_t end = std::min(name.find('/', begin), name.size());
    const auto found = at->find(name.substr(begin, end - begin));
    if (found == at->end()) return nullptr;
    at = &*found;
    begin = end + 1;
  }
  return at;
}

const json* FindFirst(const json& payload, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (const json* found = Find(payload, name)) return found;
  }
  return nullptr;
}

std::string Text(const json* value) {
  if (value == nullptr) return "";
  if (!value->is_string()) throw Malformed();
  const std::string text = value->get<std::string>();
  if (text.empty() || HasAny(text, Controls())) throw Malformed();
  return text;
}

std::optional<int64_t> Date(const json* value, double (*round)(double)) {
  if (value == nullptr) return std::nullopt;
  if (!value->is_number()) throw Malformed();
  // Exact: integers up to 2^53 are doubles, and larger ones are out of range anyway.
  const auto number = value->get<double>();
  if (!(number >= 0 && number <= 253402300799.0)) throw Malformed();
  return static_cast<int64_t>(round(number));
}

std::vector<std::string> Words(const json* value, bool (*is_word)(const std::string&), size_t max) {
  std::vector<std::string> words;
  if (value == nullptr) return words;
  if (value->is_string()) {
    std::string word;
    for (const char c : value->get<std::string>() + " ") {
      if (c != ' ') {
        word += c;
      } else if (!word.empty()) {
        words.push_back(std::exchange(word, ""));
      }
    }
  } else if (value->is_array()) {
    for (const json& child : *value) {
      if (!child.is_string()) throw Malformed();
      words.push_back(child);
    }
  } else {
    throw Malformed();
  }
  if (words.size() > max || !std::all_of(words.begin(), words.end(), is_word)) throw Malformed();
  return words;
}

std::vector<std::string> WithoutDuplicates(const std::vector<std::string>& words) {
  std::vector<std::string> kept;
  for (const std::string& word : words) {
    if (std::find(kept.begin(), kept.end(), word) == kept.end()) kept.push_back(word);
  }
  return kept;
}

// What other tokens say of themselves: ID tokens, Cognito's and Keycloak's.
bool IsMarkedAsOther(const json& payload, const Profile& profile) {
  if (!profile.id_tokens && (payload.contains("at_hash") || payload.contains("c_hash"))) return true;
  if (payload.contains("token_use") && payload["token_use"] != "access") return true;
  const json type = payload.value("typ", json());
  const std::string lower = type.is_string() ? Lower(type) : "";
  return lower == "id" || lower == "refresh" || lower == "offline" || lower == "logout";
}

bool IsAccessToken(const std::optional<std::string>& typ, const json& payload, const Profile& profile) {
  const auto same = [&](const std::string& type) { return MediaType(type) == MediaType(*typ); };
  if (!profile.any_type) {
    if (!typ.has_value() && !profile.missing_type_allowed) return false;
    if (typ.has_value() && std::none_of(profile.types.begin(), profile.types.end(), same)) return false;
  }
  for (const auto& [name, wanted] : profile.must_equal) {
    const json* mark = Find(payload, name);
    if (mark == nullptr || *mark != wanted) return false;
  }
  return (typ.has_value() && same("at+jwt")) || !IsMarkedAsOther(payload, profile);
}

// All words of a role claim, where "/a/*/b" is member b of every member of a.
std::vector<std::string> Roles(const json& payload, const std::string& name) {
  const size_t star = name.find("/*/");
  if (star == std::string::npos) return Words(Find(payload, name), IsRole, limits::kRolesPerTokenMax);
  std::vector<std::string> roles;
  const json* container = Find(payload, name.substr(0, star));
  if (container == nullptr) return roles;
  if (!container->is_object()) throw Malformed();
  for (const json& member : *container) {
    for (std::string& role : Roles(member, name.substr(star + 2))) roles.push_back(std::move(role));
  }
  return roles;
}

// Whoever acts, then whoever that one acts for, and so on.
std::vector<std::string> Actors(const json* actor) {
  if (actor == nullptr) return {};
  if (!actor->is_object()) throw Malformed();
  const json* name = Find(*actor, actor->contains("sub") ? "sub" : "client_id");
  if (name == nullptr) throw Malformed();
  std::vector<std::string> actors = {Text(name)};
  for (std::string& next : Actors(Find(*actor, "act"))) actors.push_back(std::move(next));
  return actors;
}

// What has another form than a text proves nothing.
std::optional<std::string> Proof(const json* value) {
  try {
    if (value != nullptr) return Text(value);
  } catch (const Malformed&) {
  }
  return std::nullopt;
}

PrincipalKind KindOf(const json& payload, const Profile& profile, const ModelClaims& claims) {
  if (!claims.actors.empty()) return PrincipalKind::kAgent;
  bool service = claims.subject.empty() || claims.subject == claims.client_id ||
                 claims.subject == claims.client_id + profile.service_subject_suffix;
  service = service || (!profile.user_claim.empty() && Find(payload, profile.user_claim) == nullptr);
  for (const auto& [name, value] : profile.service_marks) {
    const json* mark = Find(payload, name);
    service = service || (mark != nullptr && (value.empty() || *mark == value));
  }
  return service ? PrincipalKind::kService : PrincipalKind::kUser;
}

ModelClaims ReadClaims(const json& payload, const Profile& profile) {
  ModelClaims claims;
  claims.subject = Text(Find(payload, "sub"));
  claims.client_id = Text(FindFirst(payload, profile.client_claims));
  claims.jwt_id = Text(Find(payload, "jti"));
  const std::optional<int64_t> expires_at = Date(Find(payload, "exp"), std::ceil);
  if (!expires_at.has_value()) throw Malformed();
  claims.expires_at = *expires_at;
  claims.not_before = Date(Find(payload, "nbf"), std::ceil);
  claims.issued_at = Date(Find(payload, "iat"), std::floor);

  const json* audience = Find(payload, profile.audience_claim);
  if (audience == nullptr) throw Malformed();
  for (const json& one : audience->is_array() ? *audience : json::array({*audience})) {
    if (!one.is_string() || one == "") throw Malformed();
    claims.audiences.push_back(one);
  }
  if (claims.audiences.empty() || claims.audiences.size() > limits::kAudiencesMax) throw Malformed();

  claims.scopes = Words(FindFirst(payload, profile.scope_claims), IsScope, limits::kScopesPerTokenMax);
  for (const std::string& name : profile.role_claims) {
    for (std::string& role : Roles(payload, name)) claims.roles.push_back(std::move(role));
  }
  if (claims.roles.size() > limits::kRolesPerTokenMax) throw Malformed();
  claims.scopes = WithoutDuplicates(claims.scopes);
  claims.roles = WithoutDuplicates(claims.roles);

  const json* confirmation = Find(payload, "cnf");
  if (confirmation != nullptr && !confirmation->is_object()) throw Malformed();
  claims.sender_constrained = confirmation != nullptr;

  claims.actors = Actors(Find(payload, "act"));
  if (claims.actors.size() > limits::kActorsMax) throw Malformed();
  claims.kind = KindOf(payload, profile, claims);
  claims.acr = Proof(Find(payload, "acr")).value_or("");
  const json* methods = Find(payload, "amr");
  for (const json& method : methods != nullptr && methods->is_array() ? *methods : json::array()) {
    const std::optional<std::string> name = Proof(&method);
    if (name.has_value() && claims.amr.size() < limits::kAmrMax) claims.amr.push_back(*name);
  }
  return claims;
}

}  // namespace

std::optional<json> ParseObject(std::string_view text) {
  if (!test::StrictOracle::Accepts(text, limits::kJsonDepthMax)) return std::nullopt;
  json value = json::parse(text);
  if (!value.is_object()) return std::nullopt;
  return value;
}

std::optional<ModelHeader> ReadModelHeader(std::string_view text) {
  static const std::vector<std::string> kAlgs = {"RS256", "RS384", "RS512", "PS256", "PS384",  "PS512",
                                                 "ES256", "ES384", "ES512", "EdDSA", "Ed25519"};
  const std::optional<json> header = text.size() > limits::kHeaderBytesMax ? std::nullopt : ParseObject(text);
  if (!header.has_value() || header->contains("crit") || header->contains("enc")) return std::nullopt;
  for (const char* name : {"alg", "kid", "typ", "cty"}) {
    if (header->contains(name) && !(*header)[name].is_string()) return std::nullopt;
  }
  ModelHeader model;
  model.alg = header->value("alg", "");
  if (std::find(kAlgs.begin(), kAlgs.end(), model.alg) == kAlgs.end()) return std::nullopt;
  if (header->contains("kid")) model.kid = (*header)["kid"].get<std::string>();
  if (header->contains("typ")) model.typ = (*header)["typ"].get<std::string>();
  if (model.kid.has_value() && model.kid->size() > limits::kKeyIdBytesMax) return std::nullopt;
  return model;
}

std::vector<std::string_view> SplitAtDots(std::string_view text) {
  std::vector<std::string_view> parts;
  for (size_t dot = text.find('.'); dot != std::string_view::npos; dot = text.find('.')) {
    parts.push_back(text.substr(0, dot));
    text.remove_prefix(dot + 1);
  }
  parts.push_back(text);
  return parts;
}

std::optional<ModelJws> ReadModelJws(std::string_view token) {
  const std::vector<std::string_view> parts = SplitAtDots(token);
  if (token.size() > limits::kTokenBytesMax || parts.size() != 3) return std::nullopt;
  for (std::string_view part : parts) {
    if (part.empty()) return std::nullopt;
  }
  const std::optional<std::string> header = idp::Base64UrlDecode(parts[0]),
                                   payload = idp::Base64UrlDecode(parts[1]),
                                   signature = idp::Base64UrlDecode(parts[2]);
  if (!header.has_value() || !payload.has_value() || !signature.has_value()) return std::nullopt;
  const std::optional<ModelHeader> model_header = ReadModelHeader(*header);
  const std::optional<json> object = ParseObject(*payload);
  // No signature is longer.
  if (!model_header.has_value() || !object.has_value() || signature->size() > 1024) return std::nullopt;
  return ModelJws{*model_header, *object, std::string(parts[0]) + '.' + std::string(parts[1]), *signature};
}

bool InTime(const ModelClaims& claims, const claims::Expectations& expectations, int64_t now_s) {
  const int64_t leeway_s = expectations.leeway_s;
  if (now_s >= claims.expires_at + leeway_s) return false;
  if (claims.not_before.has_value() && now_s + leeway_s < *claims.not_before) return false;
  if (!claims.issued_at.has_value()) return true;
  const int64_t issued_at = *claims.issued_at, age_max_s = expectations.token_age_max_s;
  return now_s + leeway_s >= issued_at && (age_max_s == 0 || now_s - issued_at <= age_max_s + leeway_s);
}

std::optional<ModelClaims> ReadModelClaims(const std::optional<std::string>& typ, const json& payload,
                                           const claims::Expectations& expectations, int64_t now_s) {
  const Profile& profile = expectations.profile;
  try {
    if (!IsAccessToken(typ, payload, profile)) return std::nullopt;
    if (!payload.contains("iss") || payload["iss"] != expectations.issuer) return std::nullopt;
    const ModelClaims claims = ReadClaims(payload, profile);
    const bool issued_at_required = profile.issued_at_required || expectations.token_age_max_s > 0 ||
                                    expectations.token_lifetime_max_s > 0;
    if ((issued_at_required && !claims.issued_at.has_value()) ||
        (profile.subject_required && claims.subject.empty()) ||
        (profile.client_required && claims.client_id.empty()) ||
        (profile.jwt_id_required && claims.jwt_id.empty()) || !InTime(claims, expectations, now_s)) {
      return std::nullopt;
    }
    const int64_t lifetime_max_s = expectations.token_lifetime_max_s;
    if (lifetime_max_s > 0 && *Date(Find(payload, "exp"), std::floor) - *claims.issued_at > lifetime_max_s) {
      return std::nullopt;
    }
    return claims;
  } catch (const Malformed&) {
    return std::nullopt;
  }
}

bool ReadModelDate(const json& object, const char* name, int64_t* seconds) {
  if (!object.contains(name)) return true;
  const json& value = object[name];
  if (!value.is_number()) return false;
  const auto number = value.get<double>();
  if (!(number >= 0 && number <= 253402300799.0)) return false;
  *seconds = static_cast<int64_t>(std::ceil(number));
  return true;
}

std::optional<ModelAnswer> ReadModelAnswer(const json& object) {
  if (!object.contains("active") || !object["active"].is_boolean()) return std::nullopt;
  if (object.contains("iss") && object["iss"] != kIssuer) return std::nullopt;
  ModelAnswer answer;
  if (object["active"] == false) return answer;
  answer.active = true;
  if (!ReadModelDate(object, "exp", &answer.expires_at) || !ReadModelDate(object, "nbf", &answer.not_before))
    return std::nullopt;
  return answer;
}

}  // namespace tollgate::fuzz
