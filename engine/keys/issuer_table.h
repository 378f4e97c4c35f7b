#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "keys/issuer.h"
#include "sync/published.h"
#include "sync/thread_blocks.h"

namespace tollgate::keys {

// IssuerTable holds the issuers that there are, by position and by name. Readers take no lock and wait for
// nobody: names are in immutable maps, of which a change replaces one of many. An issuer is made at a
// position that nobody else has, published under its name when all is ready, and ends in the opposite order:
// first nobody finds it any more, then whoever has found it leaves, and only then the position is anybody's.
// So all that stands elsewhere by position needs no protection either, if it is written between Make and
// Publish, and between Destroy and Free. The const members with a ReadScope, and FreshAt, are thread-safe;
// all else is for one thread at a time.
class IssuerTable {
 public:
  // Room for `issuers_max` issuers and kSpare more, so that one can take another's place, and a template that
  // of another at the same time. `blocks` must outlive the table.
  static constexpr size_t kSpare = 2;
  IssuerTable(size_t issuers_max, sync::ThreadBlocks& blocks);
  ~IssuerTable();
  IssuerTable(const IssuerTable&) = delete;
  IssuerTable& operator=(const IssuerTable&) = delete;

  // Find returns the position of the issuer with this name; valid as long as the ReadScope. One table probe,
  // no allocation. It finds no template.
  std::optional<uint32_t> Find(const sync::ReadScope& scope, std::string_view name) const;
  // At returns the issuer at a position, or null: a position that was found earlier than in this ReadScope
  // may have another one by now, or none.
  Issuer* At(const sync::ReadScope&, uint32_t position) const {
    // Ordering: acquire pairs with the release in Publish: the issuer was built before.
    return position < capacity_ ? issuers_[position].load(std::memory_order_acquire) : nullptr;
  }
  const Fresh& FreshAt(uint32_t position) const { return fresh_[position]; }
  // Positions from here on have never been anybody's.
  uint32_t end(const sync::ReadScope&) const {
    // Ordering: relaxed; a bound for whoever looks at all of them, which At looks at again.
    return end_.load(std::memory_order_relaxed);
  }

  // The same without a ReadScope, for whoever may change the table; templates too.
  Issuer* Own(uint32_t position) const;
  Issuer* Own(std::string_view name) const;
  template <typename Function>
  void ForEach(Function function) const {
    for (uint32_t position = 0; position < end_.load(std::memory_order_relaxed);
         ++position) {  // Ordering: own.
      if (Issuer* const issuer = Own(position)) function(*issuer);
    }
  }
  size_t size() const { return size_; }  // Issuers at positions of theirs.
  // How many more Make has positions for.
  size_t room() const {
    return capacity_ - end_.load(std::memory_order_relaxed) + free_.size();  // Ordering: own.
  }

  // Make returns a new issuer that nobody else can see yet; null if there is no room.
  std::unique_ptr<Issuer> Make(std::string_view name);
  // Publish puts the issuers at their positions, and makes their names lead to them, and to nobody else of
  // the same names. Waits for readers, except where nothing was before.
  void Publish(std::span<std::unique_ptr<Issuer>> issuers);
  // Unpublish ends that. Waits for readers.
  void Unpublish(std::string_view name);
  // Destroy ends an issuer that no name leads to, and whose keys are of no current generation, once nobody
  // reads it; Free then gives its position away. Destroy waits for readers; false if it cannot, in which
  // case the position is lost.
  [[nodiscard]] bool Destroy(uint32_t position);
  void Free(uint32_t position) { free_.push_back(position); }

  // How much memory the table itself takes, without what the issuers hold.
  size_t bytes() const;

 private:
  // Keys are the issuers' own names.
  using Shard = absl::flat_hash_map<absl::string_view, uint32_t>;
  size_t ShardOf(std::string_view name) const;
  // By bits of the hash that a shard does not look at.
  size_t ShardOfHash(size_t hash) const { return hash >> 40 & (num_shards_ - 1); }

  sync::ThreadBlocks& blocks_;
  const size_t capacity_;
  const std::unique_ptr<Fresh[]> fresh_;                   // By position,
  const std::unique_ptr<std::atomic<Issuer*>[]> issuers_;  // likewise.
  const size_t num_shards_;                                // A power of two.
  const std::unique_ptr<sync::Published<Shard>[]> shards_;
  absl::flat_hash_map<std::string, uint32_t> templates_;  // Where readers do not look.
  std::vector<uint32_t> free_;
  std::atomic<uint32_t> end_{0};
  size_t size_ = 0;
};

}  // namespace tollgate::keys
