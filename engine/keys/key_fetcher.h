#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "keys/fetch_gate.h"
#include "keys/issuer_table.h"
#include "keys/key_generations.h"
#include "keys/snapshot_book.h"
#include "sync/thread_blocks.h"
#include "tollgate/config.h"
#include "tollgate/transport.h"

namespace tollgate::keys {

// KeyFetcher fetches keys when they are due and their host's turn has come, and publishes what it gets.
// Hasten is thread-safe; all else is owner thread only.
class KeyFetcher {
 public:
  // All must outlive the fetcher. `on_settled` is called after each fetch has ended, with the issuer's
  // position, and those of its tenants.
  KeyFetcher(const Timing& timing, uint64_t jitter_seed, sync::ThreadBlocks& blocks,
             KeyGenerations& generations, IssuerTable& issuers, SnapshotBook& book,
             std::function<void(uint32_t issuer)> on_settled);

  // Plan takes over when the issuer's schedule says that it is due.
  void Plan(Issuer& issuer);
  // Forget: the issuer goes. An answer that is on its way to it comes to nothing.
  void Forget(const Issuer& issuer) { gate_.Forget(issuer.position); }
  // Hasten: the schedule of the issuer at this position has moved its next fetch forward.
  void Hasten(uint32_t position);

  // RunDue and TakeIn: see KeyStore.
  int64_t RunDue(int64_t now_ms, Transport& transport);
  void TakeIn(FetchResult result, int64_t now_ms);

 private:
  void TakeInHastened();
  void LineUp(Issuer& issuer, bool goes_on, int64_t now_ms);
  void Ask(Issuer& issuer, int64_t now_ms, Transport& transport);
  absl::Status TakeInSet(Issuer& issuer, const FetchResult& result, int64_t now_ms, bool* changed);
  absl::Status TakeInKeys(Issuer& issuer, const FetchResult& result, int64_t now_ms, bool* changed);
  uint64_t NextJitter();

  const Timing& timing_;
  sync::ThreadBlocks& blocks_;
  KeyGenerations& generations_;
  IssuerTable& issuers_;
  SnapshotBook& book_;
  const std::function<void(uint32_t issuer)> on_settled_;
  uint64_t jitter_;
  FetchGate gate_;
  uint64_t requests_ = 0;                    // Sent, so also the number of the latest one.
  absl::flat_hash_set<uint64_t> under_way_;  // FetchRequest::id.
  std::mutex hastened_mutex_;
  std::vector<uint32_t> hastened_;  // Guarded by hastened_mutex_. One for each fetch that is asked for.
};

}  // namespace tollgate::keys
