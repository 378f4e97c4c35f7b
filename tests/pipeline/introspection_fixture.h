#pragma once

// What tests of introspection through the whole engine need: a policy whose classes differ in what they
// demand of it, an issuer that is asked, and a network that answers when it is told to.

#include <memory>
#include <string>
#include <string_view>

#include "tests/pipeline/network_fixture.h"

namespace tollgate {

constexpr char kEndpoint[] = "https://idp.example/introspect";
constexpr char kOpaque[] = "2YotnFZFEjr1zCsicMWpAA";
inline const FakeAnswer kInactive{.body = R"({"active":false})"};

class IntrospectionTest : public NetworkTest {
 protected:
  IntrospectionTest() { Start(Configured()); }

  static Policy IntrospectingPolicy() {
    PolicyBuilder builder;
    using enum ValidationMode;
    using enum IntrospectionOutage;
    builder.AddClass({.name = "asked", .mode = kIntrospect});
    builder.AddClass({.name = "asked often", .mode = kIntrospect, .introspection_age_max_s = 5});
    builder.AddClass({.name = "last known",
                      .mode = kIntrospect,
                      .introspection_outage = kLastKnown,
                      .last_known_age_max_s = 300});
    builder.AddClass({.name = "local", .mode = kIntrospect, .introspection_outage = kLocalSignature});
    builder.AddClass({.name = "behind", .mode = kIntrospectBehind});
    for (const char* name : {"read", "asked", "asked often", "last known", "local", "behind"})
      builder.AddRule({.name = name, .scopes = {"files:read"}, .sensitivity = name});
    return Built(builder);
  }

  Config Configured() const {
    Config config = TestConfig(idp::Jwks({&key_}).dump());
    config.policy = IntrospectingPolicy();
    config.issuers[0].introspection = {.endpoint = kEndpoint, .client_id = "mcp", .client_secret = "s3cret"};
    config.resources[0].opaque_token_issuer = kIssuer;
    return config;
  }

  // Settle lets the question out, its answer in and whatever follows from it.
  void Settle() { Run(3); }
  void Answer(const FakeAnswer& answer) {
    network_->SetAnswer(kEndpoint, answer);
    Settle();
  }
  // Ask is a check whose question is answered, and the check after it.
  Decision Ask(std::string_view token, std::string_view tool, const FakeAnswer& answer) {
    Check(token, tool);
    Answer(answer);
    return Check(token, tool);
  }
  FakeAnswer Active(const idp::json& members = idp::json::object()) const {
    idp::json body = Claims();
    body["active"] = true;
    body.update(members);
    return {.body = body.dump()};
  }
  FakeAnswer Without(const char* member) const {
    idp::json body = idp::json::parse(Active().body);
    body.erase(member);
    return {.body = body.dump()};
  }
  // BreakEndpoint fails so often that the engine stops asking.
  void BreakEndpoint() {
    for (int i = 0; i < 5; ++i) Ask("broken." + std::to_string(i), "read", kServerError);
  }
};

}  // namespace tollgate
