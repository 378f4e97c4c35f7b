#include "introspection/answer_cache.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>
#include <tuple>

namespace tollgate::introspection {
namespace {

AnswerKey Key(uint32_t number, uint32_t issuer = 0) {
  AnswerKey key{.issuer = issuer};
  for (size_t i = 0; i < 4; ++i) key.token[i] = static_cast<uint8_t>(number >> 8 * i);
  return key;
}

StoredAnswer Active(std::string text, int64_t at_ms = 0) {
  StoredAnswer stored;
  stored.answer.active = true;
  stored.answer.text = std::move(text);
  stored.answered_at_ms = at_ms;
  return stored;
}

StoredAnswer Inactive(bool verified, int64_t at_ms = 0) {
  StoredAnswer stored;
  stored.answered_at_ms = at_ms;
  stored.verified = verified;
  return stored;
}

constexpr size_t kBytesMax = 256 * 1024;

TEST(AnswerCache, GivesBackWhatWasPut) {
  AnswerCache cache(kBytesMax);
  EXPECT_EQ(cache.Find(Key(1)), nullptr);
  StoredAnswer stored = Active("text", 7);
  stored.answer.expires_at = 100;
  stored.answer.not_before = 50;
  cache.Put(Key(1), stored);
  const StoredAnswer* found = cache.Find(Key(1));
  ASSERT_NE(found, nullptr);
  EXPECT_TRUE(found->answer.active);
  EXPECT_EQ(found->answer.text, "text");
  EXPECT_EQ(found->answer.expires_at, 100);
  EXPECT_EQ(found->answer.not_before, 50);
  EXPECT_EQ(found->answered_at_ms, 7);
  EXPECT_EQ(cache.Find(Key(2)), nullptr);
  EXPECT_EQ(cache.size(), 1u);
}

TEST(AnswerCache, IssuersShareNothingForTheSameToken) {
  AnswerCache cache(kBytesMax);
  cache.Put(Key(1, 0), Active("zero"));
  EXPECT_EQ(cache.Find(Key(1, 1)), nullptr);
  cache.Put(Key(1, 1), Inactive(true));
  ASSERT_NE(cache.Find(Key(1, 0)), nullptr);
  EXPECT_TRUE(cache.Find(Key(1, 0))->answer.active);
  EXPECT_FALSE(cache.Find(Key(1, 1))->answer.active);
}

TEST(AnswerCache, ANewerAnswerReplacesWhateverIsKnown) {
  AnswerCache cache(kBytesMax);
  cache.Put(Key(1), Active("a", 1));
  cache.Put(Key(1), Inactive(false, 2));
  EXPECT_FALSE(cache.Find(Key(1))->answer.active);
  cache.Put(Key(1), Inactive(true, 3));
  EXPECT_TRUE(cache.Find(Key(1))->verified);
  cache.Put(Key(1), Active("b", 4));
  EXPECT_EQ(cache.Find(Key(1))->answer.text, "b");
  cache.Put(Key(1), Active("c", 5));
  EXPECT_EQ(cache.Find(Key(1))->answer.text, "c");
  EXPECT_EQ(cache.size(), 1u);
}

TEST(AnswerCache, AnOlderAnswerChangesNothing) {
  AnswerCache cache(kBytesMax);
  cache.Put(Key(1), Inactive(false, 10));
  cache.Put(Key(1), Active("late", 9));
  EXPECT_FALSE(cache.Find(Key(1))->answer.active);
  cache.Put(Key(2), Active("good", 10));
  cache.Put(Key(2), Inactive(true, 9));
  EXPECT_EQ(cache.Find(Key(2))->answer.text, "good");
  EXPECT_EQ(cache.size(), 2u);
}

TEST(AnswerCache, FloodsOfInactiveOnesDriveOutNoOthers) {
  AnswerCache cache(kBytesMax);
  cache.Put(Key(1), Active(std::string(1000, 'x')));
  cache.Put(Key(2), Inactive(true));
  for (uint32_t i = 0; i < 20'000; ++i) {
    cache.Put(Key(1000 + i), Inactive(false));
    ASSERT_LE(cache.bytes(), kBytesMax);
  }
  EXPECT_NE(cache.Find(Key(1)), nullptr);
  EXPECT_NE(cache.Find(Key(2)), nullptr);
  EXPECT_EQ(cache.Find(Key(1000)), nullptr);
  EXPECT_NE(cache.Find(Key(1000 + 19'999)), nullptr);
  // And the other way round: neither do the others drive out these.
  for (uint32_t i = 0; i < 20'000; ++i) {
    cache.Put(Key(100'000 + i), Active("x"));
    cache.Put(Key(200'000 + i), Inactive(true));
    ASSERT_LE(cache.bytes(), kBytesMax);
  }
  EXPECT_EQ(cache.Find(Key(1)), nullptr);
  EXPECT_EQ(cache.Find(Key(2)), nullptr);
  EXPECT_NE(cache.Find(Key(1000 + 19'999)), nullptr);
}

TEST(AnswerCache, ForgetsWhatWasUsedLongestAgo) {
  AnswerCache cache(kBytesMax);
  for (uint32_t i = 0; i < 10'000; ++i) {
    cache.Put(Key(i), Active("x"));
    ASSERT_NE(cache.Find(Key(0)), nullptr) << i;
  }
  EXPECT_EQ(cache.Find(Key(1)), nullptr);
  EXPECT_GT(cache.size(), 100u);
}

TEST(AnswerCache, AnAnswerLargerThanItsStoreIsNotKeptAndCostsNoOther) {
  AnswerCache cache(8 * 1024);
  cache.Put(Key(1), Active("small", 1));
  cache.Put(Key(2), Active(std::string(8 * 1024, 'x'), 1));
  EXPECT_EQ(cache.Find(Key(2)), nullptr);
  EXPECT_NE(cache.Find(Key(1)), nullptr);
  // What it replaces is out of date all the same.
  cache.Put(Key(1), Active(std::string(8 * 1024, 'x'), 2));
  EXPECT_EQ(cache.Find(Key(1)), nullptr);
}

TEST(AnswerCache, NoBytesKeepNothing) {
  for (const size_t bytes_max : {size_t{0}, size_t{3}, size_t{100}}) {
    AnswerCache cache(bytes_max);
    for (uint32_t i = 0; i < 100; ++i) cache.Put(Key(i), i % 2 == 0 ? Active("x") : Inactive(i % 3 == 0));
    EXPECT_EQ(cache.size(), 0u);
    EXPECT_LE(cache.bytes(), bytes_max);
  }
}

TEST(AnswerCache, DropForgetsOneIssuerAlone) {
  AnswerCache cache(kBytesMax);
  for (uint32_t i = 0; i < 30; ++i) {
    cache.Put(Key(i, 0), i % 3 == 0 ? Active("x") : Inactive(i % 3 == 1));
    cache.Put(Key(i, 1), i % 3 == 0 ? Active("x") : Inactive(i % 3 == 1));
  }
  cache.Drop(0);
  EXPECT_EQ(cache.size(), 30u);
  for (uint32_t i = 0; i < 30; ++i) {
    EXPECT_EQ(cache.Find(Key(i, 0)), nullptr);
    EXPECT_NE(cache.Find(Key(i, 1)), nullptr);
  }
  cache.Drop(1);
  EXPECT_EQ(cache.size(), 0u);
}

// What is found is the newest answer that was put, never one of another key; and the bytes hold.
TEST(AnswerCache, AnyWalkFindsTheNewestAnswerOrNone) {
  std::mt19937_64 random(1);
  size_t found_some = 0, found_none = 0;
  for (const size_t bytes_max : {4'000, 20'000, 200'000}) {
    AnswerCache cache(bytes_max);
    std::map<std::tuple<uint32_t, uint32_t>, StoredAnswer> newest;
    for (int step = 0; step < 20'000; ++step) {
      const auto number = static_cast<uint32_t>(random() % 200), issuer = static_cast<uint32_t>(random() % 3);
      const AnswerKey key = Key(number, issuer);
      const auto known = newest.find({number, issuer});
      if (random() % 2 == 0) {
        const int64_t at_ms = step - static_cast<int64_t>(random() % 500);
        StoredAnswer stored = random() % 2 == 0 ? Active(std::string(random() % 600, 'x'), at_ms)
                                                : Inactive(random() % 2 == 0, at_ms);
        stored.answer.expires_at = step;
        if (known == newest.end() || known->second.answered_at_ms <= at_ms) newest[{number, issuer}] = stored;
        cache.Put(key, stored);
        // It may have been forgotten that there was a newer one.
        if (const StoredAnswer* now = cache.Find(key); now != nullptr && now->answer.expires_at == step)
          newest[{number, issuer}] = stored;
      } else if (const StoredAnswer* found = cache.Find(key); found != nullptr) {
        ++found_some;
        ASSERT_NE(known, newest.end());
        ASSERT_EQ(found->answer.expires_at, known->second.answer.expires_at);
        ASSERT_EQ(found->answer.text, known->second.answer.text);
        ASSERT_EQ(found->answer.active, known->second.answer.active);
      } else {
        ++found_none;
      }
      ASSERT_LE(cache.bytes(), bytes_max);
    }
  }
  EXPECT_GT(found_some, 1'000u);
  EXPECT_GT(found_none, 1'000u);
}

}  // namespace
}  // namespace tollgate::introspection
