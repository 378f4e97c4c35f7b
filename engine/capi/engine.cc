#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "capi/convert.h"
#include "capi/handles.h"
#include "capi/health.h"
#include "policy/c_policy.h"
#include "tollgate/version.h"

namespace tollgate::c_abi {
namespace {

class CallbackClock final : public Clock {
 public:
  CallbackClock(tollgate_read_clock read, void* user) : read_(read), user_(user) {}
  Now Read() const override {
    Now now;
    read_(user_, &now.wall_s, &now.mono_ms);
    return now;
  }

 private:
  const tollgate_read_clock read_;
  void* const user_;
};

class CallbackSink final : public AuditSink {
 public:
  CallbackSink(tollgate_audit_write write, void* user) : write_(write), user_(user) {}
  absl::Status Write(std::span<const std::string_view> lines) override {
    strings_.clear();
    for (std::string_view line : lines) strings_.push_back(CString(line));
    if (write_(user_, strings_.data(), strings_.size()) == 0) return absl::OkStatus();
    return absl::UnavailableError("the host's callback has failed");
  }

 private:
  const tollgate_audit_write write_;
  void* const user_;
  std::vector<tollgate_string> strings_;
};

absl::StatusOr<std::unique_ptr<tollgate_engine>> MakeEngine(const tollgate_config& from) {
  auto made = std::make_unique<tollgate_engine>();
  Config config = from.config;
  if (!from.audit_file.empty()) {
    config.audit.sink = AuditFileSink({.path = from.audit_file});
  } else if (from.audit_write != nullptr) {
    config.audit.sink = std::make_shared<CallbackSink>(from.audit_write, from.audit_user);
  }
  if (from.read_clock != nullptr)
    made->clock = std::make_unique<CallbackClock>(from.read_clock, from.clock_user);
  Environment environment;
  environment.clock = made->clock.get();
  environment.ca_file = from.ca_file;
  environment.own_thread = from.own_thread;
  if (from.wanted != nullptr) {
    environment.on_wanted = [wanted = from.wanted, user = from.wanted_user](std::string_view issuer) {
      wanted(user, CString(issuer));
    };
  }
  absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Create(config, std::move(environment));
  if (!engine.ok()) return engine.status();
  made->engine = *std::move(engine);
  return made;
}

// Checked reads a request, has `check` decide it and writes the decision.
template <typename Check>
tollgate_status Checked(const tollgate_engine* engine, const tollgate_request* request,
                        tollgate_decision* decision, tollgate_principal* principal, Check check) noexcept {
  Request read;
  Decision answer;  // A denial.
  const bool good = engine != nullptr && HasSize(decision) && ReadRequest(request, &read);
  if (good) {
    check(read, &answer, principal == nullptr ? nullptr : &principal->principal);
  } else if (principal != nullptr) {
    principal->principal.Clear();
  }
  const bool written = WriteStruct(CDecision(answer), decision);
  return good && written ? TOLLGATE_OK : TOLLGATE_INVALID_ARGUMENT;
}

// At returns an element of an array of which each has the size that the first one says.
template <typename Struct>
Struct* At(Struct* first, size_t index) {
  using Byte = std::conditional_t<std::is_const_v<Struct>, const char, char>;
  return reinterpret_cast<Struct*>(reinterpret_cast<Byte*>(first) + index * first->struct_size);
}

bool DecideBatch(Engine& engine, const tollgate_request* requests, tollgate_decision* decisions, size_t num) {
  constexpr size_t kChunk = 32;
  Request read[kChunk];
  Decision answers[kChunk];
  for (size_t begin = 0; begin < num; begin += kChunk) {
    const size_t size = std::min(kChunk, num - begin);
    for (size_t i = 0; i < size; ++i) {
      const tollgate_request* const request = At(requests, begin + i);
      if (request->struct_size != requests->struct_size || !ReadRequest(request, &read[i])) return false;
    }
    engine.CheckBatch({read, size}, {answers, size});
    for (size_t i = 0; i < size; ++i)
      static_cast<void>(WriteStruct(CDecision(answers[i]), At(decisions, begin + i)));
  }
  return true;
}

absl::Status Revoke(Engine& engine, uint32_t what, std::string_view issuer, std::string_view name,
                    int64_t until_wall_s) {
  switch (what) {
    case TOLLGATE_REVOKE_TOKEN:
      return engine.RevokeToken(issuer, name, until_wall_s);
    case TOLLGATE_REVOKE_SUBJECT:
      return engine.RevokeSubject(issuer, name, until_wall_s);
    case TOLLGATE_REVOKE_KEY:
      return engine.RevokeKey(issuer, name, until_wall_s);
    default:
      return Invalid("what: is out of range");
  }
}

// ReasonOf: what is beyond 16 bits is no reason, and neither is the last of them.
Reason ReasonOf(uint32_t number) { return static_cast<Reason>(std::min<uint32_t>(number, UINT16_MAX)); }

tollgate_metrics CMetrics(const Metrics& metrics) {
  return {.struct_size = sizeof(tollgate_metrics),
          .checks = metrics.checks,
          .allowed = metrics.allowed,
          .denied = metrics.denied,
          .unavailable = metrics.unavailable,
          .cache_hits = metrics.cache_hits,
          .signature_verifications = metrics.signature_verifications,
          .verifications_in_vain = metrics.verifications_in_vain,
          .refused_in_flight = metrics.refused_in_flight,
          .refused_in_vain = metrics.refused_in_vain,
          .cache_inserts = metrics.cache_inserts,
          .cache_evictions = metrics.cache_evictions,
          .not_cached_too_long = metrics.not_cached_too_long,
          .not_cached_over_share = metrics.not_cached_over_share,
          .grant_sets_full = metrics.grant_sets_full,
          .rechecks = metrics.rechecks,
          .introspection_fallbacks = metrics.introspection_fallbacks,
          .audit_written = metrics.audit_written,
          .audit_lost = metrics.audit_lost,
          .audit_sampled_out = metrics.audit_sampled_out,
          .audit_sink_failures = metrics.audit_sink_failures,
          .issuers = metrics.issuers,
          .issuers_max = metrics.issuers_max,
          .issuers_fresh = metrics.issuers_fresh,
          .issuers_stale = metrics.issuers_stale,
          .issuers_degraded = metrics.issuers_degraded,
          .issuers_unavailable = metrics.issuers_unavailable,
          .issuer_keys = metrics.issuer_keys,
          .issuer_bytes = metrics.issuer_bytes};
}

}  // namespace
}  // namespace tollgate::c_abi

using namespace tollgate;

tollgate_status tollgate_engine_create(const tollgate_config* config, tollgate_engine** engine,
                                       tollgate_error* error) noexcept {
  if (engine != nullptr) *engine = nullptr;
  return c_abi::GuardedInEngine(error, [&]() -> absl::Status {
    if (config == nullptr || engine == nullptr) return c_abi::NullArgument();
    absl::StatusOr<std::unique_ptr<tollgate_engine>> made = c_abi::MakeEngine(*config);
    if (!made.ok()) return made.status();
    *engine = made->release();
    return absl::OkStatus();
  });
}

void tollgate_engine_destroy(tollgate_engine* engine) noexcept { delete engine; }

tollgate_principal* tollgate_principal_new() noexcept {
  return c_abi::Made([] { return new tollgate_principal; });
}

void tollgate_principal_free(tollgate_principal* principal) noexcept { delete principal; }

tollgate_status tollgate_principal_read(const tollgate_principal* principal,
                                        tollgate_caller* caller) noexcept {
  if (principal == nullptr) return TOLLGATE_INVALID_ARGUMENT;
  return c_abi::WriteStruct(c_abi::CCaller(principal->principal), caller) ? TOLLGATE_OK
                                                                          : TOLLGATE_INVALID_ARGUMENT;
}

tollgate_status tollgate_check(tollgate_engine* engine, const tollgate_request* request,
                               tollgate_decision* decision, tollgate_principal* principal) noexcept {
  return c_abi::Checked(engine, request, decision, principal,
                        [engine](const Request& read, Decision* answer, Principal* caller) {
                          engine->engine->Check(read, answer, caller);
                        });
}

tollgate_status tollgate_check_within(tollgate_engine* engine, int64_t wait_max_ms,
                                      const tollgate_request* request, tollgate_decision* decision,
                                      tollgate_principal* principal) noexcept {
  return c_abi::Checked(engine, request, decision, principal,
                        [engine, wait_max_ms](const Request& read, Decision* answer, Principal* caller) {
                          engine->engine->CheckWithin(std::chrono::milliseconds(wait_max_ms), read, answer,
                                                      caller);
                        });
}

tollgate_status tollgate_check_batch(tollgate_engine* engine, const tollgate_request* requests,
                                     tollgate_decision* decisions, size_t num) noexcept {
  if (num == 0) return TOLLGATE_OK;
  if (!c_abi::HasSize(decisions)) return TOLLGATE_INVALID_ARGUMENT;
  bool same_size = true;
  const size_t size = decisions->struct_size;
  for (size_t i = 0; i < num; ++i) same_size &= c_abi::At(decisions, i)->struct_size == size;
  const bool good = same_size && engine != nullptr && c_abi::HasSize(requests) &&
                    c_abi::DecideBatch(*engine->engine, requests, decisions, num);
  for (size_t i = 0; !good && i < num; ++i) {
    tollgate_decision* const decision = c_abi::At(decisions, i);
    decision->struct_size = size;
    static_cast<void>(c_abi::WriteStruct(c_abi::CDecision(Decision()), decision));
  }
  return good ? TOLLGATE_OK : TOLLGATE_INVALID_ARGUMENT;
}

tollgate_status tollgate_check_async(tollgate_engine* engine, int64_t wait_max_ms,
                                     const tollgate_request* request, tollgate_done done,
                                     void* user) noexcept {
  Request read;
  if (engine == nullptr || done == nullptr || !c_abi::ReadRequest(request, &read))
    return TOLLGATE_INVALID_ARGUMENT;
  engine->engine->CheckAsync(std::chrono::milliseconds(wait_max_ms), read,
                             [done, user](const Decision& decision, const Principal& principal) {
                               const tollgate_decision answer = c_abi::CDecision(decision);
                               const tollgate_caller caller = c_abi::CCaller(principal);
                               done(user, &answer, &caller);
                             });
  return TOLLGATE_OK;
}

uint32_t tollgate_may_use(tollgate_engine* engine, const tollgate_request* request) noexcept {
  Request read;
  return engine != nullptr && c_abi::ReadRequest(request, &read) && engine->engine->MayUse(read) ? 1 : 0;
}

tollgate_status tollgate_run_background(tollgate_engine* engine, int64_t wait_max_ms,
                                        int64_t* next_ms) noexcept {
  if (next_ms != nullptr) *next_ms = 0;
  return c_abi::GuardedInEngine(nullptr, [&]() -> absl::Status {
    if (engine == nullptr) return c_abi::NullArgument();
    const auto next = engine->engine->RunBackground(std::chrono::milliseconds(wait_max_ms));
    if (next_ms != nullptr) *next_ms = next.count();
    return absl::OkStatus();
  });
}

tollgate_status tollgate_refresh(tollgate_engine* engine, tollgate_string issuer,
                                 tollgate_error* error) noexcept {
  return c_abi::GuardedInEngine(error, [&]() -> absl::Status {
    if (engine == nullptr) return c_abi::NullArgument();
    c_abi::Texts texts;
    const std::string_view name = texts.View(issuer);
    return texts.good() ? engine->engine->Refresh(name) : c_abi::BadString();
  });
}

tollgate_status tollgate_engine_step_down(tollgate_engine* engine) noexcept {
  return c_abi::GuardedInEngine(nullptr, [&]() -> absl::Status {
    if (engine == nullptr) return c_abi::NullArgument();
    engine->engine->StepDown();
    return absl::OkStatus();
  });
}

tollgate_status tollgate_set_policy(tollgate_engine* engine, const tollgate_policy* policy,
                                    tollgate_error* error) noexcept {
  return c_abi::GuardedInEngine(error, [&]() -> absl::Status {
    if (engine == nullptr || policy == nullptr) return c_abi::NullArgument();
    const absl::StatusOr<Policy> built = policy->builder.Build();
    return built.ok() ? engine->engine->SetPolicy(*built) : built.status();
  });
}

tollgate_status tollgate_revoke(tollgate_engine* engine, uint32_t what, tollgate_string issuer,
                                tollgate_string name, int64_t until_wall_s, tollgate_error* error) noexcept {
  return c_abi::GuardedInEngine(error, [&]() -> absl::Status {
    if (engine == nullptr) return c_abi::NullArgument();
    c_abi::Texts texts;
    const std::string_view of = texts.View(issuer), who = texts.View(name);
    if (!texts.good()) return c_abi::BadString();
    return c_abi::Revoke(*engine->engine, what, of, who, until_wall_s);
  });
}

tollgate_status tollgate_read_metrics(const tollgate_engine* engine, tollgate_metrics* metrics) noexcept {
  return c_abi::Guarded(nullptr, [&]() -> absl::Status {
    if (engine == nullptr) return c_abi::NullArgument();
    if (!c_abi::HasSize(metrics)) return c_abi::BadStruct();
    static_cast<void>(c_abi::WriteStruct(c_abi::CMetrics(engine->engine->ReadMetrics()), metrics));
    return absl::OkStatus();
  });
}

size_t tollgate_read_health(const tollgate_engine* engine, char* buffer, size_t capacity) noexcept {
  return c_abi::Written(buffer, capacity, [&]() -> std::optional<std::string> {
    if (engine == nullptr) return std::nullopt;
    return c_abi::HealthJson(*engine->engine);
  });
}

const char* tollgate_reason_name(uint32_t reason) noexcept {
  return ReasonName(c_abi::ReasonOf(reason)).data();
}

const char* tollgate_reason_text(uint32_t reason) noexcept {
  return ReasonText(c_abi::ReasonOf(reason)).data();
}

const char* tollgate_version() noexcept { return Version().data(); }
