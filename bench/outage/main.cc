// bench_outage: what callers see while the identity provider fails, by scenario files. See
// bench/outage/README.md.

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/lib/command_line.h"
#include "bench/lib/json_file.h"
#include "bench/outage/run.h"
#include "bench/outage/scenario_file.h"
#include "bench/outage/tokens.h"
#include "tools/idp/mint.h"

namespace {

using nlohmann::json;
using tollgate::bench::Between;
using tollgate::bench::CanBeWritten;
using tollgate::bench::IdpControl;
using tollgate::bench::ParseCommandLine;
using tollgate::bench::RunSettings;
using tollgate::bench::Scenario;
using tollgate::bench::TokenPool;

struct Options {
  bool run = true;
  RunSettings settings;
  std::string pool;
  std::string idp_command;
  std::string out;
  std::vector<std::string> files;
};

void Smoke(const CLI::App& given, RunSettings* settings) {
  if (given.count("--factor") == 0) settings->factor = 1.0 / 1200;
  if (given.count("--rate-max") == 0) settings->rate_max_hz = 1000;
  settings->num_known = 100;
  settings->timed_objectives = false;
  settings->progress = false;
}

void AddCommon(CLI::App* command, Options* options) {
  command->add_option("FILE", options->files, "of a scenario each")->required();
  command
      ->add_option("--factor", options->settings.factor,
                   "on every duration of the timing contract and of the scenarios (1/60)")
      ->check(Between(1e-4, 1e4));
}

std::optional<int> ReadOptions(int argc, char** argv, Options* options) {
  CLI::App app(
      "What callers see while the identity provider fails.\n"
      "Exit: 0 all objectives met, 1 one missed, 2 it could not run, or a file cannot be read.",
      "bench_outage");
  app.require_subcommand(1);
  CLI::App* const run = app.add_subcommand("run", "run scenarios, and hold them against their objectives");
  CLI::App* const list = app.add_subcommand("list", "read scenarios, and say how long each takes");
  AddCommon(run, options);
  AddCommon(list, options);
  CLI::Option* const pool = run->add_option(
      "--pool", options->pool,
      "DIR: instead of the repository's own identity provider, inside this process, tokens of "
      "another one, whose keys are at pool.json's jwks_uri, on 127.0.0.1,");
  CLI::Option* const idp_command =
      run->add_option("--idp-command", options->idp_command,
                      "when this runs; it is killed and run again, and nothing else is done to it");
  pool->needs(idp_command);
  idp_command->needs(pool);
  run->add_option("--rate-max", options->settings.rate_max_hz, "Hz, on each load")->check(Between(1.0, 1e7));
  run->add_option("--out", options->out, "the timelines, as a JSON array")->check(CanBeWritten());
  bool smoke = false;
  run->add_flag("--smoke", smoke, "as short as it can be, few checks, correctness alone");
  const std::optional<int> status = ParseCommandLine(app, argc, argv);
  options->run = run->parsed();
  if (smoke) Smoke(*run, &options->settings);
  return status;
}

// StartIdp starts the identity provider of one scenario and says in `pool` for whom its tokens are.
absl::StatusOr<std::unique_ptr<IdpControl>> StartIdp(const Options& options, TokenPool* pool) {
  if (!options.pool.empty())
    return tollgate::bench::StartIdpProcess(options.idp_command, pool->issuer, pool->jwks_uri);
  std::vector<idp::SigningKey> keys;
  for (const std::string_view algorithm : tollgate::bench::kBundledAlgorithms)
    keys.push_back(idp::TestKey(algorithm));
  keys.push_back(idp::TestKey(tollgate::bench::kCompromised.algorithm, tollgate::bench::kCompromised.number));
  pool->jwks = idp::Jwks(std::span<const idp::SigningKey>(keys)).dump();
  absl::StatusOr<std::unique_ptr<IdpControl>> started = tollgate::bench::StartBundledIdp(std::move(keys));
  if (!started.ok()) return started;
  pool->source = "the repository's own minting library (tools/idp)";
  pool->issuer = (*started)->issuer();
  pool->resource = "https://mcp.example/mcp";
  pool->scope = "mcp:read mcp:write";
  return started;
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "bench_outage: %s\n", std::string(status.message()).c_str());
  return 2;
}

unsigned long long Count(const json& from, const char* name) {
  return from.at(name).get<unsigned long long>();
}

// PrintPhases prints what happened in each phase, and the objectives. Returns whether all were met.
bool PrintPhases(const json& result) {
  std::printf("%-28s %8s %10s %9s %10s %9s %8s %9s %9s %9s\n", "", "seconds", "allow", "deny", "unavail.",
              "forged", "idp req.", "p50 us", "p99 us", "p99.9 us");
  for (const json& phase : result["phases"]) {
    std::printf("%-28s %8.1f %10llu %9llu %10llu %9llu %8llu %9.1f %9.1f %9.1f\n",
                phase["name"].get<std::string>().c_str(),
                phase["end_s"].get<double>() - phase["begin_s"].get<double>(), Count(phase, "allow"),
                Count(phase, "deny"), Count(phase, "unavailable"), Count(phase, "forged_offered"),
                Count(phase, "idp_requests"), phase["p50_us"].get<double>(), phase["p99_us"].get<double>(),
                phase["p999_us"].get<double>());
  }
  if (result.contains("issuers")) {
    const json& issuers = result["issuers"];
    const double count = issuers["count"];
    std::printf("%.0f issuers: %.2f s to make the engine, %.0f bytes each, %.0f MiB resident at most\n",
                count, issuers["start_s"].get<double>(), issuers["issuer_bytes"].get<double>() / count,
                issuers["resident_bytes_max"].get<double>() / (1 << 20));
  }
  bool all = true;
  for (const json& objective : result["objectives"]) {
    all &= objective["met"].get<bool>();
    const std::string outcome = objective["outcome"];
    std::printf("%-12s %-22s %.10g (%s %.10g)\n", outcome == "missed" ? "MISSED" : outcome.c_str(),
                objective["name"].get<std::string>().c_str(), objective["observed"].get<double>(),
                objective["at_least"].get<bool>() ? "at least" : "at most", objective["limit"].get<double>());
  }
  return all;
}

void PrintTable(const json& results) {
  std::printf("\n%-28s %8s %12s %8s %8s  %s\n", "scenario", "seconds", "answers", "wrong", "known %",
              "objectives");
  for (const json& result : results) {
    unsigned long long answers = 0;
    for (const json& phase : result["phases"])
      answers += Count(phase, "offered") + Count(phase, "forged_offered");
    double wrong = 0, known = 0;
    std::string missed;
    for (const json& objective : result["objectives"]) {
      const std::string name = objective["name"];
      if (name.starts_with("wrongly_")) wrong += objective["observed"].get<double>();
      if (name == "known_allowed_percent") known = objective["observed"];
      if (!objective["met"].get<bool>()) missed += " " + name;
    }
    std::printf("%-28s %8.1f %12llu %8.0f %8.5g  %s\n", result["scenario"].get<std::string>().c_str(),
                result["phases"].back()["end_s"].get<double>(), answers, wrong, known,
                missed.empty() ? "all met" : ("MISSED:" + missed).c_str());
  }
}

// RunAll runs one scenario after the other. Returns the exit code.
int RunAll(const Options& options, const std::vector<Scenario>& scenarios, const TokenPool& pool) {
  json results = json::array();
  bool all = true;
  for (const Scenario& scenario : scenarios) {
    TokenPool about = pool;
    absl::StatusOr<std::unique_ptr<IdpControl>> idp = StartIdp(options, &about);
    if (!idp.ok()) return Fail(idp.status());
    std::printf("\n%s: %s\nTokens from %s. Every duration of the timing contract times %g.\n",
                scenario.name.c_str(), scenario.about.c_str(), about.source.c_str(),
                scenario.Factor(options.settings.factor));
    std::fflush(stdout);
    absl::StatusOr<json> result = tollgate::bench::RunScenario(options.settings, scenario, about, **idp);
    if (!result.ok()) return Fail(result.status());
    all &= PrintPhases(*result);
    results.push_back(*std::move(result));
  }
  if (!tollgate::bench::WriteJsonFile("bench_outage", options.out, results)) return 2;
  PrintTable(results);
  return all ? 0 : 1;
}

void List(const Options& options, const std::vector<Scenario>& scenarios) {
  double sum_s = 0;
  for (const Scenario& scenario : scenarios) {
    const double seconds = scenario.DurationS() * scenario.Factor(options.settings.factor);
    sum_s += seconds;
    std::printf("%-28s %6.1f s  %s\n", scenario.name.c_str(), seconds, scenario.about.c_str());
  }
  std::printf("%-28s %6.1f s  at a factor of %g, and a moment each to make the tokens\n", "all", sum_s,
              options.settings.factor);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (const std::optional<int> status = ReadOptions(argc, argv, &options)) return *status;
  std::vector<Scenario> scenarios;
  for (const std::string& file : options.files) {
    absl::StatusOr<Scenario> scenario = tollgate::bench::ReadScenario(file);
    if (!scenario.ok()) return Fail(scenario.status());
    scenarios.push_back(*std::move(scenario));
  }
  if (!options.run) {
    List(options, scenarios);
    return 0;
  }
  TokenPool pool;
  if (!options.pool.empty()) {
    absl::StatusOr<TokenPool> read = tollgate::bench::ReadTokenPool(options.pool);
    if (!read.ok()) return Fail(read.status());
    pool = *std::move(read);
  }
  return RunAll(options, scenarios, pool);
}
