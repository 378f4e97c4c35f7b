#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tollgate/policy_file.h"

namespace tollgate {
namespace {

using testing::HasSubstr;

// A mistake, where it is, and words of what is said of it.
struct Mistake {
  const char* yaml;
  size_t line;
  size_t column;
  const char* words;
};

class PolicyFileMistakeTest : public testing::TestWithParam<Mistake> {};

TEST_P(PolicyFileMistakeTest, IsRefusedWhereItStands) {
  const Mistake& mistake = GetParam();
  std::vector<PolicyFileFinding> findings;
  const absl::StatusOr<Policy> policy = ParsePolicy(mistake.yaml, &findings);
  ASSERT_FALSE(policy.ok()) << mistake.yaml;
  ASSERT_FALSE(findings.empty());
  const PolicyFileFinding* error = nullptr;
  for (const PolicyFileFinding& finding : findings) {
    EXPECT_EQ(finding.message.find('\n'), std::string::npos);
    if (error == nullptr && finding.is_error) error = &finding;
  }
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(error->line, mistake.line) << error->message;
  EXPECT_EQ(error->column, mistake.column) << error->message;
  EXPECT_THAT(error->message, HasSubstr(mistake.words));
  EXPECT_EQ(policy.status().message(), "line " + std::to_string(error->line) + ", column " +
                                           std::to_string(error->column) + ": " + error->message);
}

#define TOOL(needs) "version: 1\nservers:\n- tools:\n    t: " needs "\n"
#define CLASS(demands) "version: 1\nclasses:\n  c: " demands "\nservers: [{tools: {t: s}}]\n"

INSTANTIATE_TEST_SUITE_P(
    Yaml, PolicyFileMistakeTest,
    testing::Values(
        Mistake{"", 1, 1, "empty"}, Mistake{"# nothing\n", 1, 1, "empty"}, Mistake{"a: [b", 2, 1, "no YAML"},
        Mistake{"a: b: c\n", 1, 5, "no YAML"}, Mistake{"a: \"b\n", 2, 2, "no YAML"},
        Mistake{"a: 'b\n\n", 3, 2, "no YAML"}, Mistake{"a: \"b", 2, 2, "no YAML"},
        Mistake{"\tversion: 1\n", 1, 9, "no YAML"},
        Mistake{"version: 1\nversion: 1\n", 2, 1, "\"version\" is there twice"},
        Mistake{TOOL("{scopes: a, class: read, scopes: b}"), 4, 33, "\"scopes\" is there twice"},
        Mistake{TOOL("s\n    \"t\": s2"), 5, 5, "\"t\" is there twice"},
        Mistake{"version: 1\nservers: &a [{tools: {t: s}}]\n", 2, 10, "anchors"},
        Mistake{"version: &a 1\nservers: *a\n", 1, 10, "anchors"},
        Mistake{TOOL("*s"), 4, 8, "a text that begins with * is quoted"},
        Mistake{"version: 1\nservers:\n- uri: *\n", 3, 9, "a text that begins with * is quoted"},
        Mistake{TOOL("&s"), 4, 8, "anchors"}, Mistake{TOOL("@s"), 4, 8, "begins with @ is quoted"},
        Mistake{TOOL("!!str s"), 4, 8, "tags"}, Mistake{TOOL("! s"), 4, 8, "tags"},
        Mistake{TOOL("!x s"), 4, 8, "tags"}, Mistake{"version: !!int 1\n", 1, 10, "tags"},
        Mistake{"version: 1\nservers: !!seq []\n", 2, 10, "tags"},
        Mistake{"version: 1\nservers: ! []\n", 2, 10, "tags"}, Mistake{TOOL("!!null ''"), 4, 8, "tags"},
        Mistake{"version: 1\n<<: {a: b}\n", 2, 1, "merge keys"},
        Mistake{"%YAML 1.2\n---\nversion: 1\n", 1, 1, "directives"},
        Mistake{"version: 1\n---\nversion: 1\n", 2, 1, "second document"},
        Mistake{"version: 1\n...\n[]\n", 3, 1, "second document"},
        Mistake{"? [a]\n: b\n", 1, 3, "a name has to be a text"},
        Mistake{"? {a: b}\n: b\n", 1, 3, "a name has to be a text"},
        Mistake{"~: b\n", 1, 1, "a name has to be a text"},
        Mistake{"{a: b, : c}\n", 1, 8, "a name has to be a text"},
        Mistake{"a: b\x04\n", 1, 5, "cannot be seen"}, Mistake{"a: b\xC2\x85\n", 1, 5, "cannot be seen"},
        Mistake{"a: b\rc: d\n", 1, 5, "cannot be seen"},
        Mistake{"a:\n  b\xE2\x80\xAE\n", 2, 4, "cannot be seen"},
        Mistake{"a: b\xE2\x80\x8B\n", 1, 5, "cannot be seen"},
        Mistake{"a: b\xC2\xAD\n", 1, 5, "cannot be seen"},
        Mistake{"a: b\xF3\xA0\x81\xA1\n", 1, 5, "cannot be seen"},
        Mistake{"a: \xEF\xBB\xBF\n", 1, 4, "cannot be seen"}, Mistake{"a: \xC0\xAF\n", 1, 4, "UTF-8"},
        Mistake{"a: \xED\xA0\x80\n", 1, 4, "UTF-8"}, Mistake{"a: \xF4\x90\x80\x80\n", 1, 4, "UTF-8"},
        Mistake{"a: \xE2\x80\n", 1, 4, "UTF-8"},
        Mistake{"[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]\n", 1, 17, "nested more than 16 deep"}));

INSTANTIATE_TEST_SUITE_P(
    Form, PolicyFileMistakeTest,
    testing::Values(
        Mistake{"policy\n", 1, 1, "a map is expected"}, Mistake{"[a]\n", 1, 1, "a map is expected"},
        Mistake{"servers: [{tools: {t: s}}]\n", 1, 1, "\"version: 1\" is missing"},
        Mistake{"version: 2\nservers: [{tools: {t: s}}]\n", 1, 10, "version"},
        Mistake{"version: [1]\nservers: [{tools: {t: s}}]\n", 1, 10, "version"},
        Mistake{"version: 01\nservers: [{tools: {t: s}}]\n", 1, 10, "version"},
        Mistake{"version: 1\n", 1, 1, "\"servers\" is missing"},
        Mistake{"version: 1\nserver: [{tools: {t: s}}]\n", 2, 1, "did you mean \"servers\"?"},
        Mistake{"version: 1\nroles:\nservers: [{tools: {t: s}}]\n", 2, 1, "\"roles\" has no value"},
        Mistake{"version: 1\nservers: {tools: {t: s}}\n", 2, 10, "a list of servers"},
        Mistake{"version: 1\nservers: [x]\n", 2, 11, "a map is expected"},
        Mistake{"version: 1\nservers:\n- tolls: {t: s}\n", 3, 3, "did you mean \"tools\"?"},
        Mistake{"version: 1\nservers:\n- tools: [t]\n", 3, 10, "a map is expected"},
        Mistake{"version: 1\nservers:\n- uri: [a]\n  tools: {t: s}\n", 3, 8, "a text is expected"},
        Mistake{"version: 1\nservers:\n- uri: ''\n  tools: {t: s}\n", 3, 8, "a URI is expected"},
        Mistake{"version: 1\nservers:\n- tools: {t: s}\n- uri: '*'\n  tools: {u: s}\n", 4, 8,
                "for all servers already"},
        Mistake{"version: 1\nservers:\n- uri: a\n  tools: {t: s}\n- uri: a\n  tools: {u: s}\n", 5, 8,
                "for this server already"},
        Mistake{"version: 1\nservers:\n- protocol: no\n  tools: {t: s}\n", 3, 13, "any_valid_token or deny"},
        Mistake{TOOL(""), 4, 5, "\"t\" has no value"}, Mistake{TOOL("null"), 4, 5, "\"t\" has no value"},
        Mistake{TOOL("~"), 4, 5, "\"t\" has no value"}, Mistake{TOOL("true"), 4, 8, "scopes are expected"},
        Mistake{TOOL("any_valid_token"), 4, 8, "{any_valid_token: true}"},
        Mistake{TOOL("[a, [b]]"), 4, 12, "a text is expected"},
        Mistake{TOOL("[a, null]"), 4, 12, "a text is expected"},
        Mistake{TOOL("[a: b]"), 4, 9, "a text is expected"},
        Mistake{TOOL("{scope: a}"), 4, 9, "did you mean \"scopes\"?"},
        Mistake{TOOL("{scpoes: a}"), 4, 9, "did you mean \"scopes\"?"},
        Mistake{TOOL("{any_valid_token: yes}"), 4, 26, "true or false"},
        Mistake{TOOL("{any_valid_token: \"true\"}"), 4, 26, "true or false"},
        Mistake{TOOL("{scopes: a, principals: [usr]}"), 4, 33, "did you mean \"user\"?"},
        Mistake{TOOL("{scopes: a, principals: {user: true}}"), 4, 32, "one of user, service, agent"},
        Mistake{TOOL("{scopes: a, class: [read]}"), 4, 27, "a text is expected"},
        Mistake{TOOL("{scopes: a, principals: []}"), 4, 32, "would let everybody pass"},
        Mistake{TOOL("{scopes: a, roles: []}"), 4, 27, "would let everybody pass"},
        Mistake{TOOL("{scopes: a, when: x}"), 4, 26, "a map is expected"},
        Mistake{TOOL("{scopes: a, when: [{claim: c}]}"), 4, 27, "of present, equals"},
        Mistake{TOOL("{scopes: a, when: [{claim: c, equals: a, in: [b]}]}"), 4, 27, "of present, equals"},
        Mistake{TOOL("{scopes: a, when: [{equals: a}]}"), 4, 27, "\"claim\" is missing"},
        Mistake{TOOL("{scopes: a, when: [{claim: c, present: false}]}"), 4, 47, "absent"},
        Mistake{TOOL("{scopes: a, when: [{claim: c, equals: [a]}]}"), 4, 46, "a text is expected"},
        Mistake{TOOL("{scopes: a, when: [{claim: c, contain: a}]}"), 4, 38, "did you mean \"contains\"?"},
        Mistake{CLASS("{mode: signatur}"), 3, 13, "did you mean \"signature\"?"},
        Mistake{CLASS("{mode: [signature]}"), 3, 13, "one of signature"},
        Mistake{CLASS("{token_age: 1h}"), 3, 7, "a class has no"},
        Mistake{CLASS("{token_age_mx: 1h}"), 3, 7, "did you mean \"token_age_max\"?"},
        Mistake{CLASS("{token_age_max: 60}"), 3, 22, "a duration"},
        Mistake{CLASS("{token_age_max: 0s}"), 3, 22, "a duration"},
        Mistake{CLASS("{token_age_max: -1m}"), 3, 22, "a duration"},
        Mistake{CLASS("{token_age_max: 1h30m}"), 3, 22, "a duration"},
        Mistake{CLASS("{token_age_max: 1.5h}"), 3, 22, "a duration"},
        Mistake{CLASS("{token_age_max: 1 h}"), 3, 22, "a duration"},
        Mistake{CLASS("{token_age_max: 1w}"), 3, 22, "a duration"},
        Mistake{CLASS("{token_age_max: 9223372036854775807m}"), 3, 22, "a duration"},
        Mistake{CLASS("{token_age_max: 9223372036854775808s}"), 3, 22, "a duration"},
        Mistake{CLASS("{outage: last_known}"), 3, 15, "{last_known: 5m}"},
        Mistake{CLASS("{outage: {last_known: none}}"), 3, 28, "a duration"},
        Mistake{CLASS("{outage: {last_know: 5m}}"), 3, 16, "did you mean \"last_known\"?"},
        Mistake{CLASS("{principals: []}"), 3, 19, "would let everybody pass"},
        Mistake{CLASS("{credentials: []}"), 3, 20, "would let everybody pass"},
        Mistake{CLASS("{acr: []}"), 3, 12, "would let everybody pass"},
        Mistake{CLASS("{audit: always}"), 3, 14, "one of none, sampled, full, must_record"},
        Mistake{CLASS("{credentials: [jwt, opaqe]}"), 3, 26, "did you mean \"opaque\"?"},
        Mistake{"version: 1\nroles: {r: {from: [{issuer: i}]}}\nservers: [{tools: {t: s}}]\n", 2, 20,
                "\"value\" is missing"},
        Mistake{"version: 1\nroles: {r: {form: x}}\nservers: [{tools: {t: s}}]\n", 2, 13,
                "did you mean \"from\"?"},
        Mistake{"version: 1\nroles: {r: {from: []}}\nservers: [{tools: {t: s}}]\n", 2, 19,
                "would let everybody pass"},
        Mistake{"version: 1\nscopes: [a]\nservers: [{tools: {t: s}}]\n", 2, 9, "a map is expected"}));

// What PolicyBuilder finds is told where it stands.
INSTANTIATE_TEST_SUITE_P(
    Policy, PolicyFileMistakeTest,
    testing::Values(
        Mistake{"version: 1\nservers: [{protocol: deny}]\n", 1, 1, "allows no tool"},
        Mistake{TOOL("{class: read}"), 4, 5, "tool \"t\" needs scopes"},
        Mistake{TOOL("[]"), 4, 8, "tool \"t\" needs scopes"},
        Mistake{TOOL("a b"), 4, 8, "no token can carry"},
        Mistake{TOOL("[a, b c]"), 4, 12, "no token can carry"},
        Mistake{TOOL("{scopes: [a, 'b c']}"), 4, 21, "no token can carry"},
        Mistake{TOOL("{scopes: a, any_valid_token: true}"), 4, 37, "any_valid_token"},
        Mistake{TOOL("{scopes: a, class: wirte}"), 4, 27, "did you mean \"write\"?"},
        Mistake{"version: 1\nroles: {admin: []}\nservers:\n- tools:\n    t: {roles: [admin, admni]}\n", 5, 24,
                "did you mean \"admin\"?"},
        Mistake{"version: 1\nscopes: {files:read: []}\nservers:\n- tools:\n    t: [files:read, files:raed]\n",
                5, 21, "did you mean \"files:read\"?"},
        Mistake{"version: 1\nroles: {r: [a, 'b c']}\nservers: [{tools: {t: a}}]\n", 2, 16,
                "no token can carry"},
        Mistake{"version: 1\nscopes: {a: [a, 'b c']}\nservers: [{tools: {t: a}}]\n", 2, 17,
                "no token can carry"},
        Mistake{"version: 1\nscopes: {a: [], 'b c': []}\nservers: [{tools: {t: a}}]\n", 2, 17,
                "none that a token can carry"},
        Mistake{CLASS("{acr: [a, 'b c']}"), 3, 16, "no token can carry"},
        Mistake{TOOL("{scopes: a, when: [{claim: a, present: true}, {claim: /~2, present: true}]}"), 4, 54,
                "claim"},
        Mistake{TOOL("{scopes: a, when: [{claim: a, in: []}]}"), 4, 27, "wrong number of values"},
        Mistake{"version: 1\nservers:\n- resources:\n    docs: s\n", 4, 5, "no URI"},
        Mistake{"version: 1\nservers:\n- tools:\n    \"a\\nb\": [s, x y]\n", 4, 17, "\"a\\nb\""}));

TEST(PolicyFileTest, TellsEveryMistakeInTheOrderOfTheFile) {
  std::vector<PolicyFileFinding> findings;
  EXPECT_FALSE(
      ParsePolicy("version: 1\nservers:\n- tools:\n    a: {b: c}\n    d: {e: f}\nclasses: {g: {h: i}}\n",
                  &findings)
          .ok());
  ASSERT_EQ(findings.size(), 3u);
  EXPECT_EQ(findings[0].line, 4u);
  EXPECT_EQ(findings[1].line, 5u);
  EXPECT_EQ(findings[2].line, 6u);
}

TEST(PolicyFileTest, GivesUpOnAFileOfAnotherKind) {
  std::string yaml = "version: 1\n";
  for (int i = 0; i < 1000; ++i) yaml += "name" + std::to_string(i) + ": x\n";
  std::vector<PolicyFileFinding> findings;
  EXPECT_FALSE(ParsePolicy(yaml, &findings).ok());
  EXPECT_LE(findings.size(), 100u);
}

TEST(PolicyFileTest, ABombOfAliasesDoesNotGoOff) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string of = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + of + ", " + of + ", " + of + "]\n";
  }
  EXPECT_THAT(std::string(ParsePolicy(bomb).status().message()), HasSubstr("anchors are not allowed"));
}

std::string Repeated(const std::string& text, size_t bytes) {
  std::string repeated;
  while (repeated.size() + text.size() <= bytes) repeated += text;
  return repeated;
}

// yaml-cpp names the character that it does not understand, the first byte of it.
TEST(PolicyFileTest, AMessageIsWholeCharacters) {
  std::vector<PolicyFileFinding> findings;
  EXPECT_FALSE(ParsePolicy("version: \"\\\xC3\xA9\"\n", &findings).ok());
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_THAT(findings[0].message, testing::AllOf(HasSubstr("no YAML"), HasSubstr("\xEF\xBF\xBD")));
}

// Whatever fills a file: an answer, neither a crash nor memory without end.
TEST(PolicyFileTest, RefusesWhatIsTooLongTooDeepOrTooMuch) {
  constexpr size_t kFull = 4 << 20;
  const auto refused = [](const std::string& yaml) {
    return std::string(ParsePolicy(yaml).status().message());
  };
  EXPECT_THAT(refused(Repeated("# comment\n", kFull) + "# comment\n"), HasSubstr("more than 4194304 bytes"));
  EXPECT_THAT(refused(Repeated("[", kFull)), HasSubstr("more than 262144 of [ { ,"));
  EXPECT_THAT(refused(Repeated("{", kFull)), HasSubstr("more than 262144 of [ { ,"));
  EXPECT_THAT(refused("[" + Repeated("a,", kFull - 1)), HasSubstr("more than 262144 of [ { ,"));
  EXPECT_THAT(refused(Repeated("[", 262'144)), HasSubstr("a name has to be a text"));
  EXPECT_THAT(refused(Repeated("{a: ", 1000)), HasSubstr("a name has to be a text"));
  EXPECT_THAT(refused(Repeated("- ", kFull)), HasSubstr("line 1, column 33: nested more than 16 deep"));
  EXPECT_THAT(refused(Repeated("? ", kFull)), HasSubstr("a name has to be a text"));
  EXPECT_THAT(refused(Repeated("-\n", kFull)), HasSubstr("more than 500000 values"));
  EXPECT_THAT(refused("a: " + Repeated("x ", kFull - 3)), HasSubstr("a policy has no \"a\""));
  EXPECT_THAT(refused(Repeated("a", kFull)), HasSubstr("a map is expected"));
  EXPECT_THAT(refused("a: \"" + Repeated("\n", kFull - 4)), HasSubstr("no YAML"));
  EXPECT_THAT(refused("a: |\n" + Repeated(" x\n\n", kFull - 5)), HasSubstr("a policy has no \"a\""));
}

// What is wrong everywhere is told everywhere, but not compared with every name everywhere.
TEST(PolicyFileTest, SuggestsForTheFirstMistakesAlone) {
  std::string yaml = "version: 1\nscopes: {files:read: []}\nservers:\n- protocol: deny\n  tools:\n";
  for (int i = 0; i < 300; ++i) yaml += "    tool" + std::to_string(i) + ": files:raed\n";
  std::vector<PolicyFileFinding> findings;
  EXPECT_FALSE(ParsePolicy(yaml, &findings).ok());
  const auto suggests = [](const PolicyFileFinding& finding) {
    return finding.message.find("did you mean") != std::string::npos;
  };
  EXPECT_EQ(std::count_if(findings.begin(), findings.end(), suggests), 100);
  EXPECT_EQ(std::count_if(findings.begin(), findings.end(),
                          [](const PolicyFileFinding& finding) { return finding.is_error; }),
            300);
}

TEST(PolicyFileTest, TakesAFileOfTheLargestPolicy) {
  std::string yaml = "version: 1\nservers:\n- protocol: deny\n  tools:\n";
  for (size_t i = 0; i < PolicyBuilder::kRulesMax; ++i) {
    yaml +=
        "    tool" + std::to_string(i) + ": {scopes: [s" + std::to_string(i % 1000) + ", x], class: write}\n";
  }
  const absl::StatusOr<Policy> policy = ParsePolicy(yaml);
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_EQ(policy->rules().size(), PolicyBuilder::kRulesMax);
}

}  // namespace
}  // namespace tollgate
