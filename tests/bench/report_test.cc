#include "bench/lib/gates.h"

#include <gtest/gtest.h>

#include <fstream>

#include "bench/report/collect.h"
#include "bench/report/html.h"

namespace tollgate::bench {
namespace {

using nlohmann::json;

const std::vector<Gate> kGates = {{"g", "BM_A", "BM_B", 1.5}};

TEST(Gates, MetUpToTheLimitAndMissedBeyondIt) {
  EXPECT_EQ(EvaluateGates(kGates, {{"BM_A", 15}, {"BM_B", 10}}).front().outcome, GateOutcome::kMet);
  EXPECT_EQ(EvaluateGates(kGates, {{"BM_A", 15.01}, {"BM_B", 10}}).front().outcome, GateOutcome::kMissed);
}

TEST(Gates, WithoutBothFiguresIsNotMeasured) {
  EXPECT_EQ(EvaluateGates(kGates, {{"BM_A", 15}}).front().outcome, GateOutcome::kNotMeasured);
  EXPECT_EQ(EvaluateGates(kGates, {{"BM_B", 10}}).front().outcome, GateOutcome::kNotMeasured);
  EXPECT_EQ(EvaluateGates(kGates, {{"BM_A", 15}, {"BM_B", 0}}).front().outcome, GateOutcome::kNotMeasured);
}

TEST(Gates, MedianOfEvenAndOddNumbers) {
  EXPECT_EQ(Median({}), 0);
  EXPECT_EQ(Median({3, 1, 2}), 2);
  EXPECT_EQ(Median({4, 1, 3, 2}), 2.5);
}

TEST(Gates, RefusesWhatItDoesNotUnderstand) {
  std::string error;
  const json good = {{"name", "g"}, {"numerator", "a"}, {"denominator", "b"}, {"limit", 1.5}};
  ASSERT_TRUE(ReadGates(json::array({good}), &error));
  EXPECT_FALSE(ReadGates(json::array(), &error));
  EXPECT_FALSE(ReadGates(good, &error));
  for (const char* member : {"name", "numerator", "denominator", "limit"}) {
    json lacking = good;
    lacking.erase(member);
    EXPECT_FALSE(ReadGates(json::array({lacking}), &error)) << member;
  }
  json extra = good;
  extra["max"] = 3;
  EXPECT_FALSE(ReadGates(json::array({extra}), &error));
  json zero = good;
  zero["limit"] = 0;
  EXPECT_FALSE(ReadGates(json::array({zero}), &error));
}

TEST(Gates, TheShippedOnesCanBeRead) {
  std::ifstream in(TOLLGATE_SOURCE_DIR "/bench/gates.json");
  std::string error;
  const auto gates = ReadGates(json::parse(in, nullptr, false), &error);
  ASSERT_TRUE(gates) << error;
  EXPECT_EQ(gates->size(), 4u);
}

json Canned(const char* name) {
  std::ifstream in(std::string(TOLLGATE_SOURCE_DIR "/tests/bench/data/") + name);
  return json::parse(in);
}

CollectInput CannedInput(const std::string& mode) {
  CollectInput input;
  input.micro = {Canned("micro.json")};
  input.outage = {Canned("outage.json")};
  input.gates = {{"miss_rs256", "BM_Miss/RS256", "BM_Floor_Verify/RS256", 1.08}};
  input.mode = mode;
  input.command = "tools/bench";
  input.commit = "0123456789ab";
  input.machine = DescribeMachine();
  return input;
}

TEST(Collect, PassesWhenEveryDemandIsMet) {
  const json results = Collect(CannedInput("plain"));
  EXPECT_TRUE(results["passed"].get<bool>()) << results["failures"].dump();
  EXPECT_EQ(results["gates"][0]["outcome"], "met");
}

TEST(Collect, AMissedGateFailsAPlainRunAndWarnsInAQuickOne) {
  CollectInput input = CannedInput("plain");
  input.gates.front().limit = 1.001;
  EXPECT_FALSE(Collect(input)["passed"].get<bool>());
  input.mode = "quick";
  const json quick = Collect(input);
  EXPECT_TRUE(quick["passed"].get<bool>());
  EXPECT_EQ(quick["warnings"].size(), 1u);
}

TEST(Collect, AMissedObjectiveAFailedBenchmarkAndAnUnfedGateFailAQuickRunToo) {
  CollectInput input = CannedInput("quick");
  input.outage[0]["objectives"][0]["met"] = false;
  EXPECT_FALSE(Collect(input)["passed"].get<bool>());
  input = CannedInput("quick");
  input.micro[0]["errors"]["BM_Hit"] = "not allowed: expired";
  EXPECT_FALSE(Collect(input)["passed"].get<bool>());
  input = CannedInput("quick");
  input.gates.push_back({"unfed", "BM_Nothing", "BM_Floor_Verify/RS256", 2});
  EXPECT_FALSE(Collect(input)["passed"].get<bool>());
  input = CannedInput("quick");
  input.outage.clear();
  EXPECT_FALSE(Collect(input)["passed"].get<bool>());
  input = CannedInput("quick");
  input.outage[0]["objectives"] = json::array();
  EXPECT_FALSE(Collect(input)["passed"].get<bool>()) << "nothing demanded is nothing met";
}

TEST(Collect, TakesTheRepetitionsOfSeveralRunsTogether) {
  CollectInput input = CannedInput("full");
  input.micro.push_back(input.micro.front());
  const json once = Canned("micro.json"), twice = Collect(input);
  EXPECT_EQ(twice["benchmarks"][0]["repetitions"].size(), 2 * once["benchmarks"][0]["repetitions"].size());
  EXPECT_EQ(twice["benchmarks"].size(), once["benchmarks"].size());
}

TEST(Report, IsOnePageThatNeedsNothingElse) {
  json results = Collect(CannedInput("plain"));
  results["command"] = "tools/bench <b>&'\"";
  const std::string page = RenderHtml(results);
  for (const char* wanted :
       {"<!doctype html>", "prefers-color-scheme", "<svg", "All demands met", "RS256",
        "An outage of the identity provider", "staleness_bound_ms", "&lt;b&gt;&amp;&#39;&quot;"}) {
    EXPECT_NE(page.find(wanted), std::string::npos) << wanted;
  }
  for (const char* unwanted : {"<b>", "<script", "src=", "@import", "href=", "url(", "nan", "inf,"}) {
    EXPECT_EQ(page.find(unwanted), std::string::npos) << unwanted;
  }
}

TEST(Report, SaysSoWhenADemandWasMissed) {
  CollectInput input = CannedInput("plain");
  input.gates.front().limit = 1.001;
  const std::string page = RenderHtml(Collect(input));
  EXPECT_EQ(page.find("All demands met"), std::string::npos);
  EXPECT_NE(page.find("gate miss_rs256"), std::string::npos);
}

}  // namespace
}  // namespace tollgate::bench
