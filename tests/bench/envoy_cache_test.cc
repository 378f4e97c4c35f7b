#include "bench/hot/envoy_cache.h"

#include <gtest/gtest.h>

namespace tollgate::bench {
namespace {

constexpr int64_t kFarAway = 4'000'000'000;

EnvoyJwtCache::Jwt GoodJwt() {
  EnvoyJwtCache::Jwt jwt;
  jwt.issuer = "https://idp.example";
  jwt.audiences = {"account", "https://mcp.example/mcp"};
  jwt.expires_at_s = kFarAway;
  return jwt;
}

EnvoyJwtCache MakeCache(size_t capacity) {
  return EnvoyJwtCache(capacity, {"https://idp.example"}, {"https://mcp.example/mcp"});
}

TEST(EnvoyJwtCache, LetsThroughExactlyTheTokensThatItHolds) {
  EnvoyJwtCache cache = MakeCache(10);
  cache.Insert("a.b.c", GoodJwt());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(cache.Check("Bearer a.b.c"));
  for (const char* other : {"Bearer a.b.d", "Bearer a.b.", "a.b.c", "Basic a.b.c", ""})
    EXPECT_FALSE(cache.Check(other)) << other;
}

TEST(EnvoyJwtCache, ChecksTimesIssuerAndAudienceOnEachHit) {
  EnvoyJwtCache cache = MakeCache(10);
  EnvoyJwtCache::Jwt jwt = GoodJwt();
  jwt.expires_at_s = 1'000'000'000;
  cache.Insert("expired", jwt);
  jwt = GoodJwt();
  jwt.not_before_s = kFarAway;
  cache.Insert("early", jwt);
  jwt = GoodJwt();
  jwt.issuer = "https://other.example";
  cache.Insert("issuer", jwt);
  jwt = GoodJwt();
  jwt.audiences = {"account"};
  cache.Insert("audience", jwt);
  for (const char* token : {"expired", "early", "issuer", "audience"})
    EXPECT_FALSE(cache.Check(std::string("Bearer ") + token)) << token;
}

TEST(EnvoyJwtCache, DisplacesTheTokenThatWasUsedLongestAgo) {
  EnvoyJwtCache cache = MakeCache(2);
  cache.Insert("a", GoodJwt());
  cache.Insert("b", GoodJwt());
  EXPECT_TRUE(cache.Check("Bearer a"));
  cache.Insert("c", GoodJwt());
  EXPECT_TRUE(cache.Check("Bearer a"));
  EXPECT_FALSE(cache.Check("Bearer b"));
  EXPECT_TRUE(cache.Check("Bearer c"));
}

}  // namespace
}  // namespace tollgate::bench
