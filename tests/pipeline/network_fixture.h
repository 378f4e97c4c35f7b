#pragma once

// What tests of an engine that fetches need: a network that answers when it is told to.

#include <chrono>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>

#include "tests/keys/fake_transport.h"
#include "tests/pipeline/engine_fixture.h"

namespace tollgate {

using ::tollgate::testing::FakeAnswer;
using ::tollgate::testing::FakeTransport;

constexpr char kJwksUri[] = "https://idp.example/jwks";
inline const FakeAnswer kServerError{.http_status = 500};
inline const FakeAnswer kRefused{.outcome = FetchOutcome::kUnreachable};

inline FakeAnswer Keys(std::initializer_list<const idp::SigningKey*> keys) {
  return {.body = idp::Jwks(keys).dump()};
}

// FetchingConfig is TestConfig with keys from kJwksUri.
inline Config FetchingConfig() {
  Config config = TestConfig("");
  config.issuers[0].jwks_uri = kJwksUri;
  return config;
}

// NetworkTest is an EngineTest whose engine reaches nothing but `network_`, where nobody answers yet.
class NetworkTest : public EngineTest {
 protected:
  void Start(const Config& config, FileSystem* files = nullptr) {
    auto network = std::make_unique<FakeTransport>();
    network_ = network.get();
    Restart(config, std::move(network), files);
  }

  void Run(int turns = 1) {
    for (int turn = 0; turn < turns; ++turn) engine_->RunBackground(std::chrono::milliseconds(0));
  }

  // Refusal says why there can be no engine with this configuration, "" if there can.
  std::string Refusal(const Config& config) const {
    const auto engine = Engine::Create(config, TestEnvironment(&clock_, std::make_unique<FakeTransport>()));
    return engine.ok() ? std::string() : std::string(engine.status().message());
  }

  FakeTransport* network_ = nullptr;
};

}  // namespace tollgate
