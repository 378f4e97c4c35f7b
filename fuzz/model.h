#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "claims/access_token.h"

// A second reading of tokens, made of the strict oracle, nlohmann-json and the test identity provider's
// base64url: slow, and sharing no code with the engine but the settings. It says whether a token is to be
// accepted, not why not.
namespace tollgate::fuzz {

// ParseObject returns the object, or nullopt for what the strict oracle refuses or is no object.
std::optional<nlohmann::json> ParseObject(std::string_view text);

struct ModelHeader {
  std::string alg;
  std::optional<std::string> kid;
  std::optional<std::string> typ;
};

// ReadModelHeader reads a decoded JOSE header by the rules of jose::ReadHeader.
std::optional<ModelHeader> ReadModelHeader(std::string_view text);

struct ModelJws {
  ModelHeader header;
  nlohmann::json payload;
  std::string signing_input;
  std::string signature;  // Bytes.
};

// ReadModelJws reads a compact token by the rules of jose::ParsedJws::Parse.
std::optional<ModelJws> ReadModelJws(std::string_view token);

// SplitAtDots returns the pieces between the dots, empty ones too.
std::vector<std::string_view> SplitAtDots(std::string_view text);

struct ModelClaims {
  std::string subject, client_id, jwt_id;
  int64_t expires_at = 0;
  std::optional<int64_t> not_before, issued_at;
  bool sender_constrained = false;
  std::vector<std::string> audiences, scopes, roles, actors, amr;
  std::string acr;
  PrincipalKind kind = PrincipalKind::kUser;
};

// ReadModelClaims reads and judges the claims of a token with this `typ` by the rules of claims::Validate.
std::optional<ModelClaims> ReadModelClaims(const std::optional<std::string>& typ,
                                           const nlohmann::json& payload,
                                           const claims::Expectations& expectations, int64_t now_s);

// ModelAnswer is an introspection response about a token of kIssuer, by the rules of introspection::Answer.
struct ModelAnswer {
  bool active = false;
  int64_t expires_at = INT64_MAX;
  int64_t not_before = INT64_MIN;
};
std::optional<ModelAnswer> ReadModelAnswer(const nlohmann::json& object);

// ReadModelDate reads a member that may be absent and is a NumericDate otherwise, rounded up. False if it is
// none.
bool ReadModelDate(const nlohmann::json& object, const char* name, int64_t* seconds);

// InTime judges the times of one moment alone; the lifetime is no matter of the moment.
bool InTime(const ModelClaims& claims, const claims::Expectations& expectations, int64_t now_s);

}  // namespace tollgate::fuzz
