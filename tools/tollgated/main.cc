// tollgated: answers proxies whether a request may pass. One configuration file says everything.

#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tollgate/engine.h"
#include "tollgate/policy_file.h"
#include "tollgate/version.h"
#include "tools/tollgated/admin.h"
#include "tools/tollgated/gate.h"
#include "tools/tollgated/http_server.h"
#include "tools/tollgated/refusals.h"
#include "tools/tollgated/reload.h"
#include "tools/tollgated/settings.h"
#include "tools/tollgated/settings_file.h"

namespace tollgate::tollgated {
namespace {

constexpr int kExitUnusable = 2;
constexpr timespec kPollInterval = {2, 0};  // For files that have changed.

// Say writes one line, whatever `text` holds.
void Say(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c >= 0 && c < ' '; }, ' ');
  std::fprintf(stderr, "tollgated: %s\n", text.c_str());
}

void SayAll(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) Say(line);
}

int Fail(const absl::Status& status) {
  Say(std::string(status.message().data(), status.message().size()));
  return kExitUnusable;
}

// Read says all that there is to warn of, and, if `all`, each mistake; otherwise the status is the first one.
absl::StatusOr<Settings> Read(const std::string& path, bool all) {
  std::vector<PolicyFileFinding> findings;
  absl::StatusOr<Settings> settings = ReadSettings(path, &findings);
  for (const PolicyFileFinding& finding : findings) {
    if (finding.is_error && !all) continue;
    Say(path + ": line " + std::to_string(finding.line) + ", column " + std::to_string(finding.column) +
        ": " + (finding.is_error ? "" : "warning: ") + finding.message);
  }
  const bool said = std::any_of(findings.begin(), findings.end(), [](const auto& f) { return f.is_error; });
  if (all && !settings.ok() && !said) Fail(settings.status());
  return settings;
}

// Daemon is all that serves. The engine ends before what its callbacks use, and no thread uses the engine
// then.
struct Daemon {
  Daemon() = default;
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon() { Drain(std::chrono::milliseconds(0)); }

  absl::Status Start(const std::string& path) {
    absl::StatusOr<std::unique_ptr<Engine>> made = MakeEngine(settings);
    if (!made.ok()) return made.status();
    engine = *std::move(made);
    gate = std::make_unique<Gate>(engine.get(), settings, Policy(), &refusals);
    reloader = std::make_unique<Reloader>(path, settings, *engine, nullptr,
                                          [this](const Policy& policy) { gate->SetPolicy(policy); });
    SayAll(reloader->Poll());  // Tells the gate the policy that there is.
    const size_t threads = settings.threads != 0 ? settings.threads : std::thread::hardware_concurrency();
    absl::StatusOr<std::unique_ptr<HttpServer>> listening =
        HttpServer::Start({.listen = settings.listen, .threads = threads, .bounds = settings.bounds},
                          [this] { return gate->MakeHandler(); });
    if (!listening.ok()) return listening.status();
    server = *std::move(listening);
    if (settings.admin_listen.empty()) return absl::OkStatus();
    Bounds few;
    few.connections_max = 64;
    few.body_bytes_max = 0;
    listening = HttpServer::Start({.listen = {settings.admin_listen}, .bounds = few},
                                  [this] { return MakeAdminHandler([this] { return ReadStatus(); }); });
    if (!listening.ok()) return listening.status();
    admin = *std::move(listening);
    return absl::OkStatus();
  }

  bool Drain(std::chrono::milliseconds drain_max) {
    const bool whole = server == nullptr || server->Drain(drain_max);
    if (admin != nullptr) admin->Drain(std::chrono::milliseconds(0));
    return whole;
  }

  StatusReading ReadStatus() const {
    StatusReading reading{.wall_s = SystemClock().Read().wall_s,
                          .metrics = engine->ReadMetrics(),
                          .issuers = engine->ReadHealth(),
                          .snapshot = engine->ReadSnapshotHealth(),
                          .audit_error = engine->AuditError(),
                          .shadow = engine->ReadShadow(),
                          .http = server->ReadCounters(),
                          .refusals = refusals.ReadCounts(),
                          .recent_refusals = refusals.ReadRecent()};
    for (const ServerSettings& each : settings.servers) reading.servers.push_back(each.name);
    const ReloadReport report = reloader->Report();
    for (const std::string* error :
         {&report.settings_error, &report.policy_error, &report.shadow_policy_error})
      if (!error->empty()) reading.configuration += *error + "; ";
    for (const std::string& key : report.needs_restart) reading.configuration += key + " needs a restart; ";
    return reading;
  }

  Settings settings;
  std::unique_ptr<HttpServer> server;
  std::unique_ptr<HttpServer> admin;
  RefusalBook refusals{SystemClock()};
  std::unique_ptr<Gate> gate;
  std::unique_ptr<Engine> engine;
  std::unique_ptr<Reloader> reloader;
};

// RaiseFileLimit: each connection is a descriptor.
void RaiseFileLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int Serve(const std::string& path) {
  // Before the first thread, so that all of them leave the signals to this one.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  RaiseFileLimit();

  absl::StatusOr<Settings> settings = Read(path, false);
  if (!settings.ok()) return Fail(settings.status());
  if (settings->for_nginx_module())
    return Fail(absl::InvalidArgumentError(path + ": is for the workers of nginx: tollgate_config"));
  Daemon daemon;
  daemon.settings = *std::move(settings);
  if (const absl::Status status = daemon.Start(path); !status.ok()) return Fail(status);
  for (const std::string& address : daemon.server->listening()) Say("listening at " + address);
  if (daemon.admin != nullptr) Say("admin at " + daemon.admin->listening().front());

  for (;;) {
    const int signal = sigtimedwait(&signals, nullptr, &kPollInterval);
    if (signal == SIGTERM || signal == SIGINT) break;
    SayAll(signal == SIGHUP ? daemon.reloader->Reload() : daemon.reloader->Poll());
  }
  Say("draining");
  const bool whole = daemon.Drain(daemon.settings.bounds.drain_max);
  Say(whole ? "ended" : "ended; requests were cut off");
  return 0;
}

int Check(const std::string& path) {
  if (!Read(path, true).ok()) return kExitUnusable;
  std::printf("%s: good\n", path.c_str());
  return 0;
}

int Main(int argc, char** argv) {
  CLI::App app("Answers reverse proxies whether a request may pass: docs/deploying.md.", "tollgated");
  std::string config, check;
  app.set_version_flag("--version", std::string(Version()));
  CLI::Option* const serve = app.add_option("--config", config, "Serve by this configuration");
  app.add_option("--check", check, "Only say whether this configuration is good")->excludes(serve);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version.
    Say(error.what());
    return kExitUnusable;
  }
  if (!check.empty()) return Check(check);
  if (!config.empty()) return Serve(config);
  Say("--config FILE or --check FILE is needed");
  return kExitUnusable;
}

}  // namespace
}  // namespace tollgate::tollgated

int main(int argc, char** argv) { return tollgate::tollgated::Main(argc, argv); }
