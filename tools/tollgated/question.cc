#include "tools/tollgated/question.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>

#include "mcp/field_value.h"
#include "mcp/uri.h"
#include "tools/tollgated/character_set.h"

namespace tollgate::tollgated {
namespace {

constexpr std::string_view kIdentityPrefix = "x-tollgate-";
constexpr CharacterSet kPlain("-"), kLettersAndDigits("");

// Field is one that counts here.
enum class Field : uint8_t {
  kNone,
  kAuthorization,
  kOriginalMethod,
  kOriginalUri,
  kForwardedMethod,
  kForwardedUri,
  kTraceparent,
  kPartialBody,
  // Those that mirror a message or say how it is to be read.
  kMcpVersion,
  kMcpMethod,
  kMcpName,
  kContentType,
  kContentEncoding,
};

struct NamedField {
  std::string_view name{};
  Field field = Field::kNone;
};

// KnownFields has the one field of each length of a name.
consteval std::array<NamedField, 32> KnownFields() {
  std::array<NamedField, 32> fields;
  for (const NamedField& known : {NamedField{"authorization", Field::kAuthorization},
                                  {"x-original-method", Field::kOriginalMethod},
                                  {"x-original-uri", Field::kOriginalUri},
                                  {"x-forwarded-method", Field::kForwardedMethod},
                                  {"x-forwarded-uri", Field::kForwardedUri},
                                  {"traceparent", Field::kTraceparent},
                                  {"x-envoy-auth-partial-body", Field::kPartialBody},
                                  {"mcp-protocol-version", Field::kMcpVersion},
                                  {"mcp-method", Field::kMcpMethod},
                                  {"mcp-name", Field::kMcpName},
                                  {"content-type", Field::kContentType},
                                  {"content-encoding", Field::kContentEncoding}}) {
    if (!fields[known.name.size()].name.empty()) throw "two of one length";
    fields[known.name.size()] = known;
  }
  return fields;
}
constexpr std::array<NamedField, 32> kFieldOfLength = KnownFields();

Field FieldOf(std::string_view name) {
  if (name.size() >= kFieldOfLength.size()) return Field::kNone;
  const NamedField& known = kFieldOfLength[name.size()];
  return ascii::EqualIgnoringCase(name, known.name) ? known.field : Field::kNone;
}

// Single is the value of a field that counts only if it is there once.
class Single {
 public:
  void Take(std::string_view value) {
    value_ = value;
    ++num_;
  }
  std::string_view value() const { return num_ == 1 ? value_ : std::string_view(); }

 private:
  std::string_view value_;
  int num_ = 0;
};

// IsLookalike: some servers make an underscore of a dot, too, or of whatever is neither letter nor digit.
bool IsLookalike(std::string_view name) {
  if (kPlain.Span(name) == name.size()) return false;
  std::string dashed(name);
  std::transform(dashed.begin(), dashed.end(), dashed.begin(),
                 [](char c) { return kLettersAndDigits.Has(c) ? ascii::Lower(c) : '-'; });
  return dashed.starts_with(kIdentityPrefix) || FieldOf(dashed) >= Field::kMcpVersion;
}

int HexDigit(char c) {
  c = ascii::Lower(c);
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// IsParameter compares a parameter's name as servers decode it, once, and some without minding its case.
bool IsParameter(std::string_view encoded, std::string_view lower) {
  size_t matched = 0;
  for (size_t i = 0; i < encoded.size(); ++i) {
    char c = encoded[i] == '+' ? ' ' : encoded[i];
    if (c == '%' && i + 2 < encoded.size() && HexDigit(encoded[i + 1]) >= 0 &&
        HexDigit(encoded[i + 2]) >= 0) {
      c = static_cast<char>(HexDigit(encoded[i + 1]) * 16 + HexDigit(encoded[i + 2]));
      i += 2;
    }
    if (matched == lower.size() || ascii::Lower(c) != lower[matched]) return false;
    ++matched;
  }
  return matched == lower.size();
}

// HasTokenInQuery: some servers separate parameters by semicolons, too.
bool HasTokenInQuery(std::string_view target) {
  const size_t mark = target.find('?');
  if (mark == target.npos) return false;
  for (std::string_view rest = target.substr(mark + 1); !rest.empty();) {
    const std::string_view parameter = rest.substr(0, rest.find_first_of("&;"));
    rest.remove_prefix(std::min(rest.size(), parameter.size() + 1));
    if (IsParameter(parameter.substr(0, parameter.find('=')), "access_token")) return true;
  }
  return false;
}

bool TellsInTarget(Proxy proxy) {
  return proxy == Proxy::kEnvoy || proxy == Proxy::kHaproxy || proxy == Proxy::kNginxModule;
}

// ReadMirror is ReadUses by what the header fields claim.
Reason ReadMirror(const McpHeaders& headers, std::vector<Use>* uses) {
  struct Named {
    std::string_view method;
    McpObject object;
  };
  constexpr Named kNamed[] = {{"tools/call", McpObject::kTool},
                              {"prompts/get", McpObject::kPrompt},
                              {"resources/read", McpObject::kResource}};
  constexpr std::string_view kNamedInBody[] = {"completion/complete", "resources/subscribe",
                                               "resources/unsubscribe", "subscriptions/listen"};
  if (headers.repeated || !headers.protocol_version || !headers.method || headers.method->empty())
    return Reason::kHeaderMismatch;
  if (*headers.protocol_version != McpVersionName(McpVersion::k2026_07_28))
    return Reason::kProtocolVersionUnsupported;
  const std::string_view method = *headers.method;
  if (std::find(std::begin(kNamedInBody), std::end(kNamedInBody), method) != std::end(kNamedInBody))
    return Reason::kInvalidParams;
  const auto named = std::find_if(std::begin(kNamed), std::end(kNamed),
                                  [&](const Named& candidate) { return candidate.method == method; });
  if (named == std::end(kNamed)) {
    uses->push_back({McpObject::kMethod, method});
    return Reason::kNone;
  }
  // An encoded name would need to be kept somewhere: who needs more than visible ASCII needs the body seen.
  std::string decoded;
  if (!headers.name || !mcp::DecodeFieldValue(*headers.name, &decoded) || decoded != *headers.name)
    return Reason::kHeaderMismatch;
  if (named->object == McpObject::kResource && !mcp::IsNormal(*headers.name)) return Reason::kInvalidParams;
  uses->push_back({named->object, *headers.name});
  return Reason::kNone;
}

Reason ReadMessage(const OriginalRequest& original, const ServerSettings& server, McpReader* reader,
                   std::vector<Use>* uses, bool* was_read) {
  if (original.method != "POST") {
    // Servers that expect none take it for the next request on the connection.
    if (server.sees_body && (original.body_is_partial || !original.body.empty())) return Reason::kBodyTooLong;
    uses->push_back({McpObject::kMethod, original.method});
    return Reason::kNone;
  }
  if (!server.sees_body) {
    return server.dangerous_trust_mcp_headers.empty() ? Reason::kInvalidParams
                                                      : ReadMirror(original.mcp, uses);
  }
  if (original.body_is_partial) return Reason::kBodyTooLong;
  McpHeaders headers = original.mcp;
  // Without Content-Type servers guess, a form among others, which may hold a token (RFC 6750 section 2.2).
  if (!headers.content_type) headers.content_type.emplace();
  *was_read = true;
  if (const Reason reason = reader->Read(headers, original.body); reason != Reason::kNone) return reason;
  for (const McpCall& call : reader->calls())
    uses->push_back({call.object, call.object == McpObject::kMethod ? call.method : call.name});
  return Reason::kNone;
}

}  // namespace

bool ReadQuestion(const HttpRequest& request, std::string_view rest, Proxy proxy, OriginalRequest* original) {
  *original = {};
  const bool in_target = TellsInTarget(proxy);
  const bool is_nginx = proxy == Proxy::kNginx;
  Single method, target, traceparent;
  uint32_t num_authorizations = 0;
  const auto take_mcp = [original](std::optional<std::string_view>* mcp, std::string_view value) {
    original->mcp.repeated |= mcp->has_value();
    *mcp = value;
  };
  for (const HttpField& field : request.fields) {
    switch (FieldOf(field.name)) {
      case Field::kAuthorization:
        if (num_authorizations++ == 0) original->authorization = field.value;
        break;
      case Field::kOriginalMethod:
        if (is_nginx) method.Take(field.value);
        break;
      case Field::kForwardedMethod:
        if (!is_nginx) method.Take(field.value);
        break;
      case Field::kOriginalUri:
        if (is_nginx) target.Take(field.value);
        break;
      case Field::kForwardedUri:
        if (!is_nginx) target.Take(field.value);
        break;
      case Field::kTraceparent:
        traceparent.Take(field.value);
        break;
      case Field::kPartialBody:
        original->body_is_partial |= field.value != "false";
        break;
      case Field::kMcpVersion:
        take_mcp(&original->mcp.protocol_version, field.value);
        break;
      case Field::kMcpMethod:
        take_mcp(&original->mcp.method, field.value);
        break;
      case Field::kMcpName:
        take_mcp(&original->mcp.name, field.value);
        break;
      case Field::kContentType:
        take_mcp(&original->mcp.content_type, field.value);
        break;
      case Field::kContentEncoding:
        take_mcp(&original->mcp.content_encoding, field.value);
        break;
      case Field::kNone:
        original->has_lookalike |= IsLookalike(field.name);
        break;
    }
  }
  original->method = in_target ? request.method : method.value();
  original->target = in_target ? rest : target.value();
  original->traceparent = traceparent.value();
  original->body = request.body;
  original->num_credentials =
      std::max(num_authorizations + (HasTokenInQuery(original->target) ? 1u : 0u), 1u);
  // Caddy appends the original query, which X-Forwarded-Uri has anyway.
  const bool is_whole = in_target || rest.empty() || rest.starts_with('?');
  return is_whole && !original->method.empty() && original->target.starts_with('/');
}

Reason ReadUses(const OriginalRequest& original, const ServerSettings& server, McpReader* reader,
                std::vector<Use>* uses, std::string* error) {
  uses->clear();
  error->clear();
  const bool is_mcp = server.decide_as_tool.empty();
  bool was_read = false;
  const Reason reason = original.has_lookalike ? Reason::kHeaderMismatch
                        : is_mcp               ? ReadMessage(original, server, reader, uses, &was_read)
                                               : Reason::kNone;
  if (!is_mcp) {
    if (reason == Reason::kNone) uses->push_back({McpObject::kTool, server.decide_as_tool});
  } else if (reason != Reason::kNone) {
    // A reader that has not read this request would answer the one before it.
    *error = was_read ? reader->ErrorBody(reason) : McpReader().ErrorBody(reason);
  }
  return reason;
}

}  // namespace tollgate::tollgated
