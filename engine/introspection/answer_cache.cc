#include "introspection/answer_cache.h"

#include <iterator>

namespace tollgate::introspection {

// A node of the list, which is two links and the entry, and the text; each is a block, which malloc needs up
// to 16 bytes more for.
size_t AnswerCache::Store::BytesOf(const StoredAnswer& stored) {
  return 2 * sizeof(void*) + sizeof(Entry) + 16 + stored.answer.text.capacity() + 16;
}

// A slot and its control byte for each place, taken or not, and what stands around them. The table never gets
// smaller.
size_t AnswerCache::Store::TableBytes() const {
  const size_t places = by_key.capacity();
  return places == 0 ? 0 : places * (sizeof(decltype(by_key)::value_type) + 1) + 64;
}

void AnswerCache::Store::Erase(std::list<Entry>::iterator entry) {
  bytes -= BytesOf(entry->stored);
  by_key.erase(entry->key);
  entries.erase(entry);
}

AnswerCache::AnswerCache(size_t bytes_max) {
  stores_[kActive].bytes_max = bytes_max / 2;
  stores_[kInactiveVerified].bytes_max = bytes_max / 4;
  stores_[kInactive].bytes_max = bytes_max / 4;
}

const StoredAnswer* AnswerCache::Find(const AnswerKey& key) {
  for (Store& store : stores_) {
    const auto found = store.by_key.find(key);
    if (found == store.by_key.end()) continue;
    store.entries.splice(store.entries.begin(), store.entries, found->second);
    return &found->second->stored;
  }
  return nullptr;
}

void AnswerCache::Put(const AnswerKey& key, StoredAnswer answer) {
  for (Store& store : stores_) {
    const auto found = store.by_key.find(key);
    if (found == store.by_key.end()) continue;
    if (found->second->stored.answered_at_ms > answer.answered_at_ms) return;
    store.Erase(found->second);
  }
  Store& store = stores_[answer.answer.active ? kActive : answer.verified ? kInactiveVerified : kInactive];
  answer.answer.text.shrink_to_fit();
  const size_t bytes = Store::BytesOf(answer);
  if (bytes + store.TableBytes() > store.bytes_max) return;
  store.entries.push_front({.key = key, .stored = std::move(answer)});
  store.by_key.emplace(key, store.entries.begin());
  store.bytes += bytes;
  // In a small store, a table that has just grown may take all that there is.
  while (store.bytes + store.TableBytes() > store.bytes_max && !store.entries.empty())
    store.Erase(std::prev(store.entries.end()));
}

void AnswerCache::Drop(uint32_t issuer) {
  for (Store& store : stores_) {
    for (auto entry = store.entries.begin(); entry != store.entries.end();) {
      const auto here = entry++;
      if (here->key.issuer == issuer) store.Erase(here);
    }
  }
}

size_t AnswerCache::bytes() const {
  size_t bytes = 0;
  for (const Store& store : stores_) bytes += store.bytes + store.TableBytes();
  return bytes;
}

size_t AnswerCache::size() const {
  size_t size = 0;
  for (const Store& store : stores_) size += store.entries.size();
  return size;
}

}  // namespace tollgate::introspection
