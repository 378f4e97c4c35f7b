#include "bench/lib/gates.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>

#include "bench/fleet/scenarios.h"
#include "bench/report/collect.h"
#include "bench/report/html.h"

namespace tollgate::bench {
namespace {

using nlohmann::json;

GateOutcome OutcomeOf(const Gate& gate, const Figures& figures) {
  return EvaluateGates({gate}, figures).front().outcome;
}

TEST(Gates, MetUpToTheLimitAndMissedBeyondIt) {
  const Gate ratio{"g", "BM_A", "BM_B", 1.5};
  EXPECT_EQ(OutcomeOf(ratio, {{{"BM_A", 15}, {"BM_B", 10}}}), GateOutcome::kMet);
  EXPECT_EQ(OutcomeOf(ratio, {{{"BM_A", 15.01}, {"BM_B", 10}}}), GateOutcome::kMissed);
  const Gate time{"g", "BM_A", "", 500, GateKind::kTime};
  EXPECT_EQ(OutcomeOf(time, {{{"BM_A", 500}}}), GateOutcome::kMet);
  EXPECT_EQ(OutcomeOf(time, {{{"BM_A", 500.1}}}), GateOutcome::kMissed);
  const Gate counter{"g", "BM_A", "", 2, GateKind::kCounter, "allocations"};
  EXPECT_EQ(OutcomeOf(counter, {{{"BM_A", 9}}, {{"BM_A", {{"allocations", 2}}}}}), GateOutcome::kMet);
  EXPECT_EQ(OutcomeOf(counter, {{{"BM_A", 9}}, {{"BM_A", {{"allocations", 0}}}}}), GateOutcome::kMet);
  EXPECT_EQ(OutcomeOf(counter, {{{"BM_A", 1}}, {{"BM_A", {{"allocations", 3}}}}}), GateOutcome::kMissed);
}

TEST(Gates, WithoutItsFiguresIsNotMeasured) {
  const Gate ratio{"g", "BM_A", "BM_B", 1.5};
  EXPECT_EQ(OutcomeOf(ratio, {{{"BM_A", 15}}}), GateOutcome::kNotMeasured);
  EXPECT_EQ(OutcomeOf(ratio, {{{"BM_B", 10}}}), GateOutcome::kNotMeasured);
  EXPECT_EQ(OutcomeOf(ratio, {{{"BM_A", 15}, {"BM_B", 0}}}), GateOutcome::kNotMeasured);
  EXPECT_EQ(OutcomeOf({"g", "BM_A", "", 500, GateKind::kTime}, {{{"BM_B", 1}}}), GateOutcome::kNotMeasured);
  const Gate counter{"g", "BM_A", "", 2, GateKind::kCounter, "allocations"};
  EXPECT_EQ(OutcomeOf(counter, {{{"BM_A", 1}}}), GateOutcome::kNotMeasured);
  EXPECT_EQ(OutcomeOf(counter, {{{"BM_A", 1}}, {{"BM_A", {{"faults", 0}}}}}), GateOutcome::kNotMeasured);
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

TEST(Gates, ReadsTimesAndCountersAndNoMixtures) {
  std::string error;
  const json time = {{"name", "g"}, {"numerator", "a"}, {"limit_ns", 500}};
  const json counter = {{"name", "g"}, {"numerator", "a"}, {"counter", "allocations"}, {"limit", 2}};
  const auto gates = ReadGates(json::array({time, counter}), &error);
  ASSERT_TRUE(gates) << error;
  EXPECT_EQ((*gates)[0].kind, GateKind::kTime);
  EXPECT_EQ((*gates)[0].limit, 500);
  EXPECT_EQ((*gates)[1].kind, GateKind::kCounter);
  EXPECT_EQ((*gates)[1].counter, "allocations");
  json mixed = time;
  mixed["denominator"] = "b";
  EXPECT_FALSE(ReadGates(json::array({mixed}), &error));
  mixed = counter;
  mixed["denominator"] = "b";
  EXPECT_FALSE(ReadGates(json::array({mixed}), &error));
  mixed = counter;
  mixed["counter"] = "";
  EXPECT_FALSE(ReadGates(json::array({mixed}), &error));
}

TEST(Gates, TheShippedOnesCanBeRead) {
  std::ifstream in(TOLLGATE_SOURCE_DIR "/bench/gates.json");
  std::string error;
  const auto gates = ReadGates(json::parse(in, nullptr, false), &error);
  ASSERT_TRUE(gates) << error;
  EXPECT_EQ(gates->size(), 25u);
}

json Canned(const char* name) {
  std::ifstream in(std::string(TOLLGATE_SOURCE_DIR "/tests/bench/data/") + name);
  return json::parse(in);
}

// What bench_fleet says of a fleet: it is quick, and the same every time.
const json& Fleet() {
  static const json fleet = RunFleet({.num_instances = 2000});
  return fleet;
}

CollectInput CannedInput(const std::string& mode) {
  CollectInput input;
  input.micro = {Canned("micro.json"), Canned("hot.json")};
  input.latency = {Canned("latency.json")};
  input.gateway = {Canned("gateway.json")};
  input.outage = {Canned("outage.json")};
  input.fleet = Fleet();
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
  // What no machine can be blamed for fails; what it was too unquiet for does not, and is told.
  input = CannedInput("quick");
  input.outage[0]["objectives"][0]["outcome"] = "inconclusive";
  const json inconclusive = Collect(input);
  EXPECT_TRUE(inconclusive["passed"].get<bool>());
  EXPECT_EQ(inconclusive["warnings"].size(), 1u);
  input = CannedInput("quick");
  input.outage.clear();
  EXPECT_FALSE(Collect(input)["passed"].get<bool>());
  input = CannedInput("quick");
  input.outage[0]["objectives"] = json::array();
  EXPECT_FALSE(Collect(input)["passed"].get<bool>()) << "nothing demanded is nothing met";
  input = CannedInput("quick");
  input.fleet = json();
  EXPECT_FALSE(Collect(input)["passed"].get<bool>());
  input = CannedInput("quick");
  input.fleet["objectives"] = json::array();
  EXPECT_FALSE(Collect(input)["passed"].get<bool>());
  input = CannedInput("quick");
  input.fleet["objectives"][0]["met"] = false;
  EXPECT_FALSE(Collect(input)["passed"].get<bool>());
  input = CannedInput("quick");
  input.latency.clear();
  EXPECT_FALSE(Collect(input)["passed"].get<bool>());
  input = CannedInput("quick");
  input.latency[0]["error"] = "a measured check was not an allow";
  EXPECT_FALSE(Collect(input)["passed"].get<bool>());
  input = CannedInput("quick");
  input.gateway.clear();
  EXPECT_FALSE(Collect(input)["passed"].get<bool>());
  input = CannedInput("quick");
  input.gateway[0]["error"] = "nginx: the server has closed a connection";
  EXPECT_FALSE(Collect(input)["passed"].get<bool>());
}

TEST(Collect, TooManyAllocationsFailAQuickRunTooAndTakeTheWorstOfAllRuns) {
  CollectInput input = CannedInput("quick");
  input.gates.push_back({"allocations", "BM_MissOverhead/RS256", "", 2, GateKind::kCounter, "allocations"});
  EXPECT_TRUE(Collect(input)["passed"].get<bool>());
  input.micro.push_back(Canned("hot.json"));
  for (json& benchmark : input.micro.back()["benchmarks"]) {
    if (benchmark.contains("counters")) benchmark["counters"]["allocations"] = 3;
  }
  EXPECT_FALSE(Collect(input)["passed"].get<bool>());
}

// What depends on time: a failure in a plain run, a warning in a quick one.
void ExpectJudgedByTime(const std::function<void(CollectInput*)>& spoil) {
  CollectInput input = CannedInput("plain");
  spoil(&input);
  EXPECT_FALSE(Collect(input)["passed"].get<bool>());
  input.mode = "quick";
  const json quick = Collect(input);
  EXPECT_TRUE(quick["passed"].get<bool>());
  EXPECT_EQ(quick["warnings"].size(), 1u);
}

TEST(Collect, JudgesThreadsLatencyAndGatewayAndSaysWhatIsInconclusive) {
  const auto scaling = [](const char* outcome) {
    return [outcome](CollectInput* input) {
      json& kind = input->micro[1]["scaling"]["kinds"][1];
      kind["outcome"] = outcome;
      kind["relative"] = 0.5;
    };
  };
  const auto latency = [](const char* outcome) {
    return [outcome](CollectInput* input) { input->latency[0]["conditions"][3]["outcome"] = outcome; };
  };
  const auto gateway = [](const char* outcome) {
    return [outcome](CollectInput* input) { input->gateway[0]["demands"][0]["outcome"] = outcome; };
  };
  ExpectJudgedByTime(gateway("missed"));
  ExpectJudgedByTime(scaling("missed"));
  ExpectJudgedByTime(latency("missed"));
  for (const std::function<void(CollectInput*)>& spoil :
       {std::function<void(CollectInput*)>(scaling("inconclusive")),
        {latency("inconclusive")},
        {gateway("inconclusive")}}) {
    CollectInput input = CannedInput("plain");
    spoil(&input);
    const json results = Collect(input);
    EXPECT_TRUE(results["passed"].get<bool>());
    ASSERT_EQ(results["warnings"].size(), 1u);
    EXPECT_EQ(results["warnings"][0].get<std::string>().find("median of 0"), std::string::npos);
    EXPECT_EQ(RenderHtml(results).find("All demands met<"), std::string::npos);
  }
  CollectInput input = CannedInput("quick");
  latency("not_measured")(&input);
  EXPECT_FALSE(Collect(input)["passed"].get<bool>());
}

TEST(Collect, JudgesThreadsByTheMedianOfTheRuns) {
  for (const auto& [bad, passes] : {std::pair(1, true), std::pair(2, false)}) {
    CollectInput input = CannedInput("full");
    const json good = input.micro[1];
    input.micro.insert(input.micro.end(), {good, good});
    for (int i = 0; i < bad; ++i) {
      json& kind = input.micro[static_cast<size_t>(1 + i)]["scaling"]["kinds"][0];
      kind["outcome"] = "missed";
      kind["relative"] = 0.5;
    }
    const json failures = Collect(input)["failures"];
    const bool missed = failures.dump().find("two threads") != std::string::npos;
    EXPECT_EQ(missed, !passes) << failures;
  }
}

TEST(Collect, TakesTheRepetitionsOfSeveralRunsTogether) {
  CollectInput input = CannedInput("full");
  const json once = Collect(input);
  input.micro.push_back(input.micro.front());
  const json twice = Collect(input);
  EXPECT_EQ(twice["benchmarks"][0]["repetitions"].size(), 2 * once["benchmarks"][0]["repetitions"].size());
  EXPECT_EQ(twice["benchmarks"].size(), once["benchmarks"].size());
}

TEST(Report, IsOnePageThatNeedsNothingElse) {
  json results = Collect(CannedInput("plain"));
  results["command"] = "tools/bench <b>&'\"";
  const std::string page = RenderHtml(results);
  for (const char* wanted :
       {"<!doctype html>", "prefers-color-scheme", "<svg", "All demands met", "RS256",
        "When the identity provider fails", "Outage: idp-outage", "staleness_bound_ms", "The hot path",
        "32 together", "jwt_cache", "0 allocations", "How long a single hit takes", "p99.99",
        "Behind a proxy", "at most 2.00 × that of nginx", "A fleet and one identity provider",
        "Rotation without notice", "&lt;b&gt;&amp;&#39;&quot;"}) {
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
