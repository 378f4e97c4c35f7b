#pragma once

// What the identity provider answers, without a network: request in, response out.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tools/idp/mint.h"

namespace idp {

// What the provider issues and accepts.
struct EndpointOptions {
  std::vector<SigningKey> keys;                      // the first signs unless a client asks for another alg
  JwkOptions jwk;                                    // Microsoft Entra ID, for one, serves keys without alg
  std::string audience = "https://mcp.example/mcp";  // when a token request names no resource
  int64_t token_ttl_s = 300;
  size_t token_bytes = 0;                     // pads access tokens to this length; 0: not at all
  std::string cache_control = "max-age=300";  // of the key set
  std::string introspection_client = "resource-server";
  std::string introspection_secret = "resource-server-secret";
  std::function<int64_t()> now_s;  // seconds since 1970; default: the system's clock
  // Called with all keys after each change of them, to keep them over a restart.
  std::function<void(const std::vector<SigningKey>&)> on_keys_changed;
};

struct Request {
  std::string method;
  std::string path;  // without the query
  std::string body;
  std::string authorization;
  std::string if_none_match;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string body{};
};

// Endpoints is discovery (RFC 8414, OpenID Connect), key set, token (RFC 6749 section 4.4 with RFC 8707),
// introspection (RFC 7662) and revocation (RFC 7009). Every client is let in with client_credentials. It
// remembers the last 100 000 tokens that it issued. Owner thread only.
class Endpoints {
 public:
  Endpoints(EndpointOptions options, std::string issuer);

  // Known paths have a response of their own; all others get 404. A tenant's key set is at
  // /tenants/NAME/jwks, whatever its name, and the same for all.
  static bool IsKnown(std::string_view path);
  static bool IsTenantKeySet(std::string_view path);
  Response Answer(const Request& request);
  int64_t Now() const;  // by the provider's clock: EndpointOptions::now_s

  void AddKey(const SigningKey& key);
  bool RemoveKey(std::string_view kid);  // false: there is none
  // ReplaceKey keeps the kid and changes the material; false: no key has that kid.
  bool ReplaceKey(const SigningKey& key);
  const std::vector<SigningKey>& keys() const { return options_.keys; }

  // Remember makes `token`, whatever its form, active for introspection, with these members. Forget makes it
  // inactive, as a revocation does.
  void Remember(std::string_view token, const json& claims);
  void Forget(std::string_view token);

 private:
  Response Metadata() const;
  Response KeySet(const Request& request) const;
  Response Token(const Request& request);
  Response Introspect(const Request& request);
  Response Revoke(const Request& request);

  EndpointOptions options_;
  const std::string issuer_;
  std::map<std::string, json, std::less<>> active_;
  std::deque<std::string> oldest_first_;
};

// ErrorResponse has the body of RFC 6749 section 5.2.
Response ErrorResponse(int status, std::string_view error);
Response JsonResponse(const json& body);

}  // namespace idp
