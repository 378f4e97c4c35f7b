#include "tools/tollgated/answer.h"

#include <algorithm>
#include <iterator>

#include "json/writer.h"
#include "tollgate/challenge.h"
#include "tollgate/policy.h"
#include "tools/tollgated/character_set.h"

namespace tollgate::tollgated {
namespace {

constexpr CharacterSet kStandForThemselves("-._~:/@");

void AppendEncoded(std::string_view value, std::string* out) {
  constexpr char kHex[] = "0123456789ABCDEF";
  while (!value.empty()) {
    const size_t plain = kStandForThemselves.Span(value);
    out->append(value, 0, plain);
    value.remove_prefix(plain);
    if (value.empty()) return;
    const auto byte = static_cast<unsigned char>(value.front());
    out->append({'%', kHex[byte >> 4], kHex[byte & 15]});
    value.remove_prefix(1);
  }
}

// AppendEncodedList encodes the parts between separators.
void AppendEncodedList(std::string_view list, char separator, std::string* out) {
  for (bool is_first = true; !list.empty();) {
    const std::string_view part = list.substr(0, list.find(separator));
    list.remove_prefix(std::min(list.size(), part.size() + 1));
    if (part.empty()) continue;
    if (!is_first) *out += ' ';
    AppendEncoded(part, out);
    is_first = false;
  }
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

Identity::Identity(const Principal& principal) {
  const std::string_view values[kNumFields] = {
      principal.issuer(), principal.subject(),      principal.client_id(), principal.scope(),
      principal.roles(),  NameOf(principal.kind()), principal.actors()};
  constexpr char kSeparators[kNumFields] = {0, 0, 0, ' ', ' ', 0, '\n'};
  size_t size = 0;
  for (std::string_view value : values) size += value.size();
  text_.reserve(size);
  for (size_t i = 0; i < kNumFields; ++i) {
    if (kSeparators[i] == 0) {
      AppendEncoded(values[i], &text_);
    } else {
      AppendEncodedList(values[i], kSeparators[i], &text_);
    }
    ends_[i] = static_cast<uint32_t>(text_.size());
  }
}

HttpAnswer AllowAnswer(Proxy proxy, const Identity& identity) {
  HttpAnswer answer{.status = 200};
  answer.fields.reserve(512);
  // What is encoded ends no line.
  for (size_t i = 0; i < Identity::kNumFields; ++i)
    answer.fields.append(kIdentityFields[i]).append(": ").append(identity.value(i)).append("\r\n");
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
