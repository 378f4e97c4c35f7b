#include "introspection/signed_answer.h"

#include <gtest/gtest.h>

#include <string>

#include "base/limits.h"
#include "tests/introspection/signed_answers.h"

namespace tollgate::introspection {
namespace {

using idp::json;

constexpr int64_t kAsked = 1'800'000'000;  // The question; the answer comes two seconds later.
constexpr int64_t kNow = kAsked + 2;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

class SignedAnswerTest : public ::testing::Test {
 protected:
  static json Claims() {
    return SignedClaims({{"active", true}, {"sub", "alice"}, {"exp", kNow + 600}, {"jti", "id-1"}},
                        kAsked + 1);
  }

  absl::StatusOr<Answer> Read(const testing::FakeAnswer& answer) {
    FetchResult result;
    result.outcome = answer.outcome;
    result.http_status = answer.http_status;
    result.body = answer.body;
    result.content_type = answer.content_type;
    return ReadSignedAnswer(result, rules_, {.wall_s = kNow}, verify_, &scratch_);
  }
  absl::StatusOr<Answer> Read(const json& claims) { return Read(SignedBody(Sign(key_, claims))); }

  // Why a response is none; every reason is one line, and the fault of whatever was asked about.
  std::string Refusal(const testing::FakeAnswer& answer) {
    const absl::StatusOr<Answer> read = Read(answer);
    if (read.ok()) return "accepted";
    EXPECT_EQ(read.status().code(), kInvalid) << read.status();
    EXPECT_EQ(read.status().message().find('\n'), std::string::npos);
    return std::string(read.status().message());
  }
  std::string Refusal(const json& claims) { return Refusal(SignedBody(Sign(key_, claims))); }
  std::string RefusalOf(const char* member, const json& value) {
    json claims = Claims();
    claims[member] = value;
    return Refusal(claims);
  }
  std::string RefusalWithout(const char* member) {
    json claims = Claims();
    claims.erase(member);
    return Refusal(claims);
  }
  std::string RefusalOfHeader(const json& header) {
    return Refusal(SignedBody(Sign(key_, Claims(), header)));
  }

  const idp::SigningKey& key_ = idp::TestKey("ES256");
  const OneKey keys_{key_};
  VerifyAnswer verify_ = keys_.Verifier();
  SignedAnswerRules rules_{
      .issuer = "https://idp.example", .audience = "client", .leeway_s = 10, .asked_s = kAsked, .jwt_id = ""};
  jose::ParsedJws scratch_;
};

TEST_F(SignedAnswerTest, TakesWhatIsSignedForUsSinceTheQuestion) {
  const absl::StatusOr<Answer> answer = Read(Claims());
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_TRUE(answer->active);
  EXPECT_EQ(answer->expires_at, kNow + 600);
  EXPECT_EQ(answer->text, Claims().dump()) << "all that is signed";
  const absl::StatusOr<Answer> inactive = Read(SignedClaims({{"active", false}}, kNow));
  ASSERT_TRUE(inactive.ok()) << inactive.status();
  EXPECT_FALSE(inactive->active);
  EXPECT_EQ(inactive->text, "");
}

TEST_F(SignedAnswerTest, TypesAreMediaTypes) {
  for (const char* type :
       {"application/token-introspection+jwt", "Application/Token-Introspection+JWT",
        "application/token-introspection+jwt; charset=utf-8", "application/token-introspection+jwt \t;x=y"}) {
    testing::FakeAnswer answer = SignedBody(Sign(key_, Claims()));
    answer.content_type = type;
    EXPECT_TRUE(Read(answer).ok()) << type;
  }
  for (const char* type :
       {"token-introspection+jwt", "application/token-introspection+jwt", "TOKEN-introspection+jwt"})
    EXPECT_EQ(RefusalOfHeader({{"typ", type}}), "accepted") << type;
}

// Whoever takes the signature away, or the endpoint that never gave one, gets nothing for it.
TEST_F(SignedAnswerTest, RefusesWhatIsNotSigned) {
  const testing::FakeAnswer good = SignedBody(Sign(key_, Claims()));
  const auto typed = [&](std::string body, const char* type) {
    testing::FakeAnswer answer = good;
    answer.body = std::move(body);
    answer.content_type = type;
    return answer;
  };
  for (const char* type : {"", "application/json", "application/jwt", "text/plain", "token-introspection+jwt",
                           "application/token-introspection+jwt+x", " application/token-introspection+jwt",
                           "application/json, application/token-introspection+jwt"}) {
    EXPECT_EQ(Refusal(typed(good.body, type)), "the answer is not signed") << type;
  }
  EXPECT_EQ(Refusal(typed(R"({"active":true})", "application/json")), "the answer is not signed");
  EXPECT_EQ(Refusal(typed(R"({"active":true})", kSignedAnswerType)),
            "the answer cannot be read: not_compact_jws");
  EXPECT_EQ(Refusal(typed(Claims().dump(), kSignedAnswerType)), "the answer cannot be read: not_compact_jws");
  EXPECT_EQ(Refusal(typed("", kSignedAnswerType)), "the answer cannot be read: not_compact_jws");
  EXPECT_EQ(Refusal(typed(good.body + "\n", kSignedAnswerType)), "the answer cannot be read: bad_base64url");
  EXPECT_EQ(Refusal(typed("eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..AA.AA.AA", kSignedAnswerType)),
            "the answer is encrypted, which nobody here can undo");
  EXPECT_EQ(RefusalOfHeader({{"typ", "token-introspection+jwt"}, {"enc", "A128GCM"}}),
            "the answer is encrypted, which nobody here can undo");
}

TEST_F(SignedAnswerTest, RefusesOtherHeaders) {
  const char kNoType[] = "the answer has not the `typ` of an answer";
  for (const json& type :
       {json("at+jwt"), json("JWT"), json("jwt"), json(""), json(nullptr), json("token-introspection"),
        json("application/application/token-introspection+jwt"),
        json("token-introspection+jwt; charset=utf-8")}) {
    EXPECT_EQ(RefusalOfHeader({{"typ", type}}), kNoType) << type;
  }
  const auto of = [this](const char* member, const json& value) {
    return RefusalOfHeader({{"typ", "token-introspection+jwt"}, {member, value}});
  };
  EXPECT_EQ(of("alg", "none"), "the answer cannot be read: algorithm_none");
  EXPECT_EQ(of("alg", "HS256"), "the answer cannot be read: algorithm_symmetric");
  EXPECT_EQ(of("alg", nullptr), "the answer cannot be read: algorithm_missing");
  EXPECT_EQ(of("alg", "RS256"), "the answer has no good signature: key_algorithm_mismatch");
  EXPECT_EQ(of("crit", json::array({"iat"})), "the answer cannot be read: unknown_critical");
}

TEST_F(SignedAnswerTest, RefusesBadSignatures) {
  const char kBad[] = "the answer has no good signature: bad_signature";
  EXPECT_EQ(Refusal(SignedBody(Sign(idp::TestKey("ES256", 1), Claims()))), kBad);
  const std::string good = Sign(key_, Claims());
  std::string changed = good;
  char& letter = changed[good.rfind('.') - 8];
  letter = letter == 'A' ? 'B' : 'A';
  EXPECT_NE(Refusal(SignedBody(changed)), "accepted");
  EXPECT_EQ(Refusal(SignedBody(good.substr(0, good.rfind('.') + 1) + "AAAA")),
            "the answer has no good signature: bad_signature_length");
  EXPECT_EQ(Refusal(SignedBody(good.substr(0, good.rfind('.') + 1))),
            "the answer cannot be read: not_compact_jws");
}

TEST_F(SignedAnswerTest, RefusesOtherIssuersAndAudiences) {
  const char kNotFrom[] = "the answer is not from the issuer";
  for (const json& issuer : {json("https://idp.example/"), json("https://IDP.example"), json(""),
                             json(nullptr), json::array({"https://idp.example"})}) {
    EXPECT_EQ(RefusalOf("iss", issuer), kNotFrom) << issuer;
  }
  EXPECT_EQ(RefusalWithout("iss"), kNotFrom);
  const char kNotFor[] = "the answer is not for us";
  for (const json& audience :
       {json("another"), json("client "), json("Client"), json(""), json(nullptr), json(1), json::array(),
        json::array({"another"}), json::array({"client", 1}), json({{"client", true}})}) {
    EXPECT_EQ(RefusalOf("aud", audience), kNotFor) << audience;
  }
  EXPECT_EQ(RefusalWithout("aud"), kNotFor);
  EXPECT_EQ(RefusalOf("aud", {"another", "client"}), "accepted");
}

TEST_F(SignedAnswerTest, HoldsTheTimeOfTheAnswerAgainstTheQuestion) {
  EXPECT_EQ(RefusalOf("iat", kAsked - 10), "accepted");
  EXPECT_EQ(RefusalOf("iat", kAsked - 11), "the answer was made before the question") << "a replay";
  EXPECT_EQ(RefusalOf("iat", kAsked - 10.5), "the answer was made before the question");
  EXPECT_EQ(RefusalOf("iat", kNow + 10.5), "accepted");
  EXPECT_EQ(RefusalOf("iat", kNow + 11), "the answer was made in the future");
  EXPECT_EQ(RefusalOf("iat", 0), "the answer was made before the question");
  for (const json& iat : {json(nullptr), json("1800000001"), json(-1), json(true), json(1e300)})
    EXPECT_EQ(RefusalOf("iat", iat), "the answer has no NumericDate for `iat`") << iat;
  EXPECT_EQ(RefusalWithout("iat"), "the answer has no NumericDate for `iat`");
  rules_.leeway_s = 0;
  EXPECT_EQ(RefusalOf("iat", kAsked), "accepted");
  EXPECT_EQ(RefusalOf("iat", kAsked - 1), "the answer was made before the question");
}

TEST_F(SignedAnswerTest, HoldsTheAnswersOwnTimesWhereItHasThem) {
  EXPECT_EQ(RefusalOf("exp", kNow - 9), "accepted");
  EXPECT_EQ(RefusalOf("exp", kNow - 10), "the answer has expired");
  EXPECT_EQ(RefusalOf("nbf", kNow + 10), "accepted");
  EXPECT_EQ(RefusalOf("nbf", kNow + 11), "the answer is not valid yet");
  EXPECT_EQ(RefusalOf("exp", "never"), "the answer has no NumericDate for `exp` or `nbf`");
  EXPECT_EQ(RefusalOf("nbf", nullptr), "the answer has no NumericDate for `exp` or `nbf`");
}

TEST_F(SignedAnswerTest, TheAnswerIsTheMemberAndNothingBesideIt) {
  const char kNone[] = "the answer has no object `token_introspection`";
  for (const json& members : {json(nullptr), json(true), json(R"({"active":true})"), json::array({true})})
    EXPECT_EQ(RefusalOf("token_introspection", members), kNone) << members;
  json outside = Claims();
  outside.erase("token_introspection");
  outside["active"] = true;
  EXPECT_EQ(Refusal(outside), kNone);
  const char kNoActive[] = "the answer has no boolean `active`";
  EXPECT_EQ(RefusalOf("token_introspection", json::object()), kNoActive);
  EXPECT_EQ(RefusalOf("token_introspection", {{"active", "true"}}), kNoActive);
  EXPECT_EQ(RefusalOf("token_introspection", {{"active", 1}}), kNoActive);
  outside["token_introspection"] = {{"active", false}};
  const absl::StatusOr<Answer> inactive = Read(outside);
  ASSERT_TRUE(inactive.ok()) << inactive.status();
  EXPECT_FALSE(inactive->active);
}

TEST_F(SignedAnswerTest, TheMemberMustNotContradict) {
  EXPECT_EQ(RefusalOf("token_introspection", {{"active", true}, {"iss", "https://idp.example"}}), "accepted");
  for (const bool active : {true, false}) {
    EXPECT_EQ(RefusalOf("token_introspection", {{"active", active}, {"iss", "https://other.example"}}),
              "the answer is about a token of another issuer");
  }
  EXPECT_EQ(RefusalOf("token_introspection", {{"active", true}, {"exp", "soon"}}),
            "the answer has no NumericDate for `exp`");
}

TEST_F(SignedAnswerTest, ANameOfTheTokenThatIsThereMustBeItsOwn) {
  rules_.jwt_id = "id-1";
  EXPECT_TRUE(Read(Claims()).ok());
  EXPECT_EQ(RefusalOf("token_introspection", {{"active", true}}), "accepted");
  const char kAnother[] = "the answer is about another token";
  for (const json& jwt_id : {json("id-2"), json(""), json(1), json(nullptr)}) {
    for (const bool active : {true, false}) {
      EXPECT_EQ(RefusalOf("token_introspection", {{"active", active}, {"jti", jwt_id}}), kAnother) << jwt_id;
    }
  }
  EXPECT_EQ(RefusalOf("jti", "id-2"), "accepted") << "that one names the answer";
}

// It says nothing either way: whoever waits for the key asks again.
TEST_F(SignedAnswerTest, AKeyThatMayYetBeTheIssuersIsNoRefusal) {
  for (const Reason reason : {Reason::kKeyPending, Reason::kKeysNeverFetched, Reason::kKeysTooStale}) {
    verify_ = [reason](std::string_view issuer, const jose::ParsedJws& answer, Now now, auto*) {
      EXPECT_EQ(issuer, "https://idp.example");
      EXPECT_EQ(answer.header().key_id, "test-ES256-0");
      EXPECT_EQ(now.wall_s, kNow);
      return reason;
    };
    EXPECT_EQ(Read(Claims()).status().code(), absl::StatusCode::kFailedPrecondition);
  }
  verify_ = [](std::string_view, const jose::ParsedJws&, Now, auto*) { return Reason::kKeyUnknown; };
  EXPECT_EQ(Refusal(Claims()), "the answer has no good signature: unknown_key");
  verify_ = [](std::string_view, const jose::ParsedJws&, Now, auto*) { return Reason::kNone; };
  EXPECT_NE(Refusal(Claims()), "accepted") << "without a proof";
}

TEST_F(SignedAnswerTest, WhatIsNoAnswerAtAllIsToldAsOfAnUnsignedOne) {
  EXPECT_EQ(Read(testing::FakeAnswer{.outcome = FetchOutcome::kTimedOut}).status().code(),
            absl::StatusCode::kUnavailable);
  for (const int status : {201, 302, 401, 500}) {
    testing::FakeAnswer answer = SignedBody(Sign(key_, Claims()));
    answer.http_status = status;
    EXPECT_EQ(Read(answer).status().code(), absl::StatusCode::kUnavailable) << status;
  }
  const testing::FakeAnswer cannot_tell{.http_status = 400, .body = R"({"error":"unsupported_token_type"})"};
  EXPECT_EQ(Read(cannot_tell).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(SignedAnswerTest, IsNoLongerThanATokenMayBe) {
  const json header = {{"typ", "token-introspection+jwt"}};
  const std::string longest = idp::MintToSize(key_, Claims(), limits::kTokenBytesMax - 1, header);
  EXPECT_LE(longest.size(), limits::kTokenBytesMax);
  EXPECT_TRUE(Read(SignedBody(longest)).ok());
  EXPECT_EQ(Refusal(SignedBody(idp::MintToSize(key_, Claims(), limits::kTokenBytesMax + 1, header))),
            "the answer cannot be read: token_too_long");
}

TEST_F(SignedAnswerTest, ErrorsRepeatNothingOfTheAnswer) {
  constexpr char kSecret[] = "s3cret";
  for (const char* member : {"iss", "aud", "iat", "exp", "token_introspection"})
    EXPECT_EQ(RefusalOf(member, kSecret).find(kSecret), std::string::npos) << member;
  EXPECT_EQ(RefusalOfHeader({{"typ", kSecret}}).find(kSecret), std::string::npos);
  EXPECT_EQ(RefusalOfHeader({{"alg", kSecret}}).find(kSecret), std::string::npos);
  EXPECT_EQ(Refusal(SignedBody(kSecret)).find(kSecret), std::string::npos);
}

TEST_F(SignedAnswerTest, TheNameOfATokenIsItsJti) {
  EXPECT_EQ(JwtIdOf(idp::Mint(key_, {{"jti", "id-1"}}), &scratch_), "id-1");
  EXPECT_EQ(JwtIdOf(idp::Mint(key_, {{"sub", "id-1"}}), &scratch_), "");
  EXPECT_EQ(JwtIdOf(idp::Mint(key_, {{"jti", 1}}), &scratch_), "");
  EXPECT_EQ(JwtIdOf("opaque", &scratch_), "");
  EXPECT_EQ(JwtIdOf("", &scratch_), "");
}

}  // namespace
}  // namespace tollgate::introspection
