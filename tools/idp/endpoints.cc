#include "tools/idp/endpoints.h"

#include <algorithm>
#include <array>
#include <chrono>

#include <openssl/base64.h>

namespace idp {
namespace {

constexpr size_t kRememberedTokensMax = 100'000;

constexpr std::array<std::string_view, 6> kPaths = {"/.well-known/openid-configuration",
                                                    "/.well-known/oauth-authorization-server",
                                                    "/jwks",
                                                    "/token",
                                                    "/introspect",
                                                    "/revoke"};

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Decodes application/x-www-form-urlencoded; a broken escape stays as it is.
std::string FormDecode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escape =
        text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 && HexDigit(text[i + 2]) >= 0;
    if (escape) {
      out += static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2]));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

std::map<std::string, std::string> ParseForm(std::string_view body) {
  std::map<std::string, std::string> form;
  while (!body.empty()) {
    const std::string_view pair = body.substr(0, body.find('&'));
    body.remove_prefix(std::min(body.size(), pair.size() + 1));
    const size_t equals = std::min(pair.find('='), pair.size());
    form[FormDecode(pair.substr(0, equals))] = FormDecode(pair.substr(std::min(pair.size(), equals + 1)));
  }
  return form;
}

// The user and password of HTTP Basic (RFC 7617), form-encoded as RFC 6749 section 2.3.1 wants; empty if
// none.
std::pair<std::string, std::string> BasicCredentials(std::string_view authorization) {
  constexpr std::string_view kScheme = "Basic ";
  if (!authorization.starts_with(kScheme)) return {};
  authorization.remove_prefix(kScheme.size());
  std::string text(authorization.size(), '\0');
  size_t len = 0;
  if (!EVP_DecodeBase64(reinterpret_cast<uint8_t*>(text.data()), &len, text.size(),
                        reinterpret_cast<const uint8_t*>(authorization.data()), authorization.size())) {
    return {};
  }
  text.resize(len);
  const size_t colon = text.find(':');
  if (colon == std::string::npos) return {};
  return {FormDecode(text.substr(0, colon)), FormDecode(text.substr(colon + 1))};
}

}  // namespace

Response JsonResponse(const json& body) {
  Response response;
  response.body = body.dump();
  return response;
}

Response ErrorResponse(int status, std::string_view error) {
  Response response = JsonResponse({{"error", error}});
  response.status = status;
  if (status == 401) response.headers.emplace_back("WWW-Authenticate", "Basic realm=\"idp\"");
  return response;
}

Endpoints::Endpoints(EndpointOptions options, std::string issuer)
    : options_(std::move(options)), issuer_(std::move(issuer)) {}

bool Endpoints::IsTenantKeySet(std::string_view path) {
  return path.starts_with("/tenants/") && path.ends_with("/jwks");
}

bool Endpoints::IsKnown(std::string_view path) {
  return std::find(kPaths.begin(), kPaths.end(), path) != kPaths.end() || IsTenantKeySet(path);
}

Response Endpoints::Answer(const Request& request) {
  if (!IsKnown(request.path)) return ErrorResponse(404, "not_found");
  const bool post = request.path == "/token" || request.path == "/introspect" || request.path == "/revoke";
  if (request.method != (post ? "POST" : "GET")) return ErrorResponse(405, "method_not_allowed");
  if (request.path == "/jwks" || IsTenantKeySet(request.path)) return KeySet(request);
  if (request.path == "/token") return Token(request);
  if (request.path == "/introspect") return Introspect(request);
  if (request.path == "/revoke") return Revoke(request);
  return Metadata();
}

Response Endpoints::Metadata() const {
  json algs = json::array();
  for (const SigningKey& key : options_.keys) algs.push_back(key.alg());
  Response response = JsonResponse(
      {{"issuer", issuer_},
       {"jwks_uri", issuer_ + "/jwks"},
       {"token_endpoint", issuer_ + "/token"},
       {"introspection_endpoint", issuer_ + "/introspect"},
       {"revocation_endpoint", issuer_ + "/revoke"},
       {"grant_types_supported", {"client_credentials"}},
       {"response_types_supported", json::array()},
       {"subject_types_supported", {"public"}},
       {"id_token_signing_alg_values_supported", algs},
       {"token_endpoint_auth_methods_supported", {"client_secret_basic", "client_secret_post", "none"}},
       {"introspection_endpoint_auth_methods_supported", {"client_secret_basic"}}});
  response.headers.emplace_back("Cache-Control", options_.cache_control);
  return response;
}

Response Endpoints::KeySet(const Request& request) const {
  Response response = JsonResponse(Jwks(options_.keys, options_.jwk));
  const std::string etag = json(Base64Url(Sha256(response.body))).dump();  // in double quotes
  response.headers = {{"ETag", etag}, {"Cache-Control", options_.cache_control}};
  if (request.if_none_match == "*" || request.if_none_match.find(etag) != std::string::npos) {
    response.status = 304;
    response.body.clear();
  }
  return response;
}

Response Endpoints::Token(const Request& request) {
  auto form = ParseForm(request.body);
  if (form["grant_type"] != "client_credentials") return ErrorResponse(400, "unsupported_grant_type");
  std::string client = BasicCredentials(request.authorization).first;
  if (client.empty()) client = form["client_id"];
  if (client.empty()) return ErrorResponse(401, "invalid_client");
  const std::string alg = form["alg"];
  const auto key = std::find_if(options_.keys.begin(), options_.keys.end(),
                                [&alg](const SigningKey& k) { return alg.empty() || k.alg() == alg; });
  if (key == options_.keys.end()) return ErrorResponse(400, "invalid_request");

  const int64_t now = Now();
  const std::string resource = form["resource"].empty() ? options_.audience : form["resource"];
  const json claims =
      AccessTokenClaims(issuer_, resource, client, client, form["scope"], now, now + options_.token_ttl_s);
  const std::string token = form["token_format"] == "opaque" ? Base64Url(RandomBytes(32))
                            : options_.token_bytes > 0       ? MintToSize(*key, claims, options_.token_bytes)
                                                             : Mint(*key, claims);
  Remember(token, claims);
  json body = {{"access_token", token}, {"token_type", "Bearer"}, {"expires_in", options_.token_ttl_s}};
  if (!form["scope"].empty()) body["scope"] = form["scope"];
  Response response = JsonResponse(body);
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

Response Endpoints::Introspect(const Request& request) {
  if (BasicCredentials(request.authorization) !=
      std::pair(options_.introspection_client, options_.introspection_secret)) {
    return ErrorResponse(401, "invalid_client");
  }
  const auto found = active_.find(ParseForm(request.body)["token"]);
  if (found == active_.end() || found->second.value("exp", int64_t{0}) <= Now()) {
    return JsonResponse({{"active", false}});
  }
  json body = found->second;
  body["active"] = true;
  body["token_type"] = "Bearer";
  return JsonResponse(body);
}

Response Endpoints::Revoke(const Request& request) {
  Forget(ParseForm(request.body)["token"]);  // RFC 7009 section 2.2: an unknown token is no error.
  return JsonResponse(json::object());
}

void Endpoints::Remember(std::string_view token, const json& claims) {
  if (!active_.insert_or_assign(std::string(token), claims).second) return;
  oldest_first_.emplace_back(token);
  if (oldest_first_.size() > kRememberedTokensMax) {
    active_.erase(oldest_first_.front());
    oldest_first_.pop_front();
  }
}

void Endpoints::Forget(std::string_view token) {
  // Its place in oldest_first_ runs out by itself.
  if (const auto found = active_.find(token); found != active_.end()) active_.erase(found);
}

void Endpoints::AddKey(const SigningKey& key) {
  options_.keys.push_back(key);
  if (options_.on_keys_changed) options_.on_keys_changed(options_.keys);
}

bool Endpoints::RemoveKey(std::string_view kid) {
  const size_t removed =
      std::erase_if(options_.keys, [kid](const SigningKey& key) { return key.kid() == kid; });
  if (removed > 0 && options_.on_keys_changed) options_.on_keys_changed(options_.keys);
  return removed > 0;
}

bool Endpoints::ReplaceKey(const SigningKey& key) {
  const auto found = std::find_if(options_.keys.begin(), options_.keys.end(),
                                  [&key](const SigningKey& k) { return k.kid() == key.kid(); });
  if (found == options_.keys.end()) return false;
  *found = key;
  if (options_.on_keys_changed) options_.on_keys_changed(options_.keys);
  return true;
}

int64_t Endpoints::Now() const {
  if (options_.now_s) return options_.now_s();
  using std::chrono::system_clock;
  return std::chrono::duration_cast<std::chrono::seconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace idp
