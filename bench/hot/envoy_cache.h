#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/container/node_hash_map.h"

namespace tollgate::bench {

// EnvoyJwtCache is the jwt_cache of Envoy's jwt_authn filter, rebuilt in its own terms for comparison
// (jwt_cache.cc and the cached way through authenticator.cc, on the SimpleLRUCache of jwt_verify_lib). A hit
// copies the token out of the header and looks it up, as text, in a hash map: the entry leaves the list of
// least recently used ones while exp is checked, and is put back at its front, which looks it up again, in
// the map of entries that wait for their release and in the main one. Then the issuer, the times and the
// audience are checked again. What Envoy does around it (filters, statistics, writing headers) is left out,
// in its favour. It knows no tools, no scopes, no removal of keys and no revocation. Owner thread only, as in
// Envoy, where each worker has one.
class EnvoyJwtCache {
 public:
  // The parsed token, as far as a hit reads it.
  struct Jwt {
    std::string issuer;
    std::string subject;
    std::vector<std::string> audiences;
    std::string jwt_id;
    int64_t expires_at_s = 0;
    int64_t not_before_s = 0;
    std::string payload;  // As JSON; Envoy keeps it for who comes after.
  };

  EnvoyJwtCache(size_t capacity, const std::vector<std::string>& issuers,
                const std::vector<std::string>& audiences)
      : capacity_(capacity),
        issuers_(issuers.begin(), issuers.end()),
        audiences_(audiences.begin(), audiences.end()) {}

  void Insert(std::string_view token, Jwt jwt) {
    const std::string key(token);
    if (const auto found = table_.find(key); found != table_.end()) {
      used_.erase(found->second);
      table_.erase(found);
    }
    used_.emplace_front(Entry{key, std::move(jwt)});
    table_.emplace(key, used_.begin());
    if (table_.size() > capacity_) {
      table_.erase(used_.back().token);
      used_.pop_back();
    }
  }

  // Check returns whether a request with this header value is let through by the cache alone.
  bool Check(std::string_view authorization) {
    constexpr std::string_view kBearer = "Bearer ";
    if (!authorization.starts_with(kBearer)) return false;
    const std::string token(authorization.substr(kBearer.size()));
    const Jwt* const jwt = Lookup(token);
    return jwt != nullptr && issuers_.contains(jwt->issuer) && InTime(*jwt) && IsAudienceAllowed(*jwt);
  }

 private:
  struct Entry {
    std::string token;
    Jwt jwt;
    int pins = 0;
    int64_t last_used_ns = 0;
  };
  using List = std::list<Entry>;
  using Table = absl::node_hash_map<std::string, List::iterator>;

  const Jwt* Lookup(const std::string& token) {
    const auto found = table_.find(token);
    if (found == table_.end()) return nullptr;
    const List::iterator entry = found->second;
    if (entry->pins++ == 0) pinned_.splice(pinned_.begin(), used_, entry);
    const bool good = NowSeconds() <= entry->jwt.expires_at_s;
    Release(token);
    return good ? &entry->jwt : nullptr;
  }

  void Release(const std::string& token) {
    if (deferred_.find(token) != deferred_.end()) return;
    const List::iterator entry = table_.find(token)->second;
    entry->last_used_ns = std::chrono::steady_clock::now().time_since_epoch().count();
    if (--entry->pins == 0) used_.splice(used_.begin(), pinned_, entry);
  }

  static int64_t NowSeconds() {
    return std::chrono::duration_cast<std::chrono::seconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }

  static bool InTime(const Jwt& jwt) {
    constexpr int64_t kClockSkewS = 60;
    const int64_t now_s = NowSeconds();
    return now_s + kClockSkewS >= jwt.not_before_s && now_s <= jwt.expires_at_s + kClockSkewS;
  }

  bool IsAudienceAllowed(const Jwt& jwt) const {
    for (const std::string& audience : jwt.audiences) {
      if (audiences_.contains(audience)) return true;
    }
    return false;
  }

  const size_t capacity_;
  const absl::flat_hash_set<std::string> issuers_;
  const absl::flat_hash_set<std::string> audiences_;
  List used_;  // The most recently used one first.
  List pinned_;
  Table table_;
  Table deferred_;  // Removed while in use; empty here, but looked into.
};

}  // namespace tollgate::bench
