// One owner and one reader, as fast as they can, over a ring that is nearly always full or empty. Under TSan
// a byte that is written while it is read, or before it was released, is a data race.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "sync/byte_ring.h"

namespace tollgate::sync {
namespace {

TEST(ByteRingStress, NoRecordIsTornLostOrTwice) {
  constexpr uint64_t kRecords = 30'000;
  ByteRing ring(512);
  uint64_t refused = 0;
  std::atomic<bool> done{false};
  std::thread owner([&] {
    for (uint64_t n = 0; n < kRecords; ++n) {
      const size_t size = 8 + n * 7 % 100;
      std::byte* room;
      while ((room = ring.Claim(size)) == nullptr) {
        ++refused;
        std::this_thread::yield();
      }
      std::memset(room, static_cast<int>(n), size);
      std::memcpy(room, &n, sizeof n);
      ring.Publish();
    }
    done.store(true, std::memory_order_release);
  });
  uint64_t expected = 0, wrong = 0;
  for (bool last = false; !last;) {
    last = done.load(std::memory_order_acquire);
    ring.Look();
    while (const auto record = ring.Next()) {
      uint64_t n;
      std::memcpy(&n, record->data(), sizeof n);
      wrong += n != expected || record->size() != 8 + n * 7 % 100;
      for (size_t i = sizeof n; i < record->size(); ++i)
        wrong += (*record)[i] != static_cast<std::byte>(expected);
      ++expected;
    }
    ring.Release();
  }
  owner.join();
  EXPECT_EQ(expected, kRecords);
  EXPECT_EQ(wrong, 0u);
}

}  // namespace
}  // namespace tollgate::sync
