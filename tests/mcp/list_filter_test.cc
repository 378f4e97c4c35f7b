#include <gtest/gtest.h>

#include <string>

#include "tollgate/mcp_filter.h"

namespace tollgate {
namespace {

constexpr char kTools[] = R"({"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"ok"},{"name":"no"}]}})";
constexpr char kFiltered[] = R"({"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"ok"}]}})";

class McpListFilterTest : public ::testing::Test {
 protected:
  std::string Filter(std::string_view method, std::string_view body) {
    std::string out;
    reason_ = filter_.Filter(method, body, keep_, &out);
    return out;
  }
  // Events filters a stream, cut into pieces of this size.
  std::string Events(std::string_view stream, size_t size) {
    std::string out;
    filter_.BeginEvents();
    for (; !stream.empty(); stream.remove_prefix(std::min(size, stream.size())))
      reason_ = filter_.FilterEvents("tools/list", stream.substr(0, size), keep_, &out);
    return out;
  }

  const McpListFilter::Keep keep_ = [this](McpObject object, std::string_view name) {
    object_ = object;
    return name == "ok";
  };
  McpListFilter filter_{1000};
  McpObject object_ = McpObject::kMethod;
  Reason reason_ = Reason::kNone;
};

TEST_F(McpListFilterTest, EachListByWhatItsMembersAreKnownBy) {
  EXPECT_EQ(Filter("tools/list", kTools), kFiltered);
  EXPECT_EQ(object_, McpObject::kTool);
  EXPECT_EQ(
      Filter("prompts/list", R"({"result":{"prompts":[{"name":"no"},{"name":"ok"}],"nextCursor":"c"}})"),
      R"({"result":{"prompts":[{"name":"ok"}],"nextCursor":"c"}})");
  EXPECT_EQ(object_, McpObject::kPrompt);
  EXPECT_EQ(Filter("resources/list", R"({"result":{"resources":[{"name":"ok","uri":"no"},{"uri":"ok"}]}})"),
            R"({"result":{"resources":[{"uri":"ok"}]}})");
  EXPECT_EQ(object_, McpObject::kResource);
  EXPECT_EQ(Filter("resources/templates/list",
                   R"({"result":{"resourceTemplates":[{"uriTemplate":"no"},{"uriTemplate":"ok"}]}})"),
            R"({"result":{"resourceTemplates":[{"uriTemplate":"ok"}]}})");
  EXPECT_EQ(object_, McpObject::kResource);
  EXPECT_EQ(Filter("tools/call", kTools), kTools);
  EXPECT_EQ(Filter("tools/call", "no JSON"), "no JSON");
  EXPECT_TRUE(McpListFilter::Lists("tools/list"));
  EXPECT_FALSE(McpListFilter::Lists("tools/call"));
}

TEST_F(McpListFilterTest, RefusesWhatItCannotBeCertainOf) {
  EXPECT_EQ(Filter("tools/list", "{"), "");
  EXPECT_EQ(reason_, Reason::kBodyNotJson);
  EXPECT_EQ(Filter("tools/list", "\x1f\x8b\x08"), "");  // Compressed.
  EXPECT_EQ(reason_, Reason::kBodyNotJson);
  EXPECT_EQ(Filter("tools/list", R"({"result":{"tools":[]},"result":{"tools":[{"name":"no"}]}})"), "");
  EXPECT_EQ(reason_, Reason::kAmbiguousMember);
  EXPECT_EQ(Filter("tools/list", std::string(1001, ' ')), "");
  EXPECT_EQ(reason_, Reason::kBodyTooLong);
}

TEST_F(McpListFilterTest, EventsAreFilteredHoweverTheyAreCut) {
  const std::string data = std::string("data: ") + kTools;
  const std::string stream = ": hello\n\nid: 7\ndata:\n\nevent: message\r\n" + data + "\r\nid: 8\r\n\r\n" +
                             "data: {\"jsonrpc\":\"2.0\",\rdata:\"method\":\"notifications/progress\"}\r\r" +
                             "data: {\"result\":\ndata: {\"tools\":[{\"name\":\"no\"}]}}\n\n:\n";
  const std::string expected =
      std::string(": hello\n\nid: 7\ndata: \n\nevent: message\nid: 8\ndata: ") + kFiltered +
      "\n\ndata: {\"jsonrpc\":\"2.0\",\ndata: \"method\":\"notifications/progress\"}\n\n" +
      "data: {\"result\":\ndata: {\"tools\":[]}}\n\n:\n";
  for (size_t size = 1; size <= stream.size(); ++size) {
    EXPECT_EQ(Events(stream, size), expected) << size;
    EXPECT_EQ(reason_, Reason::kNone);
  }
}

TEST_F(McpListFilterTest, WhatClientsTakeForDataIsFiltered) {
  const std::string data = std::string("data: ") + kTools + "\n\n",
                    filtered = std::string("data: ") + kFiltered + "\n\n";
  EXPECT_EQ(Events("\xEF\xBB\xBF" + data, 1), filtered);
  EXPECT_EQ(Events(std::string("data:") + kTools + "\n\n", 1000), filtered);
  // A byte order mark further on is a part of the field's name, which is not "data" then.
  EXPECT_EQ(Events("\n\xEF\xBB\xBF" + data, 1000), "\n\xEF\xBB\xBF" + data);
  EXPECT_EQ(Events("database: x\n\n", 1000), "database: x\n\n");
  // Nothing is passed on of an event that has not ended.
  EXPECT_EQ(Events(std::string("data: ") + kTools + "\n", 1000), "");
}

TEST_F(McpListFilterTest, AFailureEndsTheStream) {
  const std::string good = std::string("data: ") + kTools + "\n\n";
  EXPECT_EQ(Events(good + "data: {\n\n" + good, 10), std::string("data: ") + kFiltered + "\n\n");
  EXPECT_EQ(reason_, Reason::kBodyNotJson);
  EXPECT_EQ(Events("data: " + std::string(1000, ' ') + "\n\n" + good, 10), "");
  EXPECT_EQ(reason_, Reason::kBodyTooLong);
  Events(good, 10);
  EXPECT_EQ(reason_, Reason::kNone);
}

}  // namespace
}  // namespace tollgate
