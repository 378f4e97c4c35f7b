#include "tests/scaling/world.h"

#include <algorithm>
#include <array>
#include <utility>

namespace tollgate::scaling {
namespace {

const idp::SigningKey& KeyOf(size_t issuer) { return idp::TestKey("ES256", static_cast<int>(issuer)); }

std::string JwksUri(size_t issuer) { return World::IssuerName(issuer) + "/jwks"; }

// Ask asks for all of the session and returns how many were not allowed from the cache.
size_t Ask(Engine& engine, const Session& session, Form form, Beside beside) {
  constexpr size_t kBatch = 32;
  // What a server has on its stack.
  std::array<Decision, kBatch> decisions;
  Principal principal;
  size_t misses = 0;
  const std::span<const Request> all = session.requests;
  const size_t at_once = form == Form::kCheckBatch ? kBatch : 1;
  EndHits(0);
  for (size_t begin = 0; begin < all.size(); begin += at_once) {
    const std::span<const Request> requests = all.subspan(begin, std::min(at_once, all.size() - begin));
    if (form == Form::kCheckBatch) {
      engine.CheckBatch(requests, decisions);
    } else if (form == Form::kCheckWithPrincipal) {
      engine.Check(requests[0], decisions.data(), &principal);
    } else {
      engine.Check(requests[0], decisions.data());
    }
    for (const Decision& decision : std::span(decisions).first(requests.size())) {
      const bool hit = decision.allowed() && decision.from_cache &&
                       (form != Form::kCheckWithPrincipal || principal.subject().starts_with("user-"));
      misses += hit ? 0 : 1;
      beside();
    }
    EndHits(static_cast<uint32_t>(requests.size()));
  }
  return misses;
}

}  // namespace

World::World(const Options& options) : num_issuers_(options.num_issuers), crew_(options.num_threads) {
  Config config;
  auto network = std::make_unique<testing::FakeTransport>();
  network_ = network.get();
  for (size_t i = 0; i < num_issuers_; ++i) {
    IssuerConfig issuer;
    issuer.issuer = IssuerName(i);
    (options.fetched ? issuer.jwks_uri : issuer.jwks) =
        options.fetched ? JwksUri(i) : idp::Jwks({&KeyOf(i)}).dump();
    SetKeys(i, 0);
    config.issuers.push_back(std::move(issuer));
  }
  config.resources.push_back({.uri = kResource});
  config.policy = TestPolicy();
  config.timing.verdict_age_max_ms = options.verdict_age_max_s * 1000;
  config.verdict_cache_bytes = options.cache_bytes;
  Environment environment;
  environment.clock = &clock_;
  environment.own_thread = false;
  environment.jitter_seed = 7;
  environment.transport = std::move(network);
  absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Create(config, std::move(environment));
  EXPECT_TRUE(engine.ok()) << engine.status();
  engine_ = *std::move(engine);
  RunDue();
  while (authorizations_.size() < options.num_tokens) {
    authorizations_.push_back(NewAuthorization());
    See(authorizations_.back());
  }
}

std::string World::NewAuthorization() {
  const size_t number = num_minted_++, issuer = number % num_issuers_;
  const int64_t now_s = clock_.now.wall_s;
  const idp::json claims =
      idp::AccessTokenClaims(IssuerName(issuer), kResource, "user-" + std::to_string(number), "agent-1",
                             number % 3 == 0 ? "files:read files:list" : "files:read", now_s, now_s + 80'000);
  return "Bearer " + idp::MintToSize(KeyOf(issuer), claims, 800);
}

void World::See(const std::string& authorization) {
  Decision decision;
  engine_->Check({.authorization = authorization, .tool = "search"}, &decision);
  EXPECT_TRUE(decision.allowed()) << ReasonName(decision.reason);
}

Session World::SessionOf(size_t first, size_t count, size_t rounds, size_t start) const {
  Session session;
  for (size_t i = 0; i < count; ++i) session.authorizations.push_back(authorizations_[first + i]);
  for (size_t i = 0; i < count * rounds; ++i) {
    session.requests.push_back(
        {.authorization = session.authorizations[(start + i) % count], .tool = "search"});
  }
  return session;
}

std::vector<std::vector<Access>> World::RecordAll(std::span<const Session> sessions, Form form,
                                                  size_t* misses, Beside beside) {
  std::vector<std::vector<Access>> traces(sessions.size());
  for (size_t i = 0; i < sessions.size(); ++i) {
    crew_.On(i, [&] {
      size_t missed = 0;
      traces[i] = Record([&] { missed = Ask(*engine_, sessions[i], form, beside); });
      *misses += missed;
    });
  }
  return traces;
}

void World::SetKeys(size_t issuer, size_t generation) {
  std::vector<const idp::SigningKey*> keys = {&KeyOf(issuer)};
  if (generation != 0) keys.push_back(&idp::TestKey("EdDSA", static_cast<int>(generation % 8)));
  network_->SetAnswer(JwksUri(issuer), {{.body = idp::Jwks(keys).dump(), .max_age_s = 300}});
}

std::vector<Trace> Views(const std::vector<std::vector<Access>>& traces, size_t count) {
  return {traces.begin(), traces.begin() + static_cast<std::ptrdiff_t>(count)};
}

}  // namespace tollgate::scaling
