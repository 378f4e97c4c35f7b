#include "sync/interned_texts.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace tollgate::sync {
namespace {

TEST(InternedTexts, GivesEqualTextsOneNumberAndDifferentOnesTheNextFromZero) {
  InternedTexts texts(100, 10'000);
  const std::string zeros("a\0b", 3);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(texts.Intern("read"), 0u);
    EXPECT_EQ(texts.Intern("write"), 1u);
    EXPECT_EQ(texts.Intern(""), 2u);
    EXPECT_EQ(texts.Intern("rea"), 3u);
    EXPECT_EQ(texts.Intern(zeros), 4u);
    EXPECT_EQ(texts.Intern("a"), 5u);
  }
  EXPECT_EQ(texts.size(), 6u);
  EXPECT_EQ(texts.Text(0).view(), "read");
  EXPECT_EQ(texts.Text(2).view(), "");
  EXPECT_EQ(texts.Text(4).view(), zeros);
}

TEST(InternedTexts, KeepsATextOfItsOwn) {
  InternedTexts texts(4, 100);
  std::string text = "read";
  texts.Intern(text);
  text = "over";
  EXPECT_EQ(texts.Text(0).view(), "read");
  EXPECT_EQ(texts.Intern("read"), 0u);
  EXPECT_EQ(texts.Intern(text), 1u);
}

TEST(InternedTexts, CanBeCopiedInWholeBlocks) {
  constexpr size_t kBlock = InternedTexts::Padded::kBlock;
  InternedTexts texts(1000, 100'000);
  for (size_t size = 0; size < 3 * kBlock; ++size) {
    const std::string text(size, static_cast<char>('a' + size % 26));
    const std::optional<uint32_t> number = texts.Intern(text);
    ASSERT_TRUE(number.has_value());
    const size_t room = (size + kBlock - 1) / kBlock * kBlock;
    std::vector<char> copy(room);  // A sanitizer sees what goes beyond, on either side.
    texts.Text(*number).CopyTo(copy.data());
    EXPECT_EQ(std::string_view(copy.data(), size), text);
    EXPECT_EQ(texts.Text(*number).size(), size);
  }
}

TEST(InternedTexts, IsBoundedInNumber) {
  InternedTexts texts(3, 1'000);
  for (uint32_t i = 0; i < 3; ++i) EXPECT_EQ(texts.Intern(std::to_string(i)), i);
  EXPECT_EQ(texts.Intern("3"), std::nullopt);
  EXPECT_EQ(texts.Intern(""), std::nullopt);
  EXPECT_EQ(texts.Intern("1"), 1u) << "those in are known still";
  EXPECT_EQ(texts.size(), 3u);
  InternedTexts none(0, 1'000);
  EXPECT_EQ(none.Intern("a"), std::nullopt);
}

TEST(InternedTexts, ATextTakesANumberForEachBlock) {
  constexpr size_t kBlock = InternedTexts::Padded::kBlock;
  InternedTexts texts(8, 10 * kBlock);
  const std::string one(kBlock, 'a'), two(kBlock + 1, 'b'), three(3 * kBlock, 'c');
  EXPECT_EQ(texts.Intern(one), 0u);
  EXPECT_EQ(texts.Intern(two), 1u);
  EXPECT_EQ(texts.Intern(three), 3u);
  EXPECT_EQ(texts.Intern(std::string(3 * kBlock, 'd')), std::nullopt);
  EXPECT_EQ(texts.Intern(std::string(2 * kBlock, 'd')), 6u) << "to the last one";
  EXPECT_EQ(texts.Intern(""), std::nullopt);
  EXPECT_EQ(texts.Text(0).view(), one);
  EXPECT_EQ(texts.Text(1).view(), two);
  EXPECT_EQ(texts.Text(3).view(), three);
  EXPECT_EQ(texts.Intern(three), 3u);
  EXPECT_EQ(texts.size(), 4u);
}

TEST(InternedTexts, IsBoundedInBytes) {
  InternedTexts texts(100, 10);
  EXPECT_EQ(texts.Intern("12345678901"), std::nullopt);
  EXPECT_EQ(texts.Intern("123456"), 0u);
  EXPECT_EQ(texts.Intern("12345"), std::nullopt);
  EXPECT_EQ(texts.Intern("1234"), 1u) << "to the last byte, and what did not fit has taken none";
  EXPECT_EQ(texts.Intern("1"), std::nullopt);
  EXPECT_EQ(texts.Intern(""), 2u);
  EXPECT_EQ(texts.Intern("123456"), 0u);
}

// A table that is as full as it gets, with texts that are not in it beside those that are.
TEST(InternedTexts, EachOfManyTextsIsFoundAgainAndNoOther) {
  constexpr uint32_t kTexts = 4096;
  InternedTexts texts(kTexts, 1'000'000);
  for (uint32_t i = 0; i < kTexts; ++i) ASSERT_EQ(texts.Intern("text " + std::to_string(i)), i);
  for (uint32_t i = 0; i < kTexts; ++i) {
    ASSERT_EQ(texts.Intern("text " + std::to_string(i)), i);
    ASSERT_EQ(texts.Intern("test " + std::to_string(i)), std::nullopt);
  }
}

TEST(InternedTexts, CallsOnNewForEachNumberOnce) {
  InternedTexts texts(2, 100);
  std::vector<uint32_t> made;
  const auto on_new = [&](uint32_t number) {
    EXPECT_EQ(texts.Text(number).view(), number == 0 ? "a" : "b") << "the text is there";
    made.push_back(number);
  };
  for (int round = 0; round < 3; ++round) {
    for (const char* text : {"a", "b", "c"}) texts.Intern(text, on_new);
  }
  EXPECT_EQ(made, (std::vector<uint32_t>{0, 1}));
}

TEST(InternedTexts, AllThreadsGetTheSameNumbersAndSeeWhatWasMadeWithThem) {
  constexpr size_t kThreads = 4;
  constexpr size_t kTexts = 200;
  constexpr std::array<size_t, kThreads> kStrides = {1, 3, 7,
                                                     9};  // Each goes through all, in an order of its own.
  InternedTexts texts(kTexts, 100'000);
  // Plain memory: ThreadSanitizer sees whether a number comes with what on_new wrote.
  std::array<size_t, kTexts> made{};
  std::array<std::array<uint32_t, kTexts>, kThreads> numbers{};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < 3; ++round) {
        for (size_t n = 0; n < kTexts; ++n) {
          const size_t i = (n * kStrides[t] + t * 50) % kTexts;
          const std::string text = "text-" + std::to_string(i);
          const auto number = texts.Intern(text, [&](uint32_t of) { made[of] += i + 1; });
          const bool right =
              number.has_value() && texts.Text(*number).view() == text && made[*number] == i + 1;
          // Ordering: relaxed; the joins order the final read.
          if (!right) wrong.fetch_add(1, std::memory_order_relaxed);
          numbers[t][i] = number.value_or(UINT32_MAX);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(std::memory_order_relaxed), 0);
  for (size_t t = 1; t < kThreads; ++t) EXPECT_EQ(numbers[t], numbers[0]);
  EXPECT_EQ(std::set<uint32_t>(numbers[0].begin(), numbers[0].end()).size(), kTexts);
  EXPECT_EQ(texts.size(), kTexts);
}

}  // namespace
}  // namespace tollgate::sync
