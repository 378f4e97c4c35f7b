#include "tollgate/engine.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <mutex>
#include <optional>
#include <span>
#include <utility>

#include "audit/chain.h"
#include "base/tenants.h"
#include "crypto/digest.h"
#include "introspection/client.h"
#include "keys/issuer_family.h"
#include "keys/snapshot_keeper.h"
#include "pipeline/background.h"
#include "pipeline/config_check.h"
#include "pipeline/context.h"
#include "pipeline/decide.h"
#include "pipeline/introspect.h"
#include "pipeline/record.h"
#include "pipeline/waiting.h"
#include "transport/curl_transport.h"

namespace tollgate {

class Engine::Impl {
 public:
  Impl(const Config& config, const Clock& clock_in, std::unique_ptr<Transport> transport_in)
      : context(keys::KeyStore::PositionsMax(config)),
        resources(config.resources),
        dangerous(config.dangerous),
        timing(config.timing),
        shared(config.snapshot.shared),
        all_must_introspect(pipeline::DemandsIntrospection(config.policy)),
        clock(clock_in),
        transport(std::move(transport_in)),
        background(context, *transport, clock) {}

  bool HasIssuer(std::string_view issuer) {
    const sync::ReadScope scope(context.blocks);
    return context.keys->FindIssuer(scope, issuer).has_value();
  }

  // With the lock: a change of the policy may demand more of an issuer.
  absl::Status CheckIssuer(const IssuerConfig& issuer) const {
    if (shared && issuer.introspection.discovery)
      return absl::InvalidArgumentError("introspection.discovery: is not for a shared snapshot");
    return pipeline::CheckIssuer(issuer, dangerous, resources, all_must_introspect);
  }

  absl::Status SetPolicy(const Policy& policy);
  // What keeps a policy from being in force, with the lock.
  absl::Status CheckLaterPolicy(const Policy& policy) const;
  void SetShadow(std::unique_ptr<const pipeline::Shadow> shadow);
  ShadowReport CountShadow() const;

  void Put(const IssuerConfig& config, std::string_view tenant, uint32_t position);
  void PutAll(const Config& config);
  void Drop(uint32_t position);
  // Adds what the other rooms know of the tokens of one position.
  void AddHealth(uint32_t position, int64_t now_ms, IssuerHealth* health) const;
  // What the context has of the issuers, and how much it has set aside for each that there may be.
  size_t IssuerBytes() const;

  pipeline::Context context;
  // For issuers that come later.
  const std::vector<ResourceConfig> resources;
  const DangerousOptions dangerous;
  const Timing timing;
  const bool shared;                                              // The snapshot is.
  std::shared_ptr<const std::vector<std::string>> policy_claims;  // Context::policy_claims, for issuers.
  // Held while issuers or the policy change, and what one demands of the other is looked at.
  std::mutex changes;
  bool all_must_introspect;
  bool has_shadow = false;
  ShadowReport before_shadow;  // The counters when it was set.
  std::atomic<size_t> rules_bytes{0};
  std::unique_ptr<keys::SnapshotKeeper> snapshot;  // Null: none is configured.
  const Clock& clock;
  const std::unique_ptr<Transport> transport;
  pipeline::Background background;  // Last: its thread uses all of the above.
};

namespace {

uint64_t JitterSeed(uint64_t configured) {
  if (configured != 0) return configured;
  std::array<uint8_t, 8> bytes;
  crypto::RandomBytes(bytes);
  uint64_t seed;
  std::memcpy(&seed, bytes.data(), sizeof seed);
  return seed;
}

pipeline::IssuerRules RulesOf(const IssuerConfig& issuer, std::string_view tenant,
                              const std::shared_ptr<const std::vector<std::string>>& policy_claims) {
  pipeline::IssuerRules rules{
      .expectations = {.profile = issuer.profile,
                       .issuer = issuer.issuer,
                       .tenant = std::string(tenant),
                       .leeway_s = issuer.leeway_s,
                       .token_age_max_s = issuer.token_age_max_s,
                       .token_lifetime_max_s = issuer.token_lifetime_max_s,
                       .policy_claims = policy_claims},
      .algorithms = issuer.algorithms,
      .answers_are_signed = issuer.introspection.signed_response,
      .answers_are_for_us = issuer.introspection.introspection_scoped_to_us,
      .scope_wildcards = issuer.scope_wildcards,
  };
  if (introspection::IsAsked(issuer.introspection)) {
    rules.answers =
        std::make_shared<const claims::Expectations>(claims::ExpectationsOfAnswers(rules.expectations));
  }
  return rules;
}

// `configured_as`: the issuer's name, or the template's that it is a tenant of.
pipeline::IssuerGate GateOf(const IssuerConfig& issuer, std::string_view configured_as,
                            std::span<const ResourceConfig> resources) {
  pipeline::IssuerGate gate{.audience_is_client_id = issuer.profile.audience_claim != "aud"};
  for (size_t r = 0; r < resources.size(); ++r) {
    const std::vector<std::string>& accepted = resources[r].issuers;
    const bool listed = std::any_of(accepted.begin(), accepted.end(), [&](const std::string& name) {
      return name == issuer.issuer || name == configured_as;
    });
    if (accepted.empty() || listed) {
      gate.resources |= uint64_t{1} << r;
    }
  }
  return gate;
}

// RulesBytes is how much memory an issuer's rules and name take. An estimate.
size_t RulesBytes(const pipeline::IssuerRules& rules) {
  const Profile& profile = rules.expectations.profile;
  size_t bytes = sizeof rules + 2 * rules.expectations.issuer.size();
  for (const std::vector<std::string>* texts : {&profile.types, &profile.client_claims, &profile.scope_claims,
                                                &profile.role_claims, &profile.discovery_hosts}) {
    for (const std::string& text : *texts) bytes += sizeof(std::string) + text.size();
  }
  if (rules.answers != nullptr) bytes *= 2;  // These are nearly the same once more.
  for (const auto& [claim, value] : profile.must_equal)
    bytes += 2 * sizeof(std::string) + claim.size() + value.size();
  return bytes;
}

void MakeAuditLog(const AuditConfig& config, pipeline::Context* context) {
  std::array<uint8_t, 16> chain_id;
  crypto::RandomBytes(chain_id);
  context->audit = std::make_unique<audit::Log>(config, chain_id);
  // Without a key, records of this process alone are told to be of one token.
  context->audit_id_key.assign(config.key.begin(), config.key.end());
  if (config.key.empty()) {
    context->audit_id_key.resize(32);
    crypto::RandomBytes(context->audit_id_key);
  }
}

void FillContext(const Config& config, pipeline::Context* context) {
  context->verdict_age_max_ms = std::min(config.timing.verdict_age_max_ms, verdicts::VerdictCache::kAgeMaxMs);
  context->active_age_max_ms = config.timing.active_age_max_ms;
  context->num_resources = static_cast<uint32_t>(config.resources.size());
  for (size_t r = 0; r < config.resources.size(); ++r) {
    const ResourceConfig& resource = config.resources[r];
    context->resource_uris.push_back(resource.uri);
    context->resources_by_audience[resource.uri] |= uint64_t{1} << r;
    for (const std::string& audience : resource.audiences) {
      context->resources_by_audience[audience] |= uint64_t{1} << r;
    }
    context->opaque_issuers.push_back(resource.opaque_token_issuer);
  }
  auto policy = std::make_unique<policy::LivePolicy>(config.policy, context->resource_uris);
  policy->first_epoch = context->revocations.epoch();
  context->policy_claims = pipeline::PolicyClaims(config);
  context->policy.Replace(std::move(policy), context->blocks);
  if (config.audit.sink != nullptr) MakeAuditLog(config.audit, context);
  context->cache =
      std::make_unique<verdicts::VerdictCache>(config.verdict_cache_bytes, keys::NumIssuers(config),
                                               crypto::TagKey::BestVariant(), context->audit != nullptr);
  context->admission = std::make_unique<pipeline::Admission>(
      config.verification_limits, context->issuers.size(), pipeline::NumProcessors());
}

// WithoutKeys is what a template's tenants have in common, to be copied for each of them.
IssuerConfig WithoutKeys(IssuerConfig config) {
  config.tenants.clear();
  config.jwks.clear();
  return config;
}

absl::Status UnknownIssuer() { return absl::InvalidArgumentError("the issuer is not configured"); }

}  // namespace

// Put fills in what the context has of an issuer, while nobody looks at its position. `tenant`: of a template
// that `config` is; else empty.
void Engine::Impl::Put(const IssuerConfig& config, std::string_view tenant, uint32_t position) {
  std::optional<IssuerConfig> of_tenant;
  if (!tenant.empty()) {
    of_tenant = config;
    of_tenant->issuer = ForTenant(config.issuer, tenant);
    of_tenant->introspection.endpoint = ForTenant(config.introspection.endpoint, tenant);
  }
  const IssuerConfig& issuer = of_tenant ? *of_tenant : config;
  context.issuers[position] =
      std::make_unique<const pipeline::IssuerRules>(RulesOf(issuer, tenant, policy_claims));
  context.gates[position] = GateOf(issuer, config.issuer, resources);
  context.issuer_names.Set(position, issuer.issuer);
  context.admission->Forget(position);
  context.introspector->SetIssuer(position, &issuer);
  // Ordering: relaxed, here and in the others; a statistic.
  rules_bytes.fetch_add(RulesBytes(*context.issuers[position]), std::memory_order_relaxed);
}

// PutAll is Put of all that Create begins with: see keys::KeyStore for their positions.
void Engine::Impl::PutAll(const Config& config) {
  auto next = static_cast<uint32_t>(config.issuers.size());
  for (uint32_t position = 0; position < config.issuers.size(); ++position) {
    const IssuerConfig& issuer = config.issuers[position];
    if (issuer.tenants.empty()) {
      Put(issuer, "", position);
      continue;
    }
    const IssuerConfig common = WithoutKeys(issuer);
    for (const std::string& tenant : issuer.tenants) Put(common, tenant, next++);
  }
}

void Engine::Impl::Drop(uint32_t position) {
  // Ordering: relaxed; see Put.
  rules_bytes.fetch_sub(RulesBytes(*context.issuers[position]), std::memory_order_relaxed);
  context.issuers[position].reset();
  context.introspector->SetIssuer(position, nullptr);
  context.issuer_names.Set(position, "");
}

void Engine::Impl::AddHealth(uint32_t position, int64_t now_ms, IssuerHealth* health) const {
  IssuerHealth asked;
  context.introspector->FillHealth(position, now_ms, &asked);
  health->verifications_refused += context.admission->num_refused(position);
  health->verifications_refused_for_ms =
      std::max(health->verifications_refused_for_ms, context.admission->WaitMs(position, now_ms));
  health->introspections += asked.introspections;
  health->introspection_failures += asked.introspection_failures;
  health->introspections_refused += asked.introspections_refused;
  health->introspections_in_flight += asked.introspections_in_flight;
  health->introspection_paused_for_ms =
      std::max(health->introspection_paused_for_ms, asked.introspection_paused_for_ms);
  health->introspection_endpoint_known |= asked.introspection_endpoint_known;
  if (!asked.last_introspection_error.empty())
    health->last_introspection_error = std::move(asked.last_introspection_error);
}

size_t Engine::Impl::IssuerBytes() const {
  constexpr size_t kForEach = sizeof(context.issuers[0]) + sizeof(context.gates[0]) +
                              pipeline::IssuerNames::kBytesEach + pipeline::Waiters::kBytesEach +
                              pipeline::Admission::kBytesEach;
  // Ordering: relaxed; see Put.
  return context.issuers.size() * kForEach + rules_bytes.load(std::memory_order_relaxed);
}

absl::Status Engine::Impl::CheckLaterPolicy(const Policy& policy) const {
  if (absl::Status status =
          pipeline::CheckPolicy(policy, context.resource_uris, timing, context.audit != nullptr);
      !status.ok())
    return status;
  if (absl::Status status = pipeline::CheckPolicyClaims(policy, context.policy_claims); !status.ok())
    return status;
  const bool must_introspect = pipeline::DemandsIntrospection(policy);
  for (uint32_t position = 0; must_introspect && position < context.issuers.size(); ++position) {
    const auto& rules = context.issuers[position];
    if (rules != nullptr && rules->answers == nullptr)
      return absl::InvalidArgumentError("policy: a class demands introspection, and the issuer \"" +
                                        rules->expectations.issuer + "\" has no endpoint for it");
  }
  return absl::OkStatus();
}

absl::Status Engine::Impl::SetPolicy(const Policy& policy) {
  const std::lock_guard lock(changes);
  if (absl::Status status = CheckLaterPolicy(policy); !status.ok()) return status;
  auto next_policy = std::make_unique<policy::LivePolicy>(policy, context.resource_uris);
  std::unique_ptr<const policy::LivePolicy> old;
  context.revocations.RaiseEpoch([&](uint64_t next_epoch) {
    next_policy->first_epoch = next_epoch;
    old = context.policy.Exchange(std::move(next_policy));
  });
  all_must_introspect = pipeline::DemandsIntrospection(policy);
  // Without an answer about readers, a leak is the only safe end.
  if (!context.blocks.WaitForReaders()) static_cast<void>(old.release());
  return absl::OkStatus();
}

void Engine::Impl::SetShadow(std::unique_ptr<const pipeline::Shadow> shadow) {
  const std::lock_guard lock(changes);
  has_shadow = shadow != nullptr;
  context.shadow.Replace(std::move(shadow), context.blocks);
  before_shadow = CountShadow();
}

ShadowReport Engine::Impl::CountShadow() const {
  ShadowReport counts;
  counts.compared = context.blocks.Sum(pipeline::kShadowCompared);
  counts.would_allow = context.blocks.Sum(pipeline::kShadowWouldAllow);
  counts.would_deny = context.blocks.Sum(pipeline::kShadowWouldDeny);
  counts.would_deny_otherwise = context.blocks.Sum(pipeline::kShadowWouldDenyOtherwise);
  return counts;
}

absl::StatusOr<std::unique_ptr<Engine>> Engine::Create(const Config& config, Environment environment) {
  if (absl::Status status = pipeline::CheckConfig(config); !status.ok()) return status;
  if (environment.transport == nullptr) {
    absl::StatusOr<std::unique_ptr<Transport>> transport = transport::MakeCurlTransport(
        {.ca_file = environment.ca_file,
         .allow_http_on_loopback = config.dangerous.dangerous_allow_http_on_loopback});
    if (!transport.ok()) return transport.status();
    environment.transport = *std::move(transport);
  }
  const Clock& clock = environment.clock == nullptr ? SystemClock() : *environment.clock;
  auto impl = std::make_unique<Impl>(config, clock, std::move(environment.transport));
  pipeline::Context& context = impl->context;
  FillContext(config, &context);
  if (!context.policy_claims.empty())
    impl->policy_claims = std::make_shared<const std::vector<std::string>>(context.policy_claims);
  const uint64_t seed = JitterSeed(environment.jitter_seed);
  context.introspector = std::make_unique<introspection::Introspector>(
      config, seed + 1, [&context](uint32_t channel) { context.answers.Settle(channel); });
  context.introspector->SetWaker([&background = impl->background] { background.Wake(); });
  FileSystem& files = environment.files == nullptr ? SystemFiles() : *environment.files;
  impl->PutAll(config);
  absl::StatusOr<std::unique_ptr<keys::KeyStore>> keys = keys::KeyStore::Create(
      config, seed, context.blocks, [&context](uint32_t issuer) { context.waiters.Settle(issuer); },
      {.files = &files, .clock = &clock});
  if (!keys.ok()) return keys.status();
  context.keys = *std::move(keys);
  context.keys->SetWaker([&background = impl->background] { background.Wake(); });
  context.keys->SetOnMetadata([&context](uint32_t issuer, const absl::StatusOr<std::string>& endpoint) {
    context.introspector->SetEndpoint(issuer, endpoint);
  });
  context.introspector->SetVerifier([&context](std::string_view issuer, const jose::ParsedJws& answer,
                                               Now now, std::optional<jose::VerifiedJws>* verified) {
    return pipeline::VerifyAnswer(context, issuer, answer, now, verified);
  });
  if (!config.snapshot.path.empty()) {
    impl->snapshot = std::make_unique<keys::SnapshotKeeper>(config.snapshot, files, clock);
    context.keys->SetOnWanted(std::move(environment.on_wanted));
    context.keys->UseSnapshot(*impl->snapshot);
  }
  if (environment.own_thread) impl->background.StartThread();
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() {
  if (impl_ == nullptr) return;
  impl_->background.StopThread();
  // While all that they could touch is still there.
  impl_->context.waiters.Clear();
  impl_->context.answers.Clear();
  if (impl_->context.audit != nullptr) impl_->context.audit->Close(impl_->clock.Read());
}

void Engine::Check(const Request& request, Decision* decision, Principal* principal) noexcept {
  pipeline::Decide(impl_->context, request, impl_->clock, pipeline::Recorded::kAll, decision, principal);
}

bool Engine::MayUse(const Request& request) noexcept {
  Decision decision;
  pipeline::Decide(impl_->context, request, impl_->clock, pipeline::Recorded::kNone, &decision, nullptr);
  return decision.allowed();
}

void Engine::CheckBatch(std::span<const Request> requests, std::span<Decision> decisions) noexcept {
  pipeline::DecideBatch(impl_->context, requests, impl_->clock, decisions);
}

void Engine::CheckWithin(std::chrono::milliseconds wait_max, const Request& request, Decision* decision,
                         Principal* principal) {
  pipeline::Context& context = impl_->context;
  const auto check = [&] {
    pipeline::Decide(context, request, impl_->clock, pipeline::Recorded::kAnswers, decision, principal);
    return pipeline::WhatFor(context, *decision);
  };
  pipeline::WaitFor wait = check();
  const auto deadline =
      std::chrono::steady_clock::now() +
      std::clamp<std::chrono::milliseconds>(wait_max, std::chrono::milliseconds(0), std::chrono::hours(24));
  while (wait.waiters != nullptr && wait.waiters->WaitPast(wait.who, wait.ticket, deadline)) wait = check();
  if (decision->verdict == Verdict::kUnavailable)
    pipeline::RecordGivenUp(context, request, impl_->clock, *decision);
}

bool Engine::NotifyWhenSettled(const Decision& unavailable, std::function<void()> callback) {
  const pipeline::WaitFor wait = pipeline::WhatFor(impl_->context, unavailable);
  if (wait.waiters == nullptr) return false;
  bool wake = false;
  if (!wait.waiters->Add(wait.who, wait.ticket, INT64_MAX, std::move(callback), &wake)) return false;
  if (wake) impl_->background.Wake();
  return true;
}

void Engine::CheckAsync(std::chrono::milliseconds wait_max, const Request& request,
                        std::function<void(const Decision&, const Principal&)> done) {
  pipeline::CheckAsync(impl_->context, impl_->clock, impl_->background, wait_max, request, std::move(done));
}

std::optional<ResourceId> Engine::FindResource(std::string_view uri) const {
  const std::vector<std::string>& uris = impl_->context.resource_uris;
  const auto found = std::find(uris.begin(), uris.end(), uri);
  if (found == uris.end()) return std::nullopt;
  return static_cast<ResourceId>(found - uris.begin());
}

namespace {

// OfTool returns a text that the policy has of what `request` wants to use.
std::string OfTool(pipeline::Context& context, const Request& request,
                   std::string_view (policy::CompiledPolicy::*text)(const policy::CompiledTool&) const) {
  const auto resource = static_cast<size_t>(request.resource);
  if (resource >= context.resource_uris.size()) return {};
  const sync::ReadScope scope(context.blocks);
  const policy::CompiledPolicy& policy = context.policy.Load(scope)->compiled;
  const policy::CompiledTool* const tool = policy.FindTool(resource, request.object, request.tool);
  return tool == nullptr ? std::string() : std::string((policy.*text)(*tool));
}

}  // namespace

std::string Engine::ScopesFor(const Request& request) const {
  return OfTool(impl_->context, request, &policy::CompiledPolicy::ScopesOf);
}

std::string Engine::AcrValuesFor(const Request& request) const {
  return OfTool(impl_->context, request, &policy::CompiledPolicy::AcrOf);
}

std::string Engine::AuditIdOf(std::string_view token) const {
  if (impl_->context.audit == nullptr || token.empty()) return {};
  return audit::Hex(pipeline::AuditIdOf(impl_->context, token));
}

std::string Engine::AuditError() const {
  return impl_->context.audit == nullptr ? std::string() : impl_->context.audit->Counters().sink_error;
}

absl::Status Engine::SetPolicy(const Policy& policy) { return impl_->SetPolicy(policy); }

absl::Status Engine::SetShadowPolicy(const Policy& policy) {
  {
    const std::lock_guard lock(impl_->changes);
    if (absl::Status status = impl_->CheckLaterPolicy(policy); !status.ok()) return status;
  }
  impl_->SetShadow(std::make_unique<const pipeline::Shadow>(policy, impl_->context.resource_uris));
  return absl::OkStatus();
}

void Engine::EndShadowPolicy() { impl_->SetShadow(nullptr); }

ShadowReport Engine::ReadShadow() const {
  const std::lock_guard lock(impl_->changes);
  if (!impl_->has_shadow) return {};
  ShadowReport report = impl_->CountShadow();
  const ShadowReport& before = impl_->before_shadow;
  report.compared -= before.compared;
  report.would_allow -= before.would_allow;
  report.would_deny -= before.would_deny;
  report.would_deny_otherwise -= before.would_deny_otherwise;
  const sync::ReadScope scope(impl_->context.blocks);
  report.differences = impl_->context.shadow.Load(scope)->Differences();
  return report;
}

absl::Status Engine::AddIssuer(const IssuerConfig& issuer) {
  const std::lock_guard lock(impl_->changes);
  if (absl::Status status = impl_->CheckIssuer(issuer); !status.ok()) return status;
  const IssuerConfig common = WithoutKeys(issuer);
  absl::Status status = impl_->context.keys->AddIssuer(
      issuer, [&](uint32_t position, std::string_view tenant) { impl_->Put(common, tenant, position); });
  if (impl_->context.keys->num_issuers() > 1) impl_->context.cache->HasSeveralIssuers();
  return status;
}

absl::Status Engine::ChangeIssuer(const IssuerConfig& issuer) {
  const std::lock_guard lock(impl_->changes);
  if (absl::Status status = impl_->CheckIssuer(issuer); !status.ok()) return status;
  const IssuerConfig common = WithoutKeys(issuer);
  return impl_->context.keys->ChangeIssuer(
      issuer, [&](uint32_t position, std::string_view tenant) { impl_->Put(common, tenant, position); },
      [&](uint32_t position) { impl_->Drop(position); });
}

absl::Status Engine::RemoveIssuer(std::string_view issuer) {
  const std::lock_guard lock(impl_->changes);
  return impl_->context.keys->RemoveIssuer(issuer, [&](uint32_t position) { impl_->Drop(position); });
}

absl::Status Engine::Refresh(std::string_view issuer) {
  return impl_->context.keys->Refresh(issuer) ? absl::OkStatus() : UnknownIssuer();
}

void Engine::StepDown() { impl_->context.keys->StepDown(); }

absl::Status Engine::RevokeKey(std::string_view issuer, std::string_view thumbprint_or_kid,
                               int64_t until_wall_s) {
  if (!impl_->HasIssuer(issuer)) return UnknownIssuer();
  return impl_->context.revocations.RevokeKey(issuer, thumbprint_or_kid, until_wall_s,
                                              impl_->clock.Read().wall_s);
}

absl::Status Engine::RevokeSubject(std::string_view issuer, std::string_view subject, int64_t until_wall_s) {
  if (!impl_->HasIssuer(issuer)) return UnknownIssuer();
  return impl_->context.revocations.RevokeSubject(issuer, subject, until_wall_s, impl_->clock.Read().wall_s);
}

absl::Status Engine::RevokeToken(std::string_view issuer, std::string_view jwt_id, int64_t until_wall_s) {
  if (!impl_->HasIssuer(issuer)) return UnknownIssuer();
  return impl_->context.revocations.RevokeToken(issuer, jwt_id, until_wall_s, impl_->clock.Read().wall_s);
}

Metrics Engine::ReadMetrics() const {
  const keys::KeyStore::Memory memory = impl_->context.keys->ReadMemory();
  const std::array<size_t, 4> states = impl_->context.keys->CountByFreshness(impl_->clock.Read().mono_ms);
  const auto in_state = [&states](Freshness freshness) { return states[static_cast<size_t>(freshness)]; };
  const auto sum = [this](pipeline::Counter counter) { return impl_->context.blocks.Sum(counter); };
  const uint64_t allowed_hits = sum(pipeline::kAllowedHits);
  const uint64_t allowed = allowed_hits + sum(pipeline::kAllowed), denied = sum(pipeline::kDenied),
                 unavailable = sum(pipeline::kUnavailable);
  const AuditCounters audit =
      impl_->context.audit == nullptr ? AuditCounters{} : impl_->context.audit->Counters();
  return {.checks = allowed + denied + unavailable,
          .allowed = allowed,
          .denied = denied,
          .unavailable = unavailable,
          .cache_hits = allowed_hits + sum(pipeline::kCacheHits),
          .signature_verifications = sum(pipeline::kVerifications),
          .verifications_in_vain = sum(pipeline::kVerificationsInVain),
          .refused_in_flight = sum(pipeline::kRefusedInFlight),
          .refused_in_vain = sum(pipeline::kRefusedInVain),
          .cache_inserts = sum(pipeline::kInserts),
          .cache_evictions = sum(pipeline::kEvictions),
          .not_cached_too_long = sum(pipeline::kNotCachedTooLong),
          .not_cached_over_share = sum(pipeline::kNotCachedOverShare),
          .grant_sets_full = sum(pipeline::kGrantSetsFull),
          .rechecks = sum(pipeline::kRechecks),
          .introspection_fallbacks = sum(pipeline::kIntrospectionFallbacks),
          .audit_written = audit.written,
          .audit_lost = audit.lost,
          .audit_sampled_out = audit.sampled_out,
          .audit_sink_failures = audit.sink_failures,
          .issuers = memory.num_issuers,
          .issuers_max = impl_->context.issuers.size() - keys::IssuerTable::kSpare,
          .issuers_fresh = in_state(Freshness::kFresh),
          .issuers_stale = in_state(Freshness::kStale),
          .issuers_degraded = in_state(Freshness::kDegraded),
          .issuers_unavailable = in_state(Freshness::kUnavailable),
          .issuer_keys = memory.num_keys,
          .issuer_bytes = memory.bytes + impl_->IssuerBytes()};
}

std::vector<IssuerHealth> Engine::ReadHealth() const {
  const int64_t now_ms = impl_->clock.Read().mono_ms;
  std::vector<IssuerHealth> health = impl_->context.keys->Health(now_ms);
  for (IssuerHealth& issuer : health) {
    if (issuer.num_tenants == 0) impl_->AddHealth(issuer.position, now_ms, &issuer);
    for (const uint32_t tenant : issuer.tenant_positions) impl_->AddHealth(tenant, now_ms, &issuer);
  }
  return health;
}

SnapshotHealth Engine::ReadSnapshotHealth() const {
  if (impl_->snapshot == nullptr) return {};
  return impl_->snapshot->Health(impl_->clock.Read().mono_ms);
}

std::chrono::milliseconds Engine::RunBackground(std::chrono::milliseconds wait_max) {
  return impl_->background.RunOnce(wait_max);
}

}  // namespace tollgate
