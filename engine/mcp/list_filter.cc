#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "json/array_filter.h"
#include "tollgate/mcp_filter.h"

namespace tollgate {
namespace {

// Which of them an answer has is not known for certain from the request: a stream that is resumed tells
// nothing of its requests.
constexpr std::array<json::ArrayFilter::Path, 4> kLists = {{
    {"result", "tools", "name"},
    {"result", "prompts", "name"},
    {"result", "resources", "uri"},
    {"result", "resourceTemplates", "uriTemplate"},
}};
constexpr std::array<McpObject, kLists.size()> kObjects = {McpObject::kTool, McpObject::kPrompt,
                                                           McpObject::kResource, McpObject::kResource};

// What some clients end a line at, though HTML does not, in UTF-8; control characters besides.
struct Break {
  std::string_view text;
  std::string_view escaped;  // In a JSON string.
};
constexpr std::array<Break, 3> kBreaks = {
    {{"\xC2\x85", "\\u0085"}, {"\xE2\x80\xA8", "\\u2028"}, {"\xE2\x80\xA9", "\\u2029"}}};

bool MayEndALine(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }) ||
         std::any_of(kBreaks.begin(), kBreaks.end(),
                     [&](const Break& line_break) { return text.find(line_break.text) != text.npos; });
}

// AppendWithoutBreaks appends a part of a JSON text, where they can only stand in strings.
void AppendWithoutBreaks(std::string_view part, std::string* out) {
  while (!part.empty()) {
    const size_t at = std::min(part.find_first_of("\xC2\xE2"), part.size());
    out->append(part.substr(0, at));
    part.remove_prefix(at);
    if (part.empty()) break;
    const auto found = std::find_if(kBreaks.begin(), kBreaks.end(), [&](const Break& line_break) {
      return part.starts_with(line_break.text);
    });
    const bool is_break = found != kBreaks.end();
    out->append(is_break ? found->escaped : part.substr(0, 1));
    part.remove_prefix(is_break ? found->text.size() : 1);
  }
}

Reason OfBody(Reason reason) {
  switch (reason) {
    case Reason::kNone:
    case Reason::kOverloaded:
      return reason;
    case Reason::kTokenTooLong:
      return Reason::kBodyTooLong;
    case Reason::kDuplicateMember:
      return Reason::kAmbiguousMember;
    default:
      return Reason::kBodyNotJson;
  }
}

}  // namespace

class McpListFilter::Impl {
 public:
  explicit Impl(size_t bytes_max) : bytes_max_(bytes_max), filter_(bytes_max) {}

  Reason Filter(std::string_view body, const Keep& keep, std::string* out) {
    return OfBody(filter_.Copy(
        body, kLists, [&](size_t list, std::string_view name) { return keep(kObjects[list], name); }, out));
  }

  void BeginEvents() {
    line_.clear();
    others_.clear();
    data_.clear();
    event_bytes_ = 0;
    has_data_ = skip_line_feed_ = false;
    at_start_ = true;
    failure_ = Reason::kNone;
  }

  Reason FilterEvents(std::string_view piece, const Keep& keep, std::string* out);

 private:
  Reason EndLine(const Keep& keep, std::string* out);
  Reason EndEvent(const Keep& keep, std::string* out);

  const size_t bytes_max_;
  json::ArrayFilter filter_;
  Reason failure_ = Reason::kNone;
  bool at_start_ = true;
  std::string line_;             // As far as it has come.
  std::string others_;           // The event's lines that are no data, as they are passed on.
  std::string data_;             // The event's data, its lines separated by line feeds.
  std::string filtered_;         // Scratch.
  size_t event_bytes_ = 0;       // Since the last empty line, whatever became of them.
  bool has_data_ = false;        // Which may be empty.
  bool skip_line_feed_ = false;  // Behind a carriage return, which has ended the line.
};

Reason McpListFilter::Impl::FilterEvents(std::string_view piece, const Keep& keep, std::string* out) {
  while (failure_ == Reason::kNone && !piece.empty()) {
    if (std::exchange(skip_line_feed_, false) && piece.front() == '\n') {
      piece.remove_prefix(1);
      continue;
    }
    const size_t end = std::min(piece.find_first_of("\r\n"), piece.size());
    const bool ends = end < piece.size();
    event_bytes_ += end;
    if (event_bytes_ > bytes_max_) return failure_ = Reason::kBodyTooLong;
    line_.append(piece.substr(0, end));
    if (!ends) break;
    ++event_bytes_;
    skip_line_feed_ = piece[end] == '\r';
    piece.remove_prefix(end + 1);
    failure_ = EndLine(keep, out);
    line_.clear();
  }
  return failure_;
}

// What clients do not agree upon is not passed on: names that are none of HTML's, and whatever some of them
// may end a line at.
Reason McpListFilter::Impl::EndLine(const Keep& keep, std::string* out) {
  std::string_view line = line_;
  // A byte order mark at the very beginning is no part of the first line.
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (std::exchange(at_start_, false) && line.starts_with(kByteOrderMark))
    line.remove_prefix(kByteOrderMark.size());
  if (line.empty()) return EndEvent(keep, out);
  // A comment keeps the connection alive: it does not wait.
  if (line.front() == ':') {
    out->append(":\n");
    return Reason::kNone;
  }
  const size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  if (name != "data") {
    const bool known = colon != line.npos && (name == "id" || name == "event" || name == "retry");
    if (known && !MayEndALine(line)) others_.append(line).append("\n");
    return Reason::kNone;
  }
  line.remove_prefix(std::min(line.size(), name.size() + 1));
  if (line.starts_with(' ')) line.remove_prefix(1);
  if (has_data_) data_ += '\n';
  data_.append(line);
  has_data_ = true;
  return Reason::kNone;
}

Reason McpListFilter::Impl::EndEvent(const Keep& keep, std::string* out) {
  filtered_.clear();
  if (!data_.empty()) {
    if (const Reason reason = Filter(data_, keep, &filtered_); reason != Reason::kNone) return reason;
  }
  out->append(others_);
  if (has_data_) {
    // JSON may be written over several lines.
    for (std::string_view rest = filtered_;;) {
      const std::string_view part = rest.substr(0, rest.find('\n'));
      out->append("data: ");
      AppendWithoutBreaks(part, out);
      *out += '\n';
      if (part.size() == rest.size()) break;
      rest.remove_prefix(part.size() + 1);
    }
  }
  *out += '\n';
  others_.clear();
  data_.clear();
  event_bytes_ = 0;
  has_data_ = false;
  return Reason::kNone;
}

McpListFilter::McpListFilter(size_t bytes_max) : impl_(std::make_unique<Impl>(bytes_max)) {}
McpListFilter::~McpListFilter() = default;
Reason McpListFilter::Filter(std::string_view body, const Keep& keep, std::string* out) {
  return impl_->Filter(body, keep, out);
}
void McpListFilter::BeginEvents() { impl_->BeginEvents(); }
Reason McpListFilter::FilterEvents(std::string_view piece, const Keep& keep, std::string* out) {
  return impl_->FilterEvents(piece, keep, out);
}

}  // namespace tollgate
