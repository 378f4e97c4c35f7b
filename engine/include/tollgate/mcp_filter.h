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

// McpListFilter takes out of an MCP server's answers to tools/list, prompts/list, resources/list and
// resources/templates/list what the caller may not use: whatever the request was, all four lists are looked
// for in every answer. Where it cannot be certain of an answer it refuses all of it: then nothing of it may
// reach the caller. Answers are UTF-8 and not compressed; one without a body needs no filter. Owner thread
// only.
//
// What it needs for the longest answer or event so far it keeps: about 20 times its length, and for events
// three times that length more. Only the growth of `out`, and of the text of an event, can throw.
class TOLLGATE_API McpListFilter {
 public:
  // Keep says whether the caller may use the tool or prompt of this name, the resource of this URI, or the
  // resources of this URI template.
  using Keep = std::function<bool(McpObject object, std::string_view name)>;

  // Answers are at most `bytes_max` long, and so is in a stream what there is from one empty line to the
  // next, comments and line ends (as one byte each) included.
  explicit McpListFilter(size_t bytes_max = size_t{16} << 20);
  ~McpListFilter();
  McpListFilter(const McpListFilter&) = delete;
  McpListFilter& operator=(const McpListFilter&) = delete;

  // Filter appends `body`, an answer of application/json, to `out` without what `keep` does not keep; the
  // rest is what it was, byte by byte. kNone; or kBodyTooLong, kBodyNotJson, kAmbiguousMember or kOverloaded
  // (there is no memory; category kRetryLater), and nothing is appended.
  Reason Filter(std::string_view body, const Keep& keep, std::string* out);

  // BeginEvents begins an answer of text/event-stream (HTML, "Server-sent events"). FilterEvents takes its
  // next piece, however it was cut, and appends what may be passed on: whole events, whose data has been
  // filtered as above, with their lines `id`, `event` and `retry`; and comments, empty ones. Other lines are
  // left out, and so are these with a character in them at which some client ends a line, though HTML does
  // not (control characters, U+0085, U+2028, U+2029); in data, which is JSON, such characters are escaped.
  // After a failure there is nothing more. What follows the last whole event is no event.
  void BeginEvents();
  Reason FilterEvents(std::string_view piece, const Keep& keep, std::string* out);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tollgate
