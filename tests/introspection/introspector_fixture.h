#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "introspection/client.h"
#include "introspection/introspector.h"
#include "tests/keys/fake_transport.h"

namespace tollgate::introspection {

using testing::FakeAnswer;
using testing::FakeTransport;

constexpr char kSecret[] = "s3cret-of-the-client";

inline IssuerConfig Issuer(std::string_view name) {
  IssuerConfig issuer;
  issuer.issuer = name;
  issuer.introspection.endpoint = std::string(name) + "/introspect";
  issuer.introspection.client_id = "client";
  issuer.introspection.client_secret = kSecret;
  return issuer;
}

inline FakeAnswer Body(std::string body, int status = 200) {
  FakeAnswer answer;
  answer.http_status = status;
  answer.body = std::move(body);
  return answer;
}
inline FakeAnswer Active() { return Body(R"({"active":true})"); }
inline FakeAnswer Inactive() { return Body(R"({"active":false})"); }
inline FakeAnswer Broken(FetchOutcome outcome = FetchOutcome::kUnreachable) {
  FakeAnswer answer;
  answer.outcome = outcome;
  return answer;
}

// IntrospectorTest drives an Introspector by hand: a clock that is a number, a network that answers when
// told.
class IntrospectorTest : public ::testing::Test {
 protected:
  using Known = Introspector::Known;
  using State = Known::State;

  IntrospectorTest() {
    config_.issuers = {Issuer("https://idp.example"), Issuer("https://other.example")};
    Restart();
  }

  void Restart() {
    settled_.clear();
    introspector_ =
        std::make_unique<Introspector>(config_, 1, [this](uint32_t channel) { settled_.push_back(channel); });
  }

  Known Ask(std::string_view token, uint32_t issuer = 0, bool verified = false,
            int64_t age_max_ms = INT64_MAX) {
    return introspector_->Ask(issuer, token, introspector_->NameToken(token, false), verified, age_max_ms,
                              now_ms_, &text_);
  }
  int64_t Run() { return introspector_->RunDue(now_ms_, network_); }

  // The tokens that are being asked about at the network, in the order in which they were sent.
  std::vector<std::string> Sent() const {
    std::vector<std::string> tokens;
    for (const FetchRequest& request : network_.pending()) tokens.push_back(TokenOf(request));
    return tokens;
  }
  static std::string TokenOf(const FetchRequest& request) {
    return request.form.substr(6, request.form.find('&') - 6);
  }

  // The oldest question about the token ends, and the answer is taken in.
  void End(std::string_view token, const FakeAnswer& answer, std::string_view host = "") {
    for (const FetchRequest& request : network_.pending()) {
      if (TokenOf(request) != token || request.url.find(host) == std::string::npos) continue;
      ASSERT_TRUE(network_.Complete(request.id, answer));
      TakeIn();
      return;
    }
    FAIL() << "nobody asks about " << token;
  }
  void TakeIn() {
    std::vector<FetchResult> done;
    network_.Poll(0, &done);
    for (FetchResult& result : done) introspector_->TakeIn(std::move(result), Moment());
  }
  Now Moment() const { return {.wall_s = wall_s_, .mono_ms = now_ms_}; }

  // Asks, sends and answers.
  void Learn(std::string_view token, const FakeAnswer& answer, uint32_t issuer = 0, bool verified = false) {
    ASSERT_TRUE(Ask(token, issuer, verified, -1).asked) << token;
    Run();
    End(token, answer, config_.issuers[issuer].introspection.endpoint);
  }

  uint32_t ChannelOf(std::string_view token) const {
    return Introspector::ChannelOf(introspector_->NameToken(token, false));
  }
  IssuerHealth Health(uint32_t issuer = 0) const {
    IssuerHealth health;
    introspector_->FillHealth(issuer, now_ms_, &health);
    return health;
  }
  const Timing& timing() const { return config_.timing; }

  Config config_;
  int64_t now_ms_ = 1'000'000;
  int64_t wall_s_ = 1'750'000'000;
  FakeTransport network_;
  std::vector<uint32_t> settled_;
  std::string text_;
  std::unique_ptr<Introspector> introspector_;
};

}  // namespace tollgate::introspection
