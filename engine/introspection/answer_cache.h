#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "introspection/answer.h"

namespace tollgate::introspection {

// Fingerprint names a presented token: SHA-256 of its bytes under a secret of this process. It never leaves
// the engine.
using Fingerprint = std::array<uint8_t, 32>;

// AnswerKey is all that an answer depends on, but for the configuration, which an engine has one of: the
// issuer by position, who has one client and one endpoint at a time (Introspector::SetEndpoint), and the
// token.
struct AnswerKey {
  uint32_t issuer = 0;
  Fingerprint token{};
  friend bool operator==(const AnswerKey&, const AnswerKey&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const AnswerKey& key) {
    return H::combine(std::move(h), key.issuer, key.token);
  }
};

// StoredAnswer is one answer and when it came.
struct StoredAnswer {
  Answer answer;
  int64_t answered_at_ms = 0;  // Monotonic: when its question was sent, so that its age is never too low.
  // The token's own signature is good: an "inactive" of it is kept apart, where nobody can drive it out who
  // has no such tokens.
  bool verified = false;
};

// AnswerCache remembers answers within a number of bytes. Three stores, each of which forgets what was used
// longest ago: active ones; inactive ones of verified tokens; inactive ones of others (a flood of random
// tokens fills that alone). Not thread-safe: its owner has a lock.
class AnswerCache {
 public:
  // Half of `bytes_max` is for active ones, a quarter for each other store.
  explicit AnswerCache(size_t bytes_max);
  AnswerCache(const AnswerCache&) = delete;
  AnswerCache& operator=(const AnswerCache&) = delete;

  // Find returns the answer, which is then the one used last, or null. The pointer is good until the next
  // call.
  const StoredAnswer* Find(const AnswerKey& key);
  // Put replaces what is known of the key. An answer that is older than the one in hand changes nothing. One
  // that is larger than its store is not kept.
  void Put(const AnswerKey& key, StoredAnswer answer);
  // Drop forgets all of one issuer. Linear.
  void Drop(uint32_t issuer);

  size_t bytes() const;  // Of all stores, with what the tables need for them.
  size_t size() const;

 private:
  enum StoreIndex : size_t { kActive, kInactiveVerified, kInactive, kStoreCount };
  struct Entry {
    AnswerKey key;
    StoredAnswer stored;
  };
  struct Store {
    std::list<Entry> entries;  // The one used last is in front.
    absl::flat_hash_map<AnswerKey, std::list<Entry>::iterator> by_key;
    size_t bytes = 0;  // Of the entries.
    size_t bytes_max = 0;
    void Erase(std::list<Entry>::iterator entry);
    size_t TableBytes() const;
    static size_t BytesOf(const StoredAnswer& stored);
  };
  std::array<Store, kStoreCount> stores_;
};

}  // namespace tollgate::introspection
