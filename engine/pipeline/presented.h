#pragma once

#include <cstdint>
#include <string_view>

#include "audit/record.h"
#include "base/limits.h"
#include "base/marks.h"
#include "claims/authorization_header.h"
#include "pipeline/context.h"
#include "pipeline/decide.h"
#include "policy/live_policy.h"
#include "sync/thread_blocks.h"
#include "tollgate/reason.h"
#include "tollgate/request.h"
#include "verdicts/verdict_cache.h"

namespace tollgate::pipeline {

// Presented is a request's credential, taken out of the request and on its way to be looked up.
struct Presented {
  Reason reason = Reason::kNone;               // Why there is nothing to look up: nothing else is set then.
  const policy::LivePolicy* policy = nullptr;  // As long as the ReadScope.
  // The policy's epoch, lower half. Nothing that is cached has the stamp 0: it is that of a policy whose
  // epoch has not been raised yet.
  uint32_t stamp = 0;
  const policy::CompiledTool* candidate = nullptr;  // CompiledPolicy::FetchCandidate, of the tool.
  std::string_view token;
  // It lies elsewhere, so that this stays in registers: who makes a key is a function that could see all of
  // it.
  const verdicts::VerdictCache::Key* key = nullptr;
  Recorded recorded = Recorded::kAll;
};

// InHand is one that the short way does not allow, and what becomes known on the way, for the record.
struct InHand : Presented {
  bool absent = false;  // The short way has looked it up, and the cache does not have it.
  audit::AuditId audit_id{};
  KeyRef verified_by{};
};

// LookAtPolicy takes the policy that is in force, and what it has of the tool. The epoch is read first: see
// policy::LivePolicy.
TOLLGATE_INLINE void LookAtPolicy(const Context& context, const sync::ReadScope& scope,
                                  const Request& request, Presented* presented) {
  const uint64_t epoch = context.revocations.epoch();
  presented->policy = context.policy.Load(scope);
  const auto stamp = static_cast<uint32_t>(epoch);
  presented->stamp = epoch < presented->policy->first_epoch || stamp == verdicts::Facts::kNoEpoch ? 0 : stamp;
  presented->candidate = presented->policy->compiled.FetchCandidate(static_cast<size_t>(request.resource),
                                                                    request.object, request.tool);
}

TOLLGATE_INLINE const policy::CompiledTool* FindTool(const Presented& presented, const Request& request) {
  if (policy::CompiledPolicy::IsCandidate(presented.candidate, request.tool)) [[likely]]
    return presented.candidate;
  return presented.policy->compiled.FindTool(static_cast<size_t>(request.resource), request.object,
                                             request.tool);
}

// BeginPresenting reads the credential and begins to fetch what the cache has of it. EndPresenting looks at
// the policy and hashes the token, while that is on its way.
TOLLGATE_INLINE void BeginPresenting(const Context& context, const Request& request, bool of_many,
                                     verdicts::VerdictCache::Key* key, Presented* presented) {
  if (request.num_credentials > 1) {
    presented->reason = Reason::kSeveralCredentials;
  } else if (presented->reason = claims::ReadAuthorization(request.authorization, &presented->token);
             presented->reason != Reason::kNone) {
  } else if (static_cast<uint32_t>(request.resource) >= context.num_resources) {
    presented->reason = Reason::kUnknownResource;
  } else if (presented->token.size() > limits::kTokenBytesMax) {
    presented->reason = Reason::kTokenTooLong;
  } else {
    presented->key = key;
    if (of_many) {
      context.cache->DerivePlaceOfMany(presented->token, key);
    } else {
      context.cache->DerivePlace(presented->token, key);
    }
  }
}

TOLLGATE_INLINE void EndPresenting(const Context& context, const sync::ReadScope& scope,
                                   const Request& request, verdicts::VerdictCache::Key* key,
                                   Presented* presented) {
  if (presented->reason != Reason::kNone) return;
  LookAtPolicy(context, scope, request, presented);
  context.cache->DeriveTag(presented->token, key);
}

}  // namespace tollgate::pipeline
