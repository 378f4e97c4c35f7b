#include "sync/per_thread.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <thread>
#include <vector>

namespace tollgate::sync {
namespace {

struct Tally {
  explicit Tally(uint64_t n) : number(n) {}
  uint64_t number;
  std::atomic<uint64_t> count{0};
  uint64_t seen = 0;
};

std::unique_ptr<Tally> Make(uint64_t number) { return std::make_unique<Tally>(number); }

void CountOne(Tally& tally) {
  tally.count.store(tally.count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

// NewlySeen returns what was counted since the last visit.
uint64_t NewlySeen(PerThread<Tally>& tallies) {
  uint64_t sum = 0;
  tallies.Visit([&](Tally& tally) {
    const uint64_t count = tally.count.load(std::memory_order_relaxed);
    sum += count - tally.seen;
    tally.seen = count;
    return true;
  });
  return sum;
}

TEST(PerThread, GivesAThreadTheSameEveryTimeAndOthersAnotherOne) {
  PerThread<Tally> tallies(10), others(10);
  Tally* const mine = tallies.Mine(Make);
  ASSERT_NE(mine, nullptr);
  EXPECT_EQ(tallies.Mine(Make), mine);
  EXPECT_NE(others.Mine(Make), mine);
  EXPECT_EQ(tallies.Mine(Make), mine) << "found again behind another one";
  std::thread([&] { EXPECT_NE(tallies.Mine(Make), mine); }).join();
  EXPECT_EQ(mine->number, 0u);
}

TEST(PerThread, WhatAThreadHasLeftIsVisitedOnceMoreAndThenGone) {
  PerThread<Tally> tallies(10);
  for (int i = 0; i < 5; ++i) {
    std::thread([&] { CountOne(*tallies.Mine(Make)); }).join();
  }
  EXPECT_EQ(tallies.size(), 5u);
  EXPECT_EQ(NewlySeen(tallies), 5u);
  EXPECT_EQ(tallies.size(), 0u);
  EXPECT_EQ(NewlySeen(tallies), 0u);
}

TEST(PerThread, AVisitThatBreaksOffLeavesTheRestForTheNextOne) {
  PerThread<Tally> tallies(10);
  for (int i = 0; i < 3; ++i) {
    std::thread([&] { CountOne(*tallies.Mine(Make)); }).join();
  }
  std::set<uint64_t> visited;
  tallies.Visit([&](Tally& tally) { return visited.insert(tally.number).second && visited.size() < 2; });
  EXPECT_EQ(visited.size(), 2u);
  EXPECT_EQ(tallies.size(), 2u) << "the one whose visit failed is still there";
  EXPECT_EQ(NewlySeen(tallies), 2u);
}

TEST(PerThread, HasNoMoreThanItMayAndNoneForAThreadAtItsEnd) {
  PerThread<Tally> tallies(1);
  std::thread([&] { EXPECT_NE(tallies.Mine(Make), nullptr); }).join();
  EXPECT_EQ(tallies.Mine(Make), nullptr) << "what the thread has left counts until it was visited";
  NewlySeen(tallies);
  EXPECT_NE(tallies.Mine(Make), nullptr);
  EXPECT_EQ(tallies.Mine(Make)->number, 1u);
}

struct AtThreadEnd {
  std::function<void()> call;
  ~AtThreadEnd() {
    if (call) call();
  }
};

TEST(PerThread, HasNothingForAThreadThatIsDestroyingItsThreadLocals) {
  PerThread<Tally> tallies(10);
  bool called = false;
  std::thread([&] {
    static thread_local AtThreadEnd last_words;
    last_words.call = [&] {
      called = true;
      EXPECT_EQ(tallies.Mine(Make), nullptr);
    };
    CountOne(*tallies.Mine(Make));
  }).join();
  EXPECT_TRUE(called);
  EXPECT_EQ(NewlySeen(tallies), 1u);
}

TEST(PerThread, IsNotTakenForAnEarlierOneAtTheSameAddress) {
  std::optional<PerThread<Tally>> tallies;
  for (int round = 0; round < 3; ++round) {
    tallies.emplace(10);
    CountOne(*tallies->Mine(Make));
    EXPECT_EQ(NewlySeen(*tallies), 1u);
  }
}

TEST(PerThread, EndsTogetherWithThreadsInAnyOrder) {
  for (int round = 0; round < 200; ++round) {
    auto tallies = std::make_shared<PerThread<Tally>>(10);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back([tallies] { CountOne(*tallies->Mine(Make)); });
    tallies.reset();  // The last thread to let go destroys it.
    for (std::thread& thread : threads) thread.join();
  }
}

// A thread has many, so that between the end of the first one and that of the thread there is time to visit
// it.
TEST(PerThread, WhatAThreadDidIsSeenByWhoeverDestroysItsT) {
  struct Plain {
    explicit Plain(uint64_t* into) : sum(into) {}
    ~Plain() { *sum += number; }
    uint64_t* sum;
    uint64_t number = 0;  // No atomic: under TSan, a data race unless the end of the thread happens before.
  };
  constexpr int kRounds = 100, kEach = 64;
  uint64_t sum = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::unique_ptr<PerThread<Plain>>> all;
    for (int i = 0; i < kEach; ++i) all.push_back(std::make_unique<PerThread<Plain>>(1));
    std::thread thread([&] {
      for (const auto& each : all)
        each->Mine([&](uint64_t) { return std::make_unique<Plain>(&sum); })->number = 1;
    });
    const uint64_t before = sum;
    while (sum == before) all.front()->Visit([](Plain&) { return true; });
    thread.join();
  }
  EXPECT_EQ(sum, uint64_t{kRounds} * kEach);
}

TEST(PerThread, CountsAllWhileThreadsComeAndGo) {
  PerThread<Tally> tallies(64);
  constexpr int kThreads = 4, kRounds = 100, kEach = 50;
  std::atomic<int> running{kThreads};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        std::thread([&] {
          Tally* mine;
          while ((mine = tallies.Mine(Make)) == nullptr) std::this_thread::yield();
          for (int n = 0; n < kEach; ++n) CountOne(*mine);
        }).join();
      }
      --running;
    });
  }
  uint64_t seen = 0;
  while (running != 0) seen += NewlySeen(tallies);
  for (std::thread& thread : threads) thread.join();
  seen += NewlySeen(tallies);
  EXPECT_EQ(seen, uint64_t{kThreads} * kRounds * kEach);
  EXPECT_EQ(tallies.size(), 0u);
}

}  // namespace
}  // namespace tollgate::sync
