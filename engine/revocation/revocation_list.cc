#include "revocation/revocation_list.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"
#include "base/limits.h"

namespace tollgate::revocation {
namespace {

struct Entry {
  int64_t until_s = 0;
  int64_t issued_until_s = INT64_MAX;  // Covers tokens with iat up to here; absent iat always.
};

// What is revoked, and whose it is: by the names themselves. A look needs no copy of them.
struct Name {
  std::string issuer;
  std::string name;
};
struct NameView {
  std::string_view issuer;
  std::string_view name;

  NameView(std::string_view issuer_in, std::string_view name_in) : issuer(issuer_in), name(name_in) {}
  NameView(const Name& name_in) : issuer(name_in.issuer), name(name_in.name) {}  // NOLINT: on purpose.
};
struct NameHash {
  using is_transparent = void;
  size_t operator()(const NameView& view) const {
    return absl::HashOf(absl::string_view(view.issuer.data(), view.issuer.size()),
                        absl::string_view(view.name.data(), view.name.size()));
  }
};
struct NameEqual {
  using is_transparent = void;
  bool operator()(const NameView& a, const NameView& b) const {
    return a.issuer == b.issuer && a.name == b.name;
  }
};
using Entries = absl::flat_hash_map<Name, Entry, NameHash, NameEqual>;

bool Covers(const Entries& entries, std::string_view issuer, std::string_view name, int64_t issued_at) {
  if (name.empty() || entries.empty()) return false;
  const auto found = entries.find(NameView(issuer, name));
  return found != entries.end() && issued_at <= found->second.issued_until_s;
}

}  // namespace

struct RevocationList::State {
  explicit State(std::atomic<uint64_t>& list_epoch) : epoch(list_epoch) {}

  std::atomic<uint64_t>& epoch;
  // Ordering: as the epoch; written under the lock.
  std::atomic<size_t> size{0};

  mutable std::shared_mutex mutex;  // Guards what follows.
  Entries keys;
  Entries subjects;
  Entries tokens;

  absl::Status Add(Entries* entries, std::string_view issuer, std::string_view name, Entry entry,
                   int64_t now_s) {
    if (name.empty()) return absl::InvalidArgumentError("nothing is named");
    if (entry.until_s <= now_s) return absl::InvalidArgumentError("the revocation would have ended already");
    const std::lock_guard lock(mutex);
    auto found = entries->find(NameView(issuer, name));
    if (found == entries->end()) {
      if (Total() >= limits::kRevocationsMax) {
        return absl::ResourceExhaustedError("the revocation list is full");
      }
      entries->emplace(Name{std::string(issuer), std::string(name)}, entry);
    } else {
      // Never shorter, never narrower.
      found->second.until_s = std::max(found->second.until_s, entry.until_s);
      found->second.issued_until_s = std::max(found->second.issued_until_s, entry.issued_until_s);
    }
    size.store(Total(), std::memory_order_release);  // Ordering: pairs with the acquire in Empty and size.
    // In force first, then the new epoch: whoever stamps facts with it has seen the entry.
    epoch.fetch_add(1,
                    std::memory_order_release);  // Ordering: pairs with the acquire in RevocationList::epoch.
    return absl::OkStatus();
  }

  size_t Total() const { return keys.size() + subjects.size() + tokens.size(); }
};

RevocationList::RevocationList() : state_(std::make_unique<State>(epoch_)) {}
RevocationList::~RevocationList() = default;

absl::Status RevocationList::RevokeKey(std::string_view issuer, std::string_view thumbprint_or_key_id,
                                       int64_t until_s, int64_t now_s) {
  return state_->Add(&state_->keys, issuer, thumbprint_or_key_id, {.until_s = until_s}, now_s);
}

absl::Status RevocationList::RevokeSubject(std::string_view issuer, std::string_view subject, int64_t until_s,
                                           int64_t now_s) {
  return state_->Add(&state_->subjects, issuer, subject, {.until_s = until_s, .issued_until_s = now_s},
                     now_s);
}

absl::Status RevocationList::RevokeToken(std::string_view issuer, std::string_view jwt_id, int64_t until_s,
                                         int64_t now_s) {
  return state_->Add(&state_->tokens, issuer, jwt_id, {.until_s = until_s}, now_s);
}

void RevocationList::RaiseEpoch(absl::FunctionRef<void(uint64_t)> put) {
  const std::lock_guard lock(state_->mutex);
  // Ordering: relaxed, the lock orders all writers; the release pairs with the acquire in epoch.
  const uint64_t next = epoch_.load(std::memory_order_relaxed) + 1;
  put(next);
  epoch_.store(next, std::memory_order_release);
}

Reason RevocationList::Covers(const Candidate& candidate) const {
  if (Empty()) return Reason::kNone;
  const std::shared_lock lock(state_->mutex);
  const auto covers = [&candidate](const Entries& entries, std::string_view name) {
    return revocation::Covers(entries, candidate.issuer, name, candidate.issued_at);
  };
  if (covers(state_->keys, candidate.key_thumbprint) || covers(state_->keys, candidate.key_id)) {
    return Reason::kKeyRevoked;
  }
  if (covers(state_->subjects, candidate.subject)) return Reason::kSubjectRevoked;
  if (covers(state_->tokens, candidate.jwt_id)) return Reason::kTokenRevoked;
  return Reason::kNone;
}

bool RevocationList::Empty() const { return size() == 0; }

size_t RevocationList::size() const {
  return state_->size.load(
      std::memory_order_acquire);  // Ordering: pairs with the releases in Add and Expire.
}

void RevocationList::Expire(int64_t now_s) {
  if (Empty()) return;
  const std::lock_guard lock(state_->mutex);
  for (Entries* entries : {&state_->keys, &state_->subjects, &state_->tokens}) {
    absl::erase_if(*entries, [now_s](const auto& entry) { return entry.second.until_s <= now_s; });
  }
  state_->size.store(state_->Total(),
                     std::memory_order_release);  // Ordering: pairs with the acquire in size.
}

}  // namespace tollgate::revocation
