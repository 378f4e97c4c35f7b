#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/container/node_hash_map.h"
#include "tollgate/clock.h"

namespace tollgate::bench {

// EnvoyJwtCache is the jwt_cache of Envoy's jwt_authn filter, rebuilt in its own terms for comparison: a
// least recently used list and a hash map from the whole token, as text, to the parsed claims. A hit copies
// the token out of the header, looks it up, moves it to the front and checks exp, the issuer and the audience
// again. What Envoy does around it (filters, statistics, writing headers) is left out, in its favour, and so
// is the second look at exp that it takes on each hit. It knows no tools, no scopes, no removal of keys and
// no revocation. Owner thread only, as in Envoy, which has one for each worker.
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

  EnvoyJwtCache(size_t capacity, std::vector<std::string> issuers, std::vector<std::string> audiences,
                const Clock& clock)
      : capacity_(capacity),
        issuers_(issuers.begin(), issuers.end()),
        audiences_(audiences.begin(), audiences.end()),
        clock_(clock) {}

  void Insert(std::string_view token, Jwt jwt) {
    const std::string key(token);
    if (const auto found = map_.find(key); found != map_.end()) {
      lru_.erase(found->second);
      map_.erase(found);
    }
    lru_.emplace_front(key, std::move(jwt));
    map_.emplace(key, lru_.begin());
    if (map_.size() > capacity_) {
      map_.erase(lru_.back().first);
      lru_.pop_back();
    }
  }

  // Check returns whether a request with this header value is let through by the cache alone.
  bool Check(std::string_view authorization) {
    constexpr std::string_view kBearer = "Bearer ";
    if (!authorization.starts_with(kBearer)) return false;
    const std::string token(authorization.substr(kBearer.size()));
    const auto found = map_.find(token);
    if (found == map_.end()) return false;
    lru_.splice(lru_.begin(), lru_, found->second);
    const Jwt& jwt = found->second->second;
    constexpr int64_t kClockSkewS = 60;
    const int64_t now_s = clock_.Read().wall_s;
    if (now_s < jwt.not_before_s - kClockSkewS || now_s > jwt.expires_at_s + kClockSkewS) return false;
    if (!issuers_.contains(jwt.issuer)) return false;
    for (const std::string& audience : jwt.audiences) {
      if (audiences_.contains(audience)) return true;
    }
    return false;
  }

 private:
  using List = std::list<std::pair<std::string, Jwt>>;
  const size_t capacity_;
  const absl::flat_hash_set<std::string> issuers_;
  const absl::flat_hash_set<std::string> audiences_;
  const Clock& clock_;
  List lru_;  // The most recently used one first.
  absl::node_hash_map<std::string, List::iterator> map_;
};

}  // namespace tollgate::bench
