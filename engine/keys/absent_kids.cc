#include "keys/absent_kids.h"

#include <algorithm>
#include <cstring>

#include "crypto/digest.h"

namespace tollgate::keys {

AbsentKids::AbsentKids(size_t entries_max, int64_t lifetime_ms, const Secret& secret)
    : entries_max_(entries_max), lifetime_ms_(lifetime_ms), secret_(secret) {}

bool AbsentKids::Expired(const Entry& entry, int64_t now_ms) const {
  int64_t age_ms;
  if (__builtin_sub_overflow(now_ms, entry.since_ms, &age_ms)) return now_ms > entry.since_ms;
  return age_ms > lifetime_ms_;
}

void AbsentKids::DropExpired(int64_t now_ms) {
  // A sweep happens only if it removes something, and an entry is removed once: the cost is shared by the
  // inserts.
  if (!Expired(Entry{.since_ms = oldest_ms_}, now_ms)) return;
  oldest_ms_ = INT64_MAX;
  absl::erase_if(entries_, [&](const auto& item) {
    if (Expired(item.second, now_ms)) return true;
    oldest_ms_ = std::min(oldest_ms_, item.second.since_ms);
    return false;
  });
}

AbsentKids::Asked AbsentKids::Look(std::string_view key_id, uint64_t fetches_begun, int64_t now_ms) {
  DropExpired(now_ms);
  const crypto::Sha256Digest mac = crypto::HmacSha256(secret_, key_id);
  Tag tag;
  std::memcpy(tag.data(), mac.data(), sizeof(tag));
  if (const auto found = entries_.find(tag); found != entries_.end()) {
    if (good_fetch_ > found->second.fetches_begun) return Asked::kSettled;
    return fetches_begun > found->second.fetches_begun ? Asked::kUnheard : Asked::kNotYet;
  }
  if (entries_.size() < entries_max_) {
    entries_.emplace(tag, Entry{.fetches_begun = fetches_begun, .since_ms = now_ms});
    oldest_ms_ = std::min(oldest_ms_, now_ms);
  }
  return Asked::kNotYet;
}

void AbsentKids::OnGood(uint64_t fetch, bool set_changed) {
  if (set_changed) {
    absl::erase_if(entries_, [&](const auto& item) { return good_fetch_ > item.second.fetches_begun; });
  }
  good_fetch_ = std::max(good_fetch_, fetch);
}

}  // namespace tollgate::keys
