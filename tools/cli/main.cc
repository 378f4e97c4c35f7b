// tollgate: the engine's checks at the command line. Tokens are read from standard input alone, since
// arguments can be seen by every process of the machine; they are never printed.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/limits.h"
#include "jose/base64url.h"
#include "jose/jwk.h"
#include "tollgate/clock.h"
#include "tollgate/profile.h"
#include "tollgate/version.h"
#include "tools/cli/audit.h"
#include "tools/cli/console.h"
#include "tools/cli/doctor.h"
#include "tools/cli/examine.h"
#include "tools/cli/policy.h"
#include "tools/cli/policy_question_commands.h"

namespace tollgate::cli {
namespace {

using nlohmann::ordered_json;

constexpr char kTeach[] = R"(
Tokens are read from standard input, one a line, and answered one a line, in order.
Exit: 0 every line was answered, 2 the arguments or files cannot be used; 1 is an answer about a policy, an
audit log or what a doctor has found.

  tollgate verify --issuer https://idp.example --audience https://mcp.example/mcp --jwks jwks.json < tokens
  tollgate explain --issuer https://idp.example --audience https://mcp.example/mcp --jwks jwks.json < token
  tollgate jwks jwks.json
  tollgate policy check policy.yaml
  tollgate policy table policy.yaml --format markdown
  tollgate policy explain --policy policy.yaml --tool search --claims claims.json
  tollgate policy diff policy.yaml edited.yaml
  tollgate policy reach policy.yaml --role admin
  tollgate policy export policy.yaml --for keycloak
  tollgate audit verify --key-file key audit.log.1 audit.log
  tollgate doctor --config /etc/tollgated/config.yaml --token-file token

Tokens to try with come from tollgate-idp, an identity provider for tests:

  tollgate-idp mint --keys keys.json --alg ES256 \
    --issuer https://idp.example --audience https://mcp.example/mcp > tokens
  tollgate-idp keys --keys keys.json > jwks.json)";

// Finish returns the exit code of a command that reached the end of its input: input that cannot be read, or
// an answer that cannot be written, is no answer.
int Finish() {
  if (std::cin.bad()) return Fail("cannot read standard input");
  return Written(0);
}

// Print writes one line of pure ASCII: nothing that a token says can steer a terminal.
void Print(const ordered_json& json) {
  std::cout << json.dump(-1, ' ', /*ensure_ascii=*/true, ordered_json::error_handler_t::replace) << '\n'
            << std::flush;
}

// ReadToken reads one line; false at the end, and where nobody could read the answers. Of a line that is
// longer than any token only so much is kept that it is still too long.
bool ReadToken(std::istream& in, std::string* line) {
  line->clear();
  char c;
  bool any = false;
  while (std::cout && in.get(c)) {
    any = true;
    if (c == '\n') return true;
    if (line->size() <= limits::kTokenBytesMax) line->push_back(c);
  }
  return any && !in.bad();
}

struct Options {
  std::string issuer, audience, jwks_file, profile, require_typ;
  std::optional<std::string> algorithms;
  std::optional<int64_t> now_s;
  int64_t leeway_s = 60;
  bool signature_only = false;
  bool json = false;
};

// ParseAlgorithms reads "RS256,ES256"; nullopt for an empty list or a name that is none of ours.
std::optional<AlgorithmSet> ParseAlgorithms(std::string_view list) {
  AlgorithmSet set;
  for (bool more = true; more;) {
    const size_t comma = list.find(',');
    more = comma != list.npos;
    const std::optional<Algorithm> algorithm = AlgorithmFromName(list.substr(0, comma));
    if (!algorithm) return std::nullopt;
    set.Insert(*algorithm);
    if (more) list.remove_prefix(comma + 1);
  }
  return set;
}

// MakeExaminer turns the arguments into an examiner, or says in one line why it cannot.
std::optional<Examiner> MakeExaminer(const Options& options, std::string* error) {
  const auto refuse = [error](std::string why) {
    *error = std::move(why);
    return std::nullopt;
  };
  ExamineOptions examine;
  if (!options.signature_only && options.issuer.empty()) return refuse("--issuer is missing or empty");
  if (!options.signature_only && options.audience.empty()) return refuse("--audience is missing or empty");
  if (options.leeway_s < 0) return refuse("--leeway must not be negative");
  // What does not fit into 64 bits arrives here as the largest number that does.
  if (options.leeway_s > limits::kNumericDateMax) return refuse("--leeway is beyond all dates");
  if (options.now_s.value_or(0) > limits::kNumericDateMax ||
      options.now_s.value_or(0) < -limits::kNumericDateMax) {
    return refuse("--now is beyond all dates");
  }
  if (options.algorithms) {
    const std::optional<AlgorithmSet> algorithms = ParseAlgorithms(*options.algorithms);
    if (!algorithms) return refuse("--algorithms must name signature algorithms, like RS256,ES256");
    examine.algorithms = *algorithms;
  }
  const std::optional<Profile> profile =
      Profile::ByName(options.profile.empty() ? "lenient" : options.profile);
  if (!profile) return refuse("--profile is unknown");
  examine.expectations = {.profile = *profile, .issuer = options.issuer, .leeway_s = options.leeway_s};
  if (options.require_typ == "at+jwt") {
    examine.expectations.profile.types = {"at+jwt"};
    examine.expectations.profile.missing_type_allowed = false;
  } else if (options.require_typ == "any") {
    examine.expectations.profile.any_type = true;
  }
  examine.audiences = {options.audience};
  examine.now_s = options.now_s.value_or(SystemClock().Read().wall_s);
  examine.signature_only = options.signature_only;

  if (options.jwks_file.empty()) return refuse("--jwks is missing or empty");
  const std::optional<std::string> text = ReadFile(options.jwks_file, limits::kJwksBytesMax);
  if (!text) return refuse("cannot read " + options.jwks_file);
  absl::StatusOr<jose::JwkSet> set = jose::ParseJwkSet(*text);
  if (!set.ok()) return refuse(options.jwks_file + ": " + std::string(set.status().message()));
  for (const jose::SkippedJwk& skipped : set->skipped) {
    Warn(options.jwks_file + ": key " + std::to_string(skipped.position) + " is not used: " + skipped.why);
  }
  return std::optional<Examiner>(std::in_place, *std::move(set), std::move(examine));
}

ordered_json Verdict(const Examination& examination, bool signature_only) {
  ordered_json json;
  const bool allowed = examination.reason == Reason::kNone;
  json["verdict"] = allowed ? "allow" : "deny";
  json["reason"] = ReasonName(examination.reason);
  if (!allowed) return json;
  if (!signature_only) {
    json["subject"] = examination.subject;
    json["issuer"] = examination.issuer;
    json["audience"] = examination.audiences;
    json["scopes"] = examination.scopes;
    json["roles"] = examination.roles;
    json["client_id"] = examination.client_id;
    json["exp"] = examination.expires_at;
  }
  json["key_id"] = examination.key_id ? ordered_json(*examination.key_id) : ordered_json();
  json["algorithm"] = AlgorithmName(examination.algorithm);
  return json;
}

int RunVerify(const Options& options) {
  std::string error;
  std::optional<Examiner> examiner = MakeExaminer(options, &error);
  if (!examiner) return Fail(error);
  for (std::string token; ReadToken(std::cin, &token);) {
    Print(Verdict(examiner->Examine(token), options.signature_only));
  }
  return Finish();
}

std::string_view OutcomeName(Step::Outcome outcome) {
  switch (outcome) {
    case Step::Outcome::kPassed:
      return "passed";
    case Step::Outcome::kFailed:
      return "failed";
    case Step::Outcome::kNotReached:
      break;
  }
  return "not reached";
}

void PrintSteps(const Examination& examination, bool colour) {
  const auto paint = [colour](std::string_view text, const char* code) {
    return colour ? "\033[" + std::string(code) + "m" + std::string(text) + "\033[0m" : std::string(text);
  };
  for (const Step& step : examination.steps) {
    const char* code = step.outcome == Step::Outcome::kPassed   ? "32"
                       : step.outcome == Step::Outcome::kFailed ? "31"
                                                                : "2";
    std::string name(step.name);
    name.resize(10, ' ');
    std::string outcome(OutcomeName(step.outcome));
    outcome.resize(12, ' ');
    std::cout << "  " << name << paint(outcome, code) << step.detail << '\n';
  }
  const bool allowed = examination.reason == Reason::kNone;
  std::cout << (allowed ? paint("allow", "1;32")
                        : paint("deny", "1;31") + "  " + std::string(ReasonName(examination.reason)))
            << "\n\n"
            << std::flush;
}

int RunExplain(const Options& options) {
  std::string error;
  std::optional<Examiner> examiner = MakeExaminer(options, &error);
  if (!examiner) return Fail(error);
  const bool terminal = isatty(STDOUT_FILENO) == 1;
  for (std::string token; ReadToken(std::cin, &token);) {
    const Examination examination = examiner->Examine(token);
    if (!options.json) {
      PrintSteps(examination, terminal);
      continue;
    }
    ordered_json json = Verdict(examination, options.signature_only);
    for (const Step& step : examination.steps) {
      json["steps"].push_back(
          {{"name", step.name}, {"outcome", OutcomeName(step.outcome)}, {"detail", step.detail}});
    }
    Print(json);
  }
  return Finish();
}

// Untrusted decodes one part of a token that nobody has verified: its JSON if it is strict JSON, else why
// not.
ordered_json Untrusted(std::string_view part) {
  std::vector<uint8_t> bytes(part.size());
  const std::optional<size_t> size = jose::Base64UrlDecode(part, bytes);
  if (!size) return {{"unreadable", ReasonName(Reason::kBadBase64Url)}};
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), *size);
  json::Document document(limits::kTokenBytesMax);
  if (const Reason reason = document.Parse(text); reason != Reason::kNone)
    return {{"unreadable", ReasonName(reason)}};
  return ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
}

int RunInspect() {
  for (std::string token; ReadToken(std::cin, &token);) {
    ordered_json json = {{"verified", false}};
    jose::CompactJws parts;
    if (const Reason reason = jose::SplitCompact(token, &parts); reason != Reason::kNone) {
      json["unreadable"] = ReasonName(reason);
    } else {
      json["header"] = Untrusted(parts.header);
      json["payload"] = Untrusted(parts.payload);
      std::vector<uint8_t> bytes(parts.signature.size());
      if (const std::optional<size_t> size = jose::Base64UrlDecode(parts.signature, bytes)) {
        json["signature_bytes"] = *size;
      } else {
        json["signature"] = {{"unreadable", ReasonName(Reason::kBadBase64Url)}};
      }
    }
    Print(json);
  }
  return Finish();
}

// Usable says what the key at `position` of its set is good for.
ordered_json Usable(size_t position, const jose::Jwk& key) {
  ordered_json algorithms = ordered_json::array();
  for (int a = 0; a < kAlgorithmCount; ++a) {
    const auto algorithm = static_cast<Algorithm>(a);
    if (key.algorithms.Contains(algorithm)) algorithms.push_back(AlgorithmName(algorithm));
  }
  return {{"position", position},
          {"usable", true},
          {"key_id", key.has_key_id ? ordered_json(key.key_id) : ordered_json()},
          {"thumbprint", jose::Base64UrlEncode(key.thumbprint)},
          {"algorithms", algorithms}};
}

int RunJwks(const std::string& path) {
  const std::optional<std::string> text = ReadFile(path, limits::kJwksBytesMax);
  if (!text) return Fail("cannot read " + path);
  const absl::StatusOr<jose::JwkSet> set = jose::ParseJwkSet(*text);
  if (!set.ok()) return Fail(path + ": " + std::string(set.status().message()));
  // Back into the order of the set.
  auto key = set->keys.begin();
  auto skipped = set->skipped.begin();
  for (size_t position = 0; position < set->keys.size() + set->skipped.size(); ++position) {
    if (skipped != set->skipped.end() && skipped->position == position) {
      Print({{"position", position}, {"usable", false}, {"why", skipped++->why}});
    } else {
      Print(Usable(position, *key++));
    }
  }
  return Finish();
}

void AddTokenOptions(CLI::App* command, Options* options) {
  command->add_option("--issuer", options->issuer, "What iss must be, exactly");
  command->add_option("--audience", options->audience, "What aud must contain: the URI of this server");
  command->add_option("--jwks", options->jwks_file, "The issuer's JWK Set, a file")->required();
  command->add_option("--now", options->now_s, "Decide as at this time, in seconds since 1970");
  command->add_option("--leeway", options->leeway_s, "Clock skew granted, in seconds")->capture_default_str();
  command->add_option("--algorithms", options->algorithms,
                      "Allowed algorithms, like RS256,ES256 (all asymmetric ones)");
  command->add_option("--require-typ", options->require_typ, "at+jwt: nothing else; any: do not look at typ")
      ->check(CLI::IsMember({"at+jwt", "any"}));
  std::string names;
  for (std::string_view name : Profile::Names()) names += (names.empty() ? "" : ", ") + std::string(name);
  command->add_option("--profile", options->profile,
                      "How the issuer writes its tokens: " + names + " (lenient)");
  command->add_flag("--signature-only", options->signature_only, "Check the JWS alone, whatever its payload");
  // The last of several counts, as with most commands.
  for (CLI::Option* option : command->get_options()) {
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }
}

int Run(int argc, char** argv) {
  CLI::App app("Who is calling, and may they call this tool: checks OAuth access tokens as the engine does.",
               "tollgate");
  app.set_version_flag("--version", std::string(Version()));
  app.require_subcommand(0, 1);  // Said in our own words below.
  app.footer(kTeach);

  Options options;
  CLI::App* verify = app.add_subcommand("verify", "Decide tokens: one JSON object a line.");
  AddTokenOptions(verify, &options);
  CLI::App* explain = app.add_subcommand("explain", "Tell every check of a token and how it came out.");
  AddTokenOptions(explain, &options);
  explain->add_flag("--json", options.json, "One JSON object a line");
  CLI::App* inspect = app.add_subcommand("inspect", "Decode header and claims without believing them.");
  std::string jwks_file;
  CLI::App* jwks =
      app.add_subcommand("jwks", "Say what each key of a JWK Set is good for, and what is wrong with it.");
  jwks->add_option("file", jwks_file, "The JWK Set")->required();
  PolicyCommands policy(&app);
  PolicyQuestionCommands questions(policy.group());
  AuditCommands audit(&app);
  DoctorCommand doctor(&app);

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {  // --help, --version
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    std::string message = e.what();
    std::replace(message.begin(), message.end(), '\n', ' ');
    return Fail(message);
  }
  if (verify->parsed()) return RunVerify(options);
  if (explain->parsed()) return RunExplain(options);
  if (inspect->parsed()) return RunInspect();
  if (jwks->parsed()) return RunJwks(jwks_file);
  if (questions.parsed()) return questions.Run();
  if (policy.parsed()) return policy.Run();
  if (audit.parsed()) return audit.Run();
  if (doctor.parsed()) return doctor.Run();
  return Fail("no command: verify, explain, inspect, jwks, policy, audit or doctor; --help teaches");
}

}  // namespace
}  // namespace tollgate::cli

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  return tollgate::cli::Run(argc, argv);
}
