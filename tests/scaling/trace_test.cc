// Does the trace show what a program does? Everything else here rests on it.

#include "tests/scaling/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <shared_mutex>
#include <tuple>

namespace tollgate::scaling {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

// What is compared: where in an object, how much, and how.
using Seen = std::tuple<size_t, size_t, Kind>;

// SeenIn returns the accesses to `object`, whatever else there was.
template <typename T>
std::vector<Seen> SeenIn(const T& object, const std::vector<Access>& trace) {
  const auto begin = reinterpret_cast<uintptr_t>(&object);
  std::vector<Seen> seen;
  for (const Access& access : trace) {
    if (access.kind == Kind::kEnd || access.address - begin >= sizeof object) continue;
    seen.emplace_back(access.address - begin, access.size, access.kind);
  }
  return seen;
}

TEST(TraceTest, ShowsPlainAccessesOfEverySize) {
  struct {
    uint64_t a = 1;
    uint32_t b = 2;
    uint16_t c = 3;
    uint8_t d = 4;
    std::array<uint64_t, 6> e{};
  } object, other;
  asm volatile("" : : "r"(&object), "r"(&other) : "memory");  // Both are known elsewhere.
  const std::vector<Access> trace = Record([&] {
    object.a = 5;
    object.b += 1;
    object.d = static_cast<uint8_t>(object.c);
    object.e = other.e;
  });
  EXPECT_THAT(SeenIn(object, trace),
              ElementsAre(Seen(0, 8, Kind::kStore), Seen(8, 4, Kind::kLoad), Seen(8, 4, Kind::kStore),
                          Seen(12, 2, Kind::kLoad), Seen(14, 1, Kind::kStore), Seen(16, 48, Kind::kStore)));
  EXPECT_THAT(SeenIn(other, trace), ElementsAre(Seen(16, 48, Kind::kLoad)));
}

// Ordering: relaxed, all; one thread looks at what it asks for.
TEST(TraceTest, ShowsAtomicOperationsAndTheyWork) {
  std::atomic<uint64_t> wide{1};
  std::atomic<uint32_t> narrow{2};
  std::atomic<uint8_t> mark{0};
  uint64_t wrong = 7, right = 4;
  const std::vector<Access> trace = Record([&] {
    mark.store(1, std::memory_order_relaxed);
    EXPECT_EQ(narrow.exchange(5, std::memory_order_relaxed), 2u);
    EXPECT_EQ(wide.fetch_add(3, std::memory_order_relaxed), 1u);
    EXPECT_FALSE(wide.compare_exchange_strong(wrong, 9, std::memory_order_relaxed));
    EXPECT_TRUE(wide.compare_exchange_strong(right, 9, std::memory_order_relaxed));
    EXPECT_EQ(wide.load(std::memory_order_relaxed), 9u);
  });
  EXPECT_EQ(wrong, 4u);
  EXPECT_THAT(SeenIn(mark, trace), ElementsAre(Seen(0, 1, Kind::kStore)));
  EXPECT_THAT(SeenIn(narrow, trace), ElementsAre(Seen(0, 4, Kind::kChange)));
  EXPECT_THAT(SeenIn(wide, trace), ElementsAre(Seen(0, 8, Kind::kChange), Seen(0, 8, Kind::kChange),
                                               Seen(0, 8, Kind::kChange), Seen(0, 8, Kind::kLoad)));
}

TEST(TraceTest, ShowsMemoryFunctionsAndLocks) {
  std::array<char, 300> from{}, to{};
  size_t size = from.size();
  asm volatile("" : "+r"(size));  // Not known to the compiler.
  std::mutex mutex;
  std::shared_mutex shared_mutex;
  const std::vector<Access> trace = Record([&] {
    std::memcpy(to.data(), from.data(), size);
    EXPECT_EQ(std::memcmp(to.data(), from.data(), size), 0);
    const std::lock_guard lock(mutex);
    const std::shared_lock shared_lock(shared_mutex);
  });
  EXPECT_THAT(SeenIn(to, trace), ElementsAre(Seen(0, 300, Kind::kStore), Seen(0, 300, Kind::kLoad)));
  EXPECT_THAT(SeenIn(from, trace), ElementsAre(Seen(0, 300, Kind::kLoad), Seen(0, 300, Kind::kLoad)));
  EXPECT_THAT(SeenIn(mutex, trace), Contains(Seen(0, 16, Kind::kChange)).Times(2));
  EXPECT_THAT(SeenIn(shared_mutex, trace), Contains(Seen(0, 16, Kind::kChange)).Times(2));
}

TEST(TraceTest, ShowsNothingElse) {
  std::atomic<int> cell{0};
  EXPECT_THAT(SeenIn(cell, Record([] {})), IsEmpty());
  cell.store(1, std::memory_order_relaxed);  // Ordering: relaxed; nobody else has it.
  EXPECT_THAT(SeenIn(cell, Record([] {})), IsEmpty());
  // Ordering: relaxed, as above.
  EXPECT_THAT(SeenIn(cell, Record([&] { cell.store(2, std::memory_order_relaxed); })), Not(IsEmpty()));
}

}  // namespace
}  // namespace tollgate::scaling
