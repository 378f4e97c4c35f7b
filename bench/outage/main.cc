// bench_outage: what callers see while the identity provider is killed and brought back. See bench/README.md.

#include <charconv>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>

#include "bench/outage/scenario.h"

namespace {

using tollgate::bench::IdpControl;
using tollgate::bench::OutageSettings;
using tollgate::bench::TokenPool;

constexpr char kUsage[] =
    "bench_outage [--idp bundled | --pool DIR --idp-command COMMAND] [--out FILE] [options]\n"
    "  --idp bundled          the repository's own identity provider, inside this process (the default)\n"
    "  --pool DIR             tokens of another one, whose keys are at pool.json's jwks_uri, on 127.0.0.1,\n"
    "  --idp-command COMMAND  when COMMAND runs; it is killed and run again\n"
    "  --factor F             on every duration of the timing contract (1/60)\n"
    "  --healthy S, --beyond S, --recovery S\n"
    "                         seconds before the outage, of it beyond the staleness bound, and after it\n"
    "  --rate HZ, --fresh HZ, --forged HZ\n"
    "                         checks a second of known, never seen and forged tokens\n"
    "  --out FILE             the whole timeline, as JSON\n"
    "  --smoke                three seconds, few checks, correctness alone\n"
    "Exit: 0 all objectives met, 1 one missed, 2 it could not run.\n";

struct Options {
  OutageSettings settings;
  std::string pool;
  std::string idp_command;
  std::string out;
};

bool ReadNumber(std::string_view text, double* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size() && *number > 0 && *number <= 1e6;
}

void Smoke(OutageSettings* settings) {
  settings->factor = 1.0 / 3000;
  settings->healthy_s = 0.6;
  settings->beyond_s = 0.4;
  settings->recovery_s = 0.8;
  settings->known_rate_hz = 1000;
  settings->num_known = 100;
  settings->timed_objectives = false;
  settings->progress = false;
}

bool ReadOptions(int argc, char** argv, Options* options) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--smoke") {
      Smoke(&options->settings);
      continue;
    }
    if (++i == argc) return false;
    const std::string value = argv[i];
    double* number = nullptr;
    if (name == "--idp") {
      if (value != "bundled") return false;
    } else if (name == "--pool") {
      options->pool = value;
    } else if (name == "--idp-command") {
      options->idp_command = value;
    } else if (name == "--out") {
      options->out = value;
    } else if (name == "--factor") {
      number = &options->settings.factor;
    } else if (name == "--healthy") {
      number = &options->settings.healthy_s;
    } else if (name == "--beyond") {
      number = &options->settings.beyond_s;
    } else if (name == "--recovery") {
      number = &options->settings.recovery_s;
    } else if (name == "--rate") {
      number = &options->settings.known_rate_hz;
    } else if (name == "--fresh") {
      number = &options->settings.fresh_rate_hz;
    } else if (name == "--forged") {
      number = &options->settings.forged_rate_hz;
    } else {
      return false;
    }
    if (number != nullptr && !ReadNumber(value, number)) return false;
  }
  return options->pool.empty() == options->idp_command.empty();
}

// SetUp starts the identity provider and gets the tokens.
absl::Status SetUp(const Options& options, TokenPool* pool, std::unique_ptr<IdpControl>* idp) {
  absl::StatusOr<std::unique_ptr<IdpControl>> started;
  if (options.pool.empty()) {
    const std::vector<std::string> algorithms = {"RS256", "ES256", "EdDSA"};
    started = tollgate::bench::StartBundledIdp(algorithms);
    if (!started.ok()) return started.status();
    *pool = tollgate::bench::MintTokenPool((*started)->issuer(), algorithms,
                                           options.settings.num_known < 1000 ? 100 : 2000, 800);
  } else {
    absl::StatusOr<TokenPool> read = tollgate::bench::ReadTokenPool(options.pool);
    if (!read.ok()) return read.status();
    *pool = *std::move(read);
    started = tollgate::bench::StartIdpProcess(options.idp_command, pool->issuer, pool->jwks_uri);
    if (!started.ok()) return started.status();
  }
  *idp = *std::move(started);
  return absl::OkStatus();
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "bench_outage: %s\n", std::string(status.message()).c_str());
  return 2;
}

// Report prints phases and objectives and returns whether all objectives were met.
bool Report(const nlohmann::json& result) {
  std::printf("%-24s %9s %10s %10s %10s %12s %9s %9s %9s\n", "", "seconds", "allow", "deny", "unavail.",
              "idp requests", "p50 us", "p99 us", "p99.9 us");
  for (const nlohmann::json& phase : result["phases"]) {
    std::printf("%-24s %9.1f %10llu %10llu %10llu %12llu %9.1f %9.1f %9.1f\n",
                phase["name"].get<std::string>().c_str(),
                phase["end_s"].get<double>() - phase["begin_s"].get<double>(),
                phase["allow"].get<unsigned long long>(), phase["deny"].get<unsigned long long>(),
                phase["unavailable"].get<unsigned long long>(),
                phase["idp_requests"].get<unsigned long long>(), phase["p50_us"].get<double>(),
                phase["p99_us"].get<double>(), phase["p999_us"].get<double>());
  }
  bool all = true;
  for (const nlohmann::json& objective : result["objectives"]) {
    all &= objective["met"].get<bool>();
    std::printf("%-6s %-20s %g (limit %g)\n", objective["met"].get<bool>() ? "met" : "MISSED",
                objective["name"].get<std::string>().c_str(), objective["observed"].get<double>(),
                objective["limit"].get<double>());
  }
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!ReadOptions(argc, argv, &options)) {
    const bool asked = argc == 2 && std::string_view(argv[1]) == "--help";
    std::fputs(kUsage, asked ? stdout : stderr);
    return asked ? 0 : 2;
  }
  TokenPool pool;
  std::unique_ptr<IdpControl> idp;
  if (absl::Status status = SetUp(options, &pool, &idp); !status.ok()) return Fail(status);
  std::printf("Tokens from %s. Every duration of the timing contract times %g.\n", pool.source.c_str(),
              options.settings.factor);
  std::fflush(stdout);
  const absl::StatusOr<nlohmann::json> result = tollgate::bench::RunOutage(options.settings, pool, *idp);
  if (!result.ok()) return Fail(result.status());
  if (!options.out.empty()) {
    std::ofstream out(options.out);
    if (!(out << result->dump(1) << "\n").flush()) {
      return Fail(absl::UnavailableError(options.out + " cannot be written"));
    }
  }
  return Report(*result) ? 0 : 1;
}
