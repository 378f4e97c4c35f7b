// mcp_list_filter: what the caller may not use is not in what is passed on
//
// Functions: McpListFilter::Filter, FilterEvents. The input is a character (which list), and a body.
// Property: what is passed on of a body is, as another JSON library reads it, the same but for members of the
// list that do not stay; and a stream of events that holds the body, cut in any way, ends in the same data.

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "fuzz/fuzz.h"
#include "fuzz/json_mutation.h"
#include "tollgate/mcp_filter.h"

namespace tollgate::fuzz {
namespace {

using nlohmann::json;

struct List {
  const char* method;
  const char* array;
  const char* name;
};
constexpr std::array<List, 4> kLists = {{{"tools/list", "tools", "name"},
                                         {"prompts/list", "prompts", "name"},
                                         {"resources/list", "resources", "uri"},
                                         {"resources/templates/list", "resourceTemplates", "uriTemplate"}}};

bool Stays(std::string_view name) { return name.size() % 2 == 0; }

// The other library takes the last of several members of one name; the filter leaves out an element of the
// list that has two names, whatever they are.
void FilterModel(const List& list, json* message) {
  if (!message->is_object() || !message->contains("result")) return;
  json& result = (*message)["result"];
  if (!result.is_object() || !result.contains(list.array) || !result[list.array].is_array()) return;
  json kept = json::array();
  for (const json& element : result[list.array]) {
    if (element.is_object() && element.contains(list.name) && element[list.name].is_string() &&
        Stays(element[list.name].get<std::string>())) {
      kept.push_back(element);
    }
  }
  result[list.array] = kept;
}

// FirstOf reads a text as one does who takes the first of several members of one name.
json FirstOf(const std::string& text) {
  std::vector<std::set<std::string>> names;
  return json::parse(
      text,
      [&](int, json::parse_event_t event, json& parsed) {
        if (event == json::parse_event_t::object_start) names.emplace_back();
        if (event == json::parse_event_t::object_end) names.pop_back();
        return event != json::parse_event_t::key || names.back().insert(parsed.get<std::string>()).second;
      },
      false);
}

// Every element of the list in `message`.
size_t Count(const List& list, const json& body) {
  size_t count = 0;
  const auto add = [&](const json& message) {
    if (message.is_object() && message.contains("result") && message["result"].is_object() &&
        message["result"].contains(list.array) && message["result"][list.array].is_array())
      count += message["result"][list.array].size();
  };
  if (body.is_array()) {
    for (const json& message : body) add(message);
  } else {
    add(body);
  }
  return count;
}

// The data of the events in a stream of ours.
std::string DataOf(const std::string& stream) {
  std::string data;
  for (std::string_view rest = stream; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (!line.starts_with("data: ")) continue;
    if (!data.empty()) data += '\n';
    data += line.substr(6);
  }
  return data;
}

}  // namespace

bool Accepts(std::string_view input) {
  if (input.empty()) return false;
  const List& list = kLists[static_cast<uint8_t>(input[0] - 'a') % kLists.size()];
  const std::string body(input.substr(1));
  const auto keep = [](McpObject, std::string_view name) { return Stays(name); };
  McpListFilter filter(1 << 16);
  std::string out;
  const Reason reason = filter.Filter(list.method, body, keep, &out);

  std::string stream = "data: ", events;
  for (const char c : body) stream += c == '\n' || c == '\r' ? "\ndata: " : std::string(1, c);
  stream += "\n\n";
  filter.BeginEvents();
  Reason events_reason = Reason::kNone;
  for (size_t at = 0, size = 1; at < stream.size(); at += size, size = size * 7 % 31)
    events_reason =
        filter.FilterEvents(list.method, std::string_view(stream).substr(at, size), keep, &events);
  if (reason != Reason::kNone) {
    Expect(out.empty(), "nothing is passed on of what is refused");
    Expect(DataOf(events).empty(), "nor of events");
    return false;
  }
  // Line ends in a text are white space, where they may be.
  if (!body.empty())
    Expect(events_reason == Reason::kNone && json::parse(DataOf(events)) == json::parse(out), "events, too");

  json model = json::parse(body, nullptr, false);
  const json filtered = json::parse(out, nullptr, false);
  Expect(!model.is_discarded() && !filtered.is_discarded(), "both are JSON");
  if (model.is_array()) {
    for (json& message : model) FilterModel(list, &message);
  } else {
    FilterModel(list, &model);
  }
  // With two names in one element the model keeps what the filter does not.
  Expect(filtered == model || Count(list, filtered) < Count(list, model),
         "the same but for what does not stay");
  for (json again : {filtered, FirstOf(out)}) {
    const json seen = again;
    if (again.is_array()) {
      for (json& message : again) FilterModel(list, &message);
    } else {
      FilterModel(list, &again);
    }
    Expect(again == seen, "nothing is there that does not stay, for whomever");
  }
  return true;
}

}  // namespace tollgate::fuzz

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return tollgate::fuzz::MutateJsonInput(1, data, size, max_size, seed);
}
