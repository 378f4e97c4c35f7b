// What one subject or issuer may have of a cache that is everybody's.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/verdicts/cache_fixture.h"

namespace tollgate::verdicts {
namespace {

using enum VerdictCache::InsertResult;

TEST(VerdictCache, LongTextsOfOneIssuerLeaveHalfOfTheRoomToOthers) {
  CacheUser user(size_t{64} << 20, 2);
  const auto insert = [&](uint32_t issuer, uint64_t number) {
    VerdictCache::Entry entry = EntryOf(number);
    const std::string grants = std::to_string(number) + std::string(2000, 'g');
    entry.issuer = issuer;
    entry.names.grants = grants;
    return user.Insert(Token(number), entry) != kUnstorable;
  };
  size_t stored = 0;
  for (uint64_t i = 0; i < 4'000; ++i) stored += insert(1, i);
  EXPECT_GT(stored, 1'500u);
  EXPECT_LT(stored, 2'200u);
  for (uint64_t i = 10'000; i < 11'000; ++i) EXPECT_TRUE(insert(2, i)) << i;
  EXPECT_TRUE(insert(1, 0)) << "what is known costs nothing";
}

TEST(VerdictCache, AudiencesOfOneIssuerLeaveHalfOfTheRoomToOthers) {
  CacheUser user(size_t{4} << 20, 2);
  const auto insert = [&](uint32_t issuer, uint64_t number) {
    VerdictCache::Entry entry = EntryOf(number);
    entry.issuer = issuer;
    entry.facts.audience = number + 1;
    return user.Insert(Token(number), entry) != kUnstorable;
  };
  size_t stored = 0;
  for (uint64_t i = 0; i < 300; ++i) stored += insert(1, i);
  EXPECT_EQ(stored, 128u);
  for (uint64_t i = 1'000; i < 1'128; ++i) EXPECT_TRUE(insert(2, i)) << i;
  EXPECT_TRUE(insert(1, 0) && insert(2, 1)) << "what is known costs nothing";
}

TEST(VerdictCache, ASubjectDisplacesNoMoreThanItsShare) {
  CacheUser user(4096 * VerdictCache::kSlotBytes);
  // Full, and everything in use.
  uint64_t next = 0;
  for (; next < 30'000; ++next) user.Insert(Token(next), EntryOf(next, std::to_string(next)));
  std::vector<uint64_t> good;
  for (uint64_t i = 0; i < next; ++i) {
    if (user.Has(Token(i))) good.push_back(i);
  }
  ASSERT_GT(good.size(), 4'000u);
  size_t displaced = 0, over_share = 0;
  for (uint64_t i = 0; i < 4'000; ++i, ++next) {
    const auto result = user.Insert(Token(next), EntryOf(7, "mallory"));
    displaced += result == kDisplaced;
    over_share += result == kOverShare;
  }
  EXPECT_LE(displaced, 4096u / 32 * 2);
  EXPECT_GT(displaced, 10u) << "a share is not nothing";
  EXPECT_GT(over_share, 3'000u);
  // Others are not bound by what one did.
  size_t others = 0;
  for (uint64_t i = 0; i < 200; ++i, ++next)
    others += user.Insert(Token(next), EntryOf(next, std::to_string(next))) == kDisplaced;
  EXPECT_GT(others, 180u);
}

TEST(VerdictCache, AnIssuerOfSeveralDisplacesNoMoreThanHalf) {
  for (const size_t num_issuers : {size_t{1}, size_t{2}}) {
    CacheUser user(1024 * VerdictCache::kSlotBytes, num_issuers);
    size_t over_share = 0;
    for (uint64_t i = 0; i < 20'000; ++i) {
      const std::string subject = std::to_string(i);
      VerdictCache::Entry entry = EntryOf(i, subject);
      entry.issuer = 0;
      over_share += user.Insert(Token(i), entry) == kOverShare;
    }
    if (num_issuers == 1) {
      EXPECT_LT(over_share, 200u) << "subjects that share a cell, at the most";
    } else {
      EXPECT_GT(over_share, 5'000u);
    }
  }
}

// Whoever has used up a subject's share goes on trying: its issuer's other subjects do not pay for that.
TEST(VerdictCache, WhatIsRefusedToASubjectIsNotChargedToItsIssuer) {
  CacheUser user(4096 * VerdictCache::kSlotBytes, 2);
  uint64_t number = 0;
  const auto insert = [&](uint32_t issuer, const std::string& subject) {
    VerdictCache::Entry entry = EntryOf(number, subject);
    entry.issuer = issuer;
    return user.Insert(Token(number++), entry);
  };
  while (number < 20'000) insert(1, std::to_string(number));
  size_t refused = 0, over_share = 0;
  for (int i = 0; i < 20'000; ++i) {
    for (int attempt = 0; attempt < 9; ++attempt) refused += insert(0, "mallory") == kOverShare;
    over_share += insert(0, std::to_string(number)) == kOverShare;
    for (uint32_t other = 1; other <= 6; ++other) insert(other, std::to_string(number));
  }
  EXPECT_GT(refused, 170'000u);
  EXPECT_LT(over_share, 1'000u);
}

}  // namespace
}  // namespace tollgate::verdicts
