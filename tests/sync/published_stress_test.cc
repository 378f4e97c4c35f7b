// Many readers against one writer. A destroyed value stays in memory, poisoned, so that a read after
// destruction is seen and not left to chance.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "sync/published.h"
#include "sync/thread_blocks.h"

namespace tollgate::sync {
namespace {

constexpr uint64_t kAlive = 0x600d600d600d600d;
constexpr uint64_t kPoison = 0xdeaddeaddeaddead;

// Cell holds plain words: under TSan a read that the protocol does not order against the destruction is a
// data race, and reported as one.
struct Cell {
  std::array<uint64_t, 8> words{};
  bool Alive() const {
    for (const uint64_t& word : words) {
      if (*const_cast<const volatile uint64_t*>(&word) != kAlive) return false;
    }
    return true;
  }
};

// Canary marks its cell as alive while it lives and as poisoned ever after.
class Canary {
 public:
  explicit Canary(Cell* cell) : cell_(cell) { cell_->words.fill(kAlive); }
  ~Canary() { cell_->words.fill(kPoison); }
  Canary(const Canary&) = delete;
  Canary& operator=(const Canary&) = delete;
  const Cell& cell() const { return *cell_; }

 private:
  Cell* const cell_;
};

// StaysAlive looks for about as long as a check of a token takes.
bool StaysAlive(const Cell& cell) {
  bool alive = true;
  for (int i = 0; i < 16; ++i) alive &= cell.Alive();
  return alive;
}

class PublishedStressTest : public ::testing::TestWithParam<Barrier> {};

std::string Name(const ::testing::TestParamInfo<Barrier>& barrier) {
  return barrier.index == 0 ? "Fences" : "Best";
}
INSTANTIATE_TEST_SUITE_P(Barriers, PublishedStressTest, ::testing::Values(Barrier::kFences, BestBarrier()),
                         Name);

TEST_P(PublishedStressTest, NoReaderEverSeesADestroyedValue) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  constexpr uint64_t kReplacements = 2'000, kReads = 20'000;
#else
  constexpr uint64_t kReplacements = 20'000, kReads = 1'000'000;
#endif
  ThreadBlocks blocks(GetParam());
  std::array<Cell, 3> cells;  // Taken in turn: a value is made anew long after its cell was poisoned.
  Published<Canary> published;
  published.Replace(std::make_unique<const Canary>(&cells[0]), blocks);

  std::atomic<bool> end{false};
  std::atomic<uint64_t> reads{0};
  std::atomic<uint64_t> dead{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!end.load(std::memory_order_relaxed)) {
        for (int k = 0; k < 64; ++k) {
          const ReadScope scope(blocks);
          if (!StaysAlive(published.Load(scope)->cell())) dead.fetch_add(1, std::memory_order_relaxed);
          scope.block().Add(0);
        }
        std::this_thread::yield();  // Here, and not where a writer would wait for us to get the processor
                                    // back.
      }
    });
  }
  // Threads that come and go: first blocks are made, and folded, while the writer waits.
  std::thread comers([&] {
    while (!end.load(std::memory_order_relaxed)) {
      std::thread([&] {
        const ReadScope scope(blocks);
        if (!StaysAlive(published.Load(scope)->cell())) dead.fetch_add(1, std::memory_order_relaxed);
        reads.fetch_add(1, std::memory_order_relaxed);
        scope.block().Add(0);
      }).join();
    }
  });
  for (uint64_t i = 1; i <= kReplacements || blocks.Sum(0) < kReads; ++i) {
    published.Replace(std::make_unique<const Canary>(&cells[i % cells.size()]), blocks);
  }
  end.store(true, std::memory_order_relaxed);
  for (std::thread& reader : readers) reader.join();
  comers.join();
  EXPECT_EQ(dead, 0u);
  EXPECT_GT(blocks.Sum(0), reads) << "the lasting readers read too";
  EXPECT_EQ(blocks.num_blocks(), 0u);
}

// The control: the same canary tells when a reader looks outside its scope.
TEST(PublishedStress, TheCanaryTellsAfterTheScope) {
  ThreadBlocks blocks;
  std::array<Cell, 2> cells;
  Published<Canary> published;
  published.Replace(std::make_unique<const Canary>(&cells[0]), blocks);
  const Cell* seen = nullptr;
  {
    const ReadScope scope(blocks);
    seen = &published.Load(scope)->cell();
    EXPECT_TRUE(StaysAlive(*seen));
  }
  published.Replace(std::make_unique<const Canary>(&cells[1]), blocks);
  EXPECT_FALSE(StaysAlive(*seen));
}

}  // namespace
}  // namespace tollgate::sync
