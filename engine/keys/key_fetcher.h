#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "keys/fetch_gate.h"
#include "keys/issuer_table.h"
#include "keys/key_generations.h"
#include "keys/snapshot_book.h"
#include "sync/thread_blocks.h"
#include "tollgate/clock.h"
#include "tollgate/config.h"
#include "tollgate/file_system.h"
#include "tollgate/transport.h"

namespace tollgate::keys {

// OnMetadata is told, by an issuer's position, what IssuerMetadata::introspection_endpoint is.
using OnMetadata = std::function<void(uint32_t issuer, const absl::StatusOr<std::string>& endpoint)>;

// KeyFetcher fetches keys when they are due and their host's turn has come, or reads them from a file when
// they are due, and publishes what it gets. Hasten is thread-safe; all else is owner thread only.
class KeyFetcher {
 public:
  // All must outlive the fetcher. `on_settled` is called after each fetch has ended, with the issuer's
  // position, and those of its tenants.
  KeyFetcher(const Timing& timing, uint64_t jitter_seed, sync::ThreadBlocks& blocks,
             KeyGenerations& generations, IssuerTable& issuers, SnapshotBook& book,
             std::function<void(uint32_t issuer)> on_settled, FileSystem& files, const Clock& clock);

  // Begin takes an issuer over. A file with which its source begins is read at once; otherwise its fetches
  // are planned as its schedule says.
  void Begin(Issuer& issuer);

  // SetOnMetadata: see KeyStore. TellMetadata calls it, if any of the issuer's has been read.
  void SetOnMetadata(OnMetadata on_metadata) { on_metadata_ = std::move(on_metadata); }
  void TellMetadata(const Issuer& issuer) const;
  // Forget: the issuer goes. An answer that is on its way to it comes to nothing.
  void Forget(const Issuer& issuer);
  // Hasten: the schedule of the issuer at this position has moved its next fetch forward.
  void Hasten(uint32_t position);

  // Hold: what the snapshot has is another process's to fetch until Release, which plans it anew:
  // `has_followed`, by the answers that the other has had meanwhile. This one asks at AloneMs only, and then
  // goes on, until Follow, which is told that the issuer's keys are the other's again. TakeAwaited: whether
  // somebody has asked for a fetch since it was called last.
  void Hold();
  void Follow(Issuer& issuer);
  void Release(bool has_followed);
  bool TakeAwaited() { return std::exchange(awaited_, false); }

  // RunDue and TakeIn: see KeyStore.
  int64_t RunDue(int64_t now_ms, Transport& transport);
  void TakeIn(FetchResult result, int64_t now_ms);

 private:
  void TakeInHastened();
  void Plan(Issuer& issuer);
  void Share(Issuer& issuer, int64_t time_ms);
  void BeginFetch(Issuer& issuer, int64_t now_ms);
  void LineUp(Issuer& issuer, bool goes_on, int64_t now_ms);
  void Ask(Issuer& issuer, int64_t now_ms, Transport& transport);
  void ReadFile(Issuer& issuer, int64_t now_ms);
  void EndPlace(Issuer& issuer, const absl::Status& outcome, int64_t max_age_s, bool changed, int64_t now_ms);
  absl::Status TakeInSet(Issuer& issuer, const FetchResult& result, int64_t now_ms, bool* changed);
  absl::Status TakeInKeys(Issuer& issuer, const FetchResult& result, int64_t now_ms, bool* changed);
  uint64_t NextJitter();

  const Timing& timing_;
  const Timing file_timing_;  // Without regard to how many there are: for cooldowns.
  sync::ThreadBlocks& blocks_;
  KeyGenerations& generations_;
  IssuerTable& issuers_;
  SnapshotBook& book_;
  const std::function<void(uint32_t issuer)> on_settled_;
  FileSystem& files_;
  const Clock& clock_;
  size_t num_files_ = 0;  // Issuers whose source begins with one.
  bool held_ = false;
  bool awaited_ = false;
  OnMetadata on_metadata_;
  uint64_t jitter_;
  FetchGate gate_;
  uint64_t requests_ = 0;                    // Sent, so also the number of the latest one.
  absl::flat_hash_set<uint64_t> under_way_;  // FetchRequest::id.
  std::mutex hastened_mutex_;
  std::vector<uint32_t> hastened_;  // Guarded by hastened_mutex_. One for each fetch that is asked for.
};

}  // namespace tollgate::keys
