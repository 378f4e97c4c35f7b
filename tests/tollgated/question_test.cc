// What each proxy tells, and what is made of it.

#include "tools/tollgated/question.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace tollgate::tollgated {
namespace {

constexpr char kBody[] = R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"search"}})";

using Fields = std::vector<HttpField>;

class QuestionTest : public ::testing::Test {
 protected:
  // Read reads a question of `proxy` and what it asks for.
  bool Read(Proxy proxy, const Fields& fields, std::string_view method = "GET", std::string_view rest = "",
            std::string_view body = "") {
    request_ = {.method = method, .fields = fields, .body = body};
    server_.proxy = proxy;
    return ReadQuestion(request_, rest, proxy, &original_);
  }
  Reason Uses() {
    error_ = "old";
    return ReadUses(original_, server_, &reader_, &uses_, &error_);
  }
  // UsesOf is what a POST through Envoy, which shows all of it, asks for.
  Reason UsesOf(Fields fields, std::string_view body) {
    fields.push_back({"Content-Type", "application/json"});
    EXPECT_TRUE(Read(Proxy::kEnvoy, fields, "POST", "/mcp", body));
    return Uses();
  }
  std::string Names() const {
    std::string names;
    for (const Use& use : uses_)
      names += std::string(NameOf(use.object)) + " " + std::string(use.name) + "\n";
    return names;
  }

  ServerSettings server_{.name = "crm"};
  HttpRequest request_;
  OriginalRequest original_;
  McpReader reader_;
  std::vector<Use> uses_;
  std::string error_;
};

TEST_F(QuestionTest, EachProxyTellsInItsOwnWay) {
  const struct {
    Proxy proxy;
    Fields fields;
    const char* method;
    const char* rest;
  } rows[] = {
      {Proxy::kNginx, {{"X-Original-Method", "POST"}, {"X-Original-URI", "/mcp?a=1"}}, "GET", ""},
      {Proxy::kTraefik, {{"X-Forwarded-Method", "POST"}, {"X-Forwarded-Uri", "/mcp?a=1"}}, "GET", ""},
      {Proxy::kCaddy, {{"x-forwarded-method", "POST"}, {"x-forwarded-uri", "/mcp?a=1"}}, "GET", ""},
      {Proxy::kEnvoy, {}, "POST", "/mcp?a=1"},
      {Proxy::kHaproxy, {}, "POST", "/mcp?a=1"},
  };
  for (const auto& row : rows) {
    ASSERT_TRUE(Read(row.proxy, row.fields, row.method, row.rest)) << static_cast<int>(row.proxy);
    EXPECT_EQ(original_.method, "POST");
    EXPECT_EQ(original_.target, "/mcp?a=1");
    EXPECT_EQ(original_.num_credentials, 1u);
  }
}

TEST_F(QuestionTest, WhatIsNotToldOnceIsNoQuestion) {
  const HttpField method{"X-Original-Method", "GET"}, uri{"X-Original-URI", "/mcp"};
  const HttpField forwarded_method{"X-Forwarded-Method", "GET"}, forwarded_uri{"X-Forwarded-Uri", "/mcp"};
  EXPECT_FALSE(Read(Proxy::kNginx, {}));
  EXPECT_FALSE(Read(Proxy::kNginx, {method}));
  EXPECT_FALSE(Read(Proxy::kNginx, {uri}));
  EXPECT_FALSE(Read(Proxy::kNginx, {method, uri, method}));
  EXPECT_FALSE(Read(Proxy::kNginx, {method, uri, uri}));
  EXPECT_FALSE(Read(Proxy::kNginx, {method, {"X-Original-URI", "mcp"}}));
  EXPECT_FALSE(Read(Proxy::kNginx, {{"X-Original-Method", ""}, uri}));
  EXPECT_FALSE(Read(Proxy::kNginx, {method, uri}, "GET", "/more"));
  EXPECT_TRUE(Read(Proxy::kCaddy, {forwarded_method, forwarded_uri}, "GET", "?a=1"));
  EXPECT_EQ(original_.target, "/mcp");
  // Another proxy's words are a client's.
  EXPECT_FALSE(Read(Proxy::kNginx, {forwarded_method, forwarded_uri}));
  EXPECT_FALSE(Read(Proxy::kTraefik, {method, uri}));
  EXPECT_FALSE(Read(Proxy::kCaddy, {forwarded_method, forwarded_uri, forwarded_uri}));
  EXPECT_FALSE(Read(Proxy::kEnvoy, {method, uri}));
  EXPECT_FALSE(Read(Proxy::kEnvoy, {}, "POST", "?a=1"));
  ASSERT_TRUE(Read(Proxy::kEnvoy, {forwarded_method, method, uri}, "POST", "/mcp"));
  EXPECT_EQ(original_.method, "POST");
}

TEST_F(QuestionTest, CredentialsAreCounted) {
  const auto count = [this](Fields fields, std::string_view rest) {
    EXPECT_TRUE(Read(Proxy::kEnvoy, std::move(fields), "POST", rest));
    return original_.num_credentials;
  };
  const HttpField authorization{"Authorization", "Bearer a"};
  EXPECT_EQ(count({}, "/mcp"), 1u);
  EXPECT_EQ(count({authorization}, "/mcp"), 1u);
  EXPECT_EQ(original_.authorization, "Bearer a");
  EXPECT_EQ(count({authorization, {"authorization", "Bearer b"}}, "/mcp"), 2u);
  EXPECT_EQ(original_.authorization, "Bearer a");
  // RFC 6750 section 2.3, in every form that a server could decode.
  for (const char* query :
       {"access_token=b", "a=1&access_token=b", "a;access_token=b", "access_token",
        "a=1&&access_token=", "access%5ftoken=b", "%61%63cess%5Ftoken=b", "ACCESS_TOKEN=b"}) {
    EXPECT_EQ(count({authorization}, std::string("/mcp?") + query), 2u) << query;
    // Alone it is none: 401 tells its client how to bring one.
    EXPECT_EQ(count({}, std::string("/mcp?") + query), 1u) << query;
    EXPECT_EQ(original_.authorization, "");
  }
  for (const char* rest :
       {"/access_token=b", "/mcp?a=access_token", "/mcp?my_access_token=b", "/mcp?access_tokens=b",
        "/mcp?access%255ftoken=b", "/mcp?access_token%=b", "/mcp?"}) {
    EXPECT_EQ(count({authorization}, rest), 1u) << rest;
  }
}

TEST_F(QuestionTest, ExactlyOneWayToKnowWhatIsAskedFor) {
  ASSERT_TRUE(Read(Proxy::kEnvoy, {{"Content-Type", "application/json"}}, "POST", "/mcp", kBody));
  EXPECT_EQ(Uses(), Reason::kInvalidParams);  // None is configured: nothing is believed.
  EXPECT_EQ(Names(), "");

  server_.decide_as_tool = "gateway";
  EXPECT_EQ(Uses(), Reason::kNone);
  EXPECT_EQ(Names(), "tool gateway\n");
  ASSERT_TRUE(Read(Proxy::kEnvoy, {}, "OPTIONS", "/mcp"));
  EXPECT_EQ(Uses(), Reason::kNone);
  EXPECT_EQ(Names(), "tool gateway\n");
}

TEST_F(QuestionTest, OtherMethodsThanPostAreAskedForByName) {
  server_.sees_body = true;
  for (const char* method : {"GET", "DELETE", "HEAD", "OPTIONS", "PUT", "post"}) {
    ASSERT_TRUE(Read(Proxy::kEnvoy, {}, method, "/mcp"));
    EXPECT_EQ(Uses(), Reason::kNone);
    EXPECT_EQ(Names(), "method " + std::string(method) + "\n");
  }
}

TEST_F(QuestionTest, TheBodyIsRead) {
  server_.sees_body = true;
  EXPECT_EQ(UsesOf({}, kBody), Reason::kNone);
  EXPECT_EQ(Names(), "tool search\n");
  EXPECT_EQ(error_, "");
  EXPECT_EQ(UsesOf({}, R"([{"jsonrpc":"2.0","id":1,"method":"ping"},)"
                       R"({"jsonrpc":"2.0","id":2,"method":"prompts/get","params":{"name":"p"}}])"),
            Reason::kNone);
  EXPECT_EQ(Names(), "method ping\nprompt p\n");
  EXPECT_EQ(UsesOf({}, R"({"jsonrpc":"2.0","id":1,"result":{}})"), Reason::kNone);
  EXPECT_EQ(Names(), "method \n");
  EXPECT_EQ(UsesOf({}, ""), Reason::kBodyNotJson);
  EXPECT_EQ(Names(), "");
}

TEST_F(QuestionTest, AHeaderThatSaysAnotherToolThanTheBodyIsALie) {
  server_.sees_body = true;
  const Fields honest = {
      {"MCP-Protocol-Version", "2025-11-25"}, {"Mcp-Method", "tools/call"}, {"Mcp-Name", "search"}};
  EXPECT_EQ(UsesOf(honest, kBody), Reason::kNone);
  Fields lying = honest;
  lying[2].value = "harmless";
  EXPECT_EQ(UsesOf(lying, kBody), Reason::kHeaderMismatch);
  EXPECT_NE(error_.find(R"("id":7)"), std::string::npos) << error_;
  EXPECT_NE(error_.find("-32020"), std::string::npos) << error_;
  Fields twice = honest;
  twice.push_back({"mcp-name", "search"});
  EXPECT_EQ(UsesOf(twice, kBody), Reason::kHeaderMismatch);
}

TEST_F(QuestionTest, FieldsThatOtherServersTakeForOursAreRefused) {
  server_.sees_body = true;
  for (const char* name :
       {"Mcp_Name", "MCP_METHOD", "mcp-protocol_version", "Content_Type", "content_encoding",
        "X_Tollgate_Subject", "X-Tollgate_Roles", "x_tollgate-anything", "X.Tollgate.Subject", "Mcp~Name"}) {
    EXPECT_EQ(UsesOf({{name, "search"}}, kBody), Reason::kHeaderMismatch) << name;
    EXPECT_EQ(error_.find("\"id\""), std::string::npos) << error_;  // Nobody has read this body.
  }
  // By their right names the proxy replaces them.
  EXPECT_EQ(UsesOf({{"X-Tollgate-Subject", "root"}, {"x_other", "a"}, {"x.other", "a"}}, kBody),
            Reason::kNone);
}

TEST_F(QuestionTest, ABodyThatIsNoMessageIsNotForTheServer) {
  const Fields fields = {{"X-Forwarded-Method", "GET"}, {"X-Forwarded-Uri", "/mcp"}};
  server_.sees_body = true;
  EXPECT_TRUE(Read(Proxy::kTraefik, fields));
  EXPECT_EQ(Uses(), Reason::kNone);
  EXPECT_TRUE(Read(Proxy::kTraefik, fields, "GET", "", kBody));
  EXPECT_EQ(Uses(), Reason::kBodyTooLong);
  EXPECT_TRUE(uses_.empty());
}

TEST_F(QuestionTest, WhatIsNotPlainJsonIsRefused) {
  server_.sees_body = true;
  const auto uses_of = [this](const Fields& fields, std::string_view body) {
    EXPECT_TRUE(Read(Proxy::kTraefik, fields, "GET", "", body));
    return Uses();
  };
  const HttpField method{"X-Forwarded-Method", "POST"}, uri{"X-Forwarded-Uri", "/mcp"};
  const HttpField json{"Content-Type", "application/json"};
  EXPECT_EQ(uses_of({method, uri, json}, kBody), Reason::kNone);
  EXPECT_EQ(uses_of({method, uri}, kBody), Reason::kBodyEncodingUnsupported);
  EXPECT_EQ(uses_of({method, uri, json, json}, kBody), Reason::kHeaderMismatch);
  // RFC 6750 section 2.2.
  EXPECT_EQ(uses_of({method, uri, {"Content-Type", "application/x-www-form-urlencoded"}}, "access_token=b"),
            Reason::kBodyEncodingUnsupported);
  EXPECT_EQ(uses_of({method, uri, json, {"Content-Encoding", "gzip"}}, kBody),
            Reason::kBodyEncodingUnsupported);
}

TEST_F(QuestionTest, HalfABodyIsNone) {
  server_.sees_body = true;
  EXPECT_EQ(UsesOf({{"x-envoy-auth-partial-body", "false"}}, kBody), Reason::kNone);
  EXPECT_EQ(UsesOf({{"x-envoy-auth-partial-body", "true"}}, kBody), Reason::kBodyTooLong);
  EXPECT_EQ(UsesOf({{"x-envoy-auth-partial-body", ""}}, kBody), Reason::kBodyTooLong);
}

TEST_F(QuestionTest, TrustedHeadersSayWhatIsAskedFor) {
  server_.dangerous_trust_mcp_headers = "some server";
  const HttpField version{"MCP-Protocol-Version", "2026-07-28"};
  const HttpField call{"Mcp-Method", "tools/call"}, name{"Mcp-Name", "search"};
  const struct {
    Fields fields;
    Reason reason;
    const char* names;
  } rows[] = {
      {{version, call, name}, Reason::kNone, "tool search\n"},
      {{version, {"Mcp-Method", "prompts/get"}, name}, Reason::kNone, "prompt search\n"},
      {{version, {"Mcp-Method", "resources/read"}, {"Mcp-Name", "file:///a"}},
       Reason::kNone,
       "resource file:///a\n"},
      {{version, {"Mcp-Method", "tools/list"}}, Reason::kNone, "method tools/list\n"},
      {{version, {"Mcp-Method", "tasks/get"}, {"Mcp-Name", "1"}}, Reason::kNone, "method tasks/get\n"},
      // An absent one is a denial.
      {{}, Reason::kHeaderMismatch, ""},
      {{call, name}, Reason::kHeaderMismatch, ""},
      {{version, name}, Reason::kHeaderMismatch, ""},
      {{version, call}, Reason::kHeaderMismatch, ""},
      {{version, {"Mcp-Method", ""}, name}, Reason::kHeaderMismatch, ""},
      {{version, call, name, name}, Reason::kHeaderMismatch, ""},
      {{version, call, {"Mcp-Name", "=?base64?c2VhcmNo?="}}, Reason::kHeaderMismatch, ""},
      {{version, {"Mcp-Method", "resources/read"}, {"Mcp-Name", "file:///a/../b"}},
       Reason::kInvalidParams,
       ""},
      // What they do not say at all.
      {{version, {"Mcp-Method", "completion/complete"}}, Reason::kInvalidParams, ""},
      {{version, {"Mcp-Method", "subscriptions/listen"}}, Reason::kInvalidParams, ""},
      // Earlier revisions do not demand that a server compares them with the body.
      {{{"MCP-Protocol-Version", "2025-11-25"}, call, name}, Reason::kProtocolVersionUnsupported, ""},
  };
  for (const auto& row : rows) {
    Fields fields = row.fields;
    fields.push_back({"X-Original-Method", "POST"});
    fields.push_back({"X-Original-URI", "/mcp"});
    ASSERT_TRUE(Read(Proxy::kNginx, fields));
    EXPECT_EQ(Uses(), row.reason) << row.names;
    EXPECT_EQ(Names(), row.names);
    EXPECT_EQ(error_.empty(), row.reason == Reason::kNone);
  }
}

TEST_F(QuestionTest, TheTraceIsPassedOnIfThereIsOne) {
  ASSERT_TRUE(Read(Proxy::kEnvoy, {{"traceparent", "00-a"}}, "POST", "/mcp"));
  EXPECT_EQ(original_.traceparent, "00-a");
  ASSERT_TRUE(Read(Proxy::kEnvoy, {{"traceparent", "00-a"}, {"Traceparent", "00-b"}}, "POST", "/mcp"));
  EXPECT_EQ(original_.traceparent, "");
}

}  // namespace
}  // namespace tollgate::tollgated
