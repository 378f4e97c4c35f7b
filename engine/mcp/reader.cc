#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/ascii.h"
#include "json/large_document.h"
#include "json/writer.h"
#include "mcp/content.h"
#include "mcp/field_value.h"
#include "mcp/members.h"
#include "mcp/uri.h"
#include "tollgate/mcp.h"

namespace tollgate {
namespace {

using json::LargeDocument;
using json::Type;
using Value = LargeDocument::Value;

constexpr std::array<std::string_view, 4> kVersionNames = {"2025-03-26", "2025-06-18", "2025-11-25",
                                                           "2026-07-28"};
// Ids are echoed. Real ones are numbers or UUIDs.
constexpr size_t kIdBytesMax = 1024;

// Target is a method that is about one named thing.
enum class By : uint8_t { kName, kUri, kTaskId };
struct Target {
  std::string_view method;
  McpObject object;   // kMethod: permissions do not name it.
  By by;              // Which of the params names it.
  bool needs_header;  // Mcp-Name is required (2026-07-28).
};
constexpr std::array<Target, 9> kTargets = {{
    {"tools/call", McpObject::kTool, By::kName, true},
    {"prompts/get", McpObject::kPrompt, By::kName, true},
    {"resources/read", McpObject::kResource, By::kUri, true},
    {"resources/subscribe", McpObject::kResource, By::kUri, false},
    {"resources/unsubscribe", McpObject::kResource, By::kUri, false},
    // The extension "Tasks". Earlier revisions have some of them, and no field.
    {"tasks/get", McpObject::kMethod, By::kTaskId, false},
    {"tasks/result", McpObject::kMethod, By::kTaskId, false},
    {"tasks/update", McpObject::kMethod, By::kTaskId, false},
    {"tasks/cancel", McpObject::kMethod, By::kTaskId, false},
}};

// Message is one JSON-RPC message, as far as it matters here.
struct Message {
  McpId id;
  std::string_view method;                  // Empty: an answer.
  std::optional<std::string_view> version;  // What `_meta` declares.
  const Target* target = nullptr;           // Null: the method is about no one named thing,
  std::string_view name;                    // else its name.
  bool is_request() const { return !method.empty() && id.index() != 0; }
};

std::optional<McpVersion> VersionOf(std::string_view name) {
  const auto found = std::find(kVersionNames.begin(), kVersionNames.end(), name);
  if (found == kVersionNames.end()) return std::nullopt;
  return static_cast<McpVersion>(found - kVersionNames.begin());
}

int ErrorCode(Reason reason) {
  switch (reason) {
    case Reason::kBodyNotJson:
    case Reason::kBodyEncodingUnsupported:
      return -32700;
    case Reason::kBodyTooLong:
    case Reason::kNotJsonRpc:
    case Reason::kAmbiguousMember:
    case Reason::kBatchNotAllowed:
    case Reason::kTooManyCalls:
      return -32600;
    case Reason::kInvalidParams:
      return -32602;
    case Reason::kHeaderMismatch:
      return -32020;
    case Reason::kProtocolVersionUnsupported:
      return -32022;
    default:
      return 0;
  }
}

}  // namespace

std::string_view McpVersionName(McpVersion version) { return kVersionNames[static_cast<size_t>(version)]; }

class McpReader::Impl {
 public:
  explicit Impl(Options options)
      : options_(std::move(options)), document_(options_.body_bytes_max, options_.depth_max) {}

  Reason Read(const McpHeaders& headers, std::string_view body) {
    calls_.clear();
    id_ = {};
    version_ = McpVersion::k2025_03_26;
    requested_.clear();
    const Reason reason = ReadAll(headers, body);
    if (reason != Reason::kNone) calls_.clear();
    return reason;
  }

  std::span<const McpCall> calls() const { return calls_; }
  McpVersion version() const { return version_; }
  const McpId& id() const { return id_; }
  std::string ErrorBody(Reason reason) const;

 private:
  Reason ReadAll(const McpHeaders& headers, std::string_view body);
  Reason ReadBatch(const McpHeaders& headers, Value batch);
  Reason ReadMessage(Value value, Message* message);
  Reason ReadParams(Value params, Message* message);
  Reason ReadReference(Value reference, std::string_view method);
  Reason ReadSubscriptions(Value notifications, std::string_view method);
  Reason ReadVersion(const McpHeaders& headers, const Message& message);
  Reason CompareHeaders(const McpHeaders& headers, const Message& message);

  bool Knows(McpVersion version) const {
    return std::find(options_.versions.begin(), options_.versions.end(), version) != options_.versions.end();
  }
  Reason Add(const McpCall& call) {
    if (calls_.size() == options_.calls_max) return Reason::kTooManyCalls;
    calls_.push_back(call);
    return Reason::kNone;
  }
  Reason AddNamed(const McpCall& call) {
    const bool good = call.object != McpObject::kResource || mcp::IsNormal(call.name);
    return good ? Add(call) : Reason::kInvalidParams;
  }

  const Options options_;
  LargeDocument document_;
  std::vector<McpCall> calls_;
  McpId id_;
  McpVersion version_ = McpVersion::k2025_03_26;
  std::string requested_;  // The version that is not supported.
  std::string decoded_;    // Scratch.
};

Reason McpReader::Impl::ReadAll(const McpHeaders& headers, std::string_view body) {
  if (headers.content_type && !mcp::IsPlainJson(*headers.content_type))
    return Reason::kBodyEncodingUnsupported;
  if (headers.content_encoding && !ascii::EqualIgnoringCase(*headers.content_encoding, "identity"))
    return Reason::kBodyEncodingUnsupported;
  if (body.size() > options_.body_bytes_max) return Reason::kBodyTooLong;
  if (const Reason reason = document_.Parse(body); reason != Reason::kNone)
    return reason == Reason::kOverloaded ? reason : Reason::kBodyNotJson;
  if (document_.root().is_array()) return ReadBatch(headers, document_.root());
  Message message;
  const Reason reason = ReadMessage(document_.root(), &message);
  id_ = message.id;
  if (reason != Reason::kNone) return reason;
  if (const Reason version = ReadVersion(headers, message); version != Reason::kNone) return version;
  return CompareHeaders(headers, message);
}

// The revision 2025-03-26 alone has batches, and it has no fields that mirror a message.
Reason McpReader::Impl::ReadBatch(const McpHeaders& headers, Value batch) {
  if (headers.repeated || headers.method || headers.name) return Reason::kHeaderMismatch;
  if (const Reason reason = ReadVersion(headers, {}); reason != Reason::kNone) return reason;
  if (version_ != McpVersion::k2025_03_26) return Reason::kBatchNotAllowed;
  Reason reason = Reason::kNone;
  batch.ForEachElement([&](Value value) {
    Message message;
    reason = ReadMessage(value, &message);
    if (reason == Reason::kNone && message.version) reason = Reason::kHeaderMismatch;
    return reason == Reason::kNone;
  });
  // JSON-RPC 2.0 section 6: an empty one is no request.
  return reason == Reason::kNone && calls_.empty() ? Reason::kNotJsonRpc : reason;
}

// ReadMessage reads a message and adds what it asks for to the calls.
Reason McpReader::Impl::ReadMessage(Value value, Message* message) {
  if (!value.is_object()) return Reason::kNotJsonRpc;
  constexpr std::array<std::string_view, 6> kNames = {"jsonrpc", "id", "method", "params", "result", "error"};
  std::array<Value, kNames.size()> members;
  if (!mcp::PickMembers(value, kNames, members)) return Reason::kAmbiguousMember;
  const auto& [jsonrpc, id, method, params, result, error] = members;
  if (jsonrpc.string() != "2.0") return Reason::kNotJsonRpc;
  if (id.present()) {
    // MCP, unlike JSON-RPC, has no null.
    if (const std::optional<int64_t> number = id.int64()) {
      message->id = *number;
    } else if (const std::optional<std::string_view> text = id.string();
               text && text->size() <= kIdBytesMax) {
      message->id = std::string(*text);
    } else {
      return Reason::kNotJsonRpc;
    }
  }
  if (!method.present()) {
    // An error may be about a request whose id could not be read (2025-11-25; JSON-RPC 2.0 section 5).
    const bool is_answer =
        (id.present() || error.present()) && result.present() != error.present() && !params.present();
    if (!is_answer) return Reason::kNotJsonRpc;
    return Add({});
  }
  const std::optional<std::string_view> name = method.string();
  if (!name || name->empty() || result.present() || error.present()) return Reason::kNotJsonRpc;
  if (params.present() && !params.is_object()) return Reason::kNotJsonRpc;
  message->method = *name;
  return ReadParams(params, message);
}

// ReadParams reads what a request or a notification is about: of a notification's method nobody knows for
// sure that nothing is done.
Reason McpReader::Impl::ReadParams(Value params, Message* message) {
  constexpr std::array<std::string_view, 6> kNames = {"name",          "uri",   "ref",
                                                      "notifications", "_meta", "taskId"};
  constexpr std::array<std::string_view, 1> kVersion = {"io.modelcontextprotocol/protocolVersion"};
  std::array<Value, kNames.size()> members;
  std::array<Value, 1> version;
  if (!mcp::PickMembers(params, kNames, members)) return Reason::kAmbiguousMember;
  const auto& [name, uri, reference, notifications, meta, task] = members;
  if (!mcp::PickMembers(meta, kVersion, version)) return Reason::kAmbiguousMember;
  if (version[0].present()) {
    message->version = version[0].string();
    if (!message->version) return Reason::kNotJsonRpc;
  }
  const std::string_view method = message->method;
  if (method == "completion/complete") return ReadReference(reference, method);
  if (method == "subscriptions/listen") return ReadSubscriptions(notifications, method);
  const auto target = std::find_if(kTargets.begin(), kTargets.end(),
                                   [&](const Target& candidate) { return candidate.method == method; });
  if (target == kTargets.end()) return Add({.object = McpObject::kMethod, .method = method});
  const Value value = target->by == By::kName ? name : target->by == By::kUri ? uri : task;
  const std::optional<std::string_view> named = value.string();
  if (!named) return Reason::kInvalidParams;
  message->target = &*target;
  message->name = *named;
  if (target->object == McpObject::kMethod) return Add({.object = McpObject::kMethod, .method = method});
  return AddNamed({target->object, method, *named});
}

// Completing an argument of a prompt, or of a resource's template, tells about it.
Reason McpReader::Impl::ReadReference(Value reference, std::string_view method) {
  constexpr std::array<std::string_view, 3> kNames = {"type", "name", "uri"};
  std::array<Value, kNames.size()> members;
  if (!mcp::PickMembers(reference, kNames, members)) return Reason::kAmbiguousMember;
  const auto& [type, name, uri] = members;
  const bool prompt = type.string() == "ref/prompt";
  if (!prompt && type.string() != "ref/resource") return Reason::kInvalidParams;
  const std::optional<std::string_view> named = (prompt ? name : uri).string();
  if (!named) return Reason::kInvalidParams;
  return AddNamed({prompt ? McpObject::kPrompt : McpObject::kResource, method, *named});
}

// Listening is a method like others; hearing of changes of a resource needs the permission for that, too.
Reason McpReader::Impl::ReadSubscriptions(Value notifications, std::string_view method) {
  constexpr std::array<std::string_view, 1> kNames = {"resourceSubscriptions"};
  std::array<Value, 1> uris;
  if (!mcp::PickMembers(notifications, kNames, uris)) return Reason::kAmbiguousMember;
  if (uris[0].present() && !uris[0].is_array()) return Reason::kInvalidParams;
  Reason reason = Add({.object = McpObject::kMethod, .method = method});
  if (reason != Reason::kNone) return reason;
  uris[0].ForEachElement([&](Value value) {
    const std::optional<std::string_view> uri = value.string();
    reason = uri ? AddNamed({McpObject::kResource, method, *uri}) : Reason::kInvalidParams;
    return reason == Reason::kNone;
  });
  return reason;
}

// ReadVersion settles by which revision the request is to be read. A body that declares one is served by what
// it says: if its header field does not say the same, whoever goes by that is deceived.
Reason McpReader::Impl::ReadVersion(const McpHeaders& headers, const Message& message) {
  if (headers.repeated || message.version != (message.version ? headers.protocol_version : std::nullopt))
    return Reason::kHeaderMismatch;
  if (!headers.protocol_version) {
    // 2025-03-26 has no such field, nor has the first request of any later one that begins with a handshake:
    // whose clients understand no more than a name of what is supported.
    if (Knows(McpVersion::k2025_03_26)) return Reason::kNone;
    if (message.method != "initialize") return Reason::kHeaderMismatch;
    const bool handshakes = Knows(McpVersion::k2025_06_18) || Knows(McpVersion::k2025_11_25);
    return handshakes ? Reason::kNone : Reason::kProtocolVersionUnsupported;
  }
  const std::optional<McpVersion> version = VersionOf(*headers.protocol_version);
  if (!version || !Knows(*version)) {
    // Only what can be a version is shown.
    if (headers.protocol_version->size() <= 32 && mcp::DecodeFieldValue(*headers.protocol_version, &decoded_))
      requested_ = *headers.protocol_version;
    return Reason::kProtocolVersionUnsupported;
  }
  version_ = *version;
  return Reason::kNone;
}

// CompareHeaders: revisions before 2026-07-28 demand no Mcp-Method and no Mcp-Name, but who finds one may go
// by it.
Reason McpReader::Impl::CompareHeaders(const McpHeaders& headers, const Message& message) {
  const bool modern = version_ == McpVersion::k2026_07_28;
  if (modern && message.method.empty()) return Reason::kNotJsonRpc;  // It knows no requests of the server's.
  const bool demanded = modern && message.is_request();
  if (headers.method ? *headers.method != message.method : demanded) return Reason::kHeaderMismatch;
  if (!headers.name) {
    return demanded && message.target != nullptr && message.target->needs_header ? Reason::kHeaderMismatch
                                                                                 : Reason::kNone;
  }
  if (message.target == nullptr || !mcp::DecodeFieldValue(*headers.name, &decoded_) ||
      decoded_ != message.name) {
    return Reason::kHeaderMismatch;
  }
  return Reason::kNone;
}

std::string McpReader::Impl::ErrorBody(Reason reason) const {
  const int code = ErrorCode(reason);
  if (code == 0) return {};
  std::string body = R"({"jsonrpc":"2.0",)";
  if (const int64_t* number = std::get_if<int64_t>(&id_)) {
    absl::StrAppend(&body, R"("id":)", *number, ",");
  } else if (const std::string* text = std::get_if<std::string>(&id_)) {
    body += R"("id":)";
    json::AppendString(*text, &body);
    body += ',';
  }
  absl::StrAppend(&body, R"("error":{"code":)", code, R"(,"message":)");
  json::AppendString(ReasonText(reason), &body);
  if (reason == Reason::kProtocolVersionUnsupported) {
    body += R"(,"data":{"supported":[)";
    for (const McpVersion& version : options_.versions) {
      if (&version != &options_.versions.front()) body += ',';
      json::AppendString(McpVersionName(version), &body);
    }
    body += R"(],"requested":)";
    json::AppendString(requested_, &body);
    body += '}';
  }
  body += "}}";
  return body;
}

McpReader::McpReader() : McpReader(Options()) {}
McpReader::McpReader(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
McpReader::~McpReader() = default;
Reason McpReader::Read(const McpHeaders& headers, std::string_view body) {
  return impl_->Read(headers, body);
}
std::span<const McpCall> McpReader::calls() const { return impl_->calls(); }
McpVersion McpReader::version() const { return impl_->version(); }
const McpId& McpReader::id() const { return impl_->id(); }
std::string McpReader::ErrorBody(Reason reason) const { return impl_->ErrorBody(reason); }

}  // namespace tollgate
