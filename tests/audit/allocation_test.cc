// A program of its own, since it replaces operator new by one that counts: a record is handed over without an
// allocation, once its thread has a ring, be it taken or lost.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <thread>

#include "tests/audit/audit_fixture.h"

namespace {

// Ordering: relaxed throughout; read by the thread that counts.
std::atomic<uint64_t> allocations{0};

uint64_t Allocations() { return allocations.load(std::memory_order_relaxed); }

}  // namespace

// Never inlined: gcc would see malloc's memory given to delete, and warn.
[[gnu::noinline]] void* operator new(size_t size) {
  void* const p = std::malloc(size);
  if (p == nullptr) std::abort();
  allocations.fetch_add(1, std::memory_order_relaxed);
  return p;
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { operator delete(p); }

namespace tollgate::audit {
namespace {

using testing::GoodRecord;
using testing::kChainId;
using testing::MemorySink;

TEST(AuditAllocation, SubmitAllocatesOnAThreadsFirstCallAlone) {
  const auto sink = std::make_shared<MemorySink>();
  Log log({.sink = sink, .ring_bytes = size_t{64} << 10}, kChainId);
  const Record record = GoodRecord();
  uint64_t before = Allocations();
  ASSERT_TRUE(log.Submit(record));
  EXPECT_GT(Allocations(), before) << "the counter counts";

  before = Allocations();
  uint64_t taken = 0, refused = 0, wanted = 0;
  for (int i = 0; i < 1000; ++i) {
    wanted += log.Wants(AuditDuty::kSampled, Verdict::kAllow);
    ++(log.Submit(record) ? taken : refused);
  }
  EXPECT_EQ(Allocations(), before);
  EXPECT_GT(taken, 0u);
  EXPECT_GT(refused, 0u);
  EXPECT_EQ(wanted, 10u);

  before = Allocations();
  ASSERT_TRUE(log.Drain(testing::At(0)));
  EXPECT_GT(Allocations(), before) << "lines are made here";
  before = Allocations();
  ASSERT_TRUE(log.Submit(record));
  EXPECT_EQ(Allocations(), before);
}

TEST(AuditAllocation, NeitherDoesAThreadForWhichThereIsNoRing) {
  const auto sink = std::make_shared<MemorySink>();
  Log log({.sink = sink, .threads_max = 1}, kChainId);
  ASSERT_TRUE(log.Submit(GoodRecord()));
  uint64_t counted = 1;
  std::thread([&] {
    EXPECT_FALSE(log.Submit(GoodRecord()));  // The thread's list of what it has.
    const uint64_t before = Allocations();
    for (int i = 0; i < 100; ++i) EXPECT_FALSE(log.Submit(GoodRecord()));
    counted = Allocations() - before;
  }).join();
  EXPECT_EQ(counted, 0u);
}

}  // namespace
}  // namespace tollgate::audit
