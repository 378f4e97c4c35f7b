#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "tollgate/export.h"
#include "tollgate/mcp.h"
#include "tollgate/reason.h"

namespace tollgate {

// McpListFilter takes out of an MCP server's answer to tools/list, prompts/list, resources/list and
// resources/templates/list what the caller may not use. Where it cannot be certain of an answer it refuses
// all of it: then nothing of it may reach the caller. Answers must not be compressed. Owner thread only.
class TOLLGATE_API McpListFilter {
 public:
  // Keep says whether the caller may use the tool or prompt of this name, the resource of this URI, or the
  // resources of this URI template.
  using Keep = std::function<bool(McpObject object, std::string_view name)>;

  // Answers, and events of a stream, are at most `bytes_max` long.
  explicit McpListFilter(size_t bytes_max = size_t{16} << 20);
  ~McpListFilter();
  McpListFilter(const McpListFilter&) = delete;
  McpListFilter& operator=(const McpListFilter&) = delete;

  // Lists: whether answers to this method are lists.
  static bool Lists(std::string_view method);

  // Filter appends `body`, an answer of application/json to `method`, to `out` without what `keep` does not
  // keep; the rest is what it was, byte by byte. Of other methods all is kept. kNone; or kBodyTooLong,
  // kBodyNotJson or kAmbiguousMember, and nothing is appended.
  Reason Filter(std::string_view method, std::string_view body, const Keep& keep, std::string* out);

  // BeginEvents begins an answer of text/event-stream (HTML, "Server-sent events"). FilterEvents takes its
  // next piece, however it was cut, and appends what may be passed on: whole events, whose data has been
  // filtered as above, and comments. After a failure there is nothing more. What follows the last whole event
  // is no event.
  void BeginEvents();
  Reason FilterEvents(std::string_view method, std::string_view piece, const Keep& keep, std::string* out);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tollgate
