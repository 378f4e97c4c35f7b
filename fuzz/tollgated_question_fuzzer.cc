// tollgated_question: what a proxy asks is what stands on the wire, however it was cut
//
// Functions: tollgated's HttpReader, ReadQuestion, ReadUses, RefusalAnswer. The input is a byte for the proxy
// and the way in which the server's requests are known, one for where the bytes are cut, and what comes on a
// connection. Property: cut or not, the same request is read or none; a slow reading, line by line, sees the
// same fields and body; several credentials are counted; what is asked for is what the one Mcp-Method field,
// or the body by another JSON library, says; an answer is lines of visible ASCII.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "fuzz/fuzz.h"
#include "tools/tollgated/answer.h"
#include "tools/tollgated/http_reader.h"
#include "tools/tollgated/question.h"

namespace tollgate::fuzz {
namespace {

using nlohmann::json;
using tollgated::HttpReader;
using Result = HttpReader::Result;

constexpr size_t kPrefix = 2;
constexpr HttpReader::Limits kLimits = {.header_bytes_max = 2048, .body_bytes_max = 1024};

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return lower;
}

// Model is a request as whoever splits it at line ends sees it.
struct Model {
  std::string first_line;
  std::vector<std::pair<std::string, std::string>> fields;
  std::string body;

  size_t Count(const std::string& name) const {
    return static_cast<size_t>(
        std::count_if(fields.begin(), fields.end(), [&](const auto& field) { return field.first == name; }));
  }
  std::string Value(const std::string& name) const {
    for (const auto& [field, value] : fields) {
      if (field == name) return value;
    }
    return "(none)";
  }
};

std::string Trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t");
  return begin == text.npos ? "" : text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

Model ReadModel(const std::string& bytes) {
  Model model;
  size_t at = bytes.find("\r\n");
  model.first_line = bytes.substr(0, at);
  for (at += 2; bytes.compare(at, 2, "\r\n") != 0;) {
    const size_t end = bytes.find("\r\n", at);
    const std::string line = bytes.substr(at, end - at);
    model.fields.emplace_back(Lower(line.substr(0, line.find(':'))),
                              Trimmed(line.substr(line.find(':') + 1)));
    at = end + 2;
  }
  at += 2;
  if (model.Count("transfer-encoding") == 0) {
    model.body = bytes.substr(at);
    return model;
  }
  while (const size_t size = std::stoul(bytes.substr(at, 8), nullptr, 16)) {
    at = bytes.find("\r\n", at) + 2;
    model.body += bytes.substr(at, size);
    at += size + 2;
  }
  return model;
}

void ExpectSame(const tollgated::HttpRequest& request, const Model& model) {
  Expect(model.first_line.starts_with(std::string(request.method) + " " + std::string(request.target) +
                                      " HTTP/1."),
         "the request line");
  Expect(request.fields.size() == model.fields.size(), "as many fields");
  for (size_t i = 0; i < model.fields.size(); ++i) {
    Expect(Lower(request.fields[i].name) == model.fields[i].first, "names of fields");
    Expect(request.fields[i].value == model.fields[i].second, "values of fields");
    Expect(model.fields[i].second.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos,
           "no value has more than one line");
    Expect(model.fields[i].first.find_first_of(" \t") == std::string::npos, "no blanks in a name");
  }
  Expect(request.body == model.body, "the body");
  const size_t lengths = model.Count("content-length"), codings = model.Count("transfer-encoding");
  Expect(lengths + codings <= 1, "one way to say how long it is");
  Expect(model.Count("host") <= 1, "one Host");
  if (lengths == 1) Expect(std::stoul(model.Value("content-length")) == model.body.size(), "its length");
  if (lengths + codings == 0) Expect(model.body.empty(), "none where nothing says how long it is");
}

void ExpectGoodAnswer(tollgated::Proxy proxy, Reason reason, const std::string& error) {
  Decision decision;
  decision.reason = reason;
  const tollgated::HttpAnswer answer = tollgated::RefusalAnswer(proxy, decision, {.json_rpc_error = error});
  Expect(answer.status == 400 || answer.status == 503, "nobody is allowed by mistake");
  Expect(answer.fields.ends_with("\r\n"), "whole lines");
  for (size_t at = 0; at < answer.fields.size(); ++at) {
    const char c = answer.fields[at];
    const bool ends = c == '\r' && at + 1 < answer.fields.size() && answer.fields[at + 1] == '\n';
    if (ends) ++at;
    Expect(ends || (c >= ' ' && c <= '~'), "lines of visible ASCII");
  }
}

}  // namespace

bool Accepts(std::string_view input) {
  if (input.size() < kPrefix) return false;
  const auto mode = static_cast<uint8_t>(input[0]);
  const std::string bytes(input.substr(kPrefix));
  HttpReader reader(kLimits), cut_reader(kLimits);
  const Result result = reader.Read(bytes);
  Result cut_result = Result::kNeedsMore;
  {
    // In memory of its own, as a buffer that moves when it grows.
    const std::string begin = bytes.substr(0, static_cast<uint8_t>(input[1]) % (bytes.size() + 1));
    cut_result = cut_reader.Read(begin);
  }
  const bool was_cut = cut_result == Result::kNeedsMore;
  if (was_cut) cut_result = cut_reader.Read(bytes);
  Expect((result == Result::kRequest) == (cut_result == Result::kRequest) &&
             (result == Result::kNeedsMore) == (cut_result == Result::kNeedsMore),
         "cut or not, it is a request or none");
  if (result != Result::kRequest) return false;
  const tollgated::HttpRequest& request = reader.request();
  const Model model = ReadModel(bytes.substr(0, reader.length()));
  ExpectSame(request, model);
  Expect(cut_reader.length() == reader.length(), "cut or not, the next request begins there");
  if (was_cut) ExpectSame(cut_reader.request(), model);

  tollgated::ServerSettings server{.name = "crm"};
  server.proxy = static_cast<tollgated::Proxy>(mode % 5);
  const int way = mode / 5 % 3;
  server.sees_body = way == 0;
  if (way == 1) server.dangerous_trust_mcp_headers = "server";
  if (way == 2) server.decide_as_tool = "tool";
  constexpr std::string_view kPath = "/check/crm";
  const std::string_view rest =
      request.target.starts_with(kPath) ? request.target.substr(kPath.size()) : std::string_view();
  tollgated::OriginalRequest original;
  if (!tollgated::ReadQuestion(request, rest, server.proxy, &original)) return false;
  Expect(!original.method.empty() && original.target.starts_with('/'), "it is known what is asked");
  const std::string_view query =
      original.target.substr(std::min(original.target.find('?'), original.target.size()));
  const size_t authorizations = model.Count("authorization");
  const size_t credentials = authorizations + (query.starts_with("?access_token=") ? 1 : 0);
  Expect(original.num_credentials >= std::max<size_t>(credentials, 1), "all credentials are counted");
  Expect(original.authorization == (authorizations > 0 ? model.Value("authorization") : ""),
         "the first is shown");

  McpReader mcp({.body_bytes_max = kLimits.body_bytes_max});
  std::vector<tollgated::Use> uses;
  std::string error;
  const Reason reason = tollgated::ReadUses(original, server, &mcp, &uses, &error);
  Expect(uses.empty() == (reason != Reason::kNone), "something is asked for, or it is refused");
  if (reason != Reason::kNone) {
    Expect(way == 2 || json::accept(error), "a client is told in JSON");
    ExpectGoodAnswer(server.proxy, reason, error);
    return false;
  }
  for (const char* lookalike : {"mcp_name", "mcp_method", "x_tollgate_subject", "content_type"})
    Expect(model.Count(lookalike) == 0, "nothing that others take for one of ours");
  if (way == 2) {
    Expect(uses.size() == 1 && uses[0].name == "tool", "that tool");
  } else if (original.method != "POST") {
    Expect(uses.size() == 1 && uses[0].object == McpObject::kMethod && uses[0].name == original.method,
           "the method of that name");
  } else if (way == 1) {
    Expect(model.Count("mcp-method") == 1, "the method is told once");
    const bool named = uses[0].object != McpObject::kMethod;
    if (named) Expect(model.Count("mcp-name") == 1, "the name is told once");
    Expect(uses.size() == 1 && uses[0].name == model.Value(named ? "mcp-name" : "mcp-method"),
           "what it says");
  } else {
    const json body = json::parse(model.body, nullptr, false);
    Expect(!body.is_discarded(), "JSON");
    if (body.is_object() && body.contains("method") && body["method"] == "tools/call")
      Expect(uses.size() == 1 && uses[0].name == body["params"]["name"].get<std::string>(), "the tool");
  }
  return true;
}

}  // namespace tollgate::fuzz
