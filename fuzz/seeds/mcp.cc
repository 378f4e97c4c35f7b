// Seeds of the targets for mcp and audit.

#include <string>

#include "fuzz/seeds/seeds.h"

namespace tollgate::fuzz {
namespace {

using nlohmann::json;

void AddMcp(Seeds& seeds) {
  const json version = {{"io.modelcontextprotocol/protocolVersion", "2026-07-28"}};
  const auto request = [](std::string_view method, const json& params) {
    return json{{"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", params}}.dump();
  };
  const std::string none = "-\t-\t-\n";
  const json call = {{"name", "admin"}, {"arguments", {{"name", "x"}}}, {"_meta", version}};
  seeds["mcp_request_readers"] = {
      {"call", "2026-07-28\ttools/call\tadmin\n" + request("tools/call", call)},
      {"call-encoded-name", "2026-07-28\ttools/call\t=?base64?YWRtaW4=?=\n" + request("tools/call", call)},
      {"call-of-another", "2026-07-28\ttools/call\tuser\n" + request("tools/call", call)},
      {"call-without-field", "2026-07-28\ttools/call\t-\n" + request("tools/call", call)},
      {"call-of-old", none + request("tools/call", {{"name", "admin"}})},
      {"version-in-body-alone", none + request("tools/call", call)},
      {"read", none + request("resources/read", {{"uri", "file:///a"}})},
      {"prompt", "2025-11-25\tprompts/get\tp\n" + request("prompts/get", {{"name", "p"}})},
      {"complete", none + request("completion/complete", {{"ref", {{"type", "ref/prompt"}, {"name", "p"}}}})},
      {"complete-uri",
       none + request("completion/complete", {{"ref", {{"type", "ref/resource"}, {"uri", "u"}}}})},
      {"listen", "2026-07-28\tsubscriptions/listen\t-\n" +
                     request("subscriptions/listen",
                             {{"notifications", {{"resourceSubscriptions", {"file:///a", "b"}}}}})},
      {"batch",
       none + "[" + request("tools/call", {{"name", "a"}}) + "," + request("ping", json::object()) + "]"},
      {"batch-later", "2025-06-18\t-\t-\n[" + request("ping", json::object()) + "]"},
      {"notification", none + R"({"jsonrpc":"2.0","method":"notifications/x"})"},
      {"answer", none + R"({"jsonrpc":"2.0","id":"a","result":{}})"},
      {"method-twice", none + R"({"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"})"},
      {"method-of-two-cases", none + R"({"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/list"})"},
      {"params-with-long-s",
       none + "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"a\"},"
              "\"param\u017f\":{\"name\":\"b\"}}"},
      {"task", "2026-07-28\ttasks/get\tt1\n" + request("tasks/get", {{"taskId", "t1"}})},
      {"task-of-another", "2026-07-28\ttasks/cancel\tt2\n" + request("tasks/cancel", {{"taskId", "t1"}})},
      {"read-above", none + request("resources/read", {{"uri", "file:///a/%2E./b"}})},
      {"unknown-version", "1900-01-01\t-\t-\n" + request("ping", json::object())},
      {"no-json", none + "{"},
      {"no-body", none}};
}

void AddMcpList(Seeds& seeds) {
  const json tools = {
      {"jsonrpc", "2.0"},
      {"id", 1},
      {"result", {{"tools", {{{"name", "even"}}, {{"name", "odd"}, {"x", 1}}}}, {"nextCursor", "c"}}}};
  seeds["mcp_list_filter"] = {
      {"tools", tools.dump()},
      {"tools-spaced", tools.dump(2)},
      {"prompts", R"({"result":{"prompts":[{"name":"ab"},{"name":"a"}]}})"},
      {"resources", R"({"result":{"resources":[{"uri":"ab"},{"uri":"a"}]}})"},
      {"templates", R"({"result":{"resourceTemplates":[{"uriTemplate":"ab"},{"uriTemplate":"a"}]}})"},
      {"batch", "[" + tools.dump() + "," + tools.dump() + ",1]"},
      {"empty-list", R"({"result":{"tools":[]}})"},
      {"no-list", R"({"result":{}})"},
      {"error", R"({"error":{"code":-32601}})"},
      {"no-names",
       R"({"result":{"tools":[1,{},{"name":1},{"name":"ab","name":"a"},{"name":"a","n\u0061me":"ab"}]}})"},
      {"result-twice", R"({"result":{"tools":[]},"result":{"tools":[{"name":"a"}]}})"},
      {"list-twice", R"({"result":{"tools":[],"tools":[{"name":"a"}]}})"},
      {"trailing", R"({"result":{"tools":[]}}x)"},
      {"cut-off", R"({"result":{"tools":[{"name":"ab"})"},
      {"bad-utf8", "{\"result\":{\"tools\":[{\"name\":\"\xff\"}]}}"},
      {"empty", ""},
      {"stream", ": hello\n\nid: 1\nevent: message\ndata: " + tools.dump() + "\r\n\r\ndata:\n\n"},
      {"stream-two-marks",
       "\xEF\xBB\xBF\xEF\xBB\xBF"
       "data: " +
           tools.dump() + "\n\n"},
      {"stream-mark-later",
       "data:\n\xEF\xBB\xBF"
       "data: " +
           tools.dump() + "\n\n"},
      {"stream-separators",
       "id: \u2028data: x\nevent: \u0085\ndata: {\"x\":\"\u0085\u2028data: \u2029\"}\n\n"},
      {"name-of-two-cases", R"({"result":{"tools":[{"name":"ab","Name":"a"},{"name":"ab"}]}})"},
      {"list-of-another-case", R"({"result":{"Tools":[{"name":"a"}]}})"},
      {"list-is-none", R"({"result":{"tools":{"name":"a"}}})"},
      {"batch-in-batch", R"([[{"result":{"tools":[{"name":"a"}]}}]])"}};
}

void AddChallenge(Seeds& seeds) {
  // The reason by its place in kReasons; then resource, scopes and acr values.
  const auto input = [](char reason, const std::string& resource, const std::string& scopes,
                        const std::string& acr = "") {
    return std::string(1, reason) + resource + '\0' + scopes + '\0' + acr;
  };
  const std::string mcp = "https://mcp.example/mcp";
  auto& challenge = seeds["challenge_grammar"];
  challenge["no-credential"] = input('\x01', mcp, "files:read");
  challenge["step-up"] = input('\x04', mcp, "files:read offline_access files:write");
  challenge["offline-access-alone"] = input('\x04', mcp, "offline_access");
  challenge["authenticate"] = input('\x08', mcp, "files:read", "loa2 loa3");
  challenge["forbidden"] = input('\x05', mcp, "files:read");
  challenge["quotes"] = input('\x04', "https://mcp.example/\"x", "a\"b \\c", "x\"");
  challenge["looks-like-a-parameter"] = input('\x03', "https://mcp.example/?scope=x", "scope=x");
  challenge["query"] = input('\x02', "https://mcp.example/?a=b", "a");
  challenge["user"] = input('\x01', "https://alice@mcp.example/", "a");
  challenge["no-url"] = input('\x01', "mcp", "");
  challenge["scope-like-a-parameter"] = input('\x01', mcp, "files:read x:error=");
  challenge["line-break"] = input('\x01', mcp + "\r\nx: y", "a\r\nb");
}

// Logs without their chain values, which the target adds: so many members as a reader looks at.
void AddAudit(Seeds& seeds) {
  const std::string start =
      R"({"time":1800000000000,"metadata":{"sequence":1},"unmapped":{"record":"start","chain_id":"c1",)"
      R"("chain_algorithm":"HMAC-SHA-256","checkpoint_interval_ms":60000}})";
  const auto line = [](const char* record, int sequence, const char* chain_id = "c1") {
    return "\n{\"time\":1800000000000,\"metadata\":{\"sequence\":" + std::to_string(sequence) +
           "},\"unmapped\":{\"record\":\"" + record + "\",\"chain_id\":\"" + chain_id + "\"}}";
  };
  const std::string decision = line("decision", 2), stop = line("stop", 3);
  const std::string next =
      R"({"metadata":{"sequence":1},"unmapped":{"record":"start","chain_id":"c2","chain_algorithm":)"
      R"("HMAC-SHA-256","unfinished_bytes":8}})";
  // Chained, by SHA-256 alone.
  const std::string plain =
      R"({"metadata":{"sequence":1},"unmapped":{"record":"start","chain_id":"c","chain_algorithm":"SHA-256")";
  seeds["audit_reader"] = {
      {"empty", ""},
      {"start", start},
      {"whole", start + decision + stop + "\n"},
      {"lost", start + R"(
{"metadata":{"sequence":2},"unmapped":{"record":"lost","chain_id":"c1","lost":3}})"},
      {"removed", start + stop},
      {"twice", start + decision + decision},
      {"behind-end", start + decision + stop + line("decision", 4)},
      {"another-chain", start + line("decision", 2, "c2")},
      {"no-beginning", decision.substr(1)},
      {"two-starts", start + "\n" + next},
      {"continues",
       R"({"metadata":{"sequence":1},"unmapped":{"record":"start","chain_id":"c2","chain_algorithm":)"
       R"("HMAC-SHA-256","continues":")" +
           std::string(64, 'a') + "\"}}"},
      {"torn", "{\"time\":\n" + next},
      {"torn-of-another-length", "{\"time\"\n" + next},
      {"torn-at-the-end", start + "\n{\"time\":"},
      {"no-record", "{\"a\":{}}"},
      {"member-twice",
       R"({"metadata":{"sequence":1},"unmapped":{"record":"start","record":"start","chain_id":"c"}})"},
      {"plain", plain + R"(,"chain":"c61920d2d6b29ec1f680cdbd12d3e088326084302df22f73e60c072855061306"}})"},
      {"plain-changed",
       plain + R"(,"chain":"0000000000000000000000000000000000000000000000000000000000000000"}})"}};
}

}  // namespace

void AddMcpSeeds(Seeds& seeds) {
  AddMcp(seeds);
  AddMcpList(seeds);
  AddChallenge(seeds);
  AddAudit(seeds);
}

}  // namespace tollgate::fuzz
