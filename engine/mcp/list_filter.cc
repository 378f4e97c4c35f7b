#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "json/array_filter.h"
#include "tollgate/mcp_filter.h"

namespace tollgate {
namespace {

struct List {
  std::string_view method;
  McpObject object;
  json::ArrayFilter::Path path;
};
constexpr std::array<List, 4> kLists = {{
    {"tools/list", McpObject::kTool, {"result", "tools", "name"}},
    {"prompts/list", McpObject::kPrompt, {"result", "prompts", "name"}},
    {"resources/list", McpObject::kResource, {"result", "resources", "uri"}},
    {"resources/templates/list", McpObject::kResource, {"result", "resourceTemplates", "uriTemplate"}},
}};

const List* ListOf(std::string_view method) {
  const auto found =
      std::find_if(kLists.begin(), kLists.end(), [&](const List& list) { return list.method == method; });
  return found == kLists.end() ? nullptr : &*found;
}

Reason OfBody(Reason reason) {
  switch (reason) {
    case Reason::kNone:
      return Reason::kNone;
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

  Reason Filter(std::string_view method, std::string_view body, const Keep& keep, std::string* out) {
    const List* const list = ListOf(method);
    if (list == nullptr) {
      out->append(body);
      return Reason::kNone;
    }
    return OfBody(filter_.Copy(
        body, std::span(&list->path, 1),
        [&](size_t, std::string_view name) { return keep(list->object, name); }, out));
  }

  void BeginEvents() {
    line_.clear();
    others_.clear();
    data_.clear();
    has_data_ = skip_line_feed_ = false;
    at_start_ = true;
    failure_ = Reason::kNone;
  }

  Reason FilterEvents(std::string_view method, std::string_view piece, const Keep& keep, std::string* out);

 private:
  Reason EndLine(std::string_view method, const Keep& keep, std::string* out);

  const size_t bytes_max_;
  json::ArrayFilter filter_;
  Reason failure_ = Reason::kNone;
  bool at_start_ = true;
  std::string line_;             // As far as it has come.
  std::string others_;           // The event's lines that are no data.
  std::string data_;             // The event's data, its lines separated by line feeds.
  bool has_data_ = false;        // Which may be empty.
  bool skip_line_feed_ = false;  // Behind a carriage return, which has ended the line.
};

Reason McpListFilter::Impl::FilterEvents(std::string_view method, std::string_view piece, const Keep& keep,
                                         std::string* out) {
  while (failure_ == Reason::kNone && !piece.empty()) {
    if (std::exchange(skip_line_feed_, false) && piece.front() == '\n') {
      piece.remove_prefix(1);
      continue;
    }
    const size_t end = std::min(piece.find_first_of("\r\n"), piece.size());
    if (line_.size() + others_.size() + data_.size() + end > bytes_max_)
      return failure_ = Reason::kBodyTooLong;
    line_.append(piece.substr(0, end));
    if (end == piece.size()) break;
    skip_line_feed_ = piece[end] == '\r';
    piece.remove_prefix(end + 1);
    failure_ = EndLine(method, keep, out);
    line_.clear();
  }
  return failure_;
}

Reason McpListFilter::Impl::EndLine(std::string_view method, const Keep& keep, std::string* out) {
  constexpr std::string_view kData = "data";
  std::string_view line = line_;
  // A byte order mark at the very beginning is no part of the first line.
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (std::exchange(at_start_, false) && line.starts_with(kByteOrderMark))
    line.remove_prefix(kByteOrderMark.size());
  if (line.empty()) {
    std::string filtered;
    if (has_data_ && !data_.empty()) {
      if (const Reason reason = Filter(method, data_, keep, &filtered); reason != Reason::kNone)
        return reason;
    }
    out->append(others_);
    if (has_data_) {
      // JSON may be written over several lines.
      for (std::string_view rest = filtered;;) {
        const std::string_view part = rest.substr(0, rest.find('\n'));
        out->append("data: ").append(part).append("\n");
        if (part.size() == rest.size()) break;
        rest.remove_prefix(part.size() + 1);
      }
    }
    out->append("\n");
    others_.clear();
    data_.clear();
    has_data_ = false;
    return Reason::kNone;
  }
  const bool is_data = line.starts_with(kData) && (line.size() == kData.size() || line[kData.size()] == ':');
  if (!is_data) {
    others_.append(line).append("\n");
    // A comment between two events keeps the connection alive: it does not wait.
    if (line.front() == ':' && !has_data_ && others_.size() == line.size() + 1)
      out->append(std::exchange(others_, {}));
    return Reason::kNone;
  }
  line.remove_prefix(std::min(line.size(), kData.size() + 1));
  if (line.starts_with(' ')) line.remove_prefix(1);
  if (has_data_) data_ += '\n';
  data_.append(line);
  has_data_ = true;
  return Reason::kNone;
}

McpListFilter::McpListFilter(size_t bytes_max) : impl_(std::make_unique<Impl>(bytes_max)) {}
McpListFilter::~McpListFilter() = default;
bool McpListFilter::Lists(std::string_view method) { return ListOf(method) != nullptr; }
Reason McpListFilter::Filter(std::string_view method, std::string_view body, const Keep& keep,
                             std::string* out) {
  return impl_->Filter(method, body, keep, out);
}
void McpListFilter::BeginEvents() { impl_->BeginEvents(); }
Reason McpListFilter::FilterEvents(std::string_view method, std::string_view piece, const Keep& keep,
                                   std::string* out) {
  return impl_->FilterEvents(method, piece, keep, out);
}

}  // namespace tollgate
