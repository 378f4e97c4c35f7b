#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "audit/log.h"
#include "claims/access_token.h"
#include "introspection/introspector.h"
#include "keys/key_store.h"
#include "pipeline/admission.h"
#include "pipeline/issuer_names.h"
#include "pipeline/shadow.h"
#include "pipeline/waiters.h"
#include "policy/live_policy.h"
#include "revocation/revocation_list.h"
#include "sync/published.h"
#include "sync/thread_blocks.h"
#include "tollgate/config.h"
#include "tollgate/request.h"
#include "verdicts/verdict_cache.h"

namespace tollgate::pipeline {

// Counter numbers the engine's counters in each thread's block; ReadMetrics names them for the public.
enum Counter : size_t {
  kAllowedHits,  // Those that went the short way; not in the two kinds that they are of.
  kAllowed,
  kDenied,
  kUnavailable,
  kCacheHits,
  kVerifications,
  kVerificationsInVain,
  kRefusedInFlight,
  kRefusedInVain,
  kInserts,
  kEvictions,
  kNotCachedTooLong,
  kNotCachedOverShare,
  kGrantSetsFull,
  kRechecks,
  kIntrospectionFallbacks,
  kShadowCompared,
  kShadowWouldAllow,
  kShadowWouldDeny,
  kShadowWouldDenyOtherwise,
  kCounterCount
};
static_assert(kCounterCount <= sync::ThreadBlock::kCounters);

// IssuerRules is what a check needs to know of an issuer beside its keys.
struct IssuerRules {
  claims::Expectations expectations;
  AlgorithmSet algorithms;
  // Of issuers that are asked about tokens alone.
  std::shared_ptr<const claims::Expectations> answers{};
  bool answers_are_signed = false;  // IntrospectionConfig::signed_response.
  bool answers_are_for_us = false;  // IntrospectionConfig::introspection_scoped_to_us.
  bool scope_wildcards = false;     // IssuerConfig::scope_wildcards.
};

// IssuerGate is the part of an issuer's rules that every check needs, small enough for many issuers to stay
// at hand.
struct IssuerGate {
  uint64_t resources = 0;              // Bit r: resource r accepts this issuer's tokens.
  bool audience_is_client_id = false;  // Shown in every decision on such a token.

  bool Admits(ResourceId resource) const { return (resources >> static_cast<uint32_t>(resource) & 1) != 0; }
};

// A Decision's ticket is that of its waiters; for an introspection, the channel is in front of it.
inline uint64_t AnswerTicket(uint32_t channel, uint64_t count) {
  static_assert(introspection::Introspector::kChannels == 256);
  return uint64_t{channel} << 56 | (count & ((uint64_t{1} << 56) - 1));
}
// Where nobody can be asked, it is 0, which waits for nothing; or, as long as the issuer's metadata has not
// been read, that of the issuer's fetches.
inline uint64_t MetadataTicket(uint64_t count) { return count + 1; }
inline uint64_t MetadataCount(uint64_t ticket) { return ticket - 1; }
inline uint32_t AnswerChannel(uint64_t ticket) { return static_cast<uint32_t>(ticket >> 56); }
inline uint64_t AnswerCount(uint64_t ticket) { return ticket << 8 >> 8; }

// Context is the engine's parts, wired: all that a check reads, fixed after construction but for what the
// parts themselves guard, and the issuers. Thread-safe.
struct Context {
  // By the issuers' positions, as everywhere; see keys::KeyStore for how they change.
  std::vector<std::unique_ptr<const IssuerRules>> issuers;
  std::vector<IssuerGate> gates;
  IssuerNames issuer_names;
  std::vector<std::string> resource_uris;
  uint32_t num_resources = 0;
  absl::flat_hash_map<std::string, uint64_t> resources_by_audience;
  std::vector<std::string>
      opaque_issuers;  // By resource: the name of who is asked about opaque tokens, or "".
  int64_t verdict_age_max_ms = 0;
  int64_t active_age_max_ms = 0;

  sync::ThreadBlocks blocks;
  Waiters waiters;  // For an issuer's fetches.
  Waiters answers;  // For introspections, by Introspector::ChannelOf.
  std::unique_ptr<keys::KeyStore> keys;
  sync::Published<policy::LivePolicy> policy;
  sync::Published<Shadow> shadow;          // Null: there is none.
  std::vector<std::string> policy_claims;  // Those that policies may look at.
  std::unique_ptr<verdicts::VerdictCache> cache;
  revocation::RevocationList revocations;
  std::unique_ptr<Admission> admission;
  std::unique_ptr<introspection::Introspector> introspector;
  std::unique_ptr<audit::Log> audit;  // Null: nothing is recorded.
  std::vector<uint8_t> audit_id_key;

  explicit Context(size_t num_positions)
      : issuers(num_positions),
        gates(num_positions),
        issuer_names(num_positions),
        waiters(num_positions),
        answers(introspection::Introspector::kChannels) {}

  // ResourcesOf returns the resources that one audience value names, a bit each.
  uint64_t ResourcesOf(std::string_view audience) const {
    const auto found = resources_by_audience.find(absl::string_view(audience.data(), audience.size()));
    return found == resources_by_audience.end() ? 0 : found->second;
  }
};

}  // namespace tollgate::pipeline
