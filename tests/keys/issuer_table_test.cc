#include "keys/issuer_table.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tollgate::keys {
namespace {

class IssuerTableTest : public ::testing::Test {
 protected:
  static constexpr size_t kMax = 300;
  static std::string Name(size_t n) { return "https://idp" + std::to_string(n) + ".example"; }

  uint32_t Add(const std::string& name) {
    std::unique_ptr<Issuer> issuer = table_.Make(name);
    const uint32_t position = issuer->position;
    table_.Publish({&issuer, 1});
    return position;
  }
  void Remove(const std::string& name) {
    const uint32_t position = table_.Own(name)->position;
    table_.Unpublish(name);
    EXPECT_TRUE(table_.Destroy(position));
    table_.Free(position);
  }
  std::optional<uint32_t> Find(const std::string& name) {
    const sync::ReadScope scope(blocks_);
    return table_.Find(scope, name);
  }

  sync::ThreadBlocks blocks_;
  IssuerTable table_{kMax, blocks_};
};

TEST_F(IssuerTableTest, FindsEachByItsNameAndNobodyElse) {
  std::vector<std::unique_ptr<Issuer>> first;
  for (size_t n = 0; n < kMax / 2; ++n) first.push_back(table_.Make(Name(n)));
  table_.Publish(first);
  for (size_t n = kMax / 2; n < kMax; ++n) EXPECT_EQ(Add(Name(n)), n);
  for (size_t n = 0; n < kMax; ++n) {
    ASSERT_EQ(Find(Name(n)), n);
    const sync::ReadScope scope(blocks_);
    ASSERT_EQ(table_.At(scope, static_cast<uint32_t>(n))->name, Name(n));
  }
  EXPECT_EQ(Find(Name(kMax)), std::nullopt);
  EXPECT_EQ(Find(""), std::nullopt);
  EXPECT_EQ(table_.size(), kMax);
}

TEST_F(IssuerTableTest, HasRoomForTwoMoreThanItsIssuersAndThenNone) {
  std::vector<std::unique_ptr<Issuer>> all;
  for (size_t n = 0; n < kMax + 2; ++n) all.push_back(table_.Make(Name(n)));
  EXPECT_NE(all.back(), nullptr);
  EXPECT_EQ(table_.Make("one more"), nullptr);
}

TEST_F(IssuerTableTest, WhatIsRemovedIsFoundNoMoreAndItsPositionIsGivenAway) {
  for (size_t n = 0; n < kMax; ++n) Add(Name(n));
  for (size_t n = 0; n < kMax; n += 3) Remove(Name(n));
  for (size_t n = 0; n < kMax; ++n) {
    const sync::ReadScope scope(blocks_);
    ASSERT_EQ(table_.Find(scope, Name(n)).has_value(), n % 3 != 0);
    ASSERT_EQ(table_.At(scope, static_cast<uint32_t>(n)) != nullptr, n % 3 != 0);
  }
  EXPECT_EQ(Add("https://new.example") % 3, 0u);
  EXPECT_EQ(table_.size(), kMax - kMax / 3 + 1);
}

TEST_F(IssuerTableTest, AnotherOfTheSameNameTakesItsPlace) {
  for (size_t n = 0; n < kMax; ++n) Add(Name(n));
  const uint32_t position = Add(Name(7));
  EXPECT_EQ(position, kMax);
  EXPECT_EQ(Find(Name(7)), position);
  EXPECT_TRUE(table_.Destroy(7));
  table_.Free(7);
  EXPECT_EQ(Find(Name(7)), position);  // The name is the new one's own.
  EXPECT_EQ(Add(Name(8)), 7u);
}

TEST_F(IssuerTableTest, APositionBeginsAnew) {
  const uint32_t position = Add(Name(0));
  // Ordering: relaxed; one thread.
  table_.Own(position)->fresh.until_ms.store(INT64_MAX, std::memory_order_relaxed);
  Remove(Name(0));
  ASSERT_EQ(Add(Name(1)), position);
  EXPECT_EQ(table_.FreshAt(position).until_ms.load(std::memory_order_relaxed), INT64_MIN);
}

}  // namespace
}  // namespace tollgate::keys
