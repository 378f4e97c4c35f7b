// Where is asked, if the issuer's metadata says so, and what is demanded of signed answers.

#include <gmock/gmock.h>

#include "tests/introspection/introspector_fixture.h"
#include "tests/introspection/signed_answers.h"

namespace tollgate::introspection {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr char kHere[] = "https://idp.example/here";
constexpr char kThere[] = "https://idp.example/there";

class DiscoveredEndpointTest : public IntrospectorTest {
 protected:
  using Endpoint = Known::Endpoint;

  DiscoveredEndpointTest() {
    config_.issuers[0].introspection.endpoint.clear();
    config_.issuers[0].introspection.discovery = true;
    Restart();
  }
};

TEST_F(DiscoveredEndpointTest, NobodyIsAskedBeforeTheMetadataWasRead) {
  EXPECT_TRUE(introspector_->Serves(0));
  const Known known = Ask("token");
  EXPECT_EQ(known.endpoint, Endpoint::kNotReadYet);
  EXPECT_FALSE(known.asked);
  EXPECT_FALSE(known.failing);
  EXPECT_EQ(Run(), INT64_MAX);
  EXPECT_EQ(network_.num_requests(), 0u);
  EXPECT_FALSE(Health().introspection_endpoint_known);
  EXPECT_THAT(Health().last_introspection_error, HasSubstr("has not been read yet"));
  EXPECT_TRUE(Health(1).introspection_endpoint_known);
  EXPECT_EQ(Health(1).last_introspection_error, "");

  introspector_->SetEndpoint(0, std::string(kHere));
  EXPECT_TRUE(Health().introspection_endpoint_known);
  EXPECT_EQ(Health().last_introspection_error, "");
  EXPECT_TRUE(Ask("token").asked);
  EXPECT_EQ(Ask("token").endpoint, Endpoint::kKnown);
  Run();
  EXPECT_EQ(network_.requests()[0].url, kHere);
  End("token", Active());
  EXPECT_EQ(Ask("token").state, State::kActive);
}

TEST_F(DiscoveredEndpointTest, MetadataWithoutAnEndpointThatMayBeAskedIsTold) {
  introspector_->SetEndpoint(0, absl::NotFoundError("it is missing"));
  EXPECT_EQ(Ask("token").endpoint, Endpoint::kNone);
  EXPECT_FALSE(Ask("token").asked);
  EXPECT_THAT(Health().last_introspection_error, HasSubstr("it is missing"));
  introspector_->SetEndpoint(0, std::string(kHere));
  EXPECT_TRUE(Ask("token").asked);
}

TEST_F(DiscoveredEndpointTest, AConfiguredEndpointStays) {
  introspector_->SetEndpoint(1, std::string(kThere));
  introspector_->SetEndpoint(1, absl::NotFoundError("it is missing"));
  introspector_->SetEndpoint(7, std::string(kThere));  // Nobody is there.
  EXPECT_TRUE(Ask("token", 1).asked);
  Run();
  EXPECT_EQ(network_.requests()[0].url, "https://other.example/introspect");
}

TEST_F(DiscoveredEndpointTest, ACertificateGoesNowhereWithoutTls) {
  config_.issuers[0].introspection.authentication = ClientAuthentication::kTlsClientAuth;
  Restart();
  introspector_->SetEndpoint(0, std::string("http://127.0.0.1/introspect"));
  EXPECT_EQ(Ask("token").endpoint, Endpoint::kNone);
  EXPECT_THAT(Health().last_introspection_error, HasSubstr("TLS"));
  introspector_->SetEndpoint(0, std::string(kHere));
  EXPECT_TRUE(Ask("token").asked);
}

// The same document, read again, changes nothing.
TEST_F(DiscoveredEndpointTest, TheSameEndpointLeavesQuestionsAlone) {
  introspector_->SetEndpoint(0, std::string(kHere));
  Ask("token");
  Run();
  introspector_->SetEndpoint(0, std::string(kHere));
  EXPECT_THAT(settled_, IsEmpty());
  End("token", Active());
  EXPECT_EQ(Ask("token").state, State::kActive);
}

TEST_F(DiscoveredEndpointTest, AnotherEndpointEndsQuestionsAndKeepsAnswers) {
  config_.issuers[0].introspection.in_flight_max = 1;
  Restart();
  introspector_->SetEndpoint(0, std::string(kHere));
  Learn("inactive", Inactive(), 0, /*verified=*/true);
  for (const char* token : {"sent", "waits"}) EXPECT_TRUE(Ask(token).asked);
  Run();
  settled_.clear();

  introspector_->SetEndpoint(0, std::string(kThere));
  EXPECT_THAT(settled_, UnorderedElementsAre(ChannelOf("sent"), ChannelOf("waits")));
  EXPECT_EQ(Health().introspection_failures, 1u);
  EXPECT_EQ(Health().introspections_refused, 1u);
  EXPECT_EQ(Health().introspections_in_flight, 0u);
  EXPECT_EQ(Health().last_introspection_error, "the endpoint has changed");
  EXPECT_EQ(Ask("inactive", 0, true).state, State::kInactive);

  // They may be asked again at once; what the old endpoint still says is nobody's answer.
  EXPECT_TRUE(Ask("sent").asked);
  Run();
  End("sent", Active(), "/here");
  EXPECT_EQ(Ask("sent").state, State::kUnknown);
  EXPECT_EQ(settled_.size(), 2u);
  EXPECT_THAT(Sent(), ElementsAre("sent"));
  End("sent", Inactive(), "/there");
  EXPECT_EQ(Ask("sent").state, State::kInactive);
  EXPECT_EQ(Health().last_introspection_error, "");
}

TEST_F(DiscoveredEndpointTest, AnEndpointThatIsGoneIsNotAskedAndItsFailuresAreForgotten) {
  introspector_->SetEndpoint(0, std::string(kHere));
  Learn("known", Active());
  for (int i = 0; i < 5; ++i) Learn("f" + std::to_string(i), Broken());
  EXPECT_TRUE(Ask("token").failing);
  introspector_->SetEndpoint(0, absl::NotFoundError("it is missing"));
  const Known known = Ask("token");
  EXPECT_EQ(known.endpoint, Endpoint::kNone);
  EXPECT_FALSE(known.failing) << "nothing stands in for it";
  EXPECT_EQ(known.retry_after_ms, 0);
  EXPECT_EQ(Ask("known").state, State::kActive);
  introspector_->SetEndpoint(0, std::string(kThere));
  EXPECT_TRUE(Ask("token").asked) << "that one has not failed";
}

TEST_F(DiscoveredEndpointTest, AnotherIssuerAtThePositionHasItsOwnMetadata) {
  introspector_->SetEndpoint(0, std::string(kHere));
  introspector_->SetIssuer(0, &config_.issuers[0]);
  EXPECT_EQ(Ask("token").endpoint, Endpoint::kNotReadYet);
}

// --- Signed answers ---

class SignedResponseTest : public IntrospectorTest {
 protected:
  SignedResponseTest() {
    config_.issuers[0].introspection.signed_response = true;
    config_.issuers[0].leeway_s = 5;
    Restart();
    introspector_->SetVerifier(keys_.Verifier());
  }

  FakeAnswer Signed(const idp::json& members, int64_t iat) const {
    return SignedBody(Sign(key_, SignedClaims(members, iat)));
  }
  FakeAnswer Signed(bool active) const { return Signed({{"active", active}}, wall_s_); }
  // Of a good signature, as far as this room goes.
  Known AskVerified(std::string_view token) {
    return introspector_->Ask(0, token, introspector_->NameToken(token, true), true, INT64_MAX, now_ms_);
  }

  const idp::SigningKey& key_ = idp::TestKey("ES256");
  const OneKey keys_{key_};
};

TEST_F(SignedResponseTest, IsAskedForAndTaken) {
  Ask("token");
  Run();
  EXPECT_EQ(network_.requests()[0].accept, kSignedAnswerType);
  End("token", Signed(true));
  EXPECT_EQ(Ask("token").state, State::kActive);
  EXPECT_EQ(idp::json::parse(text_)["token_introspection"], idp::json({{"active", true}}));
  Learn("other", Signed(false));
  EXPECT_EQ(Ask("other").state, State::kInactive);
  Learn("unsigned", Active(), 1);
  EXPECT_EQ(network_.requests()[2].accept, "");
}

// None of these pauses the endpoint or counts as an outage, in which something else may stand in for an
// answer: whoever sends tokens may have a part in it.
TEST_F(SignedResponseTest, WhatIsNoSignedAnswerSaysNothing) {
  const FakeAnswer answers[] = {
      Active(), Inactive(), SignedBody("{}"), Signed({{"active", true}}, wall_s_ - 60),
      SignedBody(Sign(idp::TestKey("ES256", 1), SignedClaims({{"active", true}}, wall_s_)))};
  for (const FakeAnswer& answer : answers) {
    for (int i = 0; i < 6; ++i) {
      const std::string token = "token" + std::to_string(i);
      Learn(token, answer);
      EXPECT_EQ(Ask(token).state, State::kUnknown);
      EXPECT_FALSE(Ask(token).failing);
    }
    EXPECT_NE(Health().last_introspection_error, "");
    EXPECT_EQ(Health().introspection_paused_for_ms, 0);
    now_ms_ += timing().backoff_min_ms;
  }
}

TEST_F(SignedResponseTest, WithoutAVerifierNothingIsVerified) {
  Restart();
  Learn("token", Signed(true));
  EXPECT_EQ(Ask("token").state, State::kUnknown);
}

TEST_F(SignedResponseTest, TheQuestionsTimeIsThatOfItsSending) {
  Ask("token");
  Run();
  now_ms_ += 1'001;  // Two seconds, in whole ones.
  wall_s_ += 1;
  End("token", Signed({{"active", true}}, wall_s_ - 7));
  EXPECT_EQ(Ask("token").state, State::kActive);
  Ask("late");
  Run();
  now_ms_ += 1'001;
  wall_s_ += 1;
  End("late", Signed({{"active", true}}, wall_s_ - 8));
  EXPECT_EQ(Ask("late").state, State::kUnknown);
  EXPECT_THAT(Health().last_introspection_error, HasSubstr("before the question"));
}

TEST_F(SignedResponseTest, TheAudienceIsWhatIsConfigured) {
  config_.issuers[0].introspection.response_audience = "https://mcp.example/mcp";
  Restart();
  introspector_->SetVerifier(keys_.Verifier());
  Learn("token", Signed(true));
  EXPECT_THAT(Health().last_introspection_error, HasSubstr("not for us"));
  now_ms_ += timing().backoff_min_ms;
  idp::json claims = SignedClaims({{"active", true}}, wall_s_);
  claims["aud"] = "https://mcp.example/mcp";
  Learn("token", SignedBody(Sign(key_, claims)));
  EXPECT_EQ(Ask("token").state, State::kActive);
}

// The only thing that an answer may have that binds it to a token.
TEST_F(SignedResponseTest, AnAnswerThatNamesAnotherTokenIsNone) {
  const std::string token = idp::Mint(key_, {{"jti", "id-1"}});
  for (const char* jwt_id : {"id-2", "id-1"}) {
    EXPECT_TRUE(AskVerified(token).asked);
    Run();
    End(token, Signed({{"active", true}, {"jti", jwt_id}}, wall_s_));
    now_ms_ += timing().backoff_min_ms;
    EXPECT_EQ(AskVerified(token).state, jwt_id == std::string("id-1") ? State::kActive : State::kUnknown);
    Run();
    if (jwt_id == std::string("id-2")) {
      EXPECT_THAT(Health().last_introspection_error, HasSubstr("another token"));
      End(token, Broken());
      now_ms_ += timing().backoff_min_ms;
    }
  }
}

}  // namespace
}  // namespace tollgate::introspection
