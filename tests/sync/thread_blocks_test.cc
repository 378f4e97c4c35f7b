#include "sync/thread_blocks.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace tollgate::sync {
namespace {

TEST(ThreadBlocks, GivesAThreadTheSameBlockEveryTime) {
  ThreadBlocks blocks;
  ThreadBlock* const mine = &blocks.Mine();
  EXPECT_EQ(&blocks.Mine(), mine);
  ThreadBlocks others;
  ThreadBlock* const other = &others.Mine();
  EXPECT_NE(other, mine);
  EXPECT_EQ(&blocks.Mine(), mine) << "found again behind another ThreadBlocks";
  EXPECT_EQ(&others.Mine(), other);
  EXPECT_EQ(blocks.num_blocks(), 1u);
}

TEST(ThreadBlocks, GivesThreadsDifferentBlocks) {
  ThreadBlocks blocks;
  ThreadBlock* const mine = &blocks.Mine();
  std::thread([&] {
    EXPECT_NE(&blocks.Mine(), mine);
    EXPECT_EQ(blocks.num_blocks(), 2u);
  }).join();
}

TEST(ThreadBlocks, IsNotTakenForAnEarlierOneAtTheSameAddress) {
  std::optional<ThreadBlocks> blocks;
  for (uint64_t round = 0; round < 3; ++round) {
    blocks.emplace();
    EXPECT_EQ(blocks->Sum(0), 0u);
    blocks->Mine().Add(0, 7);
    EXPECT_EQ(blocks->Sum(0), 7u);
  }
}

TEST(ThreadBlocks, SumsLivingAndEndedThreads) {
  ThreadBlocks blocks;
  for (int i = 0; i < 10; ++i) std::thread([&] { blocks.Mine().Add(3, 5); }).join();
  blocks.Mine().Add(3);
  blocks.Mine().Add(ThreadBlock::kCounters - 1, 2);
  EXPECT_EQ(blocks.Sum(3), 51u);
  EXPECT_EQ(blocks.Sum(ThreadBlock::kCounters - 1), 2u);
  EXPECT_EQ(blocks.Sum(0), 0u);
}

TEST(ThreadBlocks, KeepsNoBlockOfAnEndedThread) {
  ThreadBlocks blocks;
  for (int i = 0; i < 100; ++i) std::thread([&] { blocks.Mine().Add(0); }).join();
  EXPECT_EQ(blocks.num_blocks(), 0u);
  EXPECT_EQ(blocks.Sum(0), 100u);
}

TEST(ThreadBlocks, FoldsTheRightBlockWhileOthersLive) {
  ThreadBlocks blocks;
  blocks.Mine().Add(0, 1);
  std::atomic<bool> end{false};
  std::atomic<bool> added{false};
  std::thread stays([&] {
    blocks.Mine().Add(0, 10);
    added = true;
    while (!end) std::this_thread::yield();
    blocks.Mine().Add(0, 100);
  });
  while (!added) std::this_thread::yield();
  std::thread([&] { blocks.Mine().Add(0, 1000); }).join();
  EXPECT_EQ(blocks.num_blocks(), 2u);
  end = true;
  stays.join();
  blocks.Mine().Add(0, 10000);
  EXPECT_EQ(blocks.Sum(0), 11111u);
  EXPECT_EQ(blocks.num_blocks(), 1u);
}

TEST(ThreadBlocks, MayEndBeforeItsThreads) {
  auto blocks = std::make_unique<ThreadBlocks>();
  std::atomic<int> step{0};
  std::thread thread([&] {
    blocks->Mine().Add(0);
    step = 1;
    while (step != 2) std::this_thread::yield();
    ThreadBlocks next;  // Its first block makes the thread forget the one that is gone.
    next.Mine().Add(0);
    EXPECT_EQ(next.Sum(0), 1u);
  });
  while (step != 1) std::this_thread::yield();
  blocks.reset();
  step = 2;
  thread.join();
}

// Calls something from the destructor of a thread_local that was made before the engine's own.
struct AtThreadEnd {
  std::function<void()> call;
  ~AtThreadEnd() {
    if (call) call();
  }
};

TEST(ThreadBlocks, ServesAThreadThatIsDestroyingItsThreadLocals) {
  ThreadBlocks blocks;
  std::thread([&] {
    static thread_local AtThreadEnd last_words;
    last_words.call = [&blocks] {
      blocks.Mine().Add(0, 2);
      EXPECT_EQ(&blocks.Mine(), &blocks.Mine());
      const ReadScope scope(blocks);
      blocks.Mine().Add(0, 3);
    };
    blocks.Mine().Add(0, 1);
  }).join();
  EXPECT_EQ(blocks.Sum(0), 6u);
  EXPECT_TRUE(blocks.WaitForReaders());
}

TEST(ThreadBlocks, SurvivesThreadsAndInstancesEndingTogether) {
  for (int round = 0; round < 200; ++round) {
    auto blocks = std::make_shared<ThreadBlocks>();
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back([blocks] { blocks->Mine().Add(0); });
    blocks.reset();  // The last thread to let go destroys it, while others are folding.
    for (std::thread& thread : threads) thread.join();
  }
}

}  // namespace
}  // namespace tollgate::sync
