#include "tools/tollgated/answer.h"

#include <algorithm>
#include <iterator>

#include "json/writer.h"
#include "tollgate/challenge.h"
#include "tollgate/policy.h"

namespace tollgate::tollgated {
namespace {

bool StandsForItself(char c) {
  constexpr std::string_view kOthers = "-._~:/@";
  return (c >= '0' && c <= '9') || (ascii::Lower(c) >= 'a' && ascii::Lower(c) <= 'z') ||
         kOthers.find(c) != kOthers.npos;
}

void AppendEncoded(std::string_view value, std::string* out) {
  constexpr char kHex[] = "0123456789ABCDEF";
  for (const char c : value) {
    if (StandsForItself(c)) {
      *out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      *out += '%';
      *out += kHex[byte >> 4];
      *out += kHex[byte & 15];
    }
  }
}

std::string Encoded(std::string_view value) {
  std::string encoded;
  AppendEncoded(value, &encoded);
  return encoded;
}

// EncodedList encodes the parts between separators.
std::string EncodedList(std::string_view list, char separator) {
  std::string encoded;
  while (!list.empty()) {
    const std::string_view part = list.substr(0, list.find(separator));
    list.remove_prefix(std::min(list.size(), part.size() + 1));
    if (part.empty()) continue;
    if (!encoded.empty()) encoded += ' ';
    AppendEncoded(part, &encoded);
  }
  return encoded;
}

// ErrorOf is the `error` of the body. RFC 6750 has none for these: a client that wants to know reads the
// status.
std::string_view ErrorOf(Category category) {
  switch (category) {
    case Category::kAuthenticate:
      return "unauthorized";
    case Category::kForbidden:
      return "access_denied";
    case Category::kRetryLater:
      return "temporarily_unavailable";
    default:
      return BearerError(category);
  }
}

std::string ErrorJson(std::string_view error, std::string_view description) {
  std::string body = R"({"error":)";
  json::AppendString(error, &body);
  body += R"(,"error_description":)";
  json::AppendString(description, &body);
  body += '}';
  return body;
}

void AddForBrowsers(HttpAnswer* answer) {
  answer->Add("Access-Control-Allow-Origin", "*");
  answer->Add("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After");
}

}  // namespace

HttpAnswer AllowAnswer(Proxy proxy, const Principal& principal) {
  HttpAnswer answer{.status = 200};
  answer.fields.reserve(512);
  const std::string values[] = {Encoded(principal.issuer()),          Encoded(principal.subject()),
                                Encoded(principal.client_id()),       EncodedList(principal.scope(), ' '),
                                EncodedList(principal.roles(), ' '),  std::string(NameOf(principal.kind())),
                                EncodedList(principal.actors(), '\n')};
  static_assert(std::size(values) == std::size(kIdentityFields));
  for (size_t i = 0; i < std::size(kIdentityFields); ++i) answer.Add(kIdentityFields[i], values[i]);
  if (proxy == Proxy::kNginx) answer.Add("X-Tollgate-Status", "200");
  answer.Add("Cache-Control", "no-store");
  return answer;
}

HttpAnswer RefusalAnswer(Proxy proxy, const Decision& decision, const RefusalContext& context) {
  Category category = decision.category();
  if (category == Category::kAllowed) category = Category::kForbidden;  // No refusal is 200.
  HttpAnswer answer{.status = HttpStatus(category)};
  const std::string challenge = Challenge(decision, context.metadata_url, context.scopes, context.acr_values);
  if (!challenge.empty()) answer.Add("WWW-Authenticate", challenge);
  if (category == Category::kRetryLater)
    answer.Add("Retry-After", std::to_string(std::max(decision.retry_after_s, 1u)));
  answer.Add("Content-Type", "application/json");
  answer.Add("Cache-Control", "no-store");
  AddForBrowsers(&answer);
  answer.body = context.json_rpc_error.empty() ? ErrorJson(ErrorOf(category), ReasonText(decision.reason))
                                               : std::string(context.json_rpc_error);
  if (proxy == Proxy::kNginx) {
    answer.Add("X-Tollgate-Status", std::to_string(answer.status));
    answer.Add("X-Tollgate-Body", answer.body);
  }
  return answer;
}

HttpAnswer ErrorAnswer(int status, std::string_view error, std::string_view description) {
  HttpAnswer answer{.status = status, .body = ErrorJson(error, description)};
  answer.Add("Content-Type", "application/json");
  answer.Add("Cache-Control", "no-store");
  return answer;
}

bool IsWorse(Category a, Category b) {
  constexpr Category kFromTheWorst[] = {
      Category::kFixRequest, Category::kAuthenticate,         Category::kReauthenticate, Category::kForbidden,
      Category::kRetryLater, Category::kAuthenticateStronger, Category::kStepUp,         Category::kAllowed};
  return std::find(std::begin(kFromTheWorst), std::end(kFromTheWorst), a) <
         std::find(std::begin(kFromTheWorst), std::end(kFromTheWorst), b);
}

}  // namespace tollgate::tollgated
