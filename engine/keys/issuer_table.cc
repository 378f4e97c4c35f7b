#include "keys/issuer_table.h"

#include <algorithm>
#include <bit>

namespace tollgate::keys {
namespace {

// As many names as a change copies, and a look finds at a stroke.
constexpr size_t kNamesPerShard = 64;

absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

IssuerTable::IssuerTable(size_t issuers_max, sync::ThreadBlocks& blocks)
    : blocks_(blocks),
      capacity_(issuers_max + kSpare),
      fresh_(std::make_unique<Fresh[]>(capacity_)),
      issuers_(std::make_unique<std::atomic<Issuer*>[]>(capacity_)),
      num_shards_(std::bit_ceil((issuers_max + kNamesPerShard - 1) / kNamesPerShard)),
      shards_(std::make_unique<sync::Published<Shard>[]>(num_shards_)) {}

IssuerTable::~IssuerTable() {
  // Ordering: relaxed; no other thread uses this any more.
  ForEach([](Issuer& issuer) { delete &issuer; });
}

size_t IssuerTable::ShardOf(std::string_view name) const {
  return ShardOfHash(Shard::hasher()(ToAbsl(name)));
}

std::optional<uint32_t> IssuerTable::Find(const sync::ReadScope& scope, std::string_view name) const {
  const size_t hash = Shard::hasher()(ToAbsl(name));
  const Shard* const shard = shards_[ShardOfHash(hash)].Load(scope);
  if (shard == nullptr) return std::nullopt;
  const auto found = shard->find(ToAbsl(name), hash);
  if (found == shard->end()) return std::nullopt;
  return found->second;
}

Issuer* IssuerTable::Own(uint32_t position) const {
  // Ordering: relaxed; written by this side alone.
  return position < capacity_ ? issuers_[position].load(std::memory_order_relaxed) : nullptr;
}

Issuer* IssuerTable::Own(std::string_view name) const {
  if (const auto found = templates_.find(ToAbsl(name)); found != templates_.end()) return Own(found->second);
  const sync::ReadScope scope(blocks_);
  const std::optional<uint32_t> position = Find(scope, name);
  return position ? Own(*position) : nullptr;
}

std::unique_ptr<Issuer> IssuerTable::Make(std::string_view name) {
  // Ordering: relaxed; written by this side alone, see end().
  uint32_t position = end_.load(std::memory_order_relaxed);
  if (!free_.empty()) {
    position = free_.back();
    free_.pop_back();
  } else if (position < capacity_) {
    end_.store(position + 1, std::memory_order_relaxed);  // Ordering: as above.
  } else {
    return nullptr;
  }
  Fresh& fresh = fresh_[position];
  // Ordering: relaxed, both; nobody has the position, and whoever gets it gets it from what is published
  // later.
  fresh.until_ms.store(INT64_MIN, std::memory_order_relaxed);
  fresh.last_good_ms.store(INT64_MAX, std::memory_order_relaxed);
  return std::make_unique<Issuer>(position, name, fresh);
}

void IssuerTable::Publish(std::span<std::unique_ptr<Issuer>> issuers) {
  absl::flat_hash_map<size_t, std::vector<const Issuer*>> by_shard;
  for (std::unique_ptr<Issuer>& issuer : issuers) {
    if (issuer->is_template) {
      templates_.insert_or_assign(issuer->name, issuer->position);
    } else {
      by_shard[ShardOf(issuer->name)].push_back(issuer.get());
    }
    const uint32_t position = issuer->position;
    // Ordering: release pairs with the acquire in At, for readers of positions that they have from earlier.
    issuers_[position].store(issuer.release(), std::memory_order_release);
    ++size_;
  }
  for (const auto& [number, added] : by_shard) {
    auto next = std::make_unique<Shard>();
    {
      const sync::ReadScope scope(blocks_);
      const Shard* const old = shards_[number].Load(scope);
      next->reserve((old == nullptr ? 0 : old->size()) + added.size());
      for (const Issuer* issuer : added) next->emplace(ToAbsl(issuer->name), issuer->position);
      if (old != nullptr) next->insert(old->begin(), old->end());  // But for names that are there already.
    }
    shards_[number].Replace(std::move(next), blocks_);
  }
}

void IssuerTable::Unpublish(std::string_view name) {
  if (templates_.erase(ToAbsl(name)) != 0) return;
  sync::Published<Shard>& shard = shards_[ShardOf(name)];
  auto next = std::make_unique<Shard>();
  {
    const sync::ReadScope scope(blocks_);
    if (const Shard* const old = shard.Load(scope)) *next = *old;
  }
  next->erase(ToAbsl(name));
  shard.Replace(std::move(next), blocks_);
}

bool IssuerTable::Destroy(uint32_t position) {
  --size_;
  // Ordering: acquire-release: with the acquire in At, and the destruction stays behind it.
  std::unique_ptr<Issuer> issuer(issuers_[position].exchange(nullptr, std::memory_order_acq_rel));
  if (blocks_.WaitForReaders()) return true;
  static_cast<void>(issuer.release());  // Without an answer about readers, a leak is the only safe end.
  return false;
}

size_t IssuerTable::bytes() const {
  size_t bytes =
      capacity_ * (sizeof(Fresh) + sizeof(std::atomic<Issuer*>)) + num_shards_ * sizeof(shards_[0]);
  const sync::ReadScope scope(blocks_);
  for (size_t i = 0; i < num_shards_; ++i) {
    if (const Shard* const shard = shards_[i].Load(scope))
      bytes += sizeof(Shard) + shard->capacity() * (sizeof(Shard::value_type) + 1);
  }
  return bytes;
}

}  // namespace tollgate::keys
