#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "keys/issuer_table.h"
#include "keys/key_generations.h"
#include "keys/key_snapshot.h"
#include "keys/snapshot_keeper.h"
#include "sync/thread_blocks.h"
#include "tollgate/clock.h"
#include "tollgate/config.h"

namespace tollgate::keys {

// FollowMs returns how long after one look at a shared snapshot the next one comes: a fifth of
// Timing::file_interval_ms, or a tenth of that while somebody waits for keys.
int64_t FollowMs(const Timing& timing, bool is_awaited);

// SnapshotFollower takes over what another process has fetched, from the snapshot that it writes: each set
// replaces the one before it as a good answer would, is as old as its answer, and ends what it lacks. An
// issuer that the file has no set of has no keys: whoever writes it may not vouch for the last ones any more.
// Owner thread only.
class SnapshotFollower {
 public:
  // All must outlive the follower.
  SnapshotFollower(const Timing& timing, sync::ThreadBlocks& blocks, KeyGenerations& generations,
                   IssuerTable& issuers);

  // Held is what became of an entry whose issuer there is.
  struct Held {
    Issuer* issuer = nullptr;
    std::string_view jwks{};  // The entry's.
    bool taken = false;
    bool has_more = false;  // Some of its keys found no slot.
  };
  // Take takes over all entries, and tells the keeper what became of each.
  std::vector<Held> Take(std::span<const SnapshotEntry> entries, SnapshotKeeper& keeper);

  // IsAwaited says whether somebody waits for keys that are not there.
  bool IsAwaited(Issuer& issuer, int64_t now_ms) const;

 private:
  SnapshotKeeper::Fate TakeOne(const SnapshotEntry& entry, const Now& now, Held* held);
  bool TakeKeys(Issuer& issuer, Held& held, bool* changed);
  void Publish(Issuer& issuer, std::vector<IssuerKey> keys);
  void Withdraw(Issuer& issuer, int64_t now_ms);

  const Timing& timing_;
  sync::ThreadBlocks& blocks_;
  KeyGenerations& generations_;
  IssuerTable& issuers_;
};

}  // namespace tollgate::keys
