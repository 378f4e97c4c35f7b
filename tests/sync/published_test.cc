#include "sync/published.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

thread_local bool t_is_writer = false;
std::atomic<bool> g_writer_waits{false};

}  // namespace

// Takes the place of the C library's: a writer that yields is waiting for readers, and tests can wait for
// that.
extern "C" int sched_yield() noexcept {
  if (t_is_writer) g_writer_waits.store(true);
  return static_cast<int>(syscall(SYS_sched_yield));
}

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
  void ReplaceAsWriter(int value) {
    t_is_writer = true;
    published_.Replace(Make(value), blocks_);
    t_is_writer = false;
  }
  static void UntilTheWriterWaits() {
    while (!g_writer_waits) std::this_thread::yield();
  }

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
  g_writer_waits = false;
  std::thread reader([&] {
    const ReadScope scope(blocks_);
    const Traced* const old = published_.Load(scope);
    reading = true;
    UntilTheWriterWaits();
    for (int i = 0; i < 100; ++i) std::this_thread::yield();
    EXPECT_FALSE(replaced);
    EXPECT_EQ(destroyed_, 0);
    EXPECT_EQ(old->value(), 1);
    EXPECT_EQ(published_.Load(scope)->value(), 2) << "readers do not wait for the writer";
  });
  while (!reading) std::this_thread::yield();
  ReplaceAsWriter(2);
  replaced = true;
  reader.join();
  EXPECT_EQ(destroyed_, 1);
}

TEST_P(PublishedTest, DoesNotWaitForReadersThatCameLater) {
  published_.Replace(Make(1), blocks_);
  std::atomic<bool> reading{false};
  std::atomic<bool> replaced{false};
  g_writer_waits = false;
  std::thread reader([&] {
    {
      const ReadScope before(blocks_);
      reading = true;
      UntilTheWriterWaits();
    }
    const ReadScope after(blocks_);  // Entered while the writer waits, and kept until it has returned.
    EXPECT_EQ(published_.Load(after)->value(), 2);
    while (!replaced) std::this_thread::yield();
  });
  while (!reading) std::this_thread::yield();
  ReplaceAsWriter(2);
  replaced = true;
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
  g_writer_waits = false;
  std::thread reader([&] {
    const ReadScope scope(blocks_);
    reading = true;
    UntilTheWriterWaits();
    std::thread([&] { blocks_.Mine().Add(0); }).join();
    EXPECT_EQ(blocks_.Sum(0), 1u);
  });
  while (!reading) std::this_thread::yield();
  ReplaceAsWriter(2);
  reader.join();
}

}  // namespace
}  // namespace tollgate::sync
