// bench_report: judges and draws what the other programs measured. See bench/README.md.

#include <cstdio>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/lib/command_line.h"
#include "bench/lib/json_file.h"
#include "bench/report/collect.h"
#include "bench/report/html.h"

namespace {

using nlohmann::json;

int Fail(const std::string& why) {
  std::fprintf(stderr, "bench_report: %s\n", why.c_str());
  return 2;
}

std::optional<json> ReadJson(const std::string& path) {
  std::ifstream in(path);
  json value = json::parse(in, nullptr, false);
  if (!value.is_discarded()) return value;
  std::fprintf(stderr, "bench_report: %s cannot be read as JSON\n", path.c_str());
  return std::nullopt;
}

struct Files {
  std::vector<std::string> micro, latency, gateway, outage;
  std::string fleet, gates;
};

// ReadAll reads files into `to`, in their order.
bool ReadAll(const std::vector<std::string>& files, std::vector<json>* to) {
  for (const std::string& file : files) {
    std::optional<json> value = ReadJson(file);
    if (!value) return false;
    to->push_back(*std::move(value));
  }
  return true;
}

int Collect(const Files& files, tollgate::bench::CollectInput input, const std::string& out) {
  std::vector<json> runs;
  if (!ReadAll(files.micro, &input.micro) || !ReadAll(files.latency, &input.latency) ||
      !ReadAll(files.gateway, &input.gateway) || !ReadAll(files.outage, &runs)) {
    return 2;
  }
  // A file has the scenarios of one run.
  for (const json& run : runs) input.outage.insert(input.outage.end(), run.begin(), run.end());
  if (!files.fleet.empty()) {
    std::optional<json> fleet = ReadJson(files.fleet);
    if (!fleet) return 2;
    input.fleet = *std::move(fleet);
  }
  const std::optional<json> limits = ReadJson(files.gates);
  if (!limits) return 2;
  std::string error;
  std::optional<std::vector<tollgate::bench::Gate>> gates = tollgate::bench::ReadGates(*limits, &error);
  if (!gates) return Fail(files.gates + ": " + error);
  input.gates = *std::move(gates);
  input.machine = tollgate::bench::DescribeMachine();
  const json results = tollgate::bench::Collect(input);
  if (!tollgate::bench::WriteJsonFile("bench_report", out, results)) return 2;
  for (const json& gate : results.at("gates")) {
    std::printf("%-12s %-24s %.3f (limit %.3f)\n", gate.at("outcome").get<std::string>().c_str(),
                gate.at("name").get<std::string>().c_str(), gate.at("observed").get<double>(),
                gate.at("limit").get<double>());
  }
  for (const json& line : results.at("warnings"))
    std::printf("warning: %s\n", line.get<std::string>().c_str());
  for (const json& line : results.at("failures"))
    std::printf("FAILED: %s\n", line.get<std::string>().c_str());
  return results.at("passed").get<bool>() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app(
      "Judges and draws what the other programs measured.\n"
      "Exit: 0 all demands met, 1 one missed (collect; the results are written all the same), 2 unusable.",
      "bench_report");
  app.require_subcommand(1);
  Files files;
  tollgate::bench::CollectInput input;
  std::string out, results_path, html_path;
  CLI::App* const collect = app.add_subcommand("collect", "make one file of all, and judge it");
  collect->add_option("--micro", files.micro, "FILE… of bench_micro and bench_hot");
  collect->add_option("--latency", files.latency, "FILE… of bench_latency");
  collect->add_option("--gateway", files.gateway, "FILE… of bench_gateway");
  collect->add_option("--outage", files.outage, "FILE… of bench_outage");
  collect->add_option("--fleet", files.fleet, "FILE of bench_fleet");
  collect->add_option("--gates", files.gates, "bench/gates.json")->required();
  collect->add_option("--mode", input.mode, "how long all was measured")
      ->required()
      ->check(CLI::IsMember({"quick", "plain", "full"}));
  collect->add_option("--command", input.command, "that made these files");
  collect->add_option("--commit", input.commit, "of which the programs are");
  collect->add_option("--out", out, "results.json")->required();
  CLI::App* const render = app.add_subcommand("render", "draw it");
  render->add_option("results.json", results_path)->required();
  render->add_option("report.html", html_path)->required();
  if (const std::optional<int> status = tollgate::bench::ParseCommandLine(app, argc, argv)) return *status;
  if (collect->parsed()) return Collect(files, std::move(input), out);
  const std::optional<json> results = ReadJson(results_path);
  if (!results) return 2;
  std::ofstream html(html_path);
  return (html << tollgate::bench::RenderHtml(*results)).flush() ? 0 : Fail("cannot write " + html_path);
} catch (const json::exception& error) {
  return Fail(std::string("not in the form that is expected: ") + error.what());
}
