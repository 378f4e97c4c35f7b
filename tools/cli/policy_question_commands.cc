#include "tools/cli/policy_question_commands.h"

#include <unistd.h>

#include <array>
#include <iostream>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "tollgate/profile.h"
#include "tools/cli/console.h"
#include "tools/cli/policy.h"
#include "tools/cli/policy_answers.h"
#include "tools/cli/policy_questions.h"

namespace tollgate::cli {
namespace {

constexpr std::array kObjects = {McpObject::kTool, McpObject::kPrompt, McpObject::kResource,
                                 McpObject::kMethod};
constexpr std::array kKinds = {PrincipalKind::kUser, PrincipalKind::kService, PrincipalKind::kAgent};

template <typename Values>
CLI::IsMember OneOf(const Values& values) {
  std::vector<std::string> names;
  for (const auto value : values) names.emplace_back(NameOf(value));
  return CLI::IsMember(names);
}

// ByName takes a name that OneOf has let pass.
template <typename Values>
auto ByName(const Values& values, std::string_view name) {
  auto value = values.begin();
  while (NameOf(*value) != name) ++value;
  return *value;
}

// ReadStdin is ReadFile for standard input.
std::optional<std::string> ReadStdin(size_t bytes_max) {
  std::string text(bytes_max + 1, '\0');
  std::cin.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (std::cin.bad()) return std::nullopt;
  text.resize(static_cast<size_t>(std::cin.gcount()));
  return text;
}

absl::StatusOr<std::unique_ptr<const SampleCaller>> ReadCaller(const std::string& path, const Policy& policy,
                                                               const SampleCaller::Options& options) {
  constexpr size_t kMax = SampleCaller::kBytesMax;
  const std::optional<std::string> claims = path == "-" ? ReadStdin(kMax) : ReadFile(path, kMax);
  if (!claims) return absl::NotFoundError("cannot read " + (path == "-" ? "standard input" : path));
  return SampleCaller::Read(*claims, policy, options);
}

Form FormFor(bool json) {
  if (json) return Form::kJson;
  return isatty(STDOUT_FILENO) == 1 ? Form::kTerminal : Form::kPlain;
}

int Refuse(const absl::Status& status) { return Fail(SafeText(std::string(status.message()))); }

}  // namespace

PolicyQuestionCommands::PolicyQuestionCommands(CLI::App* group) {
  AddExplain(group);
  AddDiff(group);
  AddReach(group);
  for (CLI::App* command : {explain_, diff_, reach_}) {
    command->add_flag("--json", json_, "JSON for machines, in one line");
    for (CLI::Option* option : command->get_options()) {
      if (option->get_name() != "--scope" && option->get_name() != "--role")
        option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
  }
}

void PolicyQuestionCommands::AddExplain(CLI::App* group) {
  explain_ = group->add_subcommand("explain", "Say why a caller may use something or may not, step by step.");
  explain_->footer(
      "The time, the signature, the audience and what the issuer says of the token are not looked at.\n"
      "Exit: 0 allowed, 1 denied.");
  explain_->add_option("--policy", file_, "The policy")->required();
  explain_->add_option("--tool", name_, "Its name; of a resource the URI")->required();
  explain_->add_option("--object", object_, "tool, prompt, resource or method")
      ->check(OneOf(kObjects))
      ->capture_default_str();
  explain_->add_option("--server", server_, "The server's URI (one that no rule names)");
  AddClaims(explain_);
  explain_->get_option("--claims")->required();
}

void PolicyQuestionCommands::AddDiff(CLI::App* group) {
  diff_ = group->add_subcommand("diff", "Say who gains what and who loses what by an edit of a policy.");
  diff_->footer("Exit: 0 no difference, whatever the texts; 1 a difference.");
  diff_->add_option("old", file_, "The policy as it is")->required();
  diff_->add_option("new", other_file_, "The policy as it shall be")->required();
}

void PolicyQuestionCommands::AddReach(CLI::App* group) {
  reach_ = group->add_subcommand("reach", "Say what a token, role or scope reaches, over all servers.");
  reach_->footer(
      "Of roles and scopes, at most: whatever else a rule demands is told as a condition.\n"
      "Exit: 0, also if it reaches nothing.");
  reach_->add_option("file", file_, "The policy")->required();
  reach_->add_option("--scope", scopes_, "A scope; may be repeated")->allow_extra_args(false);
  reach_->add_option("--role", roles_, "A role by its name in the policy; may be repeated")
      ->allow_extra_args(false);
  CLI::Option* const principal =
      reach_->add_option("--principal", principal_, "Who has these: user, service or agent")
          ->check(OneOf(kKinds))
          ->capture_default_str();
  AddClaims(reach_);
  for (CLI::Option* other : {reach_->get_option("--scope"), reach_->get_option("--role"), principal})
    reach_->get_option("--claims")->excludes(other);
}

void PolicyQuestionCommands::AddClaims(CLI::App* command) {
  CLI::Option* const claims = command->add_option(
      "--claims", claims_file_, "The claims of a token, a JSON object, as a file or - (never the token)");
  std::string names;
  for (const std::string_view name : Profile::Names())
    names += (names.empty() ? "" : ", ") + std::string(name);
  command->add_option("--issuer-profile", claims_.profile, "How its issuer writes tokens: " + names)
      ->capture_default_str()
      ->needs(claims);
  command->add_flag("--opaque", claims_.opaque, "They are an introspection response's")->needs(claims);
  command
      ->add_flag("--scope-wildcards", claims_.scope_wildcards,
                 "A * at the end of its scopes stands for what begins so")
      ->needs(claims);
}

int PolicyQuestionCommands::Run() const {
  if (explain_->parsed()) return RunExplain();
  return diff_->parsed() ? RunDiff() : RunReach();
}

int PolicyQuestionCommands::RunExplain() const {
  const absl::StatusOr<Policy> policy = ReadPolicy(file_);
  if (!policy.ok()) return Refuse(policy.status());
  const absl::StatusOr<std::unique_ptr<const SampleCaller>> sample =
      ReadCaller(claims_file_, *policy, claims_);
  if (!sample.ok()) return Refuse(sample.status());
  bool allowed = false;
  std::cout << Explanation(*policy, (*sample)->caller(),
                           {.server = server_, .object = ByName(kObjects, object_), .name = name_},
                           FormFor(json_), &allowed);
  return Written(allowed ? 0 : 1);
}

int PolicyQuestionCommands::RunDiff() const {
  const absl::StatusOr<Policy> before = ReadPolicy(file_), after = ReadPolicy(other_file_);
  for (const auto* policy : {&before, &after}) {
    if (!policy->ok()) return Refuse(policy->status());
  }
  const PolicyDiff diff = Diff(*before, *after);
  std::cout << TextOf(diff, FormFor(json_));
  return Written(diff.empty() ? 0 : 1);
}

int PolicyQuestionCommands::RunReach() const {
  if (claims_file_.empty() && roles_.empty() && scopes_.empty())
    return Fail("policy reach needs --scope, --role or --claims");
  const absl::StatusOr<Policy> policy = ReadPolicy(file_);
  if (!policy.ok()) return Refuse(policy.status());
  if (claims_file_.empty()) {
    const absl::StatusOr<Reach> reach = ReachOfHolder(*policy, ByName(kKinds, principal_), roles_, scopes_);
    if (!reach.ok()) return Refuse(reach.status());
    std::cout << TextOf(*policy, *reach, FormFor(json_));
    return Written(0);
  }
  const absl::StatusOr<std::unique_ptr<const SampleCaller>> sample =
      ReadCaller(claims_file_, *policy, claims_);
  if (!sample.ok()) return Refuse(sample.status());
  std::cout << TextOf(*policy, ReachOf(*policy, (*sample)->caller()), FormFor(json_));
  return Written(0);
}

}  // namespace tollgate::cli
