#include "verdicts/verdict_cache.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::verdicts {
namespace {

using enum VerdictCache::InsertResult;

constexpr size_t kBytes = size_t{4} << 20;

// Token returns a different text of `size` bytes for each number, with all the difference in the last
// sixteen.
std::string Token(uint64_t number, size_t size = 800) {
  std::string tail = std::to_string(number * 0x9e3779b97f4a7c15);
  std::string token(size - tail.size(), 'h');
  return token + tail;
}

Facts FactsOf(uint64_t number) {
  Facts facts;
  facts.issuer = static_cast<uint32_t>(number);
  facts.issuer_epoch = 2;
  facts.key = {.slot = 3, .generation = static_cast<uint32_t>(number)};
  facts.revocation_epoch = 5;
  facts.expires_at = 6;
  facts.not_before = 7;
  facts.issued_at = 8;
  facts.verified_at_mono_ms = 9;
  facts.audience = ~number;
  facts.scope_set = 11;
  facts.algorithm = Algorithm::kPs384;
  facts.sender_constrained = true;
  return facts;
}

Names NamesOf(std::string_view subject, std::string_view roles = {}) {
  Names names;
  names.subject_len = static_cast<uint16_t>(subject.size());
  names.roles_len = static_cast<uint16_t>(roles.size());
  subject.copy(names.bytes.data(), subject.size());
  roles.copy(names.bytes.data() + subject.size(), roles.size());
  return names;
}

TEST(VerdictCache, FindsWhatWasInserted) {
  VerdictCache cache(kBytes);
  Facts facts;
  Names names;
  EXPECT_FALSE(cache.Find(Token(1), &facts, &names));
  EXPECT_EQ(cache.Insert(Token(1), FactsOf(77), NamesOf("alice", "admin")), kInserted);
  ASSERT_TRUE(cache.Find(Token(1), &facts, &names));
  EXPECT_EQ(facts.issuer, 77u);
  EXPECT_EQ(facts.issuer_epoch, 2u);
  EXPECT_EQ(facts.key, (KeyRef{3, 77}));
  EXPECT_EQ(facts.revocation_epoch, 5u);
  EXPECT_EQ(facts.expires_at, 6);
  EXPECT_EQ(facts.not_before, 7);
  EXPECT_EQ(facts.issued_at, 8);
  EXPECT_EQ(facts.verified_at_mono_ms, 9);
  EXPECT_EQ(facts.audience, ~uint64_t{77});
  EXPECT_EQ(facts.scope_set, 11u);
  EXPECT_EQ(facts.algorithm, Algorithm::kPs384);
  EXPECT_TRUE(facts.sender_constrained);
  EXPECT_EQ(std::string_view(names.bytes.data(), names.subject_len), "alice");
  EXPECT_EQ(names.client_len, 0);
  EXPECT_EQ(names.jwt_id_len, 0);
  EXPECT_EQ(std::string_view(names.bytes.data() + 5, names.roles_len), "admin");
  EXPECT_TRUE(cache.Find(Token(1), &facts, nullptr)) << "names are for those who ask";
}

TEST(VerdictCache, KeepsNamesThatFillTheRecord) {
  VerdictCache cache(kBytes);
  const std::string subject(200, 's'), roles(Names::kBytes - 200, 'r');
  ASSERT_EQ(cache.Insert(Token(1), FactsOf(1), NamesOf(subject, roles)), kInserted);
  Facts facts;
  Names names;
  ASSERT_TRUE(cache.Find(Token(1), &facts, &names));
  EXPECT_EQ(std::string_view(names.bytes.data(), Names::kBytes), subject + roles);
}

TEST(VerdictCache, DoesNotFindATokenThatDiffersInOneByteAnywhere) {
  VerdictCache cache(kBytes);
  const std::string token = Token(1);
  ASSERT_EQ(cache.Insert(token, FactsOf(1), NamesOf("alice")), kInserted);
  Facts facts;
  for (size_t i = 0; i < token.size(); ++i) {
    std::string other = token;
    other[i] ^= 1;
    EXPECT_FALSE(cache.Find(other, &facts, nullptr)) << i;
  }
  EXPECT_TRUE(cache.Find(token, &facts, nullptr));
}

TEST(VerdictCache, DoesNotFindAPrefixASuffixOrALongerToken) {
  VerdictCache cache(kBytes);
  const std::string token = Token(1);
  ASSERT_EQ(cache.Insert(token, FactsOf(1), NamesOf("alice")), kInserted);
  Facts facts;
  for (size_t len = 0; len < token.size(); ++len) {
    EXPECT_FALSE(cache.Find(std::string_view(token).substr(0, len), &facts, nullptr)) << len;
    // Those share the tail, hence the set and the fingerprint.
    EXPECT_FALSE(cache.Find(std::string_view(token).substr(token.size() - len), &facts, nullptr)) << len;
  }
  EXPECT_FALSE(cache.Find(token + "x", &facts, nullptr));
  EXPECT_FALSE(cache.Find("x" + token, &facts, nullptr));
}

TEST(VerdictCache, TellsTokensWithTheSameTailApart) {
  VerdictCache cache(kBytes);
  const std::string tail = "0123456789abcdef";
  for (char c = 'a'; c < 'a' + 8; ++c) {
    ASSERT_EQ(cache.Insert(std::string(100, c) + tail, FactsOf(c), NamesOf({&c, 1})), kInserted);
  }
  for (char c = 'a'; c < 'a' + 8; ++c) {
    Facts facts;
    Names names;
    ASSERT_TRUE(cache.Find(std::string(100, c) + tail, &facts, &names));
    EXPECT_EQ(facts.issuer, static_cast<uint32_t>(c));
    EXPECT_EQ(names.bytes[0], c);
  }
  Facts facts;
  EXPECT_FALSE(cache.Find(std::string(100, 'z') + tail, &facts, nullptr));
}

TEST(VerdictCache, TellsAPrefixWithTheSameTailApart) {
  VerdictCache cache(kBytes);
  std::string token;
  for (int i = 0; i < 50; ++i) token += "0123456789abcdef";
  ASSERT_EQ(cache.Insert(token, FactsOf(1), NamesOf("alice")), kInserted);
  Facts facts;
  for (size_t cut = 16; cut < token.size(); cut += 16) {
    EXPECT_FALSE(cache.Find(std::string_view(token).substr(cut), &facts, nullptr)) << cut;
  }
  EXPECT_FALSE(cache.Find(token + "0123456789abcdef", &facts, nullptr));
}

TEST(VerdictCache, LeavesTheOutputsAloneWhenItFindsNothing) {
  const VerdictCache cache(kBytes);
  Facts facts = FactsOf(9);
  Names names = NamesOf("bob");
  EXPECT_FALSE(cache.Find(Token(1), &facts, &names));
  EXPECT_EQ(facts.issuer, 9u);
  EXPECT_EQ(names.subject_len, 3);
}

TEST(VerdictCache, ReplacesTheFactsOfTheSameToken) {
  VerdictCache cache(kBytes);
  ASSERT_EQ(cache.Insert(Token(1), FactsOf(1), NamesOf("alice", "a lot of roles")), kInserted);
  EXPECT_EQ(cache.Insert(Token(1), FactsOf(2), NamesOf("bob")), kReplaced);
  Facts facts;
  Names names;
  ASSERT_TRUE(cache.Find(Token(1), &facts, &names));
  EXPECT_EQ(facts.issuer, 2u);
  EXPECT_EQ(std::string_view(names.bytes.data(), names.subject_len), "bob");
  EXPECT_EQ(names.roles_len, 0);
}

TEST(VerdictCache, TakesTokensUpToItsLimitAndNoLonger) {
  VerdictCache cache(kBytes);
  Facts facts;
  for (const size_t size : {size_t{21}, size_t{1000}, VerdictCache::kTokenBytesMax}) {
    EXPECT_EQ(cache.Insert(Token(1, size), FactsOf(size), NamesOf("a")), kInserted);
    ASSERT_TRUE(cache.Find(Token(1, size), &facts, nullptr));
    EXPECT_EQ(facts.issuer, size);
  }
  const std::string longer = Token(1, VerdictCache::kTokenBytesMax + 1);
  EXPECT_EQ(cache.Insert(longer, FactsOf(1), NamesOf("a")), kTooLong);
  EXPECT_FALSE(cache.Find(longer, &facts, nullptr));
  cache.Erase(longer);
  cache.Restamp(longer, FactsOf(1), 9);
}

TEST(VerdictCache, TakesTokensShorterThanTheTailThatIsHashed) {
  VerdictCache cache(kBytes);
  Facts facts;
  for (size_t size = 1; size < 20; ++size) {
    ASSERT_EQ(cache.Insert(std::string(size, 't'), FactsOf(size), NamesOf("a")), kInserted);
  }
  for (size_t size = 1; size < 20; ++size) {
    ASSERT_TRUE(cache.Find(std::string(size, 't'), &facts, nullptr));
    EXPECT_EQ(facts.issuer, size);
  }
  EXPECT_FALSE(cache.Find("", &facts, nullptr));
}

TEST(VerdictCache, WithoutRoomForASetNothingIsCached) {
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{15'000}}) {
    VerdictCache cache(bytes);
    EXPECT_EQ(cache.capacity(), 0u);
    EXPECT_LE(cache.bytes(), bytes);
    EXPECT_EQ(cache.Insert(Token(1), FactsOf(1), NamesOf("a")), kDisabled);
    Facts facts;
    EXPECT_FALSE(cache.Find(Token(1), &facts, nullptr));
    cache.Erase(Token(1));
    cache.Restamp(Token(1), FactsOf(1), 9);
  }
}

TEST(VerdictCache, StaysWithinItsBytesAndUsesMostOfThem) {
  for (const size_t bytes : {size_t{64} << 10, size_t{1'000'003}, size_t{8} << 20}) {
    const VerdictCache cache(bytes);
    EXPECT_LE(cache.bytes(), bytes);
    EXPECT_GT(cache.bytes(), bytes / 4 * 3 - 32'768);
    EXPECT_GE(cache.capacity(), (bytes - 32'768) / 2048 / 8 * 8);
    EXPECT_EQ(cache.capacity() % 8, 0u);
  }
}

size_t CountFound(const VerdictCache& cache, uint64_t begin, uint64_t end) {
  size_t found = 0;
  for (uint64_t i = begin; i < end; ++i) {
    Facts facts;
    if (!cache.Find(Token(i), &facts, nullptr)) continue;
    EXPECT_EQ(facts.issuer, static_cast<uint32_t>(i)) << "facts of another token";
    ++found;
  }
  return found;
}

TEST(VerdictCache, HoldsNoMoreThanItsCapacityAndDisplacesTheRest) {
  VerdictCache cache(size_t{256} << 10);
  const size_t capacity = cache.capacity();
  size_t displaced = 0;
  size_t inserted = 0;
  for (uint64_t i = 0; i < capacity * 10; ++i) {
    const auto result = cache.Insert(Token(i), FactsOf(i), NamesOf("a"));
    displaced += result == kDisplaced;
    inserted += result == kInserted;
  }
  EXPECT_EQ(inserted, capacity) << "every record has been filled once";
  EXPECT_EQ(displaced, capacity * 9);
  EXPECT_EQ(CountFound(cache, 0, capacity * 10), capacity);
}

// One set: everything competes with everything.
class OneSetTest : public ::testing::Test {
 protected:
  OneSetTest() {
    EXPECT_EQ(cache_.capacity(), 8u);
    for (uint64_t i = 0; i < 8; ++i) EXPECT_EQ(Insert(i), kInserted);
  }
  VerdictCache::InsertResult Insert(uint64_t i) { return cache_.Insert(Token(i), FactsOf(i), NamesOf("a")); }
  bool Has(uint64_t i) { return CountFound(cache_, i, i + 1) == 1; }

  VerdictCache cache_{size_t{24} << 10};
};

TEST_F(OneSetTest, ATokenInUseOutlivesAStreamOfOthers) {
  for (uint64_t i = 100; i < 200; ++i) {
    ASSERT_TRUE(Has(3)) << i;  // A use between any two insertions.
    ASSERT_EQ(Insert(i), kDisplaced);
  }
  EXPECT_TRUE(Has(3));
}

TEST_F(OneSetTest, ATokenNoLongerUsedGoes) {
  ASSERT_TRUE(Has(3));
  for (uint64_t i = 100; i < 200; ++i) Insert(i);
  EXPECT_FALSE(Has(3));
}

TEST_F(OneSetTest, WhenAllAreInUseOneOfThemGivesWay) {
  ASSERT_EQ(CountFound(cache_, 0, 8), 8u);
  EXPECT_EQ(Insert(8), kDisplaced);
  EXPECT_EQ(CountFound(cache_, 0, 9), 8u);
  EXPECT_TRUE(Has(8));
}

TEST_F(OneSetTest, EraseForgetsOneTokenAndFreesItsRoom) {
  cache_.Erase(Token(5));
  cache_.Erase(Token(5));
  cache_.Erase(Token(77));
  EXPECT_FALSE(Has(5));
  EXPECT_EQ(CountFound(cache_, 0, 8), 7u);
  EXPECT_EQ(Insert(9), kInserted);
  EXPECT_EQ(Insert(10), kDisplaced);
}

TEST(VerdictCache, RestampsTheEntryItWasAskedFor) {
  VerdictCache cache(kBytes);
  cache.Insert(Token(1), FactsOf(1), NamesOf("a"));
  cache.Insert(Token(2), FactsOf(2), NamesOf("a"));
  cache.Restamp(Token(1), FactsOf(1), 6);
  cache.Restamp(Token(3), FactsOf(3), 6);  // Not there.
  Facts facts;
  ASSERT_TRUE(cache.Find(Token(1), &facts, nullptr));
  EXPECT_EQ(facts.revocation_epoch, 6u);
  EXPECT_EQ(facts.expires_at, 6) << "and nothing else of it";
  ASSERT_TRUE(cache.Find(Token(2), &facts, nullptr));
  EXPECT_EQ(facts.revocation_epoch, 5u);
}

TEST(VerdictCache, DoesNotRestampWhatWasVerifiedAnewMeanwhile) {
  VerdictCache cache(kBytes);
  cache.Insert(Token(1), FactsOf(1), NamesOf("a"));
  Facts other_key = FactsOf(1);
  other_key.key.generation += 1;
  Facts other_slot = FactsOf(1);
  other_slot.key.slot += 1;
  Facts other_time = FactsOf(1);
  other_time.verified_at_mono_ms += 1;
  for (const Facts& checked : {other_key, other_slot, other_time}) {
    cache.Restamp(Token(1), checked, 6);
    Facts facts;
    ASSERT_TRUE(cache.Find(Token(1), &facts, nullptr));
    EXPECT_EQ(facts.revocation_epoch, 5u);
  }
}

TEST(VerdictCache, NeverTakesAStampBack) {
  VerdictCache cache(kBytes);
  cache.Insert(Token(1), FactsOf(1), NamesOf("a"));
  cache.Restamp(Token(1), FactsOf(1), 9);
  cache.Restamp(Token(1), FactsOf(1), 8);  // A slower thread, which looked earlier.
  Facts facts;
  ASSERT_TRUE(cache.Find(Token(1), &facts, nullptr));
  EXPECT_EQ(facts.revocation_epoch, 9u);
}

// Undumped returns this process's memory that core dumps leave out (`dd` in smaps), in regions.
std::vector<std::string_view> Undumped() {
  std::ifstream smaps("/proc/self/smaps");
  std::vector<std::string_view> regions;
  std::string line;
  uintptr_t begin = 0, end = 0;
  while (std::getline(smaps, line)) {
    unsigned long from = 0, to = 0;
    if (sscanf(line.c_str(), "%lx-%lx ", &from, &to) == 2) {
      begin = from;
      end = to;
    } else if (line.rfind("VmFlags:", 0) == 0 && line.find(" rd wr ") != std::string::npos &&
               line.find(" dd") != std::string::npos) {
      regions.emplace_back(reinterpret_cast<const char*>(begin), end - begin);
    }
  }
  return regions;
}

// HoldsInARow says whether one of the regions has so many of `c` in a row, looking at as few bytes as that
// takes.
bool HoldsInARow(const std::vector<std::string_view>& regions, char c, size_t num) {
  for (const std::string_view region : regions) {
    size_t in_a_row = 0;
    for (const char byte : region) {
      in_a_row = byte == c ? in_a_row + 1 : 0;
      if (in_a_row == num) return true;
    }
  }
  return false;
}

TEST(VerdictCache, KeepsTokensOutOfCoreDumpsAndWipesWhatIsErased) {
  size_t undumped = 0;
  for (const std::string_view region : Undumped()) undumped += region.size();
  if (undumped > size_t{1} << 30) GTEST_SKIP() << "a sanitizer's shadow memory is undumped too";

  VerdictCache cache(size_t{256} << 10);
  const char unlikely = '\x97';
  const std::string token(700, unlikely);
  EXPECT_FALSE(HoldsInARow(Undumped(), unlikely, 600));
  ASSERT_EQ(cache.Insert(token, FactsOf(1), NamesOf("a")), kInserted);
  EXPECT_TRUE(HoldsInARow(Undumped(), unlikely, 600));
  cache.Erase(token);
  EXPECT_FALSE(HoldsInARow(Undumped(), unlikely, 600));
}

}  // namespace
}  // namespace tollgate::verdicts
