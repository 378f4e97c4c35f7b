#include "bench/outage/results.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

namespace tollgate::bench {
namespace {

using nlohmann::json;

constexpr int64_t kSecond = 1'000'000'000;

// Two phases of a second each: one with a fault, one without.
Scenario TwoPhases() {
  Scenario scenario{.name = "a", .about = "A."};
  scenario.loads = {{.kind = TokenKind::kKnown, .rate_hz = 10}};
  scenario.phases = {{.name = "down", .duration_s = 1, .fault = {.kind = FaultKind::kDown}},
                     {.name = "up", .duration_s = 1}};
  return scenario;
}

// A run in which all went well: asked in the fault, and again after it.
Outcome Good() {
  Outcome outcome;
  outcome.start_ns = 100 * kSecond;
  for (LoadResult* load : {&outcome.known, &outcome.others}) {
    load->bins.resize(20);
    for (Bin& bin : load->bins) bin.offered = bin.allow = 1;
  }
  outcome.known.held.known_to_allow = outcome.known.held.known_allowed = 20;
  outcome.timeline.sightings.resize(20);
  outcome.timeline.phases = {{.begin_ns = 0, .reachable_ns = 0, .end_ns = kSecond},
                             {.begin_ns = kSecond, .reachable_ns = kSecond, .end_ns = 2 * kSecond}};
  outcome.timeline.back_to_fresh_s = {0.01};
  const int64_t first_ns = outcome.start_ns + kSecond / 2, second_ns = outcome.start_ns + kSecond + 1;
  outcome.exchanges = {
      {.begin_ns = first_ns, .earliest_ns = first_ns, .end_ns = first_ns + 1},
      {.begin_ns = second_ns, .earliest_ns = second_ns, .end_ns = second_ns + 1, .good = true}};
  return outcome;
}

std::set<std::string> Missed(const Outcome& outcome, const Scenario& scenario, bool service_time = false) {
  const json results = ResultsOf(outcome, scenario, Timing().Scaled(1e-3), /*timed_objectives=*/true,
                                 {.tokens = "somebody", .service_time = service_time, .in_flight_max = 16});
  std::set<std::string> missed;
  for (const json& objective : results.at("objectives")) {
    if (!objective.at("met").get<bool>()) missed.insert(objective.at("name").get<std::string>());
  }
  return missed;
}

using Names = std::set<std::string>;

TEST(Results, AGoodRunMissesNothingAndHasAllMembers) {
  EXPECT_EQ(Missed(Good(), TwoPhases()), Names{});
  const json results = ResultsOf(Good(), TwoPhases(), Timing(), true, {});
  EXPECT_EQ(results.at("bins").size(), 20u);
  EXPECT_EQ(results.at("phases").at(0).at("fault"), "down");
  EXPECT_EQ(results.at("phases").at(0).at("offered"), 20);
  EXPECT_EQ(results.at("phases").at(1).at("offered"), 20);
  EXPECT_EQ(results.at("phases").at(0).at("idp_requests"), 1);
  EXPECT_EQ(results.at("bins").at(5).at("idp_failures"), 1);
}

TEST(Results, WhatWentWrongInEitherThreadIsMissed) {
  for (LoadResult Outcome::*load : {&Outcome::known, &Outcome::others}) {
    Outcome outcome = Good();
    (outcome.*load).wrong.denied = 1;
    EXPECT_EQ(Missed(outcome, TwoPhases()), Names{"wrongly_denied"});
  }
  Outcome outcome = Good();
  outcome.known.held.known_allowed = 19;
  EXPECT_EQ(Missed(outcome, TwoPhases()), Names{"known_allowed_percent"});
  outcome = Good();
  outcome.others.held.expected = 2;
  outcome.others.held.offered = 1;
  EXPECT_EQ(Missed(outcome, TwoPhases()), Names{"saw_load"});
  outcome = Good();
  outcome.exchanges.erase(outcome.exchanges.begin());
  EXPECT_EQ(Missed(outcome, TwoPhases()), Names{"saw_fault"});
}

TEST(Results, EveryExpectationOfAScenarioIsHeldAgainstTheRun) {
  struct Row {
    std::function<void(Scenario*)> expect;
    std::function<void(Outcome*)> spoil;  // What makes it missed; and without it, it is met or never seen.
    Names missed;
  };
  const auto nothing = [](Outcome*) {};
  const Row kRows[] = {
      {[](Scenario* s) { s->expect_degraded = true; }, nothing, {"saw_degraded"}},
      {[](Scenario* s) { s->expect_unavailable = true; }, nothing, {"saw_unavailable"}},
      {[](Scenario* s) { s->expect_new_key_accepted = true; }, nothing, {"saw_new_key"}},
      {[](Scenario* s) { s->loads.push_back({.kind = TokenKind::kForgedKid, .rate_hz = 1}); },
       nothing,
       {"saw_forged"}},
      {[](Scenario* s) { s->loads.push_back({.kind = TokenKind::kYoung, .rate_hz = 1}); },
       nothing,
       {"saw_deny"}},
      {[](Scenario* s) { s->expect_fresh_after_fault = true; }, nothing, {}},
      {[](Scenario* s) { s->expect_fresh_after_fault = true; },
       [](Outcome* o) { o->timeline.back_to_fresh_s = {-1}; },
       {"back_to_fresh_s"}},
      {[](Scenario* s) { s->expect_steady_requests = true; }, nothing, {}},
      {[](Scenario* s) { s->expect_steady_requests = true; },
       [](Outcome* o) { o->exchanges.insert(o->exchanges.end(), 2, o->exchanges.back()); },
       {"steady_requests"}},
      {[](Scenario* s) { s->phases[1].expect_one_request_per_cooldown = true; }, nothing, {}},
      {[](Scenario* s) { s->phases[1].expect_one_request_per_cooldown = true; },
       [](Outcome* o) { o->exchanges.push_back(o->exchanges.back()); },
       {"requests_per_cooldown"}},
      {[](Scenario* s) { s->expect_last_known = true; },
       nothing,
       {"saw_last_known", "saw_last_known_too_old", "last_known_percent"}},
      {[](Scenario* s) { s->expect_last_known = true; },
       [](Outcome* o) {
         o->others.held.last_known = o->others.held.last_known_allowed = 9;
         o->others.held.last_known_too_old = 1;
       },
       {}},
      {[](Scenario* s) { s->expect_last_known = true; },
       [](Outcome* o) {
         o->others.held.last_known = o->others.held.last_known_allowed = 9;
         o->others.held.last_known_too_old = o->others.held.last_known_refused = 1;
       },
       {"last_known_refused"}},
      {[](Scenario* s) { s->phases[0].revoke = s->expect_revoked_refused = true; },
       nothing,
       {"saw_revoked", "revoked_refused_s"}},
      {[](Scenario* s) { s->phases[0].revoke = s->expect_revoked_refused = true; },
       [](Outcome* o) {
         o->others.held.to_deny = 1;
         o->others.revoked_allowed_ns = o->start_ns + kSecond + kSecond / 2;
       },
       {}},
      {[](Scenario* s) { s->phases[0].revoke = s->expect_revoked_refused = true; },
       [](Outcome* o) {
         o->others.held.to_deny = 1;
         o->others.revoked_allowed_ns = o->start_ns + 3 * kSecond;
       },
       {"revoked_refused_s"}},
      {[](Scenario* s) { s->phases[0].fault.introspection = s->expect_bounded_questions = true; },
       nothing,
       {"saw_fault", "questions_in_flight", "questions_in_outage"}},
      {[](Scenario* s) { s->phases[0].fault.introspection = s->expect_bounded_questions = true; },
       [](Outcome* o) { o->exchanges[0].introspection = true; },
       {}},
      {[](Scenario* s) {
         s->num_issuers = 1;
         s->expect_host_bucket = true;
       },
       [](Outcome* o) { o->exchanges.insert(o->exchanges.end(), 16, o->exchanges.back()); },
       {"saw_tenants", "host_bucket"}},
      {[](Scenario* s) {
         s->num_issuers = 1;
         s->expect_host_bucket = true;
       },
       [](Outcome* o) { o->others.held.tenants_to_allow = 1; },
       {}},
      {[](Scenario* s) { s->phases[1].remove_key = s->expect_removed_key_refused = true; },
       [](Outcome* o) {
         o->timeline.removed_ns = kSecond;
         o->others.compromised_allowed_ns = o->start_ns + kSecond + 1;
       },
       {}},
      {[](Scenario* s) { s->phases[1].remove_key = s->expect_removed_key_refused = true; },
       [](Outcome* o) {
         o->timeline.removed_ns = kSecond;
         o->others.compromised_allowed_ns = o->start_ns + 4 * kSecond;
         o->others.wrong.allowed_after_removal = 1;
       },
       {"removed_key_s", "allowed_after_removal"}},
  };
  for (const Row& row : kRows) {
    Scenario scenario = TwoPhases();
    row.expect(&scenario);
    Outcome outcome = Good();
    row.spoil(&outcome);
    EXPECT_EQ(Missed(outcome, scenario), row.missed);
  }
}

TEST(Results, AServiceTimeThatWasToBeMeasuredAndWasNotIsMissed) {
  EXPECT_EQ(Missed(Good(), TwoPhases(), /*service_time=*/true), Names{"service_time_p999"});
}

TEST(Results, ManyIssuersHaveTheirMemoryAndTheirStartBounded) {
  Scenario scenario = TwoPhases();
  scenario.num_issuers = 999;
  scenario.expect_bounded_memory = true;
  Outcome outcome = Good();
  outcome.others.held.tenants_to_allow = 1;
  const auto missed = [&](double start_s, size_t bytes) {
    const json results =
        ResultsOf(outcome, scenario, Timing(), true,
                  {.tokens = "", .start_s = start_s, .issuer_bytes = 5, .resident_bytes_max = bytes});
    EXPECT_EQ(results.at("issuers").at("count"), 1000);
    EXPECT_EQ(results.at("issuers").at("issuer_bytes"), 5);
    Names names;
    for (const json& objective : results.at("objectives")) {
      if (!objective.at("met").get<bool>()) names.insert(objective.at("name").get<std::string>());
    }
    return names;
  };
  EXPECT_EQ(missed(15, size_t{4096} << 20), Names{});
  EXPECT_EQ(missed(15.1, (size_t{4096} << 20) + 1), (Names{"start_s", "resident_mib"}));
}

TEST(Results, WithoutTimedObjectivesOnlyCorrectnessCounts) {
  Scenario scenario = TwoPhases();
  scenario.expect_fresh_after_fault = true;
  Outcome outcome = Good();
  outcome.timeline.back_to_fresh_s = {100};
  const json results = ResultsOf(outcome, scenario, Timing(), /*timed_objectives=*/false, {});
  for (const json& objective : results.at("objectives")) EXPECT_TRUE(objective.at("met").get<bool>());
}

}  // namespace
}  // namespace tollgate::bench
