#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "keys/issuer_table.h"
#include "keys/key_generations.h"
#include "keys/key_snapshot.h"
#include "keys/snapshot_follower.h"
#include "keys/snapshot_keeper.h"
#include "sync/thread_blocks.h"
#include "tollgate/clock.h"
#include "tollgate/config.h"

namespace tollgate::keys {

// SnapshotBook knows what the snapshot is to have of each issuer, and when it is to be written: before a set
// is published if the file may have a key that the set lacks, so that no restart brings back a key that was
// seen to end. Without a keeper it does nothing. Owner thread only.
class SnapshotBook {
 public:
  // All must outlive the book.
  SnapshotBook(const Timing& timing, sync::ThreadBlocks& blocks, KeyGenerations& generations,
               IssuerTable& issuers);

  // Use takes over what the snapshot has of fetched sets. See KeyStore::UseSnapshot.
  void Use(SnapshotKeeper& keeper);
  // Lead is Use of a shared snapshot that is ours to write from now on, until Leave: of what was read of it,
  // or, unless `is_known`, of a file that cannot be read. WriteRest writes what has not been written.
  void Lead(SnapshotKeeper& keeper, std::span<const SnapshotFollower::Held> held, bool is_known);
  void WriteRest(int64_t now_ms);
  void Leave();
  // Watch looks whether the file is still what the book has written or found, and has it written again if it
  // has been removed or is an older one. False: it is somebody else's to write, and this book is to Leave.
  bool Watch();
  // lost: a write has found out what Watch would say.
  bool lost() const { return lost_; }

  // OnAdd is told of an issuer that was added at run time, before its first fetch; OnChange of one that takes
  // the place of another, with the same keys or with none yet; OnRemove of one that goes.
  void OnAdd(Issuer& issuer);
  void OnChange(Issuer& old, Issuer& issuer, bool same_keys);
  void OnRemove(Issuer& issuer);

  // OnSet is told of a good answer with a set before that is published: whether it changes the published one,
  // whether it lacks a key of that, and whether some of its keys found no slot. Writes at once if it must.
  // False: the answer must come to nothing, as Watch would say.
  struct Answer {
    std::string_view jwks;  // Empty: it is not to be kept.
    bool changed = false;
    bool removes = false;
    bool has_more = false;
  };
  bool OnSet(Issuer& issuer, const Answer& answer, int64_t now_ms);
  // OnSame is told of a good answer without one.
  void OnSame(Issuer& issuer, int64_t now_ms);

  // Run writes the snapshot if that is due. May wait for the disk.
  void Run(int64_t now_ms);
  int64_t NextMs() const;  // INT64_MAX: never.

 private:
  SnapshotKeeper::Fate Restore(const SnapshotEntry& entry, const Now& now);
  size_t BytesOf(const Issuer& issuer, std::string_view jwks) const;
  void Drop(Issuer& issuer);
  void Record(Issuer& issuer, std::string_view jwks, int64_t last_good_ms);
  static int64_t WallS(const Recorded& recorded, const Now& now);
  void Write(int64_t now_ms);

  const Timing& timing_;
  sync::ThreadBlocks& blocks_;
  KeyGenerations& generations_;
  IssuerTable& issuers_;
  SnapshotKeeper* keeper_ = nullptr;  // Null: there is nothing to write.
  SnapshotSchedule schedule_;
  bool lost_ = false;
  size_t recorded_bytes_ = 0;  // Of all issuers' Recorded, in a snapshot.
  // Issuers that have gone, or have other keys now, of which the file may still have old ones.
  absl::flat_hash_set<std::string> outdated_;
};

}  // namespace tollgate::keys
