#include "introspection/answer.h"

#include <gtest/gtest.h>

#include <string>

#include "base/limits.h"

namespace tollgate::introspection {
namespace {

constexpr char kIssuer[] = "https://idp.example";

absl::StatusOr<Answer> Read(std::string_view body, int status = 200) {
  FetchResult result;
  result.outcome = FetchOutcome::kAnswered;
  result.http_status = status;
  result.body = body;
  return ReadAnswer(result, kIssuer);
}

absl::StatusCode CodeOf(std::string_view body, int status = 200) {
  const absl::StatusOr<Answer> answer = Read(body, status);
  if (!answer.ok()) {
    EXPECT_FALSE(answer.status().message().empty());
    EXPECT_EQ(answer.status().message().find('\n'), std::string::npos);
  }
  return answer.status().code();
}

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kUnavailable = absl::StatusCode::kUnavailable;

TEST(ReadAnswer, TakesAnActiveAnswerWithItsTimesAndItsText) {
  const std::string text =
      R"({"active":true,"iss":"https://idp.example","exp":1800000000,"nbf":1700000000,"scope":"a b"})";
  const absl::StatusOr<Answer> answer = Read(text);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_TRUE(answer->active);
  EXPECT_EQ(answer->expires_at, 1'800'000'000);
  EXPECT_EQ(answer->not_before, 1'700'000'000);
  EXPECT_EQ(answer->text, text);
}

TEST(ReadAnswer, TakesAnswersWithoutTimesAndIssuer) {
  const absl::StatusOr<Answer> answer = Read(R"({"active":true})");
  ASSERT_TRUE(answer.ok());
  EXPECT_TRUE(answer->active);
  EXPECT_EQ(answer->expires_at, INT64_MAX);
  EXPECT_EQ(answer->not_before, INT64_MIN);
}

TEST(ReadAnswer, RoundsFractionsOfSecondsUp) {
  const absl::StatusOr<Answer> answer = Read(R"({"active":true,"exp":1800000000.25,"nbf":1.7e9})");
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->expires_at, 1'800'000'001);
  EXPECT_EQ(answer->not_before, 1'700'000'000);
}

TEST(ReadAnswer, OfAnInactiveOneNothingElseCounts) {
  for (const char* body : {R"({"active":false})", R"({"active":false,"exp":null,"nbf":"x","sub":1})",
                           R"({"iss":"https://idp.example","active":false})"}) {
    const absl::StatusOr<Answer> answer = Read(body);
    ASSERT_TRUE(answer.ok()) << body << answer.status();
    EXPECT_FALSE(answer->active);
    EXPECT_EQ(answer->expires_at, INT64_MAX);
    EXPECT_EQ(answer->not_before, INT64_MIN);
    EXPECT_EQ(answer->text, "");
  }
}

TEST(ReadAnswer, NothingButABooleanIsActiveOrInactive) {
  for (const char* value :
       {R"("true")", R"("false")", "1", "0", "null", "[]", "[true]", "{}", R"({"active":true})", "True"}) {
    EXPECT_EQ(CodeOf(R"({"active":)" + std::string(value) + "}"), kInvalid) << value;
  }
  for (const char* body : {"{}", R"({"Active":true})", R"({"x":{"active":true}})", R"({"active ":true})"})
    EXPECT_EQ(CodeOf(body), kInvalid) << body;
}

TEST(ReadAnswer, RefusesWhatIsNoStrictJsonObject) {
  for (const char* body :
       {"", " ", "[]", "true", R"([{"active":true}])", R"({"active":true,"active":true})",
        R"({"active":false,"active":true})", R"({"active":true,"\u0061ctive":false})", R"({"active":true}x)",
        R"({"active":true,})", R"({'active':true})", "{\"active\":true,\"a\":\"\xFF\"}", "<html></html>",
        R"({"active":true,"a":{"b":1,"b":2}})", "\xEF\xBB\xBF{\"active\":true}"}) {
    EXPECT_EQ(CodeOf(body), kInvalid) << body;
  }
}

TEST(ReadAnswer, AnIssuerThatIsThereMustBeTheOneThatWasAsked) {
  for (const char* issuer : {R"("https://idp.example/")", R"("https://IDP.example")", R"("")", "null", "1",
                             R"(["https://idp.example"])"}) {
    for (const char* active : {"true", "false"}) {
      const std::string body = R"({"active":)" + std::string(active) + R"(,"iss":)" + issuer + "}";
      EXPECT_EQ(CodeOf(body), kInvalid) << body;
    }
  }
  EXPECT_TRUE(Read(R"({"active":true,"iss":"https:\/\/idp.example"})").ok());
}

TEST(ReadAnswer, RefusesTimesThatAreNoNumericDates) {
  for (const char* name : {"exp", "nbf"}) {
    for (const char* value : {"null", R"("1800000000")", "-1", "1e300", "253402300800", "[]", "true"}) {
      EXPECT_EQ(CodeOf(R"({"active":true,")" + std::string(name) + "\":" + value + "}"), kInvalid)
          << name << value;
    }
  }
}

TEST(ReadAnswer, LengthIsBounded) {
  const auto of_size = [](size_t size) {
    std::string body = R"({"active":true,"a":")";
    body.append(size - body.size() - 2, 'x');
    return body + "\"}";
  };
  EXPECT_TRUE(Read(of_size(limits::kIntrospectionBytesMax)).ok());
  EXPECT_EQ(CodeOf(of_size(limits::kIntrospectionBytesMax + 1)), kInvalid);
}

TEST(ReadAnswer, EndpointsThatCannotTellAreToldApart) {
  EXPECT_EQ(CodeOf(R"({"error":"unsupported_token_type"})", 400), absl::StatusCode::kNotFound);
  EXPECT_EQ(CodeOf(R"({"error":"unsupported_token_type","error_description":"x"})", 400),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(CodeOf(R"({"error":"invalid_request"})", 400), kInvalid);
  EXPECT_EQ(CodeOf(R"({"error":"x","error":"unsupported_token_type"})", 400), kInvalid);
  EXPECT_EQ(CodeOf(R"({"error":["unsupported_token_type"]})", 400), kInvalid);
  EXPECT_EQ(CodeOf(R"("unsupported_token_type")", 400), kInvalid);
  EXPECT_EQ(CodeOf("", 400), kInvalid);
  EXPECT_EQ(CodeOf(R"({"error":"unsupported_token_type"})", 401), kUnavailable);
  EXPECT_EQ(CodeOf(R"({"error":"unsupported_token_type"})", 200), kInvalid);
  std::string long_one = R"({"error":"unsupported_token_type","a":")";
  long_one.append(limits::kIntrospectionBytesMax, 'x');
  EXPECT_EQ(CodeOf(long_one + "\"}", 400), kInvalid);
}

TEST(ReadAnswer, NoStatusBut200SaysAnythingOfTheToken) {
  for (const int status : {0,   100, 201, 202, 204, 206, 301, 302, 304, 307, 401,
                           403, 404, 405, 407, 408, 429, 500, 502, 503, 504}) {
    EXPECT_EQ(CodeOf(R"({"active":true})", status), kUnavailable) << status;
    EXPECT_EQ(CodeOf(R"({"active":false})", status), kUnavailable) << status;
  }
  // These find fault with the question, which whoever sends tokens has a part in.
  for (const int status : {400, 413, 422})
    EXPECT_EQ(CodeOf(R"({"active":false})", status), kInvalid) << status;
}

TEST(ReadAnswer, ExchangesThatFailedSayNothingEither) {
  for (const FetchOutcome outcome :
       {FetchOutcome::kNotAllowed, FetchOutcome::kUnresolved, FetchOutcome::kUnreachable,
        FetchOutcome::kTlsFailed, FetchOutcome::kTimedOut, FetchOutcome::kAddressRefused}) {
    FetchResult result;
    result.outcome = outcome;
    result.http_status = 200;
    result.body = R"({"active":true})";
    EXPECT_EQ(ReadAnswer(result, kIssuer).status().code(), kUnavailable);
  }
  FetchResult result;
  result.outcome = FetchOutcome::kTooLarge;
  EXPECT_EQ(ReadAnswer(result, kIssuer).status().code(), kInvalid);
}

TEST(ReadAnswer, ErrorsRepeatNothingOfTheAnswer) {
  for (const char* body :
       {"s3cret", R"({"active":"s3cret"})", R"({"active":true,"iss":"s3cret"})", R"({"s3cret":1,"s3cret":2})",
        R"({"active":true,"exp":"s3cret"})", R"({"error":"s3cret"})"}) {
    for (const int status : {200, 400, 401, 500}) {
      const absl::StatusOr<Answer> answer = Read(body, status);
      ASSERT_FALSE(answer.ok());
      EXPECT_EQ(answer.status().message().find("s3cret"), std::string::npos) << answer.status();
    }
  }
}

}  // namespace
}  // namespace tollgate::introspection
