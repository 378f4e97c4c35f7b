#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "verdicts/verdict_cache.h"

namespace tollgate::verdicts {

// Token returns a different text of `size` bytes for each number, with all the difference in the last
// sixteen.
inline std::string Token(uint64_t number, size_t size = 800) {
  std::string tail = std::to_string(number * 0x9e3779b97f4a7c15 | uint64_t{1} << 63);
  tail = tail.substr(tail.size() - std::min(tail.size(), size));
  return std::string(size - tail.size(), 'h') + tail;
}

// EntryOf makes an entry all of whose numbers follow from `number`.
inline VerdictCache::Entry EntryOf(uint64_t number, std::string_view subject = "alice") {
  VerdictCache::Entry entry;
  entry.issuer = static_cast<uint32_t>(number % 7);
  entry.facts.key = {.slot = static_cast<uint32_t>(number % 65'536), .generation = 2};
  entry.facts.valid_from_s = static_cast<int64_t>(number);
  entry.facts.valid_through_s = 4'000'000'000;
  entry.facts.verified_at_mono_ms = static_cast<int64_t>(number * 1'000'003);
  entry.facts.audience = number * 3 % 5;
  entry.facts.epoch = static_cast<uint32_t>(number);
  entry.facts.grant_set = static_cast<uint32_t>(number % 4096);
  entry.facts.algorithm = static_cast<Algorithm>(number % kAlgorithmCount);
  entry.facts.sender_constrained = number % 2 == 1;
  entry.times = {
      .expires_at = 3'999'999'000, .not_before = INT64_MIN, .issued_at = static_cast<int64_t>(number)};
  entry.names = {.subject = subject, .client_id = "client", .jwt_id = "jti", .grants = "admin"};
  return entry;
}

inline bool SameFacts(const Facts& a, const Facts& b) {
  return a.key == b.key && a.valid_from_s == b.valid_from_s && a.valid_through_s == b.valid_through_s &&
         !VerdictCache::IsOlder(a.verified_at_mono_ms, 0, b.verified_at_mono_ms) &&
         !VerdictCache::IsOlder(b.verified_at_mono_ms, 0, a.verified_at_mono_ms) &&
         a.audience == b.audience && a.epoch == b.epoch && a.grant_set == b.grant_set &&
         a.algorithm == b.algorithm && a.sender_constrained == b.sender_constrained;
}

// CacheUser takes tokens instead of keys, and knows which of the keys that verified them are still in their
// set.
class CacheUser {
 public:
  explicit CacheUser(size_t bytes, size_t num_issuers = 1) : cache_(bytes, num_issuers) {}

  bool Find(std::string_view token, Facts* facts) { return Find(token, facts, &found_); }
  bool Find(std::string_view token, Facts* facts, VerdictCache::Found* found) {
    VerdictCache::Key key;
    cache_.Derive(token, &key);
    return cache_.Find(key, facts, found) == VerdictCache::FindResult::kFound;
  }
  bool Has(std::string_view token) {
    Facts facts;
    return Find(token, &facts);
  }

  VerdictCache::InsertResult Insert(std::string_view token, const VerdictCache::Entry& entry) {
    VerdictCache::Key key;
    cache_.Derive(token, &key);
    return cache_.Insert(key, entry, now_s_, [this](KeyRef ref) { return !retired_.contains(ref.slot); });
  }

  void Retire(uint32_t key_slot) { retired_.insert(key_slot); }
  void SetNow(int64_t now_s) { now_s_ = now_s; }
  VerdictCache& cache() { return cache_; }

 private:
  VerdictCache cache_;
  VerdictCache::Found found_;
  int64_t now_s_ = 1'000'000'000;
  std::set<uint32_t> retired_;
};

}  // namespace tollgate::verdicts
