// Many threads find, insert and restamp in a small cache. All that is stored of a token follows from its
// number and a version, so that a reader can tell whether it got a torn record or one of another token.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/limits.h"
#include "tests/verdicts/cache_fixture.h"

namespace tollgate::verdicts {
namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kRounds = 5'000;
#else
constexpr int kRounds = 100'000;
#endif
constexpr uint32_t kTokens = 64;
constexpr size_t kSlots = 32;  // Half as many: entries are displaced and moved all the time.

uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 31)) * 0x9e3779b97f4a7c15;
  return x ^ (x >> 29);
}

// Versions of one token differ in everything that an entry has.
uint64_t Seed(uint32_t number, uint32_t version) { return number + uint64_t{version} * kTokens; }

std::string Subject(uint64_t seed) { return std::string(1 + seed % 60, static_cast<char>('a' + seed % 26)); }

// The entry of which these facts are, by the times that follow from the seed; the stamp may be another, and
// its two parts are of one writer.
bool Consistent(uint32_t number, Facts facts, const Details* details) {
  const auto seed = static_cast<uint64_t>(facts.valid_from_s);
  const VerdictCache::Entry expected = EntryOf(seed);
  if (facts.grant_set != facts.epoch % limits::kGrantSetsMax) return false;
  facts.epoch = expected.facts.epoch;
  facts.grant_set = expected.facts.grant_set;
  if (seed % kTokens != number || !SameFacts(facts, expected.facts)) return false;
  return details == nullptr ||
         (details->names.subject == Subject(seed) && details->times.issued_at == static_cast<int64_t>(seed));
}

TEST(VerdictCacheStress, NoReaderGetsATornRecordOrThatOfAnotherToken) {
  VerdictCache cache(kSlots * VerdictCache::kSlotBytes, 1);
  ASSERT_EQ(cache.capacity(), kSlots);
  std::vector<VerdictCache::Key> keys(kTokens);
  for (uint32_t i = 0; i < kTokens; ++i) cache.Derive(Token(i, 300 + i * 7), &keys[i]);

  std::atomic<int> bad{0}, hits{0}, displaced{0};
  std::vector<std::thread> threads;
  for (uint64_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      uint64_t random = Mix(thread + 1);
      int my_bad = 0, my_hits = 0, my_displaced = 0;
      for (int round = 0; round < kRounds; ++round) {
        random = Mix(random + 1);
        const uint32_t number = static_cast<uint32_t>(random >> 8) % kTokens;
        const uint64_t seed = Seed(number, static_cast<uint32_t>(random >> 40) % 1000);
        if (random % 16 < 5) {
          const std::string subject = Subject(seed);
          const auto result = cache.Insert(keys[number], EntryOf(seed, subject), 1, [](KeyRef ref) {
            return ref.slot % 5 != 0;  // Some are dead, and make room.
          });
          my_displaced += result == VerdictCache::InsertResult::kDisplaced;
          continue;
        }
        Facts facts;
        VerdictCache::Found found;
        if (cache.Find(keys[number], &facts, &found) != VerdictCache::FindResult::kFound) continue;
        ++my_hits;
        Details details;
        const bool read = cache.ReadDetails(found, &details);
        if (random % 3 == 0) {
          const auto stamp = static_cast<uint32_t>(random >> 20);
          cache.Restamp(stamp, stamp % limits::kGrantSetsMax, found);
        }
        my_bad += !Consistent(number, facts, read ? &details : nullptr);
      }
      // Ordering: relaxed; read after the join.
      bad.fetch_add(my_bad, std::memory_order_relaxed);
      hits.fetch_add(my_hits, std::memory_order_relaxed);
      displaced.fetch_add(my_displaced, std::memory_order_relaxed);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(bad.load(std::memory_order_relaxed), 0);
  EXPECT_GT(hits.load(std::memory_order_relaxed), kRounds / 4);
  EXPECT_GT(displaced.load(std::memory_order_relaxed), 0);
}

// Threads insert, each its own tokens, and find those of the others.
TEST(VerdictCacheStress, NothingIsTornWhileMoreOfTheMemoryIsTakenIntoUse) {
  constexpr uint32_t kThreads = 4, kEach = 1'000;
  VerdictCache cache(8192 * VerdictCache::kSlotBytes, 1);
  std::atomic<int> bad{0}, hits{0}, inserted{0};
  std::vector<std::thread> threads;
  for (uint32_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      uint64_t random = Mix(thread + 1);
      int my_bad = 0, my_hits = 0, my_inserted = 0;
      for (uint32_t i = 0; i < kEach; ++i) {
        VerdictCache::Key key;
        const uint64_t mine = thread * kEach + i, seed = mine * kTokens;
        cache.Derive(Token(mine, 200), &key);
        const std::string subject = Subject(seed);
        const auto result = cache.Insert(key, EntryOf(seed, subject), 1, [](KeyRef) { return true; });
        my_inserted += result == VerdictCache::InsertResult::kInserted;
        for (int look = 0; look < 4; ++look) {
          random = Mix(random + 1);
          const uint64_t other = (random >> 8) % kThreads * kEach + (random >> 32) % (i + 1);
          Facts facts;
          VerdictCache::Found found;
          cache.Derive(Token(other, 200), &key);
          if (cache.Find(key, &facts, &found) != VerdictCache::FindResult::kFound) continue;
          ++my_hits;
          Details details;
          const bool read = cache.ReadDetails(found, &details);
          my_bad += facts.valid_from_s != static_cast<int64_t>(other * kTokens) ||
                    !Consistent(0, facts, read ? &details : nullptr);
        }
      }
      // Ordering: relaxed; read after the join.
      bad.fetch_add(my_bad, std::memory_order_relaxed);
      hits.fetch_add(my_hits, std::memory_order_relaxed);
      inserted.fetch_add(my_inserted, std::memory_order_relaxed);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(bad.load(std::memory_order_relaxed), 0);
  EXPECT_GT(hits.load(std::memory_order_relaxed), static_cast<int>(kEach));
  EXPECT_GT(cache.slots_in_use(), cache.capacity() / 4);
  // What was written into a bucket that another thread emptied at that moment is lost; the rest is there.
  int there = 0;
  for (uint64_t number = 0; number < kThreads * kEach; ++number) {
    VerdictCache::Key key;
    Facts facts;
    VerdictCache::Found found;
    cache.Derive(Token(number, 200), &key);
    there += cache.Find(key, &facts, &found) == VerdictCache::FindResult::kFound;
  }
  EXPECT_GE(there, inserted.load(std::memory_order_relaxed) - static_cast<int>(kThreads * kEach / 100));
}

// The last buckets are taken into use once in a cache's life, so there are many caches.
TEST(VerdictCacheStress, NoThreadTakesMoreIntoUseThanThereIs) {
  for (uint32_t round = 0; round < 50; ++round) {
    VerdictCache cache(1024 * VerdictCache::kSlotBytes, 1);
    std::vector<std::thread> threads;
    std::atomic<int> beyond{0};
    for (uint64_t thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&, thread] {
        for (uint64_t i = 0; i < 400; ++i) {
          VerdictCache::Key key;
          const std::string subject = std::to_string(i);
          cache.Derive(Token(thread * 400 + i, 64), &key);
          cache.Insert(key, EntryOf(i, subject), 1, [](KeyRef) { return true; });
          // Ordering: relaxed; read after the join.
          if (cache.slots_in_use() > cache.capacity()) beyond.fetch_add(1, std::memory_order_relaxed);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(beyond.load(std::memory_order_relaxed), 0);
    ASSERT_EQ(cache.slots_in_use(), cache.capacity());
  }
}

// The control: the check for torn records can tell.
TEST(VerdictCacheStress, AMixedRecordIsInconsistent) {
  const auto facts_of = [](uint64_t seed) { return EntryOf(seed).facts; };
  EXPECT_TRUE(Consistent(3, facts_of(Seed(3, 7)), nullptr));
  EXPECT_FALSE(Consistent(4, facts_of(Seed(3, 7)), nullptr));
  Facts mixed = facts_of(Seed(3, 7));
  mixed.key = facts_of(Seed(3, 8)).key;
  EXPECT_FALSE(Consistent(3, mixed, nullptr));
  mixed = facts_of(Seed(3, 7));
  mixed.valid_from_s = facts_of(Seed(3, 8)).valid_from_s;
  EXPECT_FALSE(Consistent(3, mixed, nullptr));
  Details details;
  const std::string subject = Subject(Seed(3, 8));
  details.names.subject = subject;
  details.times.issued_at = static_cast<int64_t>(Seed(3, 7));
  EXPECT_FALSE(Consistent(3, facts_of(Seed(3, 7)), &details));
}

}  // namespace
}  // namespace tollgate::verdicts
