#include "sync/published.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace tollgate::sync {
namespace {

// Traced tells when it is destroyed.
class Traced {
 public:
  Traced(int value, std::atomic<int>* destroyed) : value_(value), destroyed_(destroyed) {}
  ~Traced() { destroyed_->fetch_add(1); }
  Traced(const Traced&) = delete;
  Traced& operator=(const Traced&) = delete;
  int value() const { return value_; }

 private:
  const int value_;
  std::atomic<int>* const destroyed_;
};

class PublishedTest : public ::testing::TestWithParam<Barrier> {
 protected:
  std::unique_ptr<const Traced> Make(int value) { return std::make_unique<const Traced>(value, &destroyed_); }

  ThreadBlocks blocks_{GetParam()};
  std::atomic<int> destroyed_{0};
  Published<Traced> published_;
};

// kProcessWide is tried only where the kernel has it: nothing else may ask for it.
std::vector<Barrier> Barriers() {
  return BestBarrier() == Barrier::kFences ? std::vector{Barrier::kFences}
                                           : std::vector{Barrier::kFences, Barrier::kProcessWide};
}

std::string BarrierName(const ::testing::TestParamInfo<Barrier>& barrier) {
  return barrier.param == Barrier::kFences ? "Fences" : "ProcessWide";
}
INSTANTIATE_TEST_SUITE_P(Barriers, PublishedTest, ::testing::ValuesIn(Barriers()), BarrierName);

TEST_P(PublishedTest, IsNullAtFirstAndThenWhatWasReplacedLast) {
  {
    const ReadScope scope(blocks_);
    EXPECT_EQ(published_.Load(scope), nullptr);
  }
  published_.Replace(Make(1), blocks_);
  EXPECT_EQ(destroyed_, 0);
  published_.Replace(Make(2), blocks_);
  EXPECT_EQ(destroyed_, 1);
  {
    const ReadScope scope(blocks_);
    EXPECT_EQ(published_.Load(scope)->value(), 2);
  }
  published_.Replace(nullptr, blocks_);
  EXPECT_EQ(destroyed_, 2);
  const ReadScope scope(blocks_);
  EXPECT_EQ(published_.Load(scope), nullptr);
}

TEST_P(PublishedTest, DestroysItsLastValueWithItself) {
  {
    Published<Traced> inner;
    inner.Replace(Make(1), blocks_);
  }
  EXPECT_EQ(destroyed_, 1);
}

TEST_P(PublishedTest, KeepsTheOldValueForAReaderThatCameBefore) {
  published_.Replace(Make(1), blocks_);
  std::atomic<bool> reading{false};
  std::atomic<bool> replaced{false};
  std::thread reader([&] {
    const ReadScope scope(blocks_);
    const Traced* const old = published_.Load(scope);
    reading = true;
    // Once the new value is visible the writer is waiting for this thread, or about to.
    while (published_.Load(scope) == old) std::this_thread::yield();
    for (int i = 0; i < 1000; ++i) std::this_thread::yield();
    EXPECT_FALSE(replaced);
    EXPECT_EQ(destroyed_, 0);
    EXPECT_EQ(old->value(), 1);
  });
  while (!reading) std::this_thread::yield();
  published_.Replace(Make(2), blocks_);
  replaced = true;
  reader.join();
  EXPECT_EQ(destroyed_, 1);
}

TEST_P(PublishedTest, DoesNotWaitForReadersThatCameLater) {
  published_.Replace(Make(1), blocks_);
  std::atomic<int> state{0};
  std::thread reader([&] {
    {
      const ReadScope before(blocks_);
      const Traced* const old = published_.Load(before);
      state = 1;
      while (published_.Load(before) == old) std::this_thread::yield();
    }
    const ReadScope after(
        blocks_);  // Entered while the writer may be waiting, and kept until it has returned.
    EXPECT_EQ(published_.Load(after)->value(), 2);
    while (state != 2) std::this_thread::yield();
  });
  while (state != 1) std::this_thread::yield();
  published_.Replace(Make(2), blocks_);
  state = 2;
  reader.join();
}

TEST_P(PublishedTest, DoesNotWaitForReadersOfAnotherThreadBlocks) {
  ThreadBlocks others(GetParam());
  const ReadScope scope(others);
  published_.Replace(Make(1), blocks_);
  published_.Replace(Make(2), blocks_);
  EXPECT_EQ(destroyed_, 1);
}

TEST_P(PublishedTest, CountsOnlyTheOutermostScope) {
  const uint64_t before = blocks_.Mine().reading;
  {
    const ReadScope outer(blocks_);
    { const ReadScope inner(blocks_); }
    EXPECT_EQ(blocks_.Mine().reading, before + 1) << "still reading after the inner scope";
  }
  EXPECT_EQ(blocks_.Mine().reading, before + 2);
}

TEST_P(PublishedTest, AReaderMayAskForItsFirstBlockAndForSumsWhileAWriterWaits) {
  published_.Replace(Make(1), blocks_);
  std::atomic<bool> reading{false};
  std::thread reader([&] {
    const ReadScope scope(blocks_);
    const Traced* const old = published_.Load(scope);
    reading = true;
    while (published_.Load(scope) == old) std::this_thread::yield();
    std::thread([&] { blocks_.Mine().Add(0); }).join();
    EXPECT_EQ(blocks_.Sum(0), 1u);
  });
  while (!reading) std::this_thread::yield();
  published_.Replace(Make(2), blocks_);
  reader.join();
}

}  // namespace
}  // namespace tollgate::sync
