#include "sync/byte_ring.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <string>
#include <string_view>

namespace tollgate::sync {
namespace {

bool Put(ByteRing& ring, std::string_view text) {
  std::byte* const room = ring.Claim(text.size());
  if (room == nullptr) return false;
  std::memcpy(room, text.data(), text.size());
  ring.Publish();
  return true;
}

std::optional<std::string> Get(ByteRing& ring) {
  const auto record = ring.Next();
  if (!record) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(record->data()), record->size());
}

TEST(ByteRing, GivesBackWhatWasPublishedInOrder) {
  ByteRing ring(256);
  EXPECT_TRUE(Put(ring, "one"));
  EXPECT_TRUE(Put(ring, ""));
  EXPECT_TRUE(Put(ring, "three"));
  EXPECT_EQ(Get(ring), std::nullopt) << "nothing was looked at yet";
  ring.Look();
  EXPECT_TRUE(Put(ring, "four"));
  EXPECT_EQ(Get(ring), "one");
  EXPECT_EQ(Get(ring), "");
  EXPECT_EQ(Get(ring), "three");
  EXPECT_EQ(Get(ring), std::nullopt) << "what came after the look";
  ring.Look();
  EXPECT_EQ(Get(ring), "four");
}

TEST(ByteRing, DoesNotShowWhatIsOnlyClaimed) {
  ByteRing ring(256);
  ASSERT_NE(ring.Claim(10), nullptr);
  ring.Look();
  EXPECT_EQ(Get(ring), std::nullopt);
  EXPECT_TRUE(Put(ring, "instead"));
  ring.Look();
  EXPECT_EQ(Get(ring), "instead");
}

TEST(ByteRing, RefusesWhenFullUntilWhatWasReadIsReleased) {
  ByteRing ring(64);
  EXPECT_EQ(ring.size_max(), 24u);
  EXPECT_EQ(ring.Claim(25), nullptr);
  EXPECT_TRUE(Put(ring, std::string(24, 'a')));
  EXPECT_TRUE(Put(ring, std::string(24, 'b')));
  EXPECT_FALSE(Put(ring, ""));
  ring.Look();
  EXPECT_EQ(Get(ring), std::string(24, 'a'));
  EXPECT_FALSE(Put(ring, "")) << "read, but not released";
  ring.Release();
  EXPECT_TRUE(Put(ring, std::string(24, 'c')));
  EXPECT_FALSE(Put(ring, ""));
  EXPECT_EQ(Get(ring), std::string(24, 'b'));
}

TEST(ByteRing, TheLongestFindsRoomInAnEmptyRingWhereverThatStands) {
  for (size_t first = 0; first <= 56; ++first) {
    ByteRing ring(128);
    ASSERT_TRUE(Put(ring, std::string(first, 'x')));
    ring.Look();
    ASSERT_TRUE(Get(ring));
    ring.Release();
    EXPECT_TRUE(Put(ring, std::string(ring.size_max(), 'y'))) << first;
    ring.Look();
    EXPECT_EQ(Get(ring), std::string(ring.size_max(), 'y')) << first;
  }
}

TEST(ByteRing, EqualsAQueueUnderAnySequence) {
  std::mt19937 random(1);
  ByteRing ring(512);
  std::deque<std::string> model;
  size_t refused = 0, taken = 0;
  for (int i = 0; i < 200'000; ++i) {
    if (random() % 2 == 0) {
      const std::string text(random() % 120, static_cast<char>('a' + i % 26));
      if (Put(ring, text)) {
        model.push_back(text);
      } else {
        ++refused;
        ASSERT_FALSE(model.empty());
      }
    } else {
      ring.Look();
      for (size_t n = random() % 4; n > 0 && !model.empty(); --n) {
        ASSERT_EQ(Get(ring), model.front());
        model.pop_front();
        ++taken;
      }
      ring.Release();
      if (model.empty()) {
        ASSERT_EQ(Get(ring), std::nullopt);
      }
    }
  }
  EXPECT_GT(refused, 1000u);
  EXPECT_GT(taken, 10'000u);
}

}  // namespace
}  // namespace tollgate::sync
