// tollgate: the engine at the command line. Tokens are read from standard input alone, since arguments can be
// seen by every process of the machine; they are never printed.
//
// Exit: 0 all allowed, 1 something denied, 3 nothing denied but something unavailable, 2 could not run.

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "jose/base64url.h"
#include "jose/jwk.h"
#include "tollgate/engine.h"
#include "tollgate/version.h"

namespace {

using namespace tollgate;  // A program, not a library.

constexpr int kExitDenied = 1;
constexpr int kExitUsage = 2;
constexpr int kExitUnavailable = 3;

int Fail(std::string_view message) {
  std::cerr << "tollgate: " << message << '\n';
  return kExitUsage;
}

// FixedClock is --at: a moment of the past or future for the token, while ages pass as usual.
class FixedClock final : public Clock {
 public:
  explicit FixedClock(int64_t wall_s) : wall_s_(wall_s) {}
  Now Read() const override { return {.wall_s = wall_s_, .mono_ms = SystemClock().Read().mono_ms}; }

 private:
  const int64_t wall_s_;
};

std::optional<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  // One byte more than the limit, so that the reader behind this says "too long" itself.
  std::string text(limits::kJwksBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return std::nullopt;
  text.resize(static_cast<size_t>(file.gcount()));
  return text;
}

struct CheckOptions {
  std::string issuer, jwks_file, jwks_uri, resource, profile = "rfc9068", ca_file;
  std::vector<std::string> audiences, scopes;
  std::optional<int64_t> at;
  int64_t leeway_s = 60;
  int wait_ms = 5000;
  bool allow_http_on_loopback = false;
  bool json = false;
};

const std::map<std::string, Profile (*)()> kProfiles = {
    {"rfc9068", &Profile::Rfc9068},  {"auth0", &Profile::Auth0},       {"cognito", &Profile::Cognito},
    {"entra-v2", &Profile::EntraV2}, {"keycloak", &Profile::Keycloak}, {"okta", &Profile::Okta},
};

// Quoted returns `text` as a JSON string. The engine has made sure that it is UTF-8.
std::string Quoted(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string quoted = "\"";
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      quoted += "\\u00";
      quoted += kHex[byte >> 4];
      quoted += kHex[byte & 15];
    } else {
      quoted += c;
    }
  }
  return quoted += '"';
}

std::string_view VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kAllow:
      return "allow";
    case Verdict::kDeny:
      return "deny";
    case Verdict::kUnavailable:
      return "unavailable";
  }
  return "deny";
}

void PrintJson(const Decision& decision, const Principal& principal) {
  std::cout << "{\"verdict\":" << Quoted(VerdictName(decision.verdict))
            << ",\"reason\":" << Quoted(ReasonName(decision.reason))
            << ",\"status\":" << decision.http_status()
            << ",\"error\":" << Quoted(BearerError(decision.category()))
            << ",\"freshness\":" << Quoted(FreshnessName(decision.freshness));
  if (decision.verdict == Verdict::kUnavailable) std::cout << ",\"retry_after_s\":" << decision.retry_after_s;
  if (!principal.issuer().empty()) {
    std::cout << ",\"algorithm\":" << Quoted(AlgorithmName(decision.algorithm))
              << ",\"valid_until\":" << decision.valid_until_s << ",\"iss\":" << Quoted(principal.issuer())
              << ",\"sub\":" << Quoted(principal.subject())
              << ",\"client_id\":" << Quoted(principal.client_id())
              << ",\"jti\":" << Quoted(principal.jwt_id()) << ",\"scope\":" << Quoted(principal.scope())
              << ",\"roles\":" << Quoted(principal.roles());
  }
  std::cout << "}\n";
}

void PrintText(const Decision& decision, const Principal& principal) {
  std::cout << VerdictName(decision.verdict);
  if (decision.allowed()) {
    std::cout << "  sub=" << Quoted(principal.subject()) << " client=" << Quoted(principal.client_id())
              << " scope=" << Quoted(principal.scope()) << " alg=" << AlgorithmName(decision.algorithm)
              << " until=" << decision.valid_until_s;
  } else {
    std::cout << "  " << ReasonName(decision.reason) << ": " << ReasonText(decision.reason) << " ("
              << decision.http_status();
    if (decision.evidence_bound != 0) {
      std::cout << "; " << decision.evidence_actual << " against " << decision.evidence_bound;
    }
    if (decision.verdict == Verdict::kUnavailable)
      std::cout << "; retry after " << decision.retry_after_s << " s";
    std::cout << ')';
  }
  std::cout << '\n';
}

int RunCheck(const CheckOptions& options) {
  Config config;
  IssuerConfig issuer;
  issuer.issuer = options.issuer;
  issuer.jwks_uri = options.jwks_uri;
  issuer.leeway_s = options.leeway_s;
  issuer.profile = kProfiles.at(options.profile)();
  if (!options.jwks_file.empty()) {
    const std::optional<std::string> text = ReadFile(options.jwks_file);
    if (!text.has_value()) return Fail("cannot read " + options.jwks_file);
    issuer.jwks = *text;
  }
  config.issuers.push_back(std::move(issuer));
  config.resources.push_back({.uri = options.resource, .audiences = options.audiences, .issuers = {}});
  config.dangerous.dangerous_allow_http_on_loopback = options.allow_http_on_loopback;
  PolicyBuilder builder;
  builder.AddTool({.tool = "check", .scopes = options.scopes, .any_valid_token = options.scopes.empty()});
  absl::StatusOr<Policy> policy = builder.Build();
  if (!policy.ok()) return Fail(std::string(policy.status().message()));
  config.policy = *std::move(policy);

  const FixedClock fixed(options.at.value_or(0));
  Environment environment;
  if (options.at.has_value()) environment.clock = &fixed;
  environment.ca_file = options.ca_file;
  absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Create(config, std::move(environment));
  if (!engine.ok()) return Fail(std::string(engine.status().message()));

  bool any = false, denied = false, unavailable = false;
  for (std::string line; std::getline(std::cin, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) continue;
    any = true;
    line.insert(0, "Bearer ");
    Decision decision;
    Principal principal;
    (*engine)->CheckWithin(std::chrono::milliseconds(options.wait_ms),
                           {.authorization = line, .tool = "check"}, &decision, &principal);
    options.json ? PrintJson(decision, principal) : PrintText(decision, principal);
    denied |= decision.verdict == Verdict::kDeny;
    unavailable |= decision.verdict == Verdict::kUnavailable;
    if (decision.verdict == Verdict::kUnavailable) {
      const std::string error = (*engine)->ReadHealth()[0].last_error;
      if (!error.empty()) std::cerr << "tollgate: " << error << '\n';
    }
  }
  if (!any) return Fail("no token on standard input");
  if (denied) return kExitDenied;
  return unavailable ? kExitUnavailable : 0;
}

int RunKeys(const std::string& path) {
  const std::optional<std::string> text = ReadFile(path);
  if (!text.has_value()) return Fail("cannot read " + path);
  const absl::StatusOr<jose::JwkSet> set = jose::ParseJwkSet(*text);
  if (!set.ok()) return Fail(path + ": " + std::string(set.status().message()));
  for (const jose::Jwk& key : set->keys) {
    std::cout << "usable   kid=" << (key.has_key_id ? Quoted(key.key_id) : "none")
              << " thumbprint=" << jose::Base64UrlEncode(key.thumbprint) << " alg=";
    bool first = true;
    for (int a = 0; a < kAlgorithmCount; ++a) {
      if (!key.algorithms.Contains(static_cast<Algorithm>(a))) continue;
      std::cout << (first ? "" : ",") << AlgorithmName(static_cast<Algorithm>(a));
      first = false;
    }
    std::cout << '\n';
  }
  for (const jose::SkippedJwk& skipped : set->skipped) {
    std::cout << "skipped  key " << skipped.position << ": " << skipped.why << '\n';
  }
  return set->keys.empty() ? kExitDenied : 0;
}

int Run(int argc, char** argv) {
  CLI::App app("Who is calling, and may they call this tool: checks OAuth access tokens as the engine does.",
               "tollgate");
  app.set_version_flag("--version", std::string(Version()));
  app.require_subcommand(1);

  CheckOptions check;
  CLI::App* check_command = app.add_subcommand("check", "Decide tokens from standard input, one a line.");
  check_command->add_option("--issuer", check.issuer, "The token's iss, exactly")->required();
  CLI::Option* file =
      check_command->add_option("--jwks", check.jwks_file, "A file with the issuer's JWK Set");
  check_command->add_option("--jwks-uri", check.jwks_uri, "Where to fetch it (https)")->excludes(file);
  check_command->add_option("--resource", check.resource, "The canonical URI of this server: expected in aud")
      ->required();
  check_command->add_option("--audience", check.audiences, "Further audience values that mean this server");
  check_command->add_option("--scope", check.scopes, "Scopes that are needed, all of them");
  check_command->add_option("--profile", check.profile, "How the issuer writes its tokens")
      ->check(CLI::IsMember(kProfiles))
      ->capture_default_str();
  check_command->add_option("--at", check.at, "Decide as at this time, seconds since 1970");
  check_command->add_option("--leeway", check.leeway_s, "Clock skew granted, seconds (0-300)")
      ->capture_default_str();
  check_command->add_option("--wait", check.wait_ms, "How long to wait for keys, milliseconds")
      ->check(CLI::Range(0, 600'000))
      ->capture_default_str();
  check_command->add_option("--ca-file", check.ca_file, "CA certificates in PEM instead of the system's");
  check_command->add_flag("--dangerous-allow-http-on-loopback", check.allow_http_on_loopback,
                          "Fetch keys over plain http from this machine");
  check_command->add_flag("--json", check.json, "One JSON object a line");

  std::string keys_file;
  CLI::App* keys_command =
      app.add_subcommand("keys", "Say which keys of a JWK Set can be used, and why not the others.");
  keys_command->add_option("file", keys_file, "The JWK Set")->required();

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {  // --help, --version
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    return Fail(e.what());
  }
  return check_command->parsed() ? RunCheck(check) : RunKeys(keys_file);
}

}  // namespace

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  return Run(argc, argv);
}
