// What a request to an MCP server asks for (BM_McpClassify), beside simdjson's own parse of the same body;
// and what a caller may see of a list (BM_McpFilter).

#include <array>
#include <string>
#include <string_view>

#include <benchmark/benchmark.h>
#include <simdjson.h>
#include <nlohmann/json.hpp>

#include "bench/micro/benchmarks.h"
#include "tollgate/mcp.h"
#include "tollgate/mcp_filter.h"

namespace tollgate::bench {
namespace {

constexpr char kTool[] = "search_customers";

// A call as a client of the latest revision writes it, whose arguments make up for the rest of its size.
std::string CallOf(size_t bytes) {
  nlohmann::json call = {
      {"jsonrpc", "2.0"},
      {"id", 17},
      {"method", "tools/call"},
      {"params",
       {{"name", kTool},
        {"arguments", {{"query", "open invoices"}, {"limit", 50}, {"filters", nlohmann::json::array()}}},
        {"_meta",
         {{"io.modelcontextprotocol/protocolVersion", "2026-07-28"},
          {"io.modelcontextprotocol/clientInfo", {{"name", "agent"}, {"version", "1.0.0"}}},
          {"io.modelcontextprotocol/clientCapabilities", nlohmann::json::object()},
          {"progressToken", "p-17"}}}}}};
  nlohmann::json& filters = call["params"]["arguments"]["filters"];
  for (int i = 0; call.dump().size() < bytes; ++i) {
    filters.push_back({{"field", "field_" + std::to_string(i)}, {"operator", "equals"}, {"value", i * 37}});
  }
  return call.dump();
}

void Classify(benchmark::State& state, const std::string& body) {
  const McpHeaders headers = {.protocol_version = "2026-07-28", .method = "tools/call", .name = kTool};
  McpReader reader;
  bool good = true;
  for (auto _ : state) {
    good &= reader.Read(headers, body) == Reason::kNone;
    benchmark::DoNotOptimize(reader.calls().data());
  }
  if (!good || reader.calls().size() != 1 || reader.calls().front().name != kTool)
    state.SkipWithError("the call was not seen");
}

void FloorParse(benchmark::State& state, const std::string& body) {
  const simdjson::padded_string padded(body);
  simdjson::dom::parser parser;
  bool good = true;
  for (auto _ : state) {
    simdjson::dom::element root;
    good &= parser.parse(padded).get(root) == simdjson::SUCCESS;
    benchmark::DoNotOptimize(root);
  }
  if (!good) state.SkipWithError("the body was refused");
}

// A list of 1 000 tools, 400 bytes each, as a server answers to tools/list.
std::string ListOfTools() {
  nlohmann::json tools = nlohmann::json::array();
  for (int i = 0; i < 1000; ++i) {
    nlohmann::json tool = {
        {"name", "tool_" + std::to_string(i)},
        {"description", ""},
        {"inputSchema",
         {{"type", "object"},
          {"properties", {{"query", {{"type", "string"}}}, {"limit", {{"type", "integer"}}}}},
          {"required", {"query"}}}}};
    const size_t size = tool.dump().size();
    tool["description"] = std::string(size < 399 ? 399 - size : 0, 'x');
    tools.push_back(std::move(tool));
  }
  return nlohmann::json{{"jsonrpc", "2.0"}, {"id", 17}, {"result", {{"tools", std::move(tools)}}}}.dump();
}

// Every other tool stays.
void FilterList(benchmark::State& state) {
  const std::string body = ListOfTools();
  McpListFilter filter;
  std::string out;
  size_t asked = 0;
  bool good = true;
  for (auto _ : state) {
    out.clear();
    good &= filter.Filter(
                body, [&](McpObject, std::string_view) { return ++asked % 2 == 0; }, &out) == Reason::kNone;
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * body.size()));
  const bool half = out.size() > body.size() * 2 / 5 && out.size() < body.size() * 3 / 5;
  if (!good || !half || asked != 1000 * static_cast<size_t>(state.iterations()))
    state.SkipWithError("the list was not filtered");
}

}  // namespace

void RegisterMcpBenchmarks() {
  benchmark::RegisterBenchmark("BM_McpFilter/tools:1000", FilterList);
  for (const size_t bytes : {size_t{600}, size_t{16'384}}) {
    const std::string suffix = "/bytes:" + std::to_string(bytes), body = CallOf(bytes);
    benchmark::RegisterBenchmark(("BM_McpClassify" + suffix).c_str(),
                                 [body](benchmark::State& state) { Classify(state, body); });
    benchmark::RegisterBenchmark(("BM_Floor_JsonParse" + suffix).c_str(),
                                 [body](benchmark::State& state) { FloorParse(state, body); });
  }
}

}  // namespace tollgate::bench
