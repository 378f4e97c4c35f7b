#include <optional>
#include <string>
#include <utility>

#include "capi/convert.h"
#include "capi/handles.h"
#include "tollgate/c/mcp.h"
#include "tollgate/challenge.h"
#include "tollgate/mcp.h"
#include "tollgate/mcp_filter.h"

struct tollgate_mcp_reader {
  tollgate::McpReader reader;
  size_t num_calls = 0;  // 0 unless the last read was good.
};

struct tollgate_mcp_filter {
  tollgate::McpListFilter filter;
  std::string out;
  bool is_broken = false;  // In the middle of a stream, memory ran out.
};

namespace tollgate::c_abi {
namespace {

std::optional<McpVersion> VersionOf(std::string_view name) {
  for (const McpVersion version : McpReader::Options().versions) {
    if (McpVersionName(version) == name) return version;
  }
  return std::nullopt;
}

bool ReadOptions(const tollgate_mcp_options* given, McpReader::Options* to) {
  if (given == nullptr) return true;
  tollgate_mcp_options from;
  if (!ReadStruct(given, &from)) return false;
  if (from.body_bytes_max != 0) to->body_bytes_max = from.body_bytes_max;
  if (from.depth_max != 0) to->depth_max = from.depth_max;
  if (from.calls_max != 0) to->calls_max = from.calls_max;
  Texts texts;
  const std::vector<std::string> names = texts.Words(from.versions);
  if (!names.empty()) to->versions.clear();
  for (const std::string& name : names) {
    const std::optional<McpVersion> version = VersionOf(name);
    if (!version) return false;
    to->versions.push_back(*version);
  }
  return texts.good();
}

bool ReadHeaders(const tollgate_mcp_headers* given, McpHeaders* to) {
  tollgate_mcp_headers from;
  if (!ReadStruct(given, &from)) return false;
  Texts texts;
  const auto take = [&texts](const tollgate_string& value) {
    const std::string_view text = texts.View(value);
    return value.data == nullptr ? std::nullopt : std::optional(text);
  };
  to->protocol_version = take(from.protocol_version);
  to->method = take(from.method);
  to->name = take(from.name);
  to->content_type = take(from.content_type);
  to->content_encoding = take(from.content_encoding);
  to->repeated = from.num_repeated != 0;
  return texts.good();
}

// Filtered has `filter` append to the filter's own text, and shows it if it is good.
template <typename Filter>
uint32_t Filtered(tollgate_mcp_filter* handle, tollgate_string text, tollgate_mcp_keep keep, void* user,
                  tollgate_string* filtered, Filter filter) noexcept {
  if (filtered != nullptr) *filtered = {};
  Texts texts;
  const std::string_view view = texts.View(text);
  if (handle == nullptr || keep == nullptr || filtered == nullptr || !texts.good())
    return static_cast<uint32_t>(Reason::kUndecided);
  Reason reason = Reason::kOverloaded;
  try {
    handle->out.clear();
    reason = filter(
        view,
        [keep, user](McpObject object, std::string_view name) {
          return keep(user, CObject(object), CString(name)) != 0;
        },
        &handle->out);
  } catch (...) {
    handle->is_broken = true;
  }
  if (reason == Reason::kNone) *filtered = CString(handle->out);
  return static_cast<uint32_t>(reason);
}

}  // namespace
}  // namespace tollgate::c_abi

using namespace tollgate;

tollgate_mcp_reader* tollgate_mcp_reader_new(const tollgate_mcp_options* options) noexcept {
  return c_abi::Made([options]() -> tollgate_mcp_reader* {
    McpReader::Options to;
    if (!c_abi::ReadOptions(options, &to)) return nullptr;
    return new tollgate_mcp_reader{.reader = McpReader(std::move(to))};
  });
}

void tollgate_mcp_reader_free(tollgate_mcp_reader* reader) noexcept { delete reader; }

tollgate_status tollgate_mcp_read(tollgate_mcp_reader* reader, const tollgate_mcp_headers* headers,
                                  tollgate_string body, tollgate_mcp_message* message) noexcept {
  tollgate_mcp_message read = {.struct_size = sizeof read,
                               .http_status = 400,
                               .reason = static_cast<uint32_t>(Reason::kUndecided),
                               .num_calls = 0,
                               .version = {}};
  if (reader != nullptr) reader->num_calls = 0;
  McpHeaders fields;
  c_abi::Texts texts;
  const std::string_view text = texts.View(body);
  if (reader == nullptr || !c_abi::HasSize(message) || !c_abi::ReadHeaders(headers, &fields) ||
      !texts.good()) {
    static_cast<void>(c_abi::WriteStruct(read, message));
    return TOLLGATE_INVALID_ARGUMENT;
  }
  Reason reason = Reason::kOverloaded;
  try {
    reason = reader->reader.Read(fields, text);
  } catch (...) {
    // There is no memory.
  }
  if (reason == Reason::kNone) reader->num_calls = reader->reader.calls().size();
  read.http_status = static_cast<uint32_t>(HttpStatus(CategoryOf(reason)));
  read.reason = static_cast<uint32_t>(reason);
  read.num_calls = reader->num_calls;
  read.version = c_abi::CString(McpVersionName(reader->reader.version()));
  static_cast<void>(c_abi::WriteStruct(read, message));
  return TOLLGATE_OK;
}

tollgate_status tollgate_mcp_call_at(const tollgate_mcp_reader* reader, size_t index,
                                     tollgate_mcp_call* call) noexcept {
  if (reader == nullptr || index >= reader->num_calls) return TOLLGATE_INVALID_ARGUMENT;
  const McpCall& from = reader->reader.calls()[index];
  const bool is_method = from.object == McpObject::kMethod;
  const tollgate_mcp_call to = {.struct_size = sizeof to,
                                .tool = c_abi::CString(is_method ? from.method : from.name),
                                .method = c_abi::CString(from.method),
                                .object = c_abi::CObject(from.object),
                                .reserved = 0};
  return c_abi::WriteStruct(to, call) ? TOLLGATE_OK : TOLLGATE_INVALID_ARGUMENT;
}

size_t tollgate_mcp_error_body(const tollgate_mcp_reader* reader, uint32_t reason, char* buffer,
                               size_t capacity) noexcept {
  return c_abi::Written(buffer, capacity, [&]() -> std::optional<std::string> {
    if (reader == nullptr || reason > UINT16_MAX) return std::nullopt;
    return reader->reader.ErrorBody(static_cast<Reason>(reason));
  });
}

tollgate_mcp_filter* tollgate_mcp_filter_new(size_t bytes_max) noexcept {
  return c_abi::Made([bytes_max] {
    return bytes_max == 0 ? new tollgate_mcp_filter
                          : new tollgate_mcp_filter{.filter = McpListFilter(bytes_max), .out = {}};
  });
}

void tollgate_mcp_filter_free(tollgate_mcp_filter* filter) noexcept { delete filter; }

uint32_t tollgate_mcp_filter_body(tollgate_mcp_filter* filter, tollgate_string body, tollgate_mcp_keep keep,
                                  void* user, tollgate_string* filtered) noexcept {
  return c_abi::Filtered(filter, body, keep, user, filtered,
                         [filter](std::string_view text, const McpListFilter::Keep& kept, std::string* out) {
                           return filter->filter.Filter(text, kept, out);
                         });
}

void tollgate_mcp_filter_begin_events(tollgate_mcp_filter* filter) noexcept {
  if (filter == nullptr) return;
  filter->filter.BeginEvents();
  filter->is_broken = false;
}

uint32_t tollgate_mcp_filter_events(tollgate_mcp_filter* filter, tollgate_string piece,
                                    tollgate_mcp_keep keep, void* user, tollgate_string* filtered) noexcept {
  return c_abi::Filtered(filter, piece, keep, user, filtered,
                         [filter](std::string_view text, const McpListFilter::Keep& kept, std::string* out) {
                           return filter->is_broken ? Reason::kOverloaded
                                                    : filter->filter.FilterEvents(text, kept, out);
                         });
}

size_t tollgate_challenge(const tollgate_engine* engine, const tollgate_request* request,
                          const tollgate_decision* decision, tollgate_string metadata_url, char* buffer,
                          size_t capacity) noexcept {
  return c_abi::Written(buffer, capacity, [&]() -> std::optional<std::string> {
    Request read;
    tollgate_decision given;
    c_abi::Texts texts;
    const std::string_view url = texts.View(metadata_url);
    if (engine == nullptr || !c_abi::ReadRequest(request, &read) || !c_abi::ReadStruct(decision, &given) ||
        given.reason > UINT16_MAX || !texts.good())
      return std::nullopt;
    Decision denied;  // Of which a challenge looks at the reason alone.
    denied.reason = static_cast<Reason>(given.reason);
    return Challenge(denied, url, engine->engine->ScopesFor(read), engine->engine->AcrValuesFor(read));
  });
}

size_t tollgate_metadata_url(tollgate_string resource, char* buffer, size_t capacity) noexcept {
  return c_abi::Written(buffer, capacity, [&]() -> std::optional<std::string> {
    c_abi::Texts texts;
    const std::string_view uri = texts.View(resource);
    return texts.good() ? std::optional(ResourceMetadataUrl(uri)) : std::nullopt;
  });
}

size_t tollgate_metadata_json(const tollgate_metadata* metadata, char* buffer, size_t capacity) noexcept {
  return c_abi::Written(buffer, capacity, [&]() -> std::optional<std::string> {
    tollgate_metadata from;
    if (!c_abi::ReadStruct(metadata, &from)) return std::nullopt;
    c_abi::Texts texts;
    ResourceMetadata to;
    to.resource = texts.Copy(from.resource);
    to.authorization_servers = texts.Copy(from.authorization_servers);
    to.scopes_supported = texts.Words(from.scopes_supported);
    to.resource_name = texts.Copy(from.resource_name);
    to.resource_documentation = texts.Copy(from.resource_documentation);
    return texts.good() ? std::optional(ResourceMetadataJson(to)) : std::nullopt;
  });
}
