#include "bench/outage/scenario_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>

#include "bench/outage/tokens.h"

namespace tollgate::bench {
namespace {

constexpr char kGood[] = R"(# What it is for.
scenario some-name
about One sentence,
about on two lines.
start cold

load known 100000/s
load new 200/s
permit overloaded
expect degraded

phase 5min down at first
  fault slow 500ms 10s
  expect service-time

phase 1h flood
  clock -1h
  load forged-kid 1000000
  expect one-request-per-cooldown
)";

TEST(ScenarioFile, ReadsWhatItSays) {
  const absl::StatusOr<Scenario> read = ParseScenario(kGood, "file");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->name, "some-name");
  EXPECT_EQ(read->about, "One sentence, on two lines.");
  EXPECT_EQ(read->start, Start::kCold);
  ASSERT_EQ(read->loads.size(), 2u);
  EXPECT_EQ(read->loads[0].rate_hz, 100'000);
  EXPECT_EQ(read->loads[1].kind, TokenKind::kNew);
  EXPECT_TRUE(read->permit_overloaded);
  EXPECT_TRUE(read->expect_degraded);
  EXPECT_FALSE(read->expect_unavailable);
  ASSERT_EQ(read->phases.size(), 2u);
  const Phase &first = read->phases[0], &second = read->phases[1];
  EXPECT_EQ(first.name, "down at first");
  EXPECT_EQ(first.duration_s, 300);
  EXPECT_EQ(first.fault.kind, FaultKind::kSlow);
  EXPECT_EQ(first.fault.delay_min_s, 0.5);
  EXPECT_EQ(first.fault.delay_max_s, 10);
  EXPECT_TRUE(first.expect_service_time);
  EXPECT_TRUE(second.fault.none());
  EXPECT_EQ(second.clock_step_s, -3600);
  ASSERT_EQ(second.loads.size(), 1u);
  EXPECT_EQ(second.loads[0].count, 1'000'000u);
  EXPECT_TRUE(second.expect_one_request_per_cooldown);
  EXPECT_EQ(read->DurationS(), 3900);
  EXPECT_TRUE(read->Offers(TokenKind::kForgedKid));
  EXPECT_FALSE(read->Offers(TokenKind::kOpaque));
}

constexpr char kIntrospection[] = R"(scenario asked
about Tokens that are asked about.
load known 10/s
load last-known 10/s
load revoked 10/s
expect last-known
expect revoked-refused
expect bounded-questions
phase 1min down
  fault introspection down
  revoke
phase 1min back
)";

constexpr char kManyIssuers[] = R"(scenario many
about Many issuers.
unscaled
issuers 100000
load known 10/s
load tenant 10/s
expect host-bucket
expect bounded-memory
phase 5s all
)";

TEST(ScenarioFile, ReadsWhatIsAskedAboutTokens) {
  const absl::StatusOr<Scenario> read = ParseScenario(kIntrospection, "file");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->AsksAboutTokens());
  EXPECT_TRUE(read->expect_last_known);
  EXPECT_TRUE(read->expect_revoked_refused);
  EXPECT_TRUE(read->expect_bounded_questions);
  EXPECT_EQ(read->phases[0].fault, (Fault{.kind = FaultKind::kDown, .introspection = true}));
  EXPECT_TRUE(read->phases[0].revoke);
  EXPECT_FALSE(read->phases[1].revoke);
  const absl::StatusOr<Scenario> slow =
      ParseScenario(std::string(kIntrospection) + "phase 1s slow\nfault introspection slow 1s 2s\n", "file");
  ASSERT_TRUE(slow.ok()) << slow.status();
  EXPECT_EQ(slow->phases[2].fault.delay_max_s, 2);
  EXPECT_TRUE(slow->phases[2].fault.introspection);
}

TEST(Fault, NobodyIsAnsweredWhereTheEndpointFailsAndNotTheQuestion) {
  EXPECT_TRUE((Fault{.kind = FaultKind::kDown, .introspection = true}).NobodyIsAnswered());
  EXPECT_TRUE((Fault{.kind = FaultKind::kBlackhole, .introspection = true}).NobodyIsAnswered());
  EXPECT_TRUE((Fault{.kind = FaultKind::kError, .status = 503, .introspection = true}).NobodyIsAnswered());
  EXPECT_FALSE((Fault{.kind = FaultKind::kError, .status = 400, .introspection = true}).NobodyIsAnswered());
  EXPECT_FALSE((Fault{.kind = FaultKind::kSlow, .introspection = true}).NobodyIsAnswered());
  EXPECT_FALSE((Fault{.kind = FaultKind::kGarbage, .introspection = true}).NobodyIsAnswered());
  EXPECT_FALSE((Fault{.kind = FaultKind::kDown}).NobodyIsAnswered());
}

TEST(ScenarioFile, ReadsManyIssuersAndThatNothingIsScaled) {
  const absl::StatusOr<Scenario> read = ParseScenario(kManyIssuers, "file");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->num_issuers, 100'000u);
  EXPECT_EQ(read->Factor(0.1), 1);
  EXPECT_EQ(Scenario{}.Factor(0.1), 0.1);
  EXPECT_TRUE(read->expect_host_bucket);
  EXPECT_TRUE(read->expect_bounded_memory);
  EXPECT_FALSE(read->AsksAboutTokens());
}

// The good file with `line` where `start cold` stood, or at its end.
std::string Refusal(const std::string& line, bool in_phase) {
  std::string text = kGood;
  if (in_phase) {
    text += line + "\n";
  } else {
    text.replace(text.find("start cold"), 10, line);
  }
  return std::string(ParseScenario(text, "file").status().message());
}

TEST(ScenarioFile, RefusesWhatItDoesNotUnderstandWithFileAndLine) {
  EXPECT_EQ(Refusal("start cold", false), "") << "the control";
  for (const char* line : {"begin cold",
                           "start",
                           "start cold now",
                           "start lukewarm",
                           "scenario other",
                           "load nonsense 5/s",
                           "load opaque",
                           "load opaque 5",
                           "load opaque -5/s",
                           "load opaque 5/s more",
                           "load opaque five/s",
                           "permit everything",
                           "expect wonders",
                           "expect service-time",
                           "fault down",
                           "clock +1h",
                           "add-key",
                           "remove-key now",
                           "about",
                           "revoke",
                           "issuers",
                           "issuers 0",
                           "issuers 1.5",
                           "issuers 131072",
                           "unscaled now",
                           "fault introspection down"}) {
    const std::string refusal = Refusal(line, false);
    EXPECT_TRUE(refusal.starts_with("file:5: ")) << line << ": " << refusal;
  }
  EXPECT_TRUE(Refusal("load known 5/s", false).starts_with("file:7: ")) << "the second of the two";
  for (const char* line : {"fault",
                           "fault nonsense",
                           "fault none",
                           "fault slow 5s",
                           "fault slow 5s 1s",
                           "fault error",
                           "fault error 200",
                           "fault down now",
                           "phase 5 x",
                           "phase 0s x",
                           "phase 5min",
                           "phase 5days x",
                           "clock 1h",
                           "clock +0s",
                           "clock +500ms",
                           "clock",
                           "load forged-kid 5/s",
                           "load new 5/s",
                           "expect degraded",
                           "fault introspection",
                           "fault introspection no-dns",
                           "fault introspection nonsense",
                           "issuers 5",
                           "unscaled",
                           "expect last-known",
                           "revoke now"}) {
    const std::string refusal = Refusal(line, true);
    EXPECT_TRUE(refusal.starts_with("file:20: ")) << line << ": " << refusal;
  }
}

TEST(ScenarioFile, RefusesAScenarioThatTestsNothing) {
  const auto refusal = [](const std::string& text) {
    return std::string(ParseScenario(text, "file").status().message());
  };
  const std::string head = "scenario a\nabout A.\nload known 5/s\n";
  EXPECT_EQ(refusal(head + "phase 1s x\n"), "") << "the control";
  EXPECT_NE(refusal(""), "");
  EXPECT_NE(refusal(head), "") << "no phase";
  EXPECT_NE(refusal("scenario a\nload known 5/s\nphase 1s x\n"), "") << "no about";
  EXPECT_NE(refusal("about A.\nload known 5/s\nphase 1s x\n"), "") << "no name";
  EXPECT_NE(refusal("scenario a\nabout A.\nphase 1s x\n"), "") << "no known tokens";
  EXPECT_NE(refusal(head + "phase 1s x\nremove-key\n"), "") << "no tokens of the removed key";
  EXPECT_NE(refusal(head + "load compromised 5/s\nphase 1s x\n"), "") << "no key is removed";
  EXPECT_NE(refusal(head + "phase 1s x\nadd-key\n"), "");
  EXPECT_NE(refusal(head + "expect removed-key-refused\nphase 1s x\n"), "");
  EXPECT_NE(refusal(head + "expect new-key-accepted\nphase 1s x\n"), "");
  EXPECT_NE(refusal(head + "phase 1s x\nexpect service-time\n"), "") << "no fault";
  EXPECT_NE(refusal(head + "phase 1s x\nexpect one-request-per-cooldown\n"), "") << "no flood";
  EXPECT_NE(refusal(head + "expect steady-requests\nphase 1s x\n"), "") << "no recovery";
  EXPECT_NE(refusal(head + "expect fresh-after-fault\nphase 1s x\nfault down\n"), "") << "no recovery";
  EXPECT_NE(refusal(head + "start cold\nphase 1s x\n"), "") << "nothing is wrong";
}

TEST(ScenarioFile, RefusesQuestionsAndManyIssuersThatTestNothing) {
  // The text without one of its lines, or with another in its place.
  const auto refusal = [](std::string text, const std::string& line, const std::string& instead = "") {
    const size_t at = text.find(line + "\n");
    EXPECT_NE(at, std::string::npos) << line;
    text.replace(at, line.size(), instead);
    return std::string(ParseScenario(text, "file").status().message());
  };
  for (const char* line : {"load last-known 10/s", "load revoked 10/s", "  revoke",
                           "  fault introspection down", "phase 1min back"}) {
    EXPECT_NE(refusal(kIntrospection, line), "") << line;
  }
  EXPECT_EQ(refusal(kIntrospection, "expect last-known"), "") << "the control";
  EXPECT_NE(refusal(kIntrospection, "  fault introspection down", "fault introspection slow 1s 2s"), "")
      << "somebody is answered";
  EXPECT_NE(refusal(kIntrospection, "  fault introspection down", "fault down"), "") << "of something else";
  EXPECT_NE(refusal(kIntrospection, "expect last-known", "expect fresh-after-fault"), "")
      << "the keys never were anything but fresh";
  EXPECT_NE(refusal(kIntrospection, "expect last-known", "load opaque 5/s"), "");
  EXPECT_NE(refusal(kIntrospection, "expect last-known", "start cold"), "");
  for (const char* line : {"unscaled", "issuers 100000", "load tenant 10/s"})
    EXPECT_NE(refusal(kManyIssuers, line), "") << line;
  EXPECT_EQ(refusal(kManyIssuers, "expect host-bucket"), "") << "the control";
  EXPECT_NE(refusal(kManyIssuers, "phase 5s all", "phase 8min all"), "") << "keys would be refreshed";
  EXPECT_NE(refusal(kManyIssuers, "expect host-bucket", "start snapshot"), "");
}

TEST(ScenarioFile, TheShippedOnesCanBeReadAndTheirTokensMade) {
  std::set<std::string> names;
  for (const auto& entry :
       std::filesystem::directory_iterator(TOLLGATE_SOURCE_DIR "/bench/outage/scenarios")) {
    const absl::StatusOr<Scenario> scenario = ReadScenario(entry.path().string());
    ASSERT_TRUE(scenario.ok()) << scenario.status();
    EXPECT_EQ(scenario->name + ".scenario", entry.path().filename().string());
    names.insert(scenario->name);
    const TokenPool about{.source = "",
                          .issuer = "https://idp.example",
                          .resource = "https://mcp.example/mcp",
                          .scope = "read",
                          .jwks_uri = "",
                          .jwks = "",
                          .tokens = {},
                          .expires_at_s = 0,
                          .bytes_mean = 0};
    const std::unique_ptr<TokenSupply> supply = MakeMintingSupply(about, scenario->num_issuers);
    const absl::StatusOr<CallSources> sources = MakeSources(*scenario, 1e-4, 10, 3, *supply);
    ASSERT_TRUE(sources.ok()) << sources.status();
    EXPECT_EQ(sources->at(TokenKind::kKnown).size(), 3u);
  }
  EXPECT_EQ(names.size(), 18u);
}

TEST(MakeSources, NumbersTokensThatAreAskedAboutAndThoseOfTenants) {
  const TokenPool about{.source = "",
                        .issuer = "https://idp.example",
                        .resource = "https://mcp.example/mcp",
                        .scope = "read",
                        .jwks_uri = "",
                        .jwks = "",
                        .tokens = {},
                        .expires_at_s = 0,
                        .bytes_mean = 0};
  absl::StatusOr<Scenario> scenario = ParseScenario(kIntrospection, "file");
  ASSERT_TRUE(scenario.ok());
  absl::StatusOr<CallSources> sources = MakeSources(*scenario, 1, 0, 3, *MakeMintingSupply(about));
  ASSERT_TRUE(sources.ok()) << sources.status();
  std::set<uint32_t> numbers;
  std::map<Demand, size_t> demands;
  for (const TokenKind kind : {TokenKind::kLastKnown, TokenKind::kRevoked}) {
    for (const Call& call : sources->at(kind).calls()) {
      numbers.insert(call.number);
      ++demands[call.demand];
      EXPECT_EQ(call.tool, ToolOf(call.demand));
      EXPECT_EQ(call.authorization.find('.') == std::string::npos, call.demand == Demand::kOpaque);
    }
  }
  EXPECT_EQ(numbers.size(), 120u);
  EXPECT_EQ(*numbers.rbegin(), 119u);
  EXPECT_EQ(
      demands,
      (std::map<Demand, size_t>{
          {Demand::kBehind, 5}, {Demand::kLastKnown, 105}, {Demand::kPrivileged, 5}, {Demand::kOpaque, 5}}));

  scenario = ParseScenario(kManyIssuers, "file");
  ASSERT_TRUE(scenario.ok());
  sources = MakeSources(*scenario, 1, 0, 3, *MakeMintingSupply(about, scenario->num_issuers));
  ASSERT_TRUE(sources.ok()) << sources.status();
  std::set<uint32_t> tenants;
  for (const Call& call : sources->at(TokenKind::kTenant).calls()) tenants.insert(call.number);
  EXPECT_GT(tenants.size(), 600u);
  EXPECT_LT(*tenants.rbegin(), 100'000u);
  EXPECT_EQ(TenantOf(TenantJwksUri(about.issuer, 99'999)), 99'999u);
  EXPECT_EQ(TenantOf(about.issuer + "/jwks"), std::nullopt);
}

TEST(PoolSupply, HasKnownAndNewTokensOnceAndNothingThatNeedsOtherKeys) {
  TokenPool pool;
  pool.tokens["RS256"] = {"r1", "r2"};
  pool.tokens["ES256"] = {"e1", "e2"};
  pool.tokens["HS256"] = {"h1"};
  const std::unique_ptr<TokenSupply> supply = MakePoolSupply(pool);
  EXPECT_EQ(supply->Take(TokenKind::kKnown, 3), (std::vector<std::string>{"r1", "e1"}));
  EXPECT_EQ(supply->Take(TokenKind::kNew, 5), (std::vector<std::string>{"r2", "e2"}));
  EXPECT_TRUE(supply->Take(TokenKind::kNew, 5).empty());
  EXPECT_EQ(supply->Take(TokenKind::kForgedRs256, 1), (std::vector<std::string>{"r1"}));
  for (const TokenKind kind :
       {TokenKind::kCompromised, TokenKind::kRotated, TokenKind::kExpiring, TokenKind::kForgedEs512,
        TokenKind::kPrivileged, TokenKind::kOpaqueActive, TokenKind::kTenant}) {
    EXPECT_TRUE(supply->Take(kind, 1).empty()) << TokenKindName(kind);
  }
}

}  // namespace
}  // namespace tollgate::bench
