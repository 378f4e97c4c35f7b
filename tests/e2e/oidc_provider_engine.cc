// An engine that knows its issuer by name alone. It is told by lines on standard input to check the tokens of
// a directory, and answers in one line each: "N allowed, N verified, FRESHNESS". The orders `fresh` and
// `degraded` wait, up to a minute, until the issuer's keys are in that state.
// The order `opaque` is about the tokens of another directory, about which the issuer is asked (RFC 7662)
// where its metadata says, signed answers alone (RFC 9701) being taken, and is answered "N allowed, N
// inactive".
//
//   oidc_provider_engine ISSUER TOKEN_DIR OPAQUE_TOKEN_DIR

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "tollgate/engine.h"

namespace {

using namespace tollgate;

std::vector<std::string> ReadTokens(const std::string& directory) {
  std::vector<std::string> tokens;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    std::ifstream file(entry.path());
    for (std::string token; std::getline(file, token);) tokens.push_back("Bearer " + token);
  }
  return tokens;
}

Config MakeConfig(const std::string& issuer) {
  PolicyBuilder policy;
  policy.AddRule({.name = "call", .scopes = {"tools:call"}});
  Config config;
  config.issuers.push_back({.issuer = issuer, .discovery = true});
  // The provider writes no audience for tokens that name no resource.
  config.issuers[0].introspection = {.discovery = true,
                                     .client_id = "resource-server",
                                     .client_secret = "resource-server-secret",
                                     .signed_response = true,
                                     .introspection_scoped_to_us = true};
  config.resources.push_back({.uri = "https://mcp.example/mcp", .opaque_token_issuer = issuer});
  config.policy = *policy.Build();
  // An hour is six seconds; the verdicts of these tokens outlive the test.
  config.timing = Timing{}.Scaled(1.0 / 600);
  config.timing.fetch_timeout_ms = 2000;
  config.timing.staleness_bound_ms = 300'000;
  config.timing.verdict_age_max_ms = 300'000;
  config.timing.introspection_timeout_ms = 2000;
  config.timing.active_age_max_ms = 2000;
  config.dangerous.dangerous_allow_http_on_loopback = true;
  return config;
}

// Await returns once the keys are in this state, or after a minute.
void Await(const Engine& engine, const std::string& state) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (FreshnessName(engine.ReadHealth()[0].freshness) != state &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // A real server is waited for.
  }
}

// CheckOpaque checks each token until the provider has answered about it since this call began: what has been
// revoked by then is seen. For a minute at most.
std::string CheckOpaque(Engine& engine, const std::vector<std::string>& tokens) {
  using std::chrono::milliseconds;
  const auto begin = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::steady_clock::now() - begin; };
  int allowed = 0, inactive = 0;
  for (const std::string& token : tokens) {
    Decision decision;
    bool answered = false;
    while (!answered && elapsed() < std::chrono::minutes(1)) {
      engine.CheckWithin(std::chrono::seconds(5), {.authorization = token, .tool = "call"}, &decision);
      answered = decision.verdict == Verdict::kDeny ||
                 (decision.allowed() && milliseconds(decision.introspection_age_ms) < elapsed());
      // A real server is waited for, until its last answer counts no more.
      if (!answered) std::this_thread::sleep_for(milliseconds(20));
    }
    allowed += answered && decision.allowed() && decision.introspected;
    inactive += answered && decision.reason == Reason::kTokenInactive;
  }
  return std::to_string(allowed) + " allowed, " + std::to_string(inactive) + " inactive";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  auto engine = Engine::Create(MakeConfig(argv[1]));
  if (!engine.ok()) {
    std::cout << engine.status().message() << '\n';
    return 1;
  }
  const std::vector<std::string> tokens = ReadTokens(argv[2]), opaque = ReadTokens(argv[3]);
  for (std::string order; std::getline(std::cin, order) && order != "quit";) {
    if (order == "opaque") {
      std::cout << CheckOpaque(**engine, opaque) << std::endl;
      continue;
    }
    if (order == "fresh" || order == "degraded") Await(**engine, order);
    const uint64_t before = (*engine)->ReadMetrics().signature_verifications;
    int allowed = 0;
    Freshness freshness = Freshness::kUnavailable;
    for (const std::string& token : tokens) {
      Decision decision;
      (*engine)->CheckWithin(std::chrono::seconds(20), {.authorization = token, .tool = "call"}, &decision);
      allowed += decision.allowed();
      freshness = decision.freshness;
    }
    // A refresh that is due or under way is as good as fresh here.
    if (freshness == Freshness::kStale) freshness = Freshness::kFresh;
    std::cout << allowed << " allowed, " << (*engine)->ReadMetrics().signature_verifications - before
              << " verified, " << FreshnessName(freshness) << std::endl;
  }
  return 0;
}
