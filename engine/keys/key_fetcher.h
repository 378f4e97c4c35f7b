#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "keys/issuer_table.h"
#include "keys/key_generations.h"
#include "keys/snapshot_book.h"
#include "sync/thread_blocks.h"
#include "tollgate/config.h"
#include "tollgate/transport.h"

namespace tollgate::keys {

// KeyFetcher fetches keys when they are due and publishes what comes. Owner thread only.
class KeyFetcher {
 public:
  // All must outlive the fetcher. `on_settled` is called after each fetch has ended, with the issuer's
  // position.
  KeyFetcher(const Timing& timing, uint64_t jitter_seed, sync::ThreadBlocks& blocks,
             KeyGenerations& generations, IssuerTable& issuers, SnapshotBook& book,
             std::function<void(uint32_t issuer)> on_settled);

  // RunDue and TakeIn: see KeyStore.
  int64_t RunDue(int64_t now_ms, Transport& transport);
  void TakeIn(FetchResult result, int64_t now_ms);

 private:
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
  size_t in_flight_ = 0;          // Fetches, each of which has one request under way or in asking_.
  std::vector<uint32_t> asking_;  // Issuers whose fetch goes on with another request.
  size_t turn_ = 0;               // The issuer with which RunDue begins.
};

}  // namespace tollgate::keys
