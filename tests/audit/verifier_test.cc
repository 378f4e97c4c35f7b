#include "audit/verifier.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/audit/audit_fixture.h"

namespace tollgate::audit {
namespace {

using testing::At;
using testing::Bytes;
using testing::GoodRecord;
using testing::kChainId;
using testing::kKey;
using testing::MemorySink;
using testing::Verify;

using Lines = std::vector<std::string>;

constexpr std::array<uint8_t, 16> kOtherChainId = {255};

// A process that recorded so many decisions, behind what is there already.
void Live(std::string_view key, const std::array<uint8_t, 16>& chain_id, int decisions, Lines* lines,
          bool close = true) {
  const auto sink = std::make_shared<MemorySink>();
  if (!lines->empty()) sink->tail.last_line = lines->back();
  Log log({.sink = sink, .key = std::string(key)}, chain_id);
  for (int i = 0; i < decisions; ++i) ASSERT_TRUE(log.Submit(GoodRecord()));
  ASSERT_TRUE(close ? log.Close(At(0)) : log.Drain(At(0)));
  lines->insert(lines->end(), sink->lines.begin(), sink->lines.end());
}

// 0 start, 1–3 decisions, 4 stop; 5 start, 6 decision, 7 stop.
Lines TwoLives(std::string_view key = {}) {
  Lines lines;
  Live(key, kChainId, 3, &lines);
  Live(key, kOtherChainId, 1, &lines);
  return lines;
}

// Forge gives the line the value that it would have by `key` behind `before`.
std::string Forge(const std::string& line, std::string_view key, const ChainValue& before) {
  std::string forged(SplitLine(line)->open);
  Chain chain(Bytes(key));
  chain.Close(before, &forged);
  return forged;
}

std::string Replace(std::string line, std::string_view from, std::string_view to) {
  const size_t at = line.find(from);
  EXPECT_NE(at, line.npos) << from;
  return line.replace(at, from.size(), to);
}

TEST(Verifier, WhatWasWrittenIsWhole) {
  for (const std::string_view key : {std::string_view(), kKey}) {
    const Lines lines = TwoLives(key);
    Verifier verifier(Bytes(key), std::nullopt);
    for (const std::string& line : lines) ASSERT_EQ(verifier.Line(line, true), ChainFault::kNone) << line;
    EXPECT_EQ(verifier.End(), ChainFault::kNone);
    EXPECT_EQ(verifier.sums().lines, 8u);
    EXPECT_EQ(verifier.sums().decisions, 4u);
    EXPECT_EQ(verifier.sums().chains, 2u);
    EXPECT_EQ(verifier.sums().unclosed, 0u);
    EXPECT_EQ(verifier.sums().unfinished, 0u);
    EXPECT_EQ(verifier.sequence(), 3u);
    EXPECT_EQ(verifier.value(), testing::ValueOf(lines.back()));
    EXPECT_TRUE(verifier.closed());
    EXPECT_EQ(verifier.checkpoint_interval_ms(), 60'000);
    EXPECT_FALSE(verifier.continues_unseen());
  }
}

struct Break {
  const char* what;
  std::function<void(Lines&)> make;
  ChainFault fault;
  size_t line;  // At which it shows.
  bool of_line_before = false;
};

void ExpectFound(const Break& broken, const Lines& lines, std::string_view key) {
  SCOPED_TRACE(broken.what);
  Verifier verifier(Bytes(key), std::nullopt);
  for (size_t i = 0; i < lines.size(); ++i) {
    const ChainFault fault = verifier.Line(lines[i], true);
    ASSERT_EQ(fault, i < broken.line ? ChainFault::kNone : broken.fault) << ChainFaultText(fault) << " " << i;
  }
  EXPECT_EQ(verifier.End(), broken.fault);
  EXPECT_EQ(verifier.fault_is_of_line_before(), broken.of_line_before);
}

TEST(Verifier, EveryKindOfBreakShowsAtItsLine) {
  const std::vector<Break> breaks = {
      {"a text changed", [](Lines& l) { l[2] = Replace(l[2], "alice", "malin"); }, ChainFault::kChanged, 2},
      {"a verdict changed", [](Lines& l) { l[2] = Replace(l[2], "\"allow\"", "\"deny\""); },
       ChainFault::kChanged, 2},
      {"a chain value changed", [](Lines& l) { l[2] = Replace(l[2], "\"chain\":\"", "\"chain\":\"0"); },
       ChainFault::kNotARecord, 3, true},
      {"the values of two lines exchanged",
       [](Lines& l) {
         const std::string two(SplitLine(l[2])->open), three(SplitLine(l[3])->open);
         l[2] = two + l[3].substr(three.size());
       },
       ChainFault::kChanged, 2},
      {"a space inserted", [](Lines& l) { l[2] = Replace(l[2], "{", "{ "); }, ChainFault::kChanged, 2},
      {"a line removed", [](Lines& l) { l.erase(l.begin() + 2); }, ChainFault::kMissing, 2},
      {"a line removed, and the next one given its number",
       [](Lines& l) {
         l[3] = Replace(l[3], "\"sequence\":4", "\"sequence\":3");
         l.erase(l.begin() + 2);
       },
       ChainFault::kChanged, 2},
      {"two lines exchanged", [](Lines& l) { std::swap(l[2], l[3]); }, ChainFault::kMissing, 2},
      {"a line twice", [](Lines& l) { l.insert(l.begin() + 3, l[2]); }, ChainFault::kOutOfOrder, 3},
      {"the start twice", [](Lines& l) { l.insert(l.begin() + 1, l[0]); }, ChainFault::kOutOfOrder, 1},
      {"a line further back", [](Lines& l) { l.insert(l.begin() + 4, l[1]); }, ChainFault::kOutOfOrder, 4},
      {"a line of another chain", [](Lines& l) { l.insert(l.begin() + 2, l[6]); }, ChainFault::kAnotherChain,
       2},
      {"a line that nobody chained", [](Lines& l) { l.insert(l.begin() + 2, "{\"time\":1}"); },
       ChainFault::kNotARecord, 3, true},
      {"an empty line", [](Lines& l) { l.insert(l.begin() + 2, ""); }, ChainFault::kNotARecord, 3, true},
      {"an empty line before a start", [](Lines& l) { l.insert(l.begin() + 5, ""); }, ChainFault::kNotARecord,
       6, true},
      {"a line cut short", [](Lines& l) { l[2].resize(l[2].size() / 2); }, ChainFault::kNotARecord, 3, true},
      {"a line before a start cut short", [](Lines& l) { l[4].resize(l[4].size() / 2); },
       ChainFault::kNotARecord, 5, true},
      {"two lines made one",
       [](Lines& l) {
         l[2] += l[3];
         l.erase(l.begin() + 3);
       },
       ChainFault::kNotARecord, 3, true},
      {"a line longer than any", [](Lines& l) { l[2].insert(1, kLineBytesMax, ' '); }, ChainFault::kTooLong,
       2},
      {"the beginning removed", [](Lines& l) { l.erase(l.begin()); }, ChainFault::kNoBeginning, 0},
      {"the end of a chain removed", [](Lines& l) { l.erase(l.begin() + 4); }, ChainFault::kNotContinued, 4},
      {"a start removed", [](Lines& l) { l.erase(l.begin() + 5); }, ChainFault::kAnotherChain, 5},
      {"a chain exchanged with the one before it",
       [](Lines& l) { std::rotate(l.begin(), l.begin() + 5, l.end()); }, ChainFault::kNotContinued, 3},
      {"a line behind the end of its chain", [](Lines& l) { l.insert(l.begin() + 5, l[3]); },
       ChainFault::kBehindEnd, 5},
  };
  for (const std::string_view key : {std::string_view(), kKey}) {
    for (const Break& broken : breaks) {
      Lines lines = TwoLives(key);
      broken.make(lines);
      ExpectFound(broken, lines, key);
    }
  }
}

// What a chain without a key does not prove, and one with a key does.
TEST(Verifier, WhoHasNoKeyMayForgeAPlainChainAlone) {
  Lines plain = TwoLives();
  for (size_t i = 2; i < plain.size(); ++i) {
    if (i == 2) plain[2] = Replace(plain[2], "alice", "malin");
    const bool start = i == 5;
    const ChainValue before = testing::ValueOf(plain[i - 1]);
    if (start) {
      const size_t at = plain[5].find("\"continues\":\"") + 13;
      plain[5].replace(at, 64, Hex(before));
    }
    plain[i] = Forge(plain[i], {}, before);
    if (i + 1 == plain.size()) continue;
    EXPECT_NE(Verify(plain), ChainFault::kNone) << "what follows is not forged yet";
  }
  EXPECT_EQ(Verify(plain), ChainFault::kNone);

  Lines keyed = TwoLives(kKey);
  keyed[2] = Forge(Replace(keyed[2], "alice", "malin"), {}, testing::ValueOf(keyed[1]));
  ExpectFound({"forged by SHA-256", {}, ChainFault::kChanged, 2}, keyed, kKey);
  ASSERT_EQ(Verify(plain, kKey), ChainFault::kOtherKey) << "all of it, by SHA-256";
}

TEST(Verifier, TheKeyIsTheOneOfTheChain) {
  EXPECT_EQ(Verify(TwoLives(kKey), kKey), ChainFault::kNone);
  EXPECT_EQ(Verify(TwoLives(kKey)), ChainFault::kOtherKey);
  EXPECT_EQ(Verify(TwoLives(), kKey), ChainFault::kOtherKey);
  std::string other(kKey);
  other[0] ^= 1;
  EXPECT_EQ(Verify(TwoLives(kKey), other), ChainFault::kChanged);
}

// The end of a log may be taken away, which closed() alone tells; but not if something follows.
TEST(Verifier, AMissingEndIsToldByClosed) {
  const Lines lines = TwoLives();
  for (size_t kept = 1; kept <= lines.size(); ++kept) {
    Verifier verifier({}, std::nullopt);
    for (size_t i = 0; i < kept; ++i) verifier.Line(lines[i], true);
    EXPECT_EQ(verifier.End(), ChainFault::kNone) << kept;
    EXPECT_EQ(verifier.closed(), kept == 5 || kept == 8) << kept;
  }
}

TEST(Verifier, AStartBehindAChainThatWasNotClosedIsCounted) {
  Lines lines;
  Live({}, kChainId, 2, &lines, /*close=*/false);
  Live({}, kOtherChainId, 1, &lines);
  Verifier verifier({}, std::nullopt);
  for (const std::string& line : lines) ASSERT_EQ(verifier.Line(line, true), ChainFault::kNone);
  EXPECT_EQ(verifier.sums().unclosed, 1u);
}

TEST(Verifier, GoesOnFromAValueThatIsKnown) {
  const Lines lines = TwoLives();
  const Lines rest(lines.begin() + 2, lines.end());
  EXPECT_EQ(Verify(rest), ChainFault::kNoBeginning);
  EXPECT_EQ(Verify(rest, {}, testing::ValueOf(lines[1])), ChainFault::kNone);
  EXPECT_EQ(Verify(rest, {}, testing::ValueOf(lines[0])), ChainFault::kChanged);

  const Lines second(lines.begin() + 5, lines.end());
  EXPECT_EQ(Verify(second, {}, testing::ValueOf(lines[4])), ChainFault::kNone);
  EXPECT_EQ(Verify(second, {}, testing::ValueOf(lines[3])), ChainFault::kNotContinued);
  Verifier verifier({}, std::nullopt);
  verifier.Line(second[0], true);
  EXPECT_EQ(verifier.continues_unseen(), testing::ValueOf(lines[4]));
}

// A line that was begun in a file that was moved away is whole in the next one.
TEST(Verifier, ATornLineIsAccountedForByTheWholeOne) {
  const Lines lines = TwoLives();
  for (size_t torn = 0; torn < lines.size(); ++torn) {
    Verifier verifier({}, std::nullopt);
    for (size_t i = 0; i < lines.size(); ++i) {
      if (i == torn) verifier.Line(lines[i].substr(0, lines[i].size() / 2), /*ended=*/false);
      ASSERT_EQ(verifier.Line(lines[i], true), ChainFault::kNone) << torn << " " << i;
    }
    EXPECT_EQ(verifier.End(), ChainFault::kNone);
    EXPECT_EQ(verifier.sums().unfinished, 1u);
    EXPECT_EQ(verifier.sums().lines, lines.size());
  }
  Verifier verifier({}, std::nullopt);
  verifier.Line(lines[0], true);
  verifier.Line(lines[2].substr(0, lines[2].size() - 1), false);
  EXPECT_EQ(verifier.Line(lines[1], true), ChainFault::kNotARecord) << "another line follows";
  EXPECT_TRUE(verifier.fault_is_of_line_before());
}

// Or it was begun by a process that ended over it: the next one says how long it is.
TEST(Verifier, ATornLineIsAccountedForByTheNextStart) {
  for (const size_t said : {9, 10, 11}) {
    Lines lines;
    Live({}, kChainId, 1, &lines, /*close=*/false);
    const auto sink = std::make_shared<MemorySink>();
    sink->tail = {.last_line = lines.back(), .unfinished_bytes = said};
    Log log({.sink = sink}, kOtherChainId);
    ASSERT_TRUE(log.Close(At(0)));
    lines.push_back("{\"time\":18");
    lines.insert(lines.end(), sink->lines.begin(), sink->lines.end());
    EXPECT_EQ(Verify(lines), said == 10 ? ChainFault::kNone : ChainFault::kNotARecord) << said;
  }
}

TEST(Verifier, ATornLineAtTheEndIsOneThatIsBeingWritten) {
  const Lines lines = TwoLives();
  for (const bool ended : {false, true}) {
    Verifier verifier({}, std::nullopt);
    for (size_t i = 0; i < 5; ++i) verifier.Line(lines[i], true);
    verifier.Line(lines[5].substr(0, 20), ended);
    EXPECT_EQ(verifier.End(), ended ? ChainFault::kNotARecord : ChainFault::kNone);
    EXPECT_EQ(verifier.fault_is_of_line_before(), ended);
    EXPECT_EQ(verifier.closed(), ended) << "more is coming";
  }
}

TEST(Verifier, ReadsTheEndOfItsObjectAndNotOfAnotherOne) {
  for (const char* before :
       {R"({"metadata":{"sequence":1},"x":{"unmapped":{"record":"start","chain_id":"c")",
        R"({"metadata":{"sequence":1},"unmapped":{"record":"start","chain_id":"c","chain":"a"},"x":{"a":1)",
        R"({"unmapped":{"record":"start","chain_id":"c","chain":1},"x":{"a":1)"}) {
    std::string line = before;
    Chain({}).Close({}, &line);
    EXPECT_EQ(Verify({line}), ChainFault::kNotARecord) << line;
  }
}

TEST(Verifier, WantsANumberAnIdAndAKindOfEachLine) {
  const auto verify = [](std::string line) {
    Chain({}).Close({}, &line);
    return Verify({line});
  };
  const std::string rest = R"("record":"start","chain_id":"c","chain_algorithm":"SHA-256")";
  ASSERT_EQ(verify(R"({"metadata":{"sequence":1},"unmapped":{)" + rest), ChainFault::kNone);
  EXPECT_EQ(verify(R"({"metadata":{"sequence":0},"unmapped":{)" + rest), ChainFault::kNotARecord);
  EXPECT_EQ(verify(R"({"metadata":{"sequence":-1},"unmapped":{)" + rest), ChainFault::kNotARecord);
  EXPECT_EQ(verify(R"({"metadata":{"sequence":"1"},"unmapped":{)" + rest), ChainFault::kNotARecord);
  EXPECT_EQ(verify(R"({"metadata":{"sequence":2},"unmapped":{)" + rest), ChainFault::kMissing);
  EXPECT_EQ(verify(R"({"metadata":{"sequence":1},"unmapped":{"record":"start")"), ChainFault::kNotARecord);
  EXPECT_EQ(verify(R"({"metadata":{"sequence":1},"unmapped":{"chain_id":"c")"), ChainFault::kNotARecord);
  EXPECT_EQ(verify(R"({"metadata":{"sequence":1},"unmapped":{"continues":"00",)" + rest),
            ChainFault::kNotARecord);
}

TEST(Verifier, AFaultStays) {
  const Lines lines = TwoLives();
  Verifier verifier({}, std::nullopt);
  EXPECT_EQ(verifier.Line(lines[1], true), ChainFault::kNoBeginning);
  for (const std::string& line : lines) EXPECT_EQ(verifier.Line(line, true), ChainFault::kNoBeginning);
  EXPECT_EQ(verifier.End(), ChainFault::kNoBeginning);
}

TEST(Verifier, SaysWhichNumberItFound) {
  Lines lines = TwoLives();
  Verifier verifier({}, std::nullopt);
  verifier.Line(lines[0], true);
  ASSERT_EQ(verifier.Line(lines[3], true), ChainFault::kMissing);
  EXPECT_EQ(verifier.sequence(), 1u);
  EXPECT_EQ(verifier.sequence_found(), 4u);
}

TEST(Verifier, SumsWhatTheLogSaysWasLost) {
  const auto sink = std::make_shared<MemorySink>();
  Log log({.sink = sink}, kChainId);
  Record record = GoodRecord();
  const std::string long_name(kRecordBytesMax, 'x');
  record.tool = long_name;
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(log.Submit(record));
  ASSERT_TRUE(log.Close(At(0)));
  EXPECT_EQ(sink->Records(), "start lost stop");
  Verifier verifier({}, std::nullopt);
  for (const std::string& line : sink->lines) verifier.Line(line, true);
  EXPECT_EQ(verifier.End(), ChainFault::kNone);
  EXPECT_EQ(verifier.sums().lost, 3u);
}

}  // namespace
}  // namespace tollgate::audit
