#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tollgate/mcp.h"

namespace tollgate {

bool operator==(const McpCall& a, const McpCall& b) {
  return a.object == b.object && a.method == b.method && a.name == b.name;
}
void PrintTo(const McpCall& call, std::ostream* out) {
  *out << static_cast<int>(call.object) << ' ' << call.method << ' ' << call.name;
}

namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kModern[] = "2026-07-28";
constexpr char kVersionKey[] = "io.modelcontextprotocol/protocolVersion";

class McpReaderTest : public ::testing::Test {
 protected:
  static json Request(std::string_view method, json params = json::object()) {
    return {{"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", std::move(params)}};
  }
  static json Call(std::string_view tool) {
    return Request("tools/call", {{"name", tool}, {"arguments", {{"a", 1}}}});
  }
  static McpHeaders Modern(std::string_view method) {
    return {.protocol_version = kModern, .method = method};
  }
  static McpHeaders Modern(std::string_view method, std::string_view name) {
    return {.protocol_version = kModern, .method = method, .name = name};
  }

  Reason Read(const McpHeaders& headers, const json& body) { return ReadText(headers, body.dump()); }
  Reason ReadText(const McpHeaders& headers, std::string_view body) {
    body_ = body;
    return reader_.Read(headers, body_);
  }
  std::vector<McpCall> Calls() { return {reader_.calls().begin(), reader_.calls().end()}; }

  McpReader reader_;
  std::string body_;
};

TEST_F(McpReaderTest, SaysWhatARequestAsksFor) {
  EXPECT_EQ(Read({}, Call("get_weather")), Reason::kNone);
  EXPECT_THAT(Calls(), ElementsAre(McpCall{McpObject::kTool, "tools/call", "get_weather"}));
  EXPECT_EQ(reader_.version(), McpVersion::k2025_03_26);
  EXPECT_EQ(reader_.id(), McpId(int64_t{1}));

  EXPECT_EQ(Read({}, Request("prompts/get", {{"name", "review"}})), Reason::kNone);
  EXPECT_THAT(Calls(), ElementsAre(McpCall{McpObject::kPrompt, "prompts/get", "review"}));

  for (const char* method : {"resources/read", "resources/subscribe", "resources/unsubscribe"}) {
    EXPECT_EQ(Read({}, Request(method, {{"uri", "file:///a"}, {"name", "b"}})), Reason::kNone);
    EXPECT_THAT(Calls(), ElementsAre(McpCall{McpObject::kResource, method, "file:///a"}));
  }
  for (const char* method :
       {"initialize", "ping", "tools/list", "resources/list", "prompts/list", "x", "Tools/Call"}) {
    EXPECT_EQ(Read({}, Request(method, {{"name", "a"}})), Reason::kNone);
    EXPECT_THAT(Calls(), ElementsAre(McpCall{McpObject::kMethod, method, ""}));
  }
  EXPECT_EQ(Read({}, {{"jsonrpc", "2.0"}, {"id", "x"}, {"method", "ping"}}), Reason::kNone);
  EXPECT_EQ(reader_.id(), McpId("x"));
}

TEST_F(McpReaderTest, CompletionIsAboutWhatItCompletes) {
  EXPECT_EQ(Read({}, Request("completion/complete", {{"ref", {{"type", "ref/prompt"}, {"name", "p"}}}})),
            Reason::kNone);
  EXPECT_THAT(Calls(), ElementsAre(McpCall{McpObject::kPrompt, "completion/complete", "p"}));
  EXPECT_EQ(Read({}, Request("completion/complete", {{"ref", {{"type", "ref/resource"}, {"uri", "u"}}}})),
            Reason::kNone);
  EXPECT_THAT(Calls(), ElementsAre(McpCall{McpObject::kResource, "completion/complete", "u"}));
  for (const json& reference : {json(nullptr), json{{"type", "ref/tool"}, {"name", "p"}},
                                json{{"type", "ref/prompt"}, {"uri", "p"}}, json{{"name", "p"}}}) {
    EXPECT_EQ(Read({}, Request("completion/complete", {{"ref", reference}})), Reason::kInvalidParams);
  }
}

TEST_F(McpReaderTest, ListeningIsAboutEachResource) {
  const json params = {
      {"_meta", {{kVersionKey, kModern}}},
      {"notifications", {{"toolsListChanged", true}, {"resourceSubscriptions", {"file:///a", "file:///b"}}}}};
  const std::string method = "subscriptions/listen";
  EXPECT_EQ(Read(Modern(method), Request(method, params)), Reason::kNone);
  EXPECT_THAT(Calls(), ElementsAre(McpCall{McpObject::kMethod, method, ""},
                                   McpCall{McpObject::kResource, method, "file:///a"},
                                   McpCall{McpObject::kResource, method, "file:///b"}));
  EXPECT_EQ(Read(Modern(method), Request(method)), Reason::kNone);
  EXPECT_THAT(Calls(), ElementsAre(McpCall{McpObject::kMethod, method, ""}));
  for (const json& uris : {json("a"), json{1}, json(true)}) {
    EXPECT_EQ(Read(Modern(method), Request(method, {{"notifications", {{"resourceSubscriptions", uris}}}})),
              Reason::kInvalidParams);
    EXPECT_THAT(Calls(), IsEmpty());
  }
}

TEST_F(McpReaderTest, ANotificationIsNoLessThanARequest) {
  json call = Call("a");
  call.erase("id");
  EXPECT_EQ(Read({}, call), Reason::kNone);
  EXPECT_THAT(Calls(), ElementsAre(McpCall{McpObject::kTool, "tools/call", "a"}));
  EXPECT_EQ(reader_.id(), McpId());
}

TEST_F(McpReaderTest, AnAnswerHasNoMethodAndNoPlaceInTheLatestRevision) {
  const json answer = {{"jsonrpc", "2.0"}, {"id", 1}, {"result", json::object()}};
  EXPECT_EQ(Read({}, answer), Reason::kNone);
  EXPECT_THAT(Calls(), ElementsAre(McpCall{}));
  EXPECT_EQ(Read({.protocol_version = "2025-11-25", .method = "ping"}, answer), Reason::kHeaderMismatch);
  EXPECT_EQ(Read({.protocol_version = kModern}, answer), Reason::kNotJsonRpc);
}

TEST_F(McpReaderTest, RefusesWhatIsNoMessage) {
  for (const char* body :
       {R"(1)",
        R"("a")",
        R"(null)",
        R"({})",
        R"({"jsonrpc":"2.0"})",
        R"({"method":"ping","id":1})",
        R"({"jsonrpc":"1.0","method":"ping","id":1})",
        R"({"jsonrpc":2.0,"method":"ping","id":1})",
        R"({"jsonrpc":"2.0","method":"ping","id":null})",
        R"({"jsonrpc":"2.0","method":"ping","id":1.0})",
        R"({"jsonrpc":"2.0","method":"ping","id":18446744073709551615})",
        R"({"jsonrpc":"2.0","method":"ping","id":{}})",
        R"({"jsonrpc":"2.0","method":"","id":1})",
        R"({"jsonrpc":"2.0","method":1,"id":1})",
        R"({"jsonrpc":"2.0","method":"ping","id":1,"params":[]})",
        R"({"jsonrpc":"2.0","method":"ping","id":1,"params":"a"})",
        R"({"jsonrpc":"2.0","method":"ping","id":1,"result":1})",
        R"({"jsonrpc":"2.0","result":1})",
        R"({"jsonrpc":"2.0","id":1,"result":1,"error":{}})",
        R"({"jsonrpc":"2.0","id":1,"result":1,"params":{}})",
        R"({"jsonrpc":"2.0","method":"x","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":1}}})",
        R"([])",
        R"([[]])",
        R"([1])"}) {
    EXPECT_EQ(ReadText({}, body), Reason::kNotJsonRpc) << body;
    EXPECT_THAT(Calls(), IsEmpty()) << body;
  }
  for (const char* body : {"", " ", "{", "{}x", "{}{}", "\xEF\xBB\xBF{}", "{\"a\":\"\xff\"}", "{\"a\":1e999}",
                           "{\"a\":\"\\ud800\"}", "{'a':1}", "{\"a\":18446744073709551616}"}) {
    EXPECT_EQ(ReadText({}, body), Reason::kBodyNotJson) << body;
  }
  EXPECT_EQ(Read({}, Request("tools/call", {{"uri", "a"}})), Reason::kInvalidParams);
  EXPECT_EQ(Read({}, Request("tools/call", {{"name", 1}})), Reason::kInvalidParams);
  EXPECT_EQ(Read({}, Request("resources/read", {{"name", "a"}})), Reason::kInvalidParams);
  EXPECT_EQ(ReadText({}, R"({"jsonrpc":"2.0","method":"tools/call","id":1})"), Reason::kInvalidParams);
}

// What one reader takes for the member that counts, another may not.
TEST_F(McpReaderTest, RefusesMembersThatReadersMayTellApartOrNot) {
  const auto with = [](const char* members) {
    return std::string(R"({"jsonrpc":"2.0","id":1,)") + members + "}";
  };
  for (const char* members : {
           R"("method":"tools/list","method":"tools/call","params":{"name":"a"})",
           R"("method":"tools/list","Method":"tools/call","params":{"name":"a"})",
           R"("method":"tools/list","me\u0074hod":"tools/call")",
           R"("method":"tools/call","params":{"name":"a"},"params":{"name":"b"})",
           R"("method":"tools/call","params":{"name":"a"},"PARAMS":{"name":"b"})",
           R"("method":"tools/call","params":{"name":"a"},"param)"
           "\u017f"
           R"(":{"name":"b"})",
           R"("method":"tools/call","params":{"name":"a","name":"b"})",
           R"("method":"tools/call","params":{"name":"a","nAme":"b"})",
           R"("method":"tools/call","params":{"Name":"b"})",
           R"("method":"ping","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
           R"("io.modelcontextprotocol/protocolversion":"2026-07-28"}})",
           R"("method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"a","name":"b"}})",
           R"("method":"completion/complete","params":{"ref":{"type":"ref/prompt","TYPE":"x","name":"a"}})",
           R"("method":"subscriptions/listen","params":{"notifications":{"resourcesubscriptions":["a"]}})",
           R"("method":"ping","ID":2)",
       }) {
    EXPECT_EQ(ReadText({}, with(members)), Reason::kAmbiguousMember) << members;
    EXPECT_THAT(Calls(), IsEmpty());
  }
  // Members that concern nobody here may be anything.
  EXPECT_EQ(ReadText({}, with(R"("method":"tools/call","x":1,"x":2,"params":{"name":"a","arguments":)"
                              R"({"name":"b","name":"c","NAME":"d"},"_meta":{"a":1,"a":2}})")),
            Reason::kNone);
  EXPECT_THAT(Calls(), ElementsAre(McpCall{McpObject::kTool, "tools/call", "a"}));
}

TEST_F(McpReaderTest, NamesAreComparedUnescaped) {
  EXPECT_EQ(
      ReadText(Modern("tools/call", "admin"),
               R"({"jsonrpc":"2.0","id":1,"\u006dethod":"tools\/call","params":{"n\u0061me":"\u0061dmin"}})"),
      Reason::kNone);
  EXPECT_THAT(Calls(), ElementsAre(McpCall{McpObject::kTool, "tools/call", "admin"}));
}

TEST_F(McpReaderTest, TheLatestRevisionDemandsTheHeaders) {
  json call = Call("a");
  call["params"]["_meta"] = {{kVersionKey, kModern}};
  EXPECT_EQ(Read(Modern("tools/call", "a"), call), Reason::kNone);
  EXPECT_EQ(reader_.version(), McpVersion::k2026_07_28);
  EXPECT_EQ(Read(Modern("tools/call"), call), Reason::kHeaderMismatch);
  EXPECT_EQ(Read({.protocol_version = kModern, .name = "a"}, call), Reason::kHeaderMismatch);
  EXPECT_EQ(Read(Modern("tools/call", "b"), call), Reason::kHeaderMismatch);
  EXPECT_EQ(Read(Modern("tools/call", "A"), call), Reason::kHeaderMismatch);
  EXPECT_EQ(Read(Modern("tools/list", "a"), call), Reason::kHeaderMismatch);
  EXPECT_EQ(Read(Modern("Tools/call", "a"), call), Reason::kHeaderMismatch);
  EXPECT_THAT(Calls(), IsEmpty());
  // The version of the body counts for a server that goes by it.
  EXPECT_EQ(Read({.method = "tools/call", .name = "a"}, call), Reason::kHeaderMismatch);
  EXPECT_EQ(Read({.protocol_version = "2025-11-25", .method = "tools/call", .name = "a"}, call),
            Reason::kHeaderMismatch);
  McpHeaders repeated = Modern("tools/call", "a");
  repeated.repeated = true;
  EXPECT_EQ(Read(repeated, call), Reason::kHeaderMismatch);

  EXPECT_EQ(Read(Modern("tools/list"), Request("tools/list")), Reason::kNone);
  EXPECT_EQ(Read(Modern("tools/list", "a"), Request("tools/list")), Reason::kHeaderMismatch);
  // No header is defined for notifications.
  EXPECT_EQ(Read({.protocol_version = kModern}, {{"jsonrpc", "2.0"}, {"method", "notifications/x"}}),
            Reason::kNone);
}

TEST_F(McpReaderTest, AnEncodedNameIsCompared) {
  const std::string name = "\u4e16 ";
  EXPECT_EQ(Read(Modern("tools/call", "=?base64?5LiWIA==?="), Call(name)), Reason::kNone);
  EXPECT_THAT(Calls(), ElementsAre(McpCall{McpObject::kTool, "tools/call", name}));
  EXPECT_EQ(Read(Modern("tools/call", "=?base64?5LiWIB==?="), Call(name)), Reason::kHeaderMismatch);
  EXPECT_EQ(Read(Modern("tools/call", name), Call(name)), Reason::kHeaderMismatch);
  EXPECT_EQ(Read(Modern("tools/call", "=?base64?YQ==?="), Call("a")), Reason::kNone);
}

TEST_F(McpReaderTest, EarlierRevisionsDemandNoHeadersButTheyMustNotLie) {
  for (const std::optional<std::string_view> version :
       {std::optional<std::string_view>(), std::optional<std::string_view>("2025-03-26"),
        std::optional<std::string_view>("2025-06-18"), std::optional<std::string_view>("2025-11-25")}) {
    EXPECT_EQ(Read({.protocol_version = version}, Call("a")), Reason::kNone);
    EXPECT_EQ(Read({.protocol_version = version, .method = "tools/call", .name = "a"}, Call("a")),
              Reason::kNone);
    EXPECT_EQ(Read({.protocol_version = version, .method = "tools/list"}, Call("a")),
              Reason::kHeaderMismatch);
    EXPECT_EQ(Read({.protocol_version = version, .name = "b"}, Call("a")), Reason::kHeaderMismatch);
  }
}

TEST_F(McpReaderTest, OnlyThe2025_03_26RevisionHasBatches) {
  const json batch = {Call("a"), Request("tools/list"), Call("b")};
  for (const std::optional<std::string_view> version :
       {std::optional<std::string_view>(), std::optional<std::string_view>("2025-03-26")}) {
    EXPECT_EQ(Read({.protocol_version = version}, batch), Reason::kNone);
    EXPECT_THAT(Calls(), ElementsAre(McpCall{McpObject::kTool, "tools/call", "a"},
                                     McpCall{McpObject::kMethod, "tools/list", ""},
                                     McpCall{McpObject::kTool, "tools/call", "b"}));
    EXPECT_EQ(reader_.id(), McpId());
  }
  for (const char* version : {"2025-06-18", "2025-11-25", kModern})
    EXPECT_EQ(Read({.protocol_version = version}, batch), Reason::kBatchNotAllowed) << version;
  EXPECT_EQ(Read({.method = "tools/call"}, batch), Reason::kHeaderMismatch);
  EXPECT_EQ(Read({.name = "a"}, batch), Reason::kHeaderMismatch);
  EXPECT_EQ(Read({.repeated = true}, batch), Reason::kHeaderMismatch);
  // One bad member spoils all.
  EXPECT_EQ(Read({}, {Call("a"), 1}), Reason::kNotJsonRpc);
  EXPECT_THAT(Calls(), IsEmpty());
  json modern = Call("a");
  modern["params"]["_meta"] = {{kVersionKey, kModern}};
  EXPECT_EQ(Read({}, {Call("a"), modern}), Reason::kHeaderMismatch);
}

// What the header fields make of the bytes, no reader here sees: a charset, for one, makes a letter of
// "+AG0-".
TEST_F(McpReaderTest, RefusesBodiesOfOtherTypesCharsetsAndEncodings) {
  const std::string body = Call("a").dump();
  for (const char* type :
       {"application/json", "Application/JSON", "application/json;charset=utf-8", "application/json ; ;x=y;",
        "application/json; Charset=\"UTF-8\"", "application/json;\tx=\"y\"; charset=Utf-8"}) {
    EXPECT_EQ(reader_.Read({.content_type = type}, body), Reason::kNone) << type;
  }
  for (const char* type : {"",
                           "text/plain",
                           "application/json5",
                           "application/jsonx",
                           "application/json, text/plain",
                           "application/json; charset=utf-7",
                           "application/json; charset=utf-8; charset=utf-7",
                           "application/json; charset=\"utf-7\"",
                           "application/json; charset=utf8",
                           "application/json; charset=",
                           "application/json; charset",
                           "application/json; charset =utf-8",
                           "application/json; charset='utf-8'",
                           "application/json; charset=\"utf-8",
                           "application/json; charset=utf-8\"",
                           "application/json; charset*=utf-8",
                           "application/json; x=\"; charset=utf-7\"",
                           "application/json charset=utf-8",
                           "application/json; charset=\"\\utf-8\"",
                           " application/json",
                           "application/json; x=\xc3\xa9"}) {
    EXPECT_EQ(reader_.Read({.content_type = type}, body), Reason::kBodyEncodingUnsupported) << type;
    EXPECT_THAT(reader_.calls(), IsEmpty());
  }
  EXPECT_EQ(reader_.Read({.content_encoding = "identity"}, body), Reason::kNone);
  EXPECT_EQ(reader_.Read({.content_encoding = "Identity"}, body), Reason::kNone);
  for (const char* encoding : {"", "gzip", "br", "identity, gzip", "gzip, identity"})
    EXPECT_EQ(reader_.Read({.content_encoding = encoding}, body), Reason::kBodyEncodingUnsupported)
        << encoding;
}

// A server that normalises a URI reads another resource than the one that was decided.
TEST_F(McpReaderTest, RefusesUrisThatServersNormalise) {
  for (const char* uri : {"FILE:///a",
                          "fIle:///a",
                          "file:///a/../b",
                          "file:///a/./b",
                          "file:///..",
                          "file:///a/.",
                          "file:..",
                          "file:///a/%2e%2E/b",
                          "file:///a/.%2e",
                          "file:///a/%2E?x",
                          "file:///a/..#x",
                          "file:///a\\b",
                          "file:///a/..%2fb",
                          "file:///a%2F..",
                          "file:///a%5c..%5Cb",
                          "../a",
                          "file:///a b",
                          " file:///a",
                          "file:///a\n",
                          "fi\tle:///a",
                          "file:///a\r",
                          "file:///\x7f",
                          "\x01"}) {
    for (const char* method : {"resources/read", "resources/subscribe", "resources/unsubscribe"})
      EXPECT_EQ(Read({}, Request(method, {{"uri", uri}})), Reason::kInvalidParams) << uri;
    EXPECT_EQ(Read({}, Request("completion/complete", {{"ref", {{"type", "ref/resource"}, {"uri", uri}}}})),
              Reason::kInvalidParams);
    EXPECT_EQ(
        Read({}, Request("subscriptions/listen", {{"notifications", {{"resourceSubscriptions", {uri}}}}})),
        Reason::kInvalidParams);
    EXPECT_THAT(Calls(), IsEmpty());
  }
  EXPECT_EQ(ReadText({}, R"({"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a\u0000"}})"),
            Reason::kInvalidParams);
  for (const char* uri :
       {"file:///a", "file:///A/B", "file:///a/.b/..c/...", "file:///a/.%2e.", "file:///%41%2", "a/B:c", "",
        "https://h/a?x=/../y", "https://h/a#/..", "file:///{path}", "urn:x:Y", "file:///\u4e16", "x:%2e.a"}) {
    EXPECT_EQ(Read({}, Request("resources/read", {{"uri", uri}})), Reason::kNone) << uri;
    EXPECT_THAT(Calls(), ElementsAre(McpCall{McpObject::kResource, "resources/read", uri}));
  }
  // Names are names.
  EXPECT_EQ(Read({}, Call("A b/../c")), Reason::kNone);
}

TEST_F(McpReaderTest, TheFieldOfATaskIsItsId) {
  for (const char* method : {"tasks/get", "tasks/result", "tasks/update", "tasks/cancel"}) {
    const json request = Request(method, {{"taskId", "t"}, {"name", "n"}});
    EXPECT_EQ(Read(Modern(method, "t"), request), Reason::kNone);
    EXPECT_THAT(Calls(), ElementsAre(McpCall{McpObject::kMethod, method, ""}));
    EXPECT_EQ(Read(Modern(method), request), Reason::kNone);
    EXPECT_EQ(Read({}, request), Reason::kNone);
    EXPECT_EQ(Read(Modern(method, "n"), request), Reason::kHeaderMismatch);
    EXPECT_EQ(Read({.name = "u"}, request), Reason::kHeaderMismatch);
    EXPECT_EQ(Read({}, Request(method, {{"taskId", 1}})), Reason::kInvalidParams);
    EXPECT_EQ(Read({}, Request(method, {{"taskId", "t"}, {"TaskID", "u"}})), Reason::kAmbiguousMember);
  }
  EXPECT_EQ(Read(Modern("tasks/list", "t"), Request("tasks/list", {{"taskId", "t"}})),
            Reason::kHeaderMismatch);
}

TEST_F(McpReaderTest, AnErrorNeedsNoId) {
  const json error = {{"jsonrpc", "2.0"}, {"error", {{"code", -32600}, {"message", "m"}}}};
  for (const char* version : {"2025-03-26", "2025-06-18", "2025-11-25"}) {
    EXPECT_EQ(Read({.protocol_version = version}, error), Reason::kNone) << version;
    EXPECT_THAT(Calls(), ElementsAre(McpCall{}));
  }
  EXPECT_EQ(Read({.protocol_version = kModern}, error), Reason::kNotJsonRpc);
}

TEST_F(McpReaderTest, AnEmptyFieldIsAField) {
  EXPECT_EQ(Read(Modern("tools/call", ""), Call("a")), Reason::kHeaderMismatch);
  EXPECT_EQ(Read({.name = ""}, Call("a")), Reason::kHeaderMismatch);
  EXPECT_EQ(Read(Modern("tools/call", ""), Call("")), Reason::kNone);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // Which end the process.
TEST_F(McpReaderTest, WithoutMemoryTheRequestIsToComeAgain) {
  constexpr size_t kMoreThanThereIs = size_t{1} << 60;
  McpReader large({.body_bytes_max = kMoreThanThereIs});
  EXPECT_EQ(large.Read({}, std::string_view("{}", kMoreThanThereIs)), Reason::kOverloaded);
  EXPECT_EQ(CategoryOf(Reason::kOverloaded), Category::kRetryLater);
  EXPECT_EQ(large.ErrorBody(Reason::kOverloaded), "");
  EXPECT_EQ(large.Read({}, Call("a").dump()), Reason::kNone);
}
#endif

TEST_F(McpReaderTest, HasBounds) {
  McpReader small({.body_bytes_max = 200, .depth_max = 4, .calls_max = 2});
  std::string body = Call("a").dump();
  EXPECT_EQ(small.Read({}, body), Reason::kNone);
  body.resize(200, ' ');
  EXPECT_EQ(small.Read({}, body), Reason::kNone);
  body.resize(201, ' ');
  EXPECT_EQ(small.Read({}, body), Reason::kBodyTooLong);
  EXPECT_EQ(small.Read({}, R"({"a":[[[[[[[1]]]]]]]})"), Reason::kBodyNotJson);
  const json ping = {{"jsonrpc", "2.0"}, {"id", 1}, {"method", "ping"}};
  EXPECT_EQ(small.Read({}, json({ping, ping}).dump()), Reason::kNone);
  EXPECT_EQ(small.Read({}, json({ping, ping, ping}).dump()), Reason::kTooManyCalls);
  EXPECT_THAT(small.calls(), IsEmpty());
  EXPECT_EQ(Read({}, {{"jsonrpc", "2.0"}, {"id", std::string(1025, 'a')}, {"method", "ping"}}),
            Reason::kNotJsonRpc);
  EXPECT_EQ(Read({}, {{"jsonrpc", "2.0"}, {"id", std::string(1024, 'a')}, {"method", "ping"}}),
            Reason::kNone);
}

TEST_F(McpReaderTest, KnowsTheServersRevisionsAlone) {
  McpReader latest({.versions = {McpVersion::k2026_07_28}});
  EXPECT_EQ(latest.Read({.protocol_version = "2025-11-25"}, Call("a").dump()),
            Reason::kProtocolVersionUnsupported);
  EXPECT_EQ(latest.Read({}, Call("a").dump()), Reason::kHeaderMismatch);
  // A client of an earlier one is told what there is.
  EXPECT_EQ(latest.Read({}, Request("initialize").dump()), Reason::kProtocolVersionUnsupported);
  EXPECT_EQ(latest.Read(Modern("tools/list"), Request("tools/list").dump()), Reason::kNone);

  McpReader handshake({.versions = {McpVersion::k2025_11_25}});
  EXPECT_EQ(handshake.Read({}, Request("initialize").dump()), Reason::kNone);
  EXPECT_EQ(handshake.Read({}, Call("a").dump()), Reason::kHeaderMismatch);
  EXPECT_EQ(handshake.Read({}, json::array({Call("a")}).dump()), Reason::kHeaderMismatch);
  EXPECT_EQ(handshake.Read(Modern("tools/list"), Request("tools/list").dump()),
            Reason::kProtocolVersionUnsupported);
}

TEST_F(McpReaderTest, WritesTheErrorForTheClient) {
  EXPECT_EQ(Read(Modern("tools/call", "b"), Call("a")), Reason::kHeaderMismatch);
  json error = json::parse(reader_.ErrorBody(Reason::kHeaderMismatch));
  EXPECT_EQ(error["jsonrpc"], "2.0");
  EXPECT_EQ(error["id"], 1);
  EXPECT_EQ(error["error"]["code"], -32020);
  EXPECT_FALSE(error["error"].contains("data"));

  json other = Call("a");
  other["id"] = "\"\\\n\u4e16";
  EXPECT_EQ(Read({.protocol_version = "1900-01-01"}, other), Reason::kProtocolVersionUnsupported);
  error = json::parse(reader_.ErrorBody(Reason::kProtocolVersionUnsupported));
  EXPECT_EQ(error["id"], other["id"]);
  EXPECT_EQ(error["error"]["code"], -32022);
  EXPECT_EQ(error["error"]["data"]["requested"], "1900-01-01");
  EXPECT_EQ(error["error"]["data"]["supported"],
            json({"2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"}));

  for (const size_t size : {32, 33}) {
    const std::string version(size, 'v');
    EXPECT_EQ(Read({.protocol_version = version}, other), Reason::kProtocolVersionUnsupported);
    error = json::parse(reader_.ErrorBody(Reason::kProtocolVersionUnsupported));
    EXPECT_EQ(error["error"]["data"]["requested"], size == 32 ? version : "");
  }
  EXPECT_EQ(Read({.protocol_version = "\xff\n"}, other), Reason::kProtocolVersionUnsupported);
  EXPECT_EQ(json::parse(reader_.ErrorBody(Reason::kProtocolVersionUnsupported))["error"]["data"]["requested"],
            "");

  EXPECT_EQ(ReadText({}, "{"), Reason::kBodyNotJson);
  error = json::parse(reader_.ErrorBody(Reason::kBodyNotJson));
  EXPECT_FALSE(error.contains("id"));
  EXPECT_EQ(error["error"]["code"], -32700);
  EXPECT_EQ(json::parse(reader_.ErrorBody(Reason::kBodyEncodingUnsupported))["error"]["code"], -32700);
  EXPECT_EQ(HttpStatus(CategoryOf(Reason::kBodyEncodingUnsupported)), 400);
  EXPECT_EQ(json::parse(reader_.ErrorBody(Reason::kInvalidParams))["error"]["code"], -32602);
  for (const Reason reason : {Reason::kNotJsonRpc, Reason::kAmbiguousMember, Reason::kBatchNotAllowed,
                              Reason::kTooManyCalls, Reason::kBodyTooLong}) {
    EXPECT_EQ(json::parse(reader_.ErrorBody(reason))["error"]["code"], -32600);
    EXPECT_EQ(HttpStatus(CategoryOf(reason)), 400);
  }
  EXPECT_EQ(reader_.ErrorBody(Reason::kExpired), "");
  EXPECT_EQ(reader_.ErrorBody(Reason::kNone), "");
}

}  // namespace
}  // namespace tollgate
