#include <gtest/gtest.h>

#include <string>

#include "tollgate/mcp_filter.h"

namespace tollgate {
namespace {

constexpr char kTools[] = R"({"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"ok"},{"name":"no"}]}})";
constexpr char kFiltered[] = R"({"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"ok"}]}})";

class McpListFilterTest : public ::testing::Test {
 protected:
  std::string Filter(std::string_view body) {
    std::string out;
    reason_ = filter_.Filter(body, keep_, &out);
    return out;
  }
  // Events filters a stream, cut into pieces of this size.
  std::string Events(std::string_view stream, size_t size) {
    std::string out;
    filter_.BeginEvents();
    for (; !stream.empty(); stream.remove_prefix(std::min(size, stream.size())))
      reason_ = filter_.FilterEvents(stream.substr(0, size), keep_, &out);
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
  EXPECT_EQ(Filter(kTools), kFiltered);
  EXPECT_EQ(object_, McpObject::kTool);
  EXPECT_EQ(Filter(R"({"result":{"prompts":[{"name":"no"},{"name":"ok"}],"nextCursor":"c"}})"),
            R"({"result":{"prompts":[{"name":"ok"}],"nextCursor":"c"}})");
  EXPECT_EQ(object_, McpObject::kPrompt);
  EXPECT_EQ(Filter(R"({"result":{"resources":[{"name":"ok","uri":"no"},{"uri":"ok"}]}})"),
            R"({"result":{"resources":[{"uri":"ok"}]}})");
  EXPECT_EQ(object_, McpObject::kResource);
  EXPECT_EQ(Filter(R"({"result":{"resourceTemplates":[{"uriTemplate":"no"},{"uriTemplate":"ok"}]}})"),
            R"({"result":{"resourceTemplates":[{"uriTemplate":"ok"}]}})");
  EXPECT_EQ(object_, McpObject::kResource);
}

TEST_F(McpListFilterTest, RefusesWhatItCannotBeCertainOf) {
  EXPECT_EQ(Filter("{"), "");
  EXPECT_EQ(reason_, Reason::kBodyNotJson);
  EXPECT_EQ(Filter("\x1f\x8b\x08"), "");  // Compressed.
  EXPECT_EQ(reason_, Reason::kBodyNotJson);
  EXPECT_EQ(Filter(R"({"result":{"tools":[]},"result":{"tools":[{"name":"no"}]}})"), "");
  EXPECT_EQ(reason_, Reason::kAmbiguousMember);
  EXPECT_EQ(Filter(std::string(1001, ' ')), "");
  EXPECT_EQ(reason_, Reason::kBodyTooLong);
}

TEST_F(McpListFilterTest, EventsAreFilteredHoweverTheyAreCut) {
  const std::string data = std::string("data: ") + kTools;
  const std::string stream = ": hello\n\nid: 7\ndata:\n\nevent: message\r\n" + data + "\r\nid: 8\r\n\r\n" +
                             "data: {\"jsonrpc\":\"2.0\",\rdata:\"method\":\"notifications/progress\"}\r\r" +
                             "data: {\"result\":\ndata: {\"tools\":[{\"name\":\"no\"}]}}\n\n:\n";
  const std::string expected =
      std::string(":\n\nid: 7\ndata: \n\nevent: message\nid: 8\ndata: ") + kFiltered +
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
  // Nothing is passed on of an event that has not ended.
  EXPECT_EQ(Events(std::string("data: ") + kTools + "\n", 1000), "");
}

// Whatever the request was: of a stream that is resumed nobody knows.
TEST_F(McpListFilterTest, AllListsInOneAnswer) {
  EXPECT_EQ(Filter(R"([{"result":{"tools":[{"name":"no"}],"prompts":[{"name":"no"}]}},)"
                   R"({"result":{"resources":[{"uri":"no"}],"resourceTemplates":[{"uriTemplate":"no"}]}}])"),
            R"([{"result":{"tools":[],"prompts":[]}},{"result":{"resources":[],"resourceTemplates":[]}}])");
  EXPECT_EQ(Filter(R"({"result":{"content":[{"name":"no"}]}})"), R"({"result":{"content":[{"name":"no"}]}})");
}

TEST_F(McpListFilterTest, NamesThatDifferInCaseAlone) {
  for (const char* body :
       {R"({"Result":{"tools":[{"name":"no"}]}})", R"({"result":{"Tools":[{"name":"no"}]}})",
        R"({"result":{"tools":{"name":"no"}}})", R"([[{"result":{"tools":[{"name":"no"}]}}]])"}) {
    EXPECT_EQ(Filter(body), "") << body;
    EXPECT_EQ(reason_, Reason::kAmbiguousMember) << body;
  }
  EXPECT_EQ(Filter(R"({"result":{"tools":[{"name":"ok","Name":"no"}]}})"), R"({"result":{"tools":[]}})");
}

TEST_F(McpListFilterTest, LinesThatClientsMaySeeDifferentlyAreLeftOut) {
  const std::string data = std::string("data: ") + kTools + "\n\n", mark = "\xEF\xBB\xBF";
  EXPECT_EQ(Events(mark + mark + data, 1), "\n");
  EXPECT_EQ(Events("data:\n" + mark + data, 1), "data: \n\n");
  EXPECT_EQ(Events("\n" + mark + data, 1000), "\n\n");
  EXPECT_EQ(Events("\xC3\xAF\xC2\xBB\xC2\xBF" + data, 1), "\n");
  for (const char* line :
       {"database: x", "Data: x", " data: x", "data : x", "id", "x", "id : x", "x: y", "ID: x"})
    EXPECT_EQ(Events(std::string(line) + "\n\n", 1000), "\n") << line;
  EXPECT_EQ(Events("id:a\nevent:  b:c\nretry: 1\ndata\n\n", 3), "id:a\nevent:  b:c\nretry: 1\ndata: \n\n");
  for (const std::string end : {"\u0085", "\u2028", "\u2029", "\v", "\f", "\x1c", "\x1d", "\x1e", "\t"}) {
    for (const char* name : {"id: ", "event: ", "retry: "}) EXPECT_EQ(Events(name + end + data, 1), "\n");
    EXPECT_EQ(Events(":" + end + "data: x\n", 1), ":\n");
  }
  EXPECT_EQ(Events(std::string("id: a\0b\n\n", 9), 1), "\n");
}

TEST_F(McpListFilterTest, NoLineOfDataEndsWhereSomeClientsEndOne) {
  EXPECT_EQ(Events("data: {\"a\":\"\u0085 \u2028data: \u2029\u00c2\u2014\u0085\"}\n\n", 1),
            "data: {\"a\":\"\\u0085 \\u2028data: \\u2029\u00c2\u2014\\u0085\"}\n\n");
  EXPECT_EQ(reason_, Reason::kNone);
  EXPECT_EQ(Events("data: {}\u2028data: {}\n\n", 1), "");
  EXPECT_EQ(reason_, Reason::kBodyNotJson);
}

TEST_F(McpListFilterTest, BeginningForgetsAll) {
  const std::string data = std::string("data: ") + kTools + "\n\n",
                    filtered = std::string("data: ") + kFiltered + "\n\n";
  // A line, another one, data, a carriage return, and most of what an event may have.
  for (const std::string& before :
       {std::string("dat"), std::string("id: 1\n"), std::string("data: [\n"), std::string("data:\n"),
        std::string(":\r"), std::string(990, 'x') + "\n"}) {
    Events(before, 1000);
    EXPECT_EQ(Events("\n", 1), "\n") << before;
    Events(before, 1000);
    EXPECT_EQ(Events("\xEF\xBB\xBF" + data, 1000), filtered) << before;
    EXPECT_EQ(reason_, Reason::kNone) << before;
  }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // Which end the process.
TEST_F(McpListFilterTest, WithoutMemoryTheAnswerIsRefused) {
  constexpr size_t kMoreThanThereIs = size_t{1} << 60;
  McpListFilter large(kMoreThanThereIs);
  std::string out;
  EXPECT_EQ(large.Filter(std::string_view("{ }", kMoreThanThereIs), keep_, &out), Reason::kOverloaded);
  EXPECT_EQ(out, "");
}
#endif

TEST_F(McpListFilterTest, AnEventIsBounded) {
  const std::string longest = "x" + std::string(999, ' ');
  // A line that has not ended; lines of data, others, and such as are not passed on; comments.
  EXPECT_EQ(Events(longest, 7), "");
  EXPECT_EQ(reason_, Reason::kNone);
  Events(longest + " ", 7);
  EXPECT_EQ(reason_, Reason::kBodyTooLong);
  for (const std::string line : {"data: []\n", "id: 9012\n", "x: 45678\n", ": 345678\n", "data:678\n"}) {
    std::string event;
    while (event.size() + line.size() < 1000) event += line;
    event.resize(1000, 'x');
    for (const size_t size : {1, 1000, 2000}) {
      Events(event, size);
      EXPECT_EQ(reason_, Reason::kNone) << line;
      Events(event + "x", size);
      EXPECT_EQ(reason_, Reason::kBodyTooLong) << line;
    }
  }
  const std::string event = "id: 1\n\n";
  std::string stream;
  while (stream.size() < 5000) stream += event;
  EXPECT_EQ(Events(stream, 100), stream);
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
