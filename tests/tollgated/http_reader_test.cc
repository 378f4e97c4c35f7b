#include "tools/tollgated/http_reader.h"

#include <gtest/gtest.h>

namespace tollgate::tollgated {
namespace {

using Result = HttpReader::Result;

constexpr HttpReader::Limits kLimits = {.header_bytes_max = 256, .body_bytes_max = 16};

Result Read(std::string_view bytes) { return HttpReader(kLimits).Read(bytes); }

std::string WithField(std::string_view field) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(field) + "\r\n\r\n";
}

TEST(HttpReaderTest, ReadsARequestAndWhereTheNextBegins) {
  HttpReader reader(kLimits);
  const std::string bytes =
      "POST /check/crm?x=1 HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nMcp-Name: \t a b \t\r\nContent-Length: "
      "3\r\n\r\nabcGET";
  ASSERT_EQ(reader.Read(bytes), Result::kRequest);
  const HttpRequest& request = reader.request();
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/check/crm?x=1");
  EXPECT_EQ(request.body, "abc");
  EXPECT_TRUE(request.keep_alive);
  ASSERT_EQ(request.fields.size(), 4u);
  EXPECT_TRUE(request.fields[2].Is("mcp-name"));
  EXPECT_EQ(request.fields[1].value, "");
  EXPECT_EQ(request.fields[2].value, "a b");
  EXPECT_EQ(bytes.substr(reader.length()), "GET");
}

TEST(HttpReaderTest, PiecesOfAnySizeAreTheSameRequest) {
  for (const std::string bytes : {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
                                  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                                  "chunked\r\n\r\n2\r\nhe\r\n03\r\nllo\r\n0\r\n\r\n"}) {
    HttpReader reader(kLimits);
    for (size_t size = 1; size < bytes.size(); ++size) {
      // In memory of its own each time, as in a buffer that grows.
      const std::string piece = bytes.substr(0, size);
      ASSERT_EQ(reader.Read(piece), Result::kNeedsMore) << piece;
    }
    ASSERT_EQ(reader.Read(bytes), Result::kRequest);
    EXPECT_EQ(reader.request().body, "hello");
    EXPECT_EQ(reader.request().method, "POST");
    EXPECT_EQ(reader.length(), bytes.size());
    const std::string next = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
    ASSERT_EQ(reader.Read(next), Result::kRequest);
    EXPECT_EQ(reader.request().target, "/next");
    EXPECT_EQ(reader.request().body, "");
  }
}

TEST(HttpReaderTest, RefusesWhatReadersCouldReadDifferently) {
  const std::string requests[] = {
      "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
      " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET / HTTP/1.1\nHost: a\n\n",
      "GET / HTTP/1.1\r\nHost: a\n\r\n",
      "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
      "GET /\r\nHost: a\r\n\r\n",
      "GET HTTP/1.1\r\nHost: a\r\n\r\n",
      "G@T / HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET / http/1.1\r\nHost: a\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",  // No Host.
      WithField("host: b"),      // Two.
      WithField(" folded"),      // obs-fold.
      WithField("X: a\r\n\tb"),  // Likewise.
      WithField("X : a"),        // A blank before the colon.
      WithField(": a"),          // No name.
      WithField("no colon"),
      WithField("X(y): a"),
      WithField(std::string("X: a\0b", 6)),
      WithField("X: a\rb"),
      WithField("X: a\x7f"),
      WithField("Content-Length: 1\r\nContent-Length: 1"),  // Equal ones, too.
      WithField("Content-Length: 1, 1"),
      WithField("Content-Length: +1"),
      WithField("Content-Length: 0x1"),
      WithField("Content-Length:"),
      WithField("Content-Length: 1\r\nTransfer-Encoding: chunked"),
      WithField("Transfer-Encoding: chunked\r\nContent-Length: 1"),
      WithField("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
      "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "\x16\x03\x01\x02",  // TLS.
  };
  for (const std::string& request : requests) EXPECT_EQ(Read(request), Result::kMalformed) << request;
}

TEST(HttpReaderTest, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(Read(WithField("Transfer-Encoding: gzip, chunked")), Result::kNotImplemented);
  EXPECT_EQ(Read(WithField("Transfer-Encoding: identity")), Result::kNotImplemented);
  EXPECT_EQ(Read("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), Result::kVersionNotSupported);
  EXPECT_EQ(Read("GET / HTTP/1.2\r\nHost: a\r\n\r\n"), Result::kVersionNotSupported);
}

TEST(HttpReaderTest, RefusesChunksThatAreNotPlain) {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char* chunks :
       {"\r\n", "x\r\n", "1;a=b\r\na\r\n0\r\n\r\n", "1 \r\na\r\n", "-1\r\n", "1\na\n0\n\n", "1\r\nab\r\n",
        "0\r\nTrailer: a\r\n\r\n", "000000001\r\na\r\n0\r\n\r\n"}) {
    EXPECT_EQ(Read(head + chunks), Result::kMalformed) << chunks;
  }
}

TEST(HttpReaderTest, KeepsItsBounds) {
  const auto request_of = [](size_t size) {
    const std::string begin = "GET /", end = " HTTP/1.1\r\nHost: a\r\n\r\n";
    return begin + std::string(size - begin.size() - end.size(), 'x') + end;
  };
  EXPECT_EQ(Read(request_of(256)), Result::kRequest);
  EXPECT_EQ(Read(request_of(257)), Result::kHeaderTooLong);
  EXPECT_EQ(Read("GET /" + std::string(252, 'x')), Result::kHeaderTooLong);
  EXPECT_EQ(Read("GET /" + std::string(251, 'x')), Result::kNeedsMore);

  EXPECT_EQ(Read(WithField("Content-Length: 16") + std::string(16, 'x')), Result::kRequest);
  EXPECT_EQ(Read(WithField("Content-Length: 17")), Result::kBodyTooLong);
  EXPECT_EQ(Read(WithField("Content-Length: 99999999999999999999999")), Result::kBodyTooLong);

  const std::string chunked = WithField("Transfer-Encoding: chunked");
  EXPECT_EQ(Read(chunked + "10\r\n" + std::string(16, 'x') + "\r\n0\r\n\r\n"), Result::kRequest);
  EXPECT_EQ(Read(chunked + "11\r\n"), Result::kBodyTooLong);
  EXPECT_EQ(Read(chunked + "ffffffff\r\n"), Result::kBodyTooLong);
  EXPECT_EQ(Read(chunked + "10\r\n" + std::string(16, 'x') + "\r\n1\r\n"), Result::kBodyTooLong);
  // What the sizes take is bounded, too.
  std::string crumbs;
  for (int i = 0; i < 16; ++i) crumbs += "1\r\nx\r\n";
  EXPECT_EQ(Read(chunked + crumbs), Result::kBodyTooLong);

  HttpReader reader({.header_bytes_max = 1 << 20, .body_bytes_max = 16});
  std::string fields;
  for (size_t i = 0; i < HttpReader::kFieldsMax - 2; ++i) fields += "X: a\r\n";
  EXPECT_EQ(reader.Read(WithField(fields + "X: a")), Result::kRequest);
  EXPECT_EQ(HttpReader({.header_bytes_max = 1 << 20}).Read(WithField(fields + "X: a\r\nX: a")),
            Result::kHeaderTooLong);
}

TEST(HttpReaderTest, SaysWhetherTheConnectionGoesOn) {
  const auto goes_on = [](const std::string& bytes) {
    HttpReader reader(kLimits);
    EXPECT_EQ(reader.Read(bytes), Result::kRequest) << bytes;
    return reader.request().keep_alive;
  };
  EXPECT_TRUE(goes_on(WithField("X: a")));
  EXPECT_FALSE(goes_on(WithField("Connection: close")));
  EXPECT_FALSE(goes_on(WithField("Connection: Upgrade ,\tCLOSE")));
  EXPECT_FALSE(goes_on(WithField("Connection: keep-alive\r\nConnection: close")));
  EXPECT_TRUE(goes_on(WithField("Connection: closed")));
  EXPECT_FALSE(goes_on("GET / HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(goes_on("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
}

TEST(HttpReaderTest, SaysThatTheClientWaits) {
  HttpReader reader(kLimits);
  const std::string head = WithField("Content-Length: 1\r\nExpect: 100-continue");
  EXPECT_EQ(reader.Read(std::string_view(head).substr(0, head.size() - 1)), Result::kNeedsMore);
  EXPECT_FALSE(reader.expects_continue());
  EXPECT_EQ(reader.Read(head), Result::kNeedsMore);
  EXPECT_TRUE(reader.expects_continue());
  EXPECT_EQ(reader.Read(head + "x"), Result::kRequest);
}

}  // namespace
}  // namespace tollgate::tollgated
