// Whether requests, lists and refusals of MCP are to the C ABI what they are to C++.

#include "tollgate/c/mcp.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "capi_fixture.h"
#include "tollgate/challenge.h"

namespace tollgate {
namespace {

using ::testing::HasSubstr;

struct FreeMcp {
  void operator()(tollgate_mcp_reader* reader) const { tollgate_mcp_reader_free(reader); }
  void operator()(tollgate_mcp_filter* filter) const { tollgate_mcp_filter_free(filter); }
};
using ReaderPtr = std::unique_ptr<tollgate_mcp_reader, FreeMcp>;
using FilterPtr = std::unique_ptr<tollgate_mcp_filter, FreeMcp>;

constexpr char kCall[] =
    R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"search","arguments":{}}})";

class CapiMcpTest : public CapiTest {
 protected:
  static tollgate_mcp_headers Headers() {
    auto headers = Sized<tollgate_mcp_headers>();
    headers.content_type = Str("application/json");
    return headers;
  }
  static tollgate_mcp_message Read(tollgate_mcp_reader* reader, std::string_view body,
                                   const tollgate_mcp_headers& headers = Headers()) {
    auto message = Sized<tollgate_mcp_message>();
    EXPECT_EQ(tollgate_mcp_read(reader, &headers, Str(body), &message), TOLLGATE_OK);
    return message;
  }
  static tollgate_mcp_call CallAt(const tollgate_mcp_reader* reader, size_t index) {
    auto call = Sized<tollgate_mcp_call>();
    EXPECT_EQ(tollgate_mcp_call_at(reader, index, &call), TOLLGATE_OK);
    return call;
  }
};

TEST_F(CapiMcpTest, ARequestSaysWhatToPutIntoACheck) {
  ReaderPtr reader(tollgate_mcp_reader_new(nullptr));
  auto message = Read(reader.get(), kCall);
  EXPECT_EQ(message.http_status, 200u);
  EXPECT_EQ(message.reason, 0u);
  EXPECT_EQ(Text(message.version), "2025-03-26");
  ASSERT_EQ(message.num_calls, 1u);
  auto call = CallAt(reader.get(), 0);
  EXPECT_EQ(Text(call.tool), "search");
  EXPECT_EQ(Text(call.method), "tools/call");
  EXPECT_EQ(call.object, uint32_t{TOLLGATE_TOOL});

  message = Read(reader.get(), R"([{"jsonrpc":"2.0","id":1,"method":"tools/list"},
      {"jsonrpc":"2.0","id":2,"method":"prompts/get","params":{"name":"greet"}},
      {"jsonrpc":"2.0","id":3,"method":"resources/read","params":{"uri":"file:///a.txt"}}])");
  ASSERT_EQ(message.num_calls, 3u);
  call = CallAt(reader.get(), 0);
  EXPECT_EQ(Text(call.tool), "tools/list");
  EXPECT_EQ(call.object, uint32_t{TOLLGATE_METHOD});
  call = CallAt(reader.get(), 1);
  EXPECT_EQ(Text(call.tool), "greet");
  EXPECT_EQ(call.object, uint32_t{TOLLGATE_PROMPT});
  call = CallAt(reader.get(), 2);
  EXPECT_EQ(Text(call.tool), "file:///a.txt");
  EXPECT_EQ(call.object, uint32_t{TOLLGATE_RESOURCE});
  EXPECT_EQ(tollgate_mcp_call_at(reader.get(), 3, &call), TOLLGATE_INVALID_ARGUMENT);
}

TEST_F(CapiMcpTest, WhatCannotBeReadHasNoCallsAndIsNo200) {
  ReaderPtr reader(tollgate_mcp_reader_new(nullptr));
  ASSERT_EQ(Read(reader.get(), kCall).num_calls, 1u);
  const auto message = Read(reader.get(), R"({"jsonrpc":"2.0","id":"a","method":1})");
  EXPECT_EQ(message.http_status, 400u);
  EXPECT_STREQ(tollgate_reason_name(message.reason), "not_json_rpc");
  EXPECT_EQ(message.num_calls, 0u);
  auto call = Sized<tollgate_mcp_call>();
  EXPECT_EQ(tollgate_mcp_call_at(reader.get(), 0, &call), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_EQ(Read(reader.get(), "").http_status, 400u);

  char body[512];
  const size_t size = tollgate_mcp_error_body(reader.get(), message.reason, body, sizeof body);
  ASSERT_LT(size, sizeof body);
  EXPECT_EQ(nlohmann::json::parse(body)["error"]["code"], -32600);
  EXPECT_EQ(tollgate_mcp_error_body(reader.get(), 408, body, sizeof body), 0u);
  EXPECT_STREQ(body, "");
  EXPECT_EQ(tollgate_mcp_error_body(reader.get(), 65536 + message.reason, body, sizeof body),
            TOLLGATE_FAILED);
  EXPECT_EQ(tollgate_mcp_error_body(nullptr, message.reason, body, sizeof body), TOLLGATE_FAILED);
}

TEST_F(CapiMcpTest, AMistakeIsNeverA200) {
  ReaderPtr reader(tollgate_mcp_reader_new(nullptr));
  const auto headers = Headers();
  auto no_headers = headers;
  no_headers.struct_size = 0;
  auto bad_header = headers;
  bad_header.name = {nullptr, 1};
  const auto filled = [] {
    auto message = Sized<tollgate_mcp_message>();
    message.http_status = 200;
    return message;
  };
  struct Mistake {
    tollgate_mcp_reader* reader;
    const tollgate_mcp_headers* headers;
    tollgate_string body;
  };
  for (const Mistake& mistake : {Mistake{nullptr, &headers, Str(kCall)},
                                 {reader.get(), nullptr, Str(kCall)},
                                 {reader.get(), &no_headers, Str(kCall)},
                                 {reader.get(), &bad_header, Str(kCall)},
                                 {reader.get(), &headers, {nullptr, 9}}}) {
    ASSERT_EQ(Read(reader.get(), kCall).num_calls, 1u);
    auto message = filled();
    message.num_calls = 9;
    EXPECT_EQ(tollgate_mcp_read(mistake.reader, mistake.headers, mistake.body, &message),
              TOLLGATE_INVALID_ARGUMENT);
    EXPECT_EQ(message.http_status, 400u);
    EXPECT_EQ(message.num_calls, 0u);
    auto call = Sized<tollgate_mcp_call>();
    if (mistake.reader != nullptr) {
      EXPECT_EQ(tollgate_mcp_call_at(reader.get(), 0, &call), TOLLGATE_INVALID_ARGUMENT);
    }
  }
  EXPECT_EQ(tollgate_mcp_read(reader.get(), &headers, Str(kCall), nullptr), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_EQ(tollgate_mcp_call_at(reader.get(), 0, nullptr), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_EQ(tollgate_mcp_call_at(nullptr, 0, nullptr), TOLLGATE_INVALID_ARGUMENT);
}

TEST_F(CapiMcpTest, AnEmptyHeaderFieldIsNotAnAbsentOne) {
  ReaderPtr reader(tollgate_mcp_reader_new(nullptr));
  auto headers = Headers();
  headers.content_type = {"", 0};
  EXPECT_EQ(Read(reader.get(), kCall, headers).http_status, 400u);
  headers.content_type = {};
  EXPECT_EQ(Read(reader.get(), kCall, headers).http_status, 200u);
}

TEST_F(CapiMcpTest, HeaderFieldsAreThoseOfTheirNames) {
  ReaderPtr reader(tollgate_mcp_reader_new(nullptr));
  constexpr char kNew[] =
      R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"search","_meta":{
      "io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":
      {"name":"c","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}})";
  auto headers = Headers();
  headers.protocol_version = Str("2026-07-28");
  headers.method = Str("tools/call");
  headers.name = Str("search");
  const auto message = Read(reader.get(), kNew, headers);
  EXPECT_EQ(message.http_status, 200u) << tollgate_reason_name(message.reason);
  EXPECT_EQ(Text(message.version), "2026-07-28");
  const auto reason_of = [&](tollgate_string tollgate_mcp_headers::*member, const char* value) {
    auto changed = headers;
    changed.*member = tollgate_str(value);
    return std::string(tollgate_reason_name(Read(reader.get(), kNew, changed).reason));
  };
  EXPECT_EQ(reason_of(&tollgate_mcp_headers::protocol_version, "2025-11-25"), "header_mismatch");
  EXPECT_EQ(reason_of(&tollgate_mcp_headers::method, "tools/list"), "header_mismatch");
  EXPECT_EQ(reason_of(&tollgate_mcp_headers::name, "delete"), "header_mismatch");
  EXPECT_EQ(reason_of(&tollgate_mcp_headers::content_encoding, "gzip"), "body_encoding_unsupported");
  headers.num_repeated = 1;
  EXPECT_EQ(Read(reader.get(), kNew, headers).http_status, 400u);
}

TEST_F(CapiMcpTest, LimitsAndVersionsAreOptions) {
  auto options = Sized<tollgate_mcp_options>();
  options.versions = Str("2025-06-18 2025-11-25");
  options.body_bytes_max = sizeof kCall - 1;
  ReaderPtr reader(tollgate_mcp_reader_new(&options));
  ASSERT_NE(reader, nullptr);
  auto headers = Headers();
  headers.protocol_version = Str("2025-11-25");
  EXPECT_EQ(Read(reader.get(), kCall, headers).http_status, 200u);
  headers.protocol_version = Str("2026-07-28");
  EXPECT_STREQ(tollgate_reason_name(Read(reader.get(), kCall, headers).reason),
               "protocol_version_unsupported");
  headers.protocol_version = Str("2025-11-25");
  EXPECT_STREQ(tollgate_reason_name(Read(reader.get(), std::string(kCall) + " ", headers).reason),
               "body_too_long");

  options = Sized<tollgate_mcp_options>();
  options.calls_max = 1;
  options.depth_max = 4;
  reader.reset(tollgate_mcp_reader_new(&options));
  EXPECT_EQ(Read(reader.get(), kCall).http_status, 200u);
  EXPECT_STREQ(
      tollgate_reason_name(Read(reader.get(), R"([{"jsonrpc":"2.0","method":"notifications/progress"},
          {"jsonrpc":"2.0","method":"notifications/progress"}])")
                               .reason),
      "too_many_calls");
  EXPECT_STREQ(
      tollgate_reason_name(Read(reader.get(), R"({"jsonrpc":"2.0","method":"ping","a":[[[[1]]]]})").reason),
      "body_not_json");

  options.versions = Str("2025-06-18 1999-01-01");
  EXPECT_EQ(tollgate_mcp_reader_new(&options), nullptr);
  options.versions = {};
  options.struct_size = 0;
  EXPECT_EQ(tollgate_mcp_reader_new(&options), nullptr);
  tollgate_mcp_reader_free(nullptr);
}

// ---- Lists

struct Keeper {
  tollgate_engine* engine;
  std::string bearer;
  std::vector<uint32_t> objects;
};

uint32_t KeepAllowed(void* user, uint32_t object, tollgate_string name) {
  auto* const keeper = static_cast<Keeper*>(user);
  keeper->objects.push_back(object);
  auto request = Sized<tollgate_request>();
  request.authorization = Str(keeper->bearer);
  request.tool = name;
  request.object = object;
  return tollgate_may_use(keeper->engine, &request);
}

constexpr char kList[] =
    R"({"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"search"},{"name":"delete"}]}})";
constexpr char kAllowedList[] = R"({"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"search"}]}})";

TEST_F(CapiMcpTest, ACallerSeesWhatTheyMayUse) {
  EnginePtr engine = Engine();
  Keeper keeper = {engine.get(), Bearer(), {}};
  FilterPtr filter(tollgate_mcp_filter_new(0));
  tollgate_string filtered = {};
  ASSERT_EQ(tollgate_mcp_filter_body(filter.get(), Str(kList), KeepAllowed, &keeper, &filtered), 0u);
  EXPECT_EQ(Text(filtered), kAllowedList);
  ASSERT_EQ(
      tollgate_mcp_filter_body(
          filter.get(), Str(R"({"result":{"prompts":[{"name":"greet"}],"resources":[{"uri":"file:///b"}]}})"),
          KeepAllowed, &keeper, &filtered),
      0u);
  EXPECT_EQ(Text(filtered), R"({"result":{"prompts":[{"name":"greet"}],"resources":[]}})");
  EXPECT_THAT(keeper.objects,
              ::testing::ElementsAre(TOLLGATE_TOOL, TOLLGATE_TOOL, TOLLGATE_PROMPT, TOLLGATE_RESOURCE));
}

TEST_F(CapiMcpTest, OfAnAnswerThatCannotBeFilteredNothingIsLeft) {
  EnginePtr engine = Engine();
  Keeper keeper = {engine.get(), Bearer(), {}};
  FilterPtr filter(tollgate_mcp_filter_new(sizeof kList));
  tollgate_string filtered = Str("before");
  EXPECT_STREQ(tollgate_reason_name(
                   tollgate_mcp_filter_body(filter.get(), Str("no JSON"), KeepAllowed, &keeper, &filtered)),
               "body_not_json");
  EXPECT_EQ(filtered.size, 0u);
  const std::string longer = std::string(kList) + "   ";
  EXPECT_STREQ(tollgate_reason_name(
                   tollgate_mcp_filter_body(filter.get(), Str(longer), KeepAllowed, &keeper, &filtered)),
               "body_too_long");
  EXPECT_EQ(tollgate_mcp_filter_body(filter.get(), Str(kList), KeepAllowed, &keeper, &filtered), 0u);

  for (const uint32_t reason : {
           tollgate_mcp_filter_body(nullptr, Str(kList), KeepAllowed, &keeper, &filtered),
           tollgate_mcp_filter_body(filter.get(), {nullptr, 1}, KeepAllowed, &keeper, &filtered),
           tollgate_mcp_filter_body(filter.get(), Str(kList), nullptr, &keeper, &filtered),
           tollgate_mcp_filter_body(filter.get(), Str(kList), KeepAllowed, &keeper, nullptr),
           tollgate_mcp_filter_events(nullptr, Str("\n"), KeepAllowed, &keeper, &filtered),
       }) {
    EXPECT_STREQ(tollgate_reason_name(reason), "undecided");
  }
  EXPECT_EQ(filtered.size, 0u);
  tollgate_mcp_filter_begin_events(nullptr);
  tollgate_mcp_filter_free(nullptr);
}

TEST_F(CapiMcpTest, EventsAreFilteredAsTheyCome) {
  EnginePtr engine = Engine();
  Keeper keeper = {engine.get(), Bearer(), {}};
  FilterPtr filter(tollgate_mcp_filter_new(0));
  const std::string stream = "data: " + std::string(kList) + "\n\ndata: " + kList + "\n\n";
  std::string passed_on;
  tollgate_mcp_filter_begin_events(filter.get());
  for (const char c : stream) {
    tollgate_string filtered = {};
    ASSERT_EQ(tollgate_mcp_filter_events(filter.get(), {&c, 1}, KeepAllowed, &keeper, &filtered), 0u);
    passed_on += Text(filtered);
  }
  const std::string event = "data: " + std::string(kAllowedList) + "\n\n";
  EXPECT_EQ(passed_on, event + event);

  tollgate_string filtered = {};
  EXPECT_NE(tollgate_mcp_filter_events(filter.get(), Str("data: x\n\n"), KeepAllowed, &keeper, &filtered),
            0u);
  EXPECT_NE(tollgate_mcp_filter_events(filter.get(), Str(stream), KeepAllowed, &keeper, &filtered), 0u);
  EXPECT_EQ(filtered.size, 0u);
  tollgate_mcp_filter_begin_events(filter.get());
  EXPECT_EQ(tollgate_mcp_filter_events(filter.get(), Str(stream), KeepAllowed, &keeper, &filtered), 0u);
  EXPECT_EQ(Text(filtered), event + event);
}

// ---- What clients are told

TEST_F(CapiMcpTest, AChallengeIsThatOfTheRequestAndItsDecision) {
  EnginePtr engine = Engine();
  char url[256], challenge[512];
  ASSERT_LT(tollgate_metadata_url(Str(kResource), url, sizeof url), sizeof url);
  EXPECT_EQ(url, ResourceMetadataUrl(kResource));
  const auto challenge_of = [&](std::string_view authorization, const char* tool) {
    const auto request = Request(authorization, tool);
    const auto decision = Check(engine.get(), authorization, tool);
    const size_t size =
        tollgate_challenge(engine.get(), &request, &decision, tollgate_str(url), challenge, sizeof challenge);
    EXPECT_EQ(size, std::strlen(challenge));
    return std::string(challenge);
  };
  Decision step_up;
  step_up.reason = tollgate::Reason::kInsufficientScope;
  EXPECT_EQ(challenge_of(Bearer(), "delete"), Challenge(step_up, url, "files:read files:write"));
  EXPECT_THAT(std::string(challenge), HasSubstr("insufficient_scope"));
  Decision nobody;
  nobody.reason = tollgate::Reason::kNoCredential;
  EXPECT_EQ(challenge_of("", "search"), Challenge(nobody, url, "files:read"));
  EXPECT_EQ(challenge_of(Bearer(), "nothing"), "");
  EXPECT_EQ(challenge_of(Bearer(), "search"), "");
}

TEST_F(CapiMcpTest, NoChallengeIsMadeOfAMistake) {
  EnginePtr engine = Engine();
  const auto request = Request("");
  const auto decision = Check(engine.get(), "");
  char buffer[512];
  auto other = decision;
  other.reason += 65536;
  auto no_size = request;
  no_size.struct_size = 0;
  for (const size_t size : {
           tollgate_challenge(nullptr, &request, &decision, {}, buffer, sizeof buffer),
           tollgate_challenge(engine.get(), nullptr, &decision, {}, buffer, sizeof buffer),
           tollgate_challenge(engine.get(), &no_size, &decision, {}, buffer, sizeof buffer),
           tollgate_challenge(engine.get(), &request, nullptr, {}, buffer, sizeof buffer),
           tollgate_challenge(engine.get(), &request, &other, {}, buffer, sizeof buffer),
           tollgate_challenge(engine.get(), &request, &decision, {nullptr, 1}, buffer, sizeof buffer),
           tollgate_metadata_url({nullptr, 1}, buffer, sizeof buffer),
           tollgate_metadata_json(nullptr, buffer, sizeof buffer),
       }) {
    EXPECT_EQ(size, TOLLGATE_FAILED);
    EXPECT_STREQ(buffer, "");
  }
  const size_t size = tollgate_challenge(engine.get(), &request, &decision, {}, nullptr, 0);
  EXPECT_EQ(tollgate_challenge(engine.get(), &request, &decision, {}, buffer, size), size);
  EXPECT_STREQ(buffer, "") << "no part of a challenge";
  EXPECT_EQ(tollgate_challenge(engine.get(), &request, &decision, {}, buffer, size + 1), size);
  EXPECT_EQ(std::strlen(buffer), size);
}

TEST_F(CapiMcpTest, MetadataIsThatOfCpp) {
  auto metadata = Sized<tollgate_metadata>();
  const tollgate_string servers[] = {tollgate_str("https://idp.example"), tollgate_str("https://b.example")};
  metadata.resource = Str(kResource);
  metadata.authorization_servers = {servers, 2};
  metadata.scopes_supported = Str("files:read files:write");
  metadata.resource_name = Str("Files \"and\" more");
  metadata.resource_documentation = Str("https://mcp.example/docs");
  char buffer[1024];
  ASSERT_LT(tollgate_metadata_json(&metadata, buffer, sizeof buffer), sizeof buffer);
  EXPECT_EQ(buffer,
            ResourceMetadataJson({.resource = kResource,
                                  .authorization_servers = {"https://idp.example", "https://b.example"},
                                  .scopes_supported = {"files:read", "files:write"},
                                  .resource_name = "Files \"and\" more",
                                  .resource_documentation = "https://mcp.example/docs"}));
  metadata.resource_name = {nullptr, 1};
  EXPECT_EQ(tollgate_metadata_json(&metadata, buffer, sizeof buffer), TOLLGATE_FAILED);
  EXPECT_EQ(tollgate_metadata_url(Str("no URL"), buffer, sizeof buffer), 0u);
}

}  // namespace
}  // namespace tollgate
