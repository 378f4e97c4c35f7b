#include "introspection/client.h"

#include <algorithm>
#include <span>

#include "base/limits.h"
#include "claims/authorization_header.h"
#include "introspection/signed_answer.h"
#include "jose/base64url.h"

namespace tollgate::introspection {
namespace {

bool IsAlphaOrDigit(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

// RFC 4648 section 4, which RFC 7617 asks for.
std::string Base64(std::string_view bytes) {
  std::string text =
      jose::Base64UrlEncode(std::span(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

absl::Status Refuse(std::string_view member, std::string_view why) {
  return absl::InvalidArgumentError(std::string(member) + ": " + std::string(why));
}

}  // namespace

absl::Status CheckIntrospectionConfig(const IntrospectionConfig& config, const transport::FetchRules& rules) {
  if (config.discovery) {
    if (!config.endpoint.empty()) return Refuse("endpoint", "is there, though discovery is to find it");
  } else {
    if (const absl::Status allowed = transport::CheckFetchUrl(config.endpoint, rules); !allowed.ok())
      return Refuse("endpoint", std::string(allowed.message()));
    if (const absl::Status usable = CheckEndpoint(config, config.endpoint); !usable.ok())
      return Refuse("endpoint", std::string(usable.message()));
  }
  if (config.authentication != ClientAuthentication::kBearer && config.client_id.empty())
    return Refuse("client_id", "is missing");
  switch (config.authentication) {
    case ClientAuthentication::kBearer:
      if (!claims::IsB64Token(config.client_secret)) return Refuse("client_secret", "is no bearer token");
      break;
    case ClientAuthentication::kPrivateKeyJwt:
      if (!config.client_assertion) return Refuse("client_assertion", "is missing");
      break;
    case ClientAuthentication::kTlsClientAuth:
      if (!config.client_certificate_file.starts_with('/'))
        return Refuse("client_certificate_file", "is no absolute path");
      if (!config.client_key_file.starts_with('/')) return Refuse("client_key_file", "is no absolute path");
      break;
    case ClientAuthentication::kClientSecretBasic:
    case ClientAuthentication::kClientSecretPost:
      if (config.client_secret.empty()) return Refuse("client_secret", "is missing");
  }
  if (config.signed_response && AudienceOf(config).empty())
    return Refuse("response_audience", "is missing, and there is no client_id");
  if (!config.signed_response && !config.response_audience.empty())
    return Refuse("response_audience", "is there, though no signed_response is wanted");
  if (config.in_flight_max < 1 || config.in_flight_max > limits::kIntrospectionsInFlightMax)
    return Refuse("in_flight_max", "is out of range");
  if (config.waiting_max > limits::kIntrospectionsWaitingMax) return Refuse("waiting_max", "is out of range");
  return absl::OkStatus();
}

absl::Status CheckEndpoint(const IntrospectionConfig& config, std::string_view endpoint) {
  const bool needs_tls = config.authentication == ClientAuthentication::kTlsClientAuth;
  if (needs_tls && !endpoint.starts_with("https:"))
    return absl::InvalidArgumentError("has no TLS for a certificate");
  return absl::OkStatus();
}

FetchRequest MakeRequest(const IntrospectionConfig& config, std::string_view token) {
  FetchRequest request;
  request.form = "token=" + FormEncode(token) + "&token_type_hint=access_token";
  request.body_bytes_max = limits::kIntrospectionBytesMax;
  if (config.signed_response) {
    request.accept = kSignedAnswerType;
    request.body_bytes_max = limits::kTokenBytesMax;
  }
  switch (config.authentication) {
    case ClientAuthentication::kClientSecretBasic:
      request.authorization =
          "Basic " + Base64(FormEncode(config.client_id) + ":" + FormEncode(config.client_secret));
      break;
    case ClientAuthentication::kClientSecretPost:
      request.form +=
          "&client_id=" + FormEncode(config.client_id) + "&client_secret=" + FormEncode(config.client_secret);
      break;
    case ClientAuthentication::kPrivateKeyJwt:
      request.form += "&client_id=" + FormEncode(config.client_id) + "&client_assertion_type=" +
                      FormEncode("urn:ietf:params:oauth:client-assertion-type:jwt-bearer") +
                      "&client_assertion=" + FormEncode(config.client_assertion());
      break;
    case ClientAuthentication::kTlsClientAuth:
      request.form += "&client_id=" + FormEncode(config.client_id);
      request.client_certificate_file = config.client_certificate_file;
      request.client_key_file = config.client_key_file;
      break;
    case ClientAuthentication::kBearer:
      request.authorization = "Bearer " + config.client_secret;
      break;
  }
  return request;
}

std::string FormEncode(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (IsAlphaOrDigit(c) || c == '*' || c == '-' || c == '.' || c == '_') {
      encoded += c;
    } else if (c == ' ') {
      encoded += '+';
    } else {
      const auto byte = static_cast<uint8_t>(c);
      encoded += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return encoded;
}

}  // namespace tollgate::introspection
