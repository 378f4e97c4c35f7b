// mcp_list_filter: what the caller may not use is not in what is passed on
//
// Functions: McpListFilter::Filter, FilterEvents. The input is a body, and a stream of events.
// Property: what is passed on of a body is, as another JSON library reads it, repeated members included, what
// a model leaves of it, which also says what is refused; a stream of events that holds the body, cut in any
// way, ends in the same data; and of any stream two readers of ours, one of HTML's rules and one that ends
// lines wherever Python does, see the events that one of HTML's rules sees in the original, filtered.

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "fuzz/fuzz.h"
#include "fuzz/json_mutation.h"
#include "fuzz/json_tree.h"
#include "tollgate/mcp_filter.h"

namespace tollgate::fuzz {
namespace {

using nlohmann::json;

struct List {
  const char* array;
  const char* name;
};
constexpr std::array<List, 4> kLists = {
    {{"tools", "name"}, {"prompts", "name"}, {"resources", "uri"}, {"resourceTemplates", "uriTemplate"}}};

bool Stays(std::string_view name) { return name.size() % 2 == 0; }

// TheMember puts the one member that is `name` for anybody into `found`, null if there is none. False if
// there are several, or one of another case.
bool TheMember(Tree* object, const std::string& name, Tree** found) {
  *found = nullptr;
  if (object->type != json::value_t::object) return true;
  for (auto& [member, value] : object->children) {
    if (Folded(member) != Folded(name)) continue;
    if (*found != nullptr || member != name) return false;
    *found = &value;
  }
  return true;
}

// FilterModel leaves of `message` what stays. False: it is refused.
bool FilterModel(Tree* message) {
  Tree* result;
  if (!TheMember(message, "result", &result)) return false;
  if (result == nullptr) return true;
  for (const List& list : kLists) {
    Tree* array;
    if (!TheMember(result, list.array, &array)) return false;
    if (array == nullptr) continue;
    if (array->type != json::value_t::array) return false;
    std::erase_if(array->children, [&](auto& element) {
      Tree* name;
      const bool certain = TheMember(&element.second, list.name, &name);
      return !certain || name == nullptr || name->type != json::value_t::string || !Stays(name->text);
    });
  }
  return true;
}

std::optional<Tree> TreeOf(const std::string& text) {
  TreeBuilder builder;
  if (!json::sax_parse(text, &builder)) return std::nullopt;
  return std::move(builder.root);
}

// ModelOf is what is to be left of a body; nullopt: it is refused.
std::optional<Tree> ModelOf(const std::string& body) {
  std::optional<Tree> tree = TreeOf(body);
  if (!tree) return std::nullopt;
  if (tree->type != json::value_t::array) return FilterModel(&*tree) ? tree : std::nullopt;
  for (auto& [none, message] : tree->children)
    if (message.type == json::value_t::array || !FilterModel(&message)) return std::nullopt;
  return tree;
}

// LinesOf cuts a stream into the lines that are complete.
std::vector<std::string> LinesOf(std::string stream, bool python) {
  if (python) {
    for (const std::string_view end : {"\u0085", "\u2028", "\u2029"}) {
      for (size_t at = stream.find(end); at != stream.npos; at = stream.find(end, at))
        stream.replace(at, end.size(), "\n");
    }
  }
  const std::string_view ends = python ? "\r\n\v\f\x1c\x1d\x1e" : "\r\n";
  std::vector<std::string> lines(1);
  for (size_t i = 0; i < stream.size(); ++i) {
    if (ends.find(stream[i]) == ends.npos) {
      lines.back() += stream[i];
      continue;
    }
    if (stream[i] == '\r' && i + 1 < stream.size() && stream[i + 1] == '\n') ++i;
    lines.emplace_back();
  }
  lines.pop_back();
  return lines;
}

// EventsOf returns the data of the events in a stream (HTML, "Interpreting an event stream").
std::vector<std::string> EventsOf(std::string stream, bool python) {
  if (stream.starts_with("\xEF\xBB\xBF")) stream.erase(0, 3);
  std::vector<std::string> events;
  std::string buffer;
  for (const std::string& line : LinesOf(stream, python)) {
    if (line.empty()) {
      if (!buffer.empty()) events.push_back(buffer.substr(0, buffer.size() - 1));
      buffer.clear();
      continue;
    }
    const size_t colon = std::min(line.find(':'), line.size());
    if (line.substr(0, colon) != "data") continue;
    std::string value = line.substr(std::min(line.size(), colon + 1));
    if (value.starts_with(' ')) value.erase(0, 1);
    buffer += value + '\n';
  }
  return events;
}

const McpListFilter::Keep kKeep = [](McpObject, std::string_view name) { return Stays(name); };

// FilterStream feeds a stream in pieces of many sizes.
Reason FilterStream(McpListFilter& filter, std::string_view stream, std::string* out) {
  filter.BeginEvents();
  Reason reason = Reason::kNone;
  for (size_t size = 1; !stream.empty(); size = size * 7 % 31) {
    reason = filter.FilterEvents(stream.substr(0, size), kKeep, out);
    stream.remove_prefix(std::min(size, stream.size()));
  }
  return reason;
}

void CheckStream(McpListFilter& filter, const std::string& stream) {
  std::string out;
  const Reason reason = FilterStream(filter, stream, &out);
  const std::vector<std::string> before = EventsOf(stream, false), after = EventsOf(out, false);
  Expect(after == EventsOf(out, true), "clients agree about what is passed on");
  Expect(reason == Reason::kNone ? after.size() == before.size() : after.size() < before.size(),
         "events are passed on up to the one that is refused");
  for (size_t i = 0; i < after.size(); ++i) {
    if (before[i].empty() && after[i].empty()) continue;
    const std::optional<Tree> model = ModelOf(before[i]);
    Expect(model && TreeOf(after[i]) == model, "each event's data is filtered");
  }
}

}  // namespace

bool Accepts(std::string_view input) {
  const std::string body(input);
  McpListFilter filter(1 << 16);
  CheckStream(filter, body);
  std::string stream = "data: ";
  for (const char c : body) stream += c == '\n' || c == '\r' ? "\ndata: " : std::string(1, c);
  stream += "\n\n";
  CheckStream(filter, stream);

  std::string out, events;
  const Reason reason = filter.Filter(body, kKeep, &out);
  const Reason events_reason = FilterStream(filter, stream, &events);
  const std::vector<std::string> data = EventsOf(events, false);
  if (reason != Reason::kNone) {
    Expect(out.empty(), "nothing is passed on of what is refused");
    Expect(body.empty() || data.empty(), "nor of events");
    Expect(reason != Reason::kAmbiguousMember || !ModelOf(body), "what is certain is not refused");
    return false;
  }
  // Line ends in a text are white space, where they may be.
  const std::optional<Tree> filtered = TreeOf(out);
  Expect(events_reason == Reason::kNone && data.size() == 1 && TreeOf(data[0]) == filtered, "events, too");
  const std::optional<Tree> model = ModelOf(body);
  Expect(model && filtered == model, "the same but for what does not stay");
  return true;
}

}  // namespace tollgate::fuzz

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return tollgate::fuzz::MutateJsonInput(0, data, size, max_size, seed);
}
