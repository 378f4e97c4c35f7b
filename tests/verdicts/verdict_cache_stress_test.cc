// Many threads find, insert, restamp and erase in a small cache. All that is stored of a token follows from
// its number, so that a reader can tell whether it got a torn record or one of another token.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "verdicts/verdict_cache.h"

namespace tollgate::verdicts {
namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kRounds = 5'000;
#else
constexpr int kRounds = 50'000;
#endif
constexpr uint32_t kTokens = 64;  // Twice what the cache holds.

uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 31)) * 0x9e3779b97f4a7c15;
  return x ^ (x >> 29);
}

std::string Token(uint32_t number) {
  std::string token(300 + number * 7, static_cast<char>('A' + number % 26));
  return token + std::to_string(Mix(number + 1));
}

// Version `version` of what is known about a token: several are in use for each, as if it were verified
// again.
Facts FactsOf(uint32_t number, uint32_t version) {
  const uint64_t seed = Mix(uint64_t{number} << 32 | version);
  Facts facts;
  facts.issuer = number;
  facts.issuer_epoch = version;
  facts.key = {.slot = static_cast<uint32_t>(seed), .generation = static_cast<uint32_t>(seed >> 32)};
  facts.expires_at = static_cast<int64_t>(seed);
  facts.issued_at = static_cast<int64_t>(~seed);
  facts.verified_at_mono_ms = version;
  facts.audience = seed * 3;
  return facts;
}

Names NamesOf(uint32_t number, uint32_t version) {
  Names names;
  names.subject_len = static_cast<uint16_t>(1 + Mix(number) % 300);
  names.roles_len = static_cast<uint16_t>(version % 80);
  for (int i = 0; i < names.subject_len + names.roles_len; ++i) {
    names.bytes[i] = static_cast<char>(number + version);
  }
  return names;
}

bool Consistent(uint32_t number, const Facts& facts, const Names& names) {
  const uint32_t version = facts.issuer_epoch;
  const Facts expected = FactsOf(number, version);
  const Names expected_names = NamesOf(number, version);
  const size_t used = size_t{names.subject_len} + names.roles_len;
  return facts.issuer == number && facts.key == expected.key && facts.expires_at == expected.expires_at &&
         facts.issued_at == expected.issued_at && facts.audience == expected.audience &&
         facts.verified_at_mono_ms == version && names.subject_len == expected_names.subject_len &&
         names.roles_len == expected_names.roles_len &&
         std::string_view(names.bytes.data(), used) == std::string_view(expected_names.bytes.data(), used);
}

TEST(VerdictCacheStress, NoReaderGetsATornRecordOrThatOfAnotherToken) {
  VerdictCache cache(size_t{80} << 10);
  ASSERT_LT(cache.capacity(), kTokens);
  std::vector<std::string> tokens;
  for (uint32_t i = 0; i < kTokens; ++i) tokens.push_back(Token(i));

  std::atomic<int> bad{0};
  std::atomic<int> hits{0};
  std::vector<std::thread> threads;
  for (uint64_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      uint64_t random = Mix(thread + 1);
      for (int round = 0; round < kRounds; ++round) {
        random = Mix(random + 1);
        const uint32_t number = static_cast<uint32_t>(random >> 8) % kTokens;
        const uint32_t version = static_cast<uint32_t>(random >> 40) % 1000;
        switch (random % 16) {
          case 0:
            cache.Erase(tokens[number]);
            break;
          case 1:
          case 2:
          case 3:
          case 4:
            cache.Insert(tokens[number], FactsOf(number, version), NamesOf(number, version));
            break;
          default: {
            Facts facts;
            Names names;
            if (!cache.Find(tokens[number], &facts, &names)) break;
            // Ordering: relaxed, here and below; read after the join.
            hits.fetch_add(1, std::memory_order_relaxed);
            if (!Consistent(number, facts, names)) bad.fetch_add(1, std::memory_order_relaxed);
            cache.Restamp(tokens[number], facts, random % 100);
          }
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(bad.load(std::memory_order_relaxed), 0);
  EXPECT_GT(hits.load(std::memory_order_relaxed), kRounds / 4);
}

// The control: the check for torn records can tell.
TEST(VerdictCacheStress, AMixedRecordIsInconsistent) {
  EXPECT_TRUE(Consistent(3, FactsOf(3, 7), NamesOf(3, 7)));
  EXPECT_FALSE(Consistent(3, FactsOf(3, 7), NamesOf(3, 8)));
  EXPECT_FALSE(Consistent(3, FactsOf(3, 8), NamesOf(3, 7)));
  EXPECT_FALSE(Consistent(4, FactsOf(3, 7), NamesOf(3, 7)));
  Facts mixed = FactsOf(3, 7);
  mixed.audience = FactsOf(3, 8).audience;
  EXPECT_FALSE(Consistent(3, mixed, NamesOf(3, 7)));
}

}  // namespace
}  // namespace tollgate::verdicts
