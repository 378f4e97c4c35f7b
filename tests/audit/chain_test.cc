#include "audit/chain.h"

#include <gtest/gtest.h>

#include "tests/audit/audit_fixture.h"

namespace tollgate::audit {
namespace {

using testing::Bytes;

TEST(Chain, EachValueDependsOnTheLineTheOneBeforeAndTheKey) {
  Chain plain({}), keyed(Bytes("key")), other(Bytes("kez"));
  const ChainValue zero{};
  ChainValue one{};
  one[31] = 1;
  EXPECT_EQ(plain.Next(zero, "{"), plain.Next(zero, "{"));
  EXPECT_NE(plain.Next(zero, "{"), plain.Next(one, "{"));
  EXPECT_NE(plain.Next(zero, "{"), plain.Next(zero, "["));
  EXPECT_NE(plain.Next(zero, "{"), keyed.Next(zero, "{"));
  EXPECT_NE(keyed.Next(zero, "{"), other.Next(zero, "{"));
  EXPECT_EQ(plain.Next(zero, "{"), crypto::Sha256("tollgate audit chain 1\n" + std::string(32, '\0') + "{"));
  EXPECT_EQ(keyed.Next(one, "{"),
            crypto::HmacSha256(Bytes("key"), "tollgate audit chain 1\n" + std::string(31, '\0') + "\x01{"));
}

TEST(Chain, WhatCloseWritesSplitLineReads) {
  Chain chain({});
  std::string out = "before";
  const size_t begin = out.size();
  out += "{\"unmapped\":{\"a\":1";
  const ChainValue value = chain.Close({}, &out, begin);
  EXPECT_EQ(value, chain.Next({}, "{\"unmapped\":{\"a\":1"));
  const auto split = SplitLine(std::string_view(out).substr(begin));
  ASSERT_TRUE(split);
  EXPECT_EQ(split->open, "{\"unmapped\":{\"a\":1");
  EXPECT_EQ(split->value, value);
}

TEST(Chain, SplitLineWantsTheEndToTheLetter) {
  Chain chain({});
  std::string good = "{\"unmapped\":{\"a\":1";
  chain.Close({}, &good);
  ASSERT_TRUE(SplitLine(good));
  EXPECT_FALSE(SplitLine(""));
  EXPECT_FALSE(SplitLine(good + " "));
  EXPECT_FALSE(SplitLine(good.substr(0, good.size() - 1)));
  for (size_t at = good.size() - 77; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = 'G';
    EXPECT_FALSE(SplitLine(bad)) << at;
  }
}

TEST(Chain, HexIsReadInOneFormAlone) {
  ChainValue value;
  for (size_t i = 0; i < value.size(); ++i) value[i] = static_cast<uint8_t>(i * 9);
  const std::string hex = Hex(value);
  EXPECT_EQ(ChainValueFromHex(hex), value);
  EXPECT_FALSE(ChainValueFromHex(hex.substr(2)));
  EXPECT_FALSE(ChainValueFromHex(hex + "00"));
  std::string upper = hex;
  for (char& c : upper) {
    if (c == 'f') c = 'F';
  }
  ASSERT_NE(upper, hex);
  EXPECT_FALSE(ChainValueFromHex(upper));
}

}  // namespace
}  // namespace tollgate::audit
