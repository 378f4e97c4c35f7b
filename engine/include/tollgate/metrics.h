#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tollgate/decision.h"

namespace tollgate {

// Metrics is one reading of the engine's counters since its start. Counters of threads that are in the middle
// of a check may lag by that check.
struct Metrics {
  uint64_t checks = 0;
  uint64_t allowed = 0;
  uint64_t denied = 0;
  uint64_t unavailable = 0;
  uint64_t cache_hits = 0;
  uint64_t signature_verifications = 0;  // Successful or not.
  uint64_t verifications_in_vain = 0;    // Of these: the signature was forged, or the token refused.
  // Not verified, and answered kOverloaded: too many at a time,
  uint64_t refused_in_flight = 0;
  uint64_t refused_in_vain = 0;  // or too many of the issuer's tokens were verified in vain.
  uint64_t cache_inserts = 0;
  uint64_t cache_evictions = 0;      // Inserts that displaced a live entry.
  uint64_t not_cached_too_long = 0;  // Facts or token longer than a record; allowed, but verified each time.
  // Not cached, because the cache is full and this subject or issuer has displaced its share.
  uint64_t not_cached_over_share = 0;
  // Times that the policy had been asked about too many different sets of grants for one more to be kept:
  // such tokens are cached, but evaluated each time.
  uint64_t grant_sets_full = 0;
  // Hits re-examined after a revocation or a change of the policy, without verifying again.
  uint64_t rechecks = 0;
  // Checks that went on although the issuer could not be asked about the token: IntrospectionOutage.
  uint64_t introspection_fallbacks = 0;
  // Of the audit log: AuditCounters.
  uint64_t audit_written = 0;
  uint64_t audit_lost = 0;
  uint64_t audit_sampled_out = 0;
  uint64_t audit_sink_failures = 0;
  // At this moment:
  uint64_t issuers = 0;      // As Config::issuers_max counts them.
  uint64_t issuers_max = 0;  // As many as there is room for.
  // Of the issuers, those whose keys are in each state (Freshness).
  uint64_t issuers_fresh = 0;
  uint64_t issuers_stale = 0;
  uint64_t issuers_degraded = 0;
  uint64_t issuers_unavailable = 0;
  uint64_t issuer_keys = 0;   // Usable ones of all issuers.
  uint64_t issuer_bytes = 0;  // What the issuers and their keys take, without the snapshot. An estimate.
};

// SnapshotRead says what became of the snapshot when the engine was created.
enum class SnapshotRead : uint8_t {
  kNotConfigured,
  kAbsent,      // There was no file.
  kAccepted,    // What became of each issuer in it is counted.
  kNoKey,       // Its key could not be had.
  kUnreadable,  // Or no regular file, or others may write it.
  kTooLarge,
  kTruncated,
  kUnknownVersion,
  kTampered,  // Or of another key.
};

// SnapshotHealth is the state of Config::snapshot. Issuers whose part of an accepted snapshot was not taken
// have no keys until they are fetched, as without a snapshot.
struct SnapshotHealth {
  SnapshotRead read = SnapshotRead::kNotConfigured;
  uint32_t issuers_restored = 0;
  uint32_t issuers_too_old = 0;         // Older than the staleness bound.
  uint32_t issuers_future_dated = 0;    // The clock has gone back.
  uint32_t issuers_source_changed = 0;  // Not configured any more, or their keys come from elsewhere now.
  uint32_t issuers_unusable = 0;        // No key of theirs can be used.
  std::string read_error;               // One line; empty if absent or accepted.

  uint64_t writes = 0;  // Good ones.
  uint64_t write_failures = 0;
  uint32_t issuers_written = 0;  // In the file, since the last good write.
  int64_t written_ago_ms = -1;   // −1: not since the engine was created.
  std::string write_error;       // One line about the last write; empty if it was good.
  // This engine fetches and writes. False where another one does, of those that share the snapshot. With
  // SnapshotConfig::shared `read` and what follows it are about the last look at the file.
  bool leads = true;
};

// IssuerHealth is the state of one issuer's keys. A templated issuer has one for all its tenants, whose keys
// come in one fetch; what is counted of tokens and introspections is the sum over them, and what lasts for
// some time the longest.
struct IssuerHealth {
  std::string issuer;
  uint32_t position = 0;  // Decision::issuer of its tokens; of a template's, see tenant_positions.
  // Of a template: how many tenants it has, and Decision::issuer of their tokens.
  uint32_t num_tenants = 0;
  std::vector<uint32_t> tenant_positions{};
  Freshness freshness = Freshness::kUnavailable;
  int64_t keys_age_ms = -1;    // Since the last good answer; −1: never had one.
  bool from_snapshot = false;  // The keys were read from the snapshot; no good answer has come since.
  uint32_t key_place = 0;      // Where they are from: 0 the first place, n IssuerConfig::fallbacks[n − 1].
  uint32_t num_keys = 0;       // Usable keys.
  // Keys of the last good answer that tollgate cannot use or refuses; and where there are too many keys in
  // all, those of tenants that had to go without.
  uint32_t num_keys_skipped = 0;
  uint64_t fetches = 0;         // Begun.
  uint64_t fetch_failures = 0;  // Ended without a usable key set.
  uint32_t consecutive_failures = 0;
  int64_t next_fetch_in_ms = -1;  // −1: none is planned.
  // One line about the last failure, of each place if there are several; empty if the last fetch was good and
  // its keys are from the first place.
  std::string last_error;
  // Tokens that were not verified, by VerificationLimits; and how long those that the cache does not have are
  // refused for what was verified in vain. 0: they are not.
  uint64_t verifications_refused = 0;
  int64_t verifications_refused_for_ms = 0;
  // Introspection: questions sent; of them, those that brought no answer about the token; those for which
  // there was no room, or that were given up before they were sent; the breaker's state.
  uint64_t introspections = 0;
  uint64_t introspection_failures = 0;
  uint64_t introspections_refused = 0;
  uint32_t introspections_in_flight = 0;
  int64_t introspection_paused_for_ms = 0;  // The breaker is open this long; 0: it is not.
  // It is configured, or the metadata that was read last names one that may be asked.
  bool introspection_endpoint_known = false;
  // One line about the last failure, empty since the last answer; or why there is nowhere to ask.
  std::string last_introspection_error;
};

}  // namespace tollgate
