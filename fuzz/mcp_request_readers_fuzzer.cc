// mcp_request_readers: what is decided is what every reader of the request sees
//
// Functions: McpReader. The input is a line with the values of MCP-Protocol-Version, Mcp-Method and Mcp-Name,
// separated by tabs ("-": there is none), and a body. Property: of an accepted request, three readers with
// another JSON library see the calls that are to be decided: one that takes the first of several members of
// one name, one that takes the last, and one that takes the last and minds no case; and the header fields say
// the same. Of a refused one no call is left, and what the client is told is JSON.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "fuzz/fuzz.h"
#include "fuzz/json_mutation.h"
#include "fuzz/json_tree.h"
#include "tollgate/mcp.h"

namespace tollgate::fuzz {
namespace {

using nlohmann::json;

enum class Habit { kFirst, kLast, kLastOfAnyCase };

const Tree* Member(const Tree* object, const std::string& name, Habit habit) {
  if (object == nullptr || object->type != json::value_t::object) return nullptr;
  const Tree* found = nullptr;
  for (const auto& [member, value] : object->children) {
    const bool is = habit == Habit::kLastOfAnyCase ? Folded(member) == Folded(name) : member == name;
    if (is && (found == nullptr || habit != Habit::kFirst)) found = &value;
  }
  return found;
}

std::string Text(const Tree* value) {
  return value != nullptr && value->type == json::value_t::string ? value->text : "";
}

using Calls = std::vector<std::tuple<McpObject, std::string, std::string>>;

void ReadCalls(const Tree& message, Habit habit, Calls* calls) {
  const std::string method = Text(Member(&message, "method", habit));
  const Tree* const params = Member(&message, "params", habit);
  const auto param = [&](const char* name) { return Text(Member(params, name, habit)); };
  if (method == "tools/call") {
    calls->emplace_back(McpObject::kTool, method, param("name"));
  } else if (method == "prompts/get") {
    calls->emplace_back(McpObject::kPrompt, method, param("name"));
  } else if (method == "resources/read" || method == "resources/subscribe" ||
             method == "resources/unsubscribe") {
    calls->emplace_back(McpObject::kResource, method, param("uri"));
  } else if (method == "completion/complete") {
    const Tree* const reference = Member(params, "ref", habit);
    const bool prompt = Text(Member(reference, "type", habit)) == "ref/prompt";
    calls->emplace_back(prompt ? McpObject::kPrompt : McpObject::kResource, method,
                        Text(Member(reference, prompt ? "name" : "uri", habit)));
  } else {
    calls->emplace_back(McpObject::kMethod, method, "");
    if (method != "subscriptions/listen") return;
    const Tree* const notifications = Member(params, "notifications", habit);
    if (const Tree* const uris = Member(notifications, "resourceSubscriptions", habit)) {
      for (const auto& [none, uri] : uris->children)
        calls->emplace_back(McpObject::kResource, method, uri.text);
    }
  }
}

Calls ReadAll(const Tree& body, Habit habit) {
  Calls calls;
  if (body.type != json::value_t::array) {
    ReadCalls(body, habit, &calls);
  } else {
    for (const auto& [none, message] : body.children) ReadCalls(message, habit, &calls);
  }
  return calls;
}

// TaskOf returns which task a message is about.
std::string TaskOf(const Tree& message) {
  if (!Text(Member(&message, "method", Habit::kFirst)).starts_with("tasks/")) return "(none)";
  return Text(Member(Member(&message, "params", Habit::kFirst), "taskId", Habit::kFirst));
}

std::optional<std::string_view> TakeField(std::string_view* line) {
  const std::string_view field = line->substr(0, line->find('\t'));
  line->remove_prefix(std::min(line->size(), field.size() + 1));
  if (field == "-") return std::nullopt;
  return field;
}

}  // namespace

bool Accepts(std::string_view input) {
  const size_t end = input.find('\n');
  if (end == std::string_view::npos) return false;
  std::string_view line = input.substr(0, end);
  McpHeaders headers;
  headers.protocol_version = TakeField(&line);
  headers.method = TakeField(&line);
  headers.name = TakeField(&line);
  const std::string body(input.substr(end + 1));

  McpReader reader({.body_bytes_max = 4096, .depth_max = 16, .calls_max = 8});
  const Reason reason = reader.Read(headers, body);
  if (reason != Reason::kNone) {
    Expect(reader.calls().empty(), "nothing is left of a refused request");
    Expect(CategoryOf(reason) == Category::kFixRequest, "it is the request's fault");
    const json error = json::parse(reader.ErrorBody(reason), nullptr, false);
    Expect(error.is_object() && error["error"]["code"].is_number_integer(), "the client is told in JSON-RPC");
    return false;
  }
  Expect(!reader.calls().empty(), "there is something to decide");
  Calls decided;
  for (const McpCall& call : reader.calls())
    decided.emplace_back(call.object, std::string(call.method), std::string(call.name));
  TreeBuilder builder;
  Expect(json::sax_parse(body, &builder), "it is JSON");
  for (const Habit habit : {Habit::kFirst, Habit::kLast, Habit::kLastOfAnyCase})
    Expect(ReadAll(builder.root, habit) == decided, "every reader sees what is decided");
  const auto& [object, method, name] = decided.front();
  if (headers.method) Expect(*headers.method == method, "Mcp-Method is the method");
  if (headers.name && !headers.name->starts_with("=?base64?"))
    Expect(*headers.name == (object == McpObject::kMethod ? TaskOf(builder.root) : name),
           "Mcp-Name is the name");
  if (reader.version() == McpVersion::k2026_07_28)
    Expect(decided.size() == 1 || method == "subscriptions/listen", "the latest revision has no batches");
  return true;
}

}  // namespace tollgate::fuzz

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t line = std::min(input.find('\n'), size - 1) + 1;  // Also where there is nothing at all.
  return tollgate::fuzz::MutateJsonInput(line, data, size, max_size, seed);
}
