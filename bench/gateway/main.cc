// bench_gateway: requests a second through tollgated, beside servers that do less or the same, and how long
// one takes at half of that. See bench/README.md.

#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "bench/gateway/judge.h"
#include "bench/gateway/load.h"
#include "bench/gateway/servers.h"
#include "bench/latency/judge.h"
#include "bench/lib/command_line.h"
#include "bench/lib/gates.h"
#include "bench/lib/measure.h"
#include "bench/lib/token_pool.h"
#include "tools/idp/mint.h"

namespace tollgate::bench {
namespace {

constexpr int kExitSkipped = 77;
constexpr size_t kTokens = 1000, kTokenBytes = 800, kConnections = 16;

struct Options {
  int rounds = 9;
  double slice_s = 0.6;
  bool smoke = false;
  std::string out;
  Programs programs;
};

std::optional<int> ReadOptions(int argc, char** argv, Options* options) {
  CLI::App app(
      "Requests a second through tollgated, beside servers that do less or the same. nginx and haproxy are\n"
      "looked for on the PATH and in /usr/sbin. Exit: 0 measured, 1 an answer was wrong, 2 it could not "
      "run;\n"
      "77 with --smoke: they are not there. bench_report judges the figures.",
      "bench_gateway");
  Programs& programs = options->programs;
  programs.tollgated = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "tollgated";
  CLI::Option* const rounds =
      app.add_option("--rounds", options->rounds,
                     "of a slice of each server, of requests as fast as they go and at half of that (9)")
          ->check(Between(1, 1000));
  CLI::Option* const slice =
      app.add_option("--slice", options->slice_s, "seconds of a slice (0.6)")->check(Between(0.001, 60.0));
  app.add_option("--out", options->out, "the figures and the judgement, as JSON")->check(CanBeWritten());
  app.add_option("--tollgated", programs.tollgated, "the program (beside this one)");
  app.add_option("--nginx-module", programs.nginx_module,
                 "ngx_http_tollgate_module.so: nginx is measured with it and without");
  app.add_flag("--smoke", options->smoke, "as short as can be: does everything still run and answer right?");
  const std::optional<int> status = ParseCommandLine(app, argc, argv);
  if (!programs.nginx_module.empty())
    programs.nginx_module = std::filesystem::absolute(programs.nginx_module);
  if (options->smoke && !*rounds) options->rounds = 2;
  if (options->smoke && !*slice) options->slice_s = 0.03;
  return status;
}

// FindProgram returns where it is, or "".
std::string FindProgram(const std::string& name) {
  const char* const path = std::getenv("PATH");
  std::istringstream directories(std::string(path != nullptr ? path : "") + ":/usr/sbin");
  for (std::string directory; std::getline(directories, directory, ':');) {
    std::string file = directory + "/" + name;
    if (access(file.c_str(), X_OK) == 0) return file;
  }
  return "";
}

// StayOnOneProcessor: this process and all that it starts share one, so that a server has as much of it as
// the requests leave.
bool StayOnOneProcessor() {
  cpu_set_t all, one;
  if (sched_getaffinity(0, sizeof(all), &all) != 0) return false;
  int last = CPU_SETSIZE - 1;
  while (last > 0 && !CPU_ISSET(last, &all)) --last;
  CPU_ZERO(&one);
  CPU_SET(last, &one);
  return sched_setaffinity(0, sizeof(one), &one) == 0;
}

// What Envoy sends on of a request: an MCP server's, tools/call in 2026-07-28.
std::string RequestFor(const std::string& token, const std::string& tool) {
  const std::string body = R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":")" + tool +
                           R"(","arguments":{"query":"open invoices of March","limit":20},"_meta":)"
                           R"({"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}})";
  return "POST /check/mcp/mcp HTTP/1.1\r\nHost: mcp.example\r\nAuthorization: Bearer " + token +
         "\r\nAccept: application/json, text/event-stream\r\nContent-Type: application/json\r\n"
         "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: " +
         tool + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// BadRequests are refused by whoever decides.
std::vector<std::pair<std::string, std::string>> BadRequests(const TokenPool& pool) {
  const idp::SigningKey& key = idp::TestKey("RS256");
  const auto now = static_cast<int64_t>(std::time(nullptr));
  const auto minted = [&](const std::string& issuer, const std::string& audience, int64_t exp) {
    return RequestFor(
        idp::Mint(key, idp::AccessTokenClaims(issuer, audience, "user", "agent", pool.scope, exp - 600, exp)),
        ToolName(0));
  };
  std::string forged = pool.Of("RS256").front();
  char& changed = forged[forged.size() - 100];
  changed = changed == 'A' ? 'B' : 'A';
  return {{"a forged token", RequestFor(forged, ToolName(0))},
          {"an expired token", minted(pool.issuer, pool.resource, now - 300)},
          {"a token of another issuer", minted("https://other.example", pool.resource, now + 300)},
          {"a token for another server", minted(pool.issuer, "https://mcp.example/other", now + 300)}};
}

// Subject is a server under measurement.
struct Subject {
  ServerKind kind{};
  std::unique_ptr<Server> server;
  std::unique_ptr<Load> load;
  std::vector<double> rates;  // Requests a second of each slice,
  uint64_t answers = 0;       // over all of them,
  double client_cpu = 0;
  double half_rate = 0;
  std::vector<double> p99_ns;  // At half load, of each slice.
  Histogram half_latency;
};

class Measurement {
 public:
  explicit Measurement(const Options& options) : options_(options) {}
  ~Measurement() {
    subjects_.clear();
    std::error_code ignored;
    if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
  }
  Measurement(const Measurement&) = delete;
  Measurement& operator=(const Measurement&) = delete;

  // Prepare starts the servers and makes sure that each answers as it is to. False, with error().
  bool Prepare() {
    std::string directory = std::filesystem::temp_directory_path() / "bench_gateway.XXXXXX";
    if (mkdtemp(directory.data()) == nullptr) return Fail("no directory for configurations");
    directory_ = directory;
    // nginx, started by root, reads as somebody else.
    std::filesystem::permissions(directory_, std::filesystem::perms(0755));
    const TokenPool pool = MintTokenPool("https://idp.example", {"RS256"}, kTokens, kTokenBytes);
    for (size_t i = 0; i < kTokens; ++i)
      requests_.push_back(RequestFor(pool.Of("RS256")[i], ToolName(i % kNumTools)));
    std::vector<ServerKind> kinds = {kTollgated, kNginx, kHaproxyJwt};
    if (!options_.programs.nginx_module.empty())
      kinds.insert(kinds.end(), {kNginxProxy, kNginxModule, kNginxBare, kNginxBareModule});
    for (const ServerKind& kind : kinds) {
      absl::StatusOr<std::unique_ptr<Server>> server =
          StartServer(kind, options_.programs, directory_, pool, idp::TestKey("RS256").PublicPem());
      if (!server.ok()) return Fail(server.status().ToString());
      Subject subject;
      subject.kind = kind;
      subject.server = *std::move(server);
      subject.load = std::make_unique<Load>(subject.server->port(), requests_);
      if (!subject.load->Connect(kConnections)) return Fail(subject, subject.load->error());
      subjects_.push_back(std::move(subject));
      if (!AnswersRight(subjects_.back(), pool)) return false;
    }
    return true;
  }

  bool Run() {
    for (int round = 0; round < options_.rounds; ++round) {
      for (Subject& subject : subjects_) {
        const std::optional<LoadSlice> slice = Slice(subject, 0);
        if (!slice) return false;
        subject.rates.push_back(static_cast<double>(slice->answers) / slice->seconds);
        subject.answers += slice->answers;
        subject.client_cpu += slice->client_cpu;
      }
    }
    for (int round = 0; round < options_.rounds; ++round) {
      for (Subject& subject : subjects_) {
        if (!IsTimed(subject)) continue;
        subject.half_rate = Median(subject.rates) / 2;
        const std::optional<LoadSlice> slice = Slice(subject, subject.half_rate);
        if (!slice) return false;
        subject.p99_ns.push_back(static_cast<double>(slice->latency.Percentile(99)));
        subject.half_latency.Merge(slice->latency);
      }
    }
    return true;
  }

  nlohmann::json ToJson() const {
    nlohmann::json servers = nlohmann::json::array(), demands = nlohmann::json::array();
    for (const Subject& subject : subjects_) {
      const Histogram& half = subject.half_latency;
      servers.push_back({{"name", subject.kind.name},
                         {"about", subject.kind.about},
                         {"requests_hz", Median(subject.rates)},
                         {"requests_hz_slices", subject.rates},
                         {"client_ns", 1e9 * subject.client_cpu / static_cast<double>(subject.answers)}});
      if (!IsTimed(subject)) continue;
      servers.back()["half_load"] = {{"requests_hz", subject.half_rate},
                                     {"p50_ns", half.Percentile(50)},
                                     {"p99_ns", half.Percentile(99)},
                                     {"p999_ns", half.Percentile(99.9)},
                                     {"max_ns", half.max()},
                                     {"p99_ns_slices", subject.p99_ns}};
    }
    for (const GatewayDemand& demand : kGatewayDemands) {
      const Subject *const server = Find(demand.server), *const reference = Find(demand.reference);
      if (server == nullptr || reference == nullptr) continue;
      const std::vector<double>& of = demand.of_p99 ? server->p99_ns : server->rates;
      const std::vector<double>& to = demand.of_p99 ? reference->p99_ns : reference->rates;
      std::vector<double> ratios;
      for (size_t i = 0; i < of.size(); ++i) ratios.push_back(of[i] / std::max(to[i], 1.0));
      const double spread = QuietSpread(to);
      const GatewayJudgement judgement = JudgeGateway(demand, ratios, spread);
      demands.push_back({{"name", demand.name},
                         {"server", demand.server},
                         {"reference", demand.reference},
                         {"of", demand.of_p99 ? "p99" : "requests"},
                         {"at_least", demand.at_least},
                         {"limit", demand.limit},
                         {"ratios", ratios},
                         {"ratio", judgement.ratio},
                         {"spread", spread},
                         {"outcome", judgement.outcome}});
    }
    return {{"connections", kConnections},
            {"tokens", kTokens},
            {"request_bytes", requests_.front().size()},
            {"rounds", options_.rounds},
            {"slice_s", options_.slice_s},
            {"servers", servers},
            {"demands", demands}};
  }

  const std::string& error() const { return error_; }

 private:
  bool Fail(const std::string& why) {
    if (error_.empty()) error_ = why;
    return false;
  }
  bool Fail(const Subject& subject, const std::string& why) {
    return Fail(std::string(subject.kind.name) + ": " + why);
  }

  const Subject* Find(std::string_view name) const {
    for (const Subject& subject : subjects_) {
      if (subject.kind.name == name) return &subject;
    }
    return nullptr;
  }

  // IsTimed says whether somebody wants to know how long its answers take.
  static bool IsTimed(const Subject& subject) {
    return std::any_of(std::begin(kGatewayDemands), std::end(kGatewayDemands), [&](const GatewayDemand& d) {
      return d.of_p99 && (d.server == subject.kind.name || d.reference == subject.kind.name);
    });
  }

  bool AnswersRight(Subject& subject, const TokenPool& pool) {
    for (const std::string& request : requests_) {
      const int status = subject.load->StatusOf(request);
      if (status / 100 != 2) return Fail(subject, "answers a good token " + std::to_string(status));
    }
    if (!subject.kind.decides) return true;
    for (const auto& [what, request] : BadRequests(pool)) {
      const int status = subject.load->StatusOf(request);
      if (status != 401) return Fail(subject, "answers " + what + " " + std::to_string(status));
    }
    if (!subject.kind.knows_tools) return true;
    const int status = subject.load->StatusOf(RequestFor(pool.Of("RS256").front(), "administer"));
    return status == 403 || Fail(subject, "answers for a tool that needs more " + std::to_string(status));
  }

  // Slice measures one slice behind a short one that warms it up. `rate` 0: as fast as it goes.
  std::optional<LoadSlice> Slice(Subject& subject, double rate) {
    std::optional<LoadSlice> slice = subject.load->Saturate(options_.slice_s / 10);
    if (slice)
      slice =
          rate == 0 ? subject.load->Saturate(options_.slice_s) : subject.load->Offer(options_.slice_s, rate);
    if (!slice) {
      Fail(subject, subject.load->error());
    } else if (slice->wrong != 0) {
      Fail(subject, "a measured request was refused");
      slice.reset();
    }
    return slice;
  }

  const Options options_;
  std::filesystem::path directory_;
  std::vector<std::string> requests_;
  std::vector<Subject> subjects_;
  std::string error_;
};

void Print(const nlohmann::json& result) {
  std::printf("%-17s %12s %10s %12s %10s %10s %10s %10s\n", "", "requests/s", "client ns", "half of it",
              "p50 ns", "p99 ns", "p99.9 ns", "max ns");
  for (const nlohmann::json& server : result["servers"]) {
    std::printf("%-17s %12.0f %10.0f", server["name"].get<std::string>().c_str(),
                server["requests_hz"].get<double>(), server["client_ns"].get<double>());
    if (server.contains("half_load")) {
      const nlohmann::json& half = server["half_load"];
      std::printf(" %12.0f", half["requests_hz"].get<double>());
      for (const char* name : {"p50_ns", "p99_ns", "p999_ns", "max_ns"})
        std::printf(" %10llu", half[name].get<unsigned long long>());
    }
    std::printf("\n");
  }
  for (const nlohmann::json& demand : result["demands"]) {
    std::printf("%-14s %-24s %.3f", demand["outcome"].get<std::string>().c_str(),
                demand["name"].get<std::string>().c_str(), demand["ratio"].get<double>());
    if (demand["limit"] != 0)
      std::printf(", at %s %.2f", demand["at_least"].get<bool>() ? "least" : "most",
                  demand["limit"].get<double>());
    std::printf("; the reference to itself %.3f\n", demand["spread"].get<double>());
  }
}

int Main(int argc, char** argv) {
  Options options;
  if (const std::optional<int> status = ReadOptions(argc, argv, &options)) return *status;
  for (std::string* program : {&options.programs.nginx, &options.programs.haproxy}) {
    std::string found = FindProgram(*program);
    if (found.empty()) {
      std::fprintf(stderr, "bench_gateway: %s is missing\n", program->c_str());
      return options.smoke ? kExitSkipped : 2;
    }
    program->swap(found);
  }
  // A request is to leave at its time, not up to 50 µs later.
  if (!StayOnOneProcessor() || prctl(PR_SET_TIMERSLACK, 1) != 0) {
    std::fputs("bench_gateway: cannot stay on one processor\n", stderr);
    return 2;
  }
  Measurement measurement(options);
  return Measure("bench_gateway", measurement, Print, options.out);
}

}  // namespace
}  // namespace tollgate::bench

int main(int argc, char** argv) { return tollgate::bench::Main(argc, argv); }
