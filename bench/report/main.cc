// bench_report: judges and draws what the other programs measured. See bench/README.md.

#include <cstdio>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/report/collect.h"
#include "bench/report/html.h"

namespace {

using nlohmann::json;

constexpr char kUsage[] =
    "bench_report collect --micro FILE… --latency FILE… --gateway FILE… --outage FILE…\n"
    "                     --fleet FILE --gates FILE --mode quick|plain|full --command TEXT --commit TEXT\n"
    "                     --out results.json\n"
    "bench_report render results.json report.html\n"
    "Exit: 0 all demands met, 1 one missed (collect; the results are written all the same), 2 unusable.\n";

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

bool Write(const std::string& path, const std::string& text) {
  std::ofstream out(path);
  out << text;
  out.close();
  return out.good();
}

int Collect(const std::vector<std::string>& arguments) {
  tollgate::bench::CollectInput input;
  std::string out, list;
  for (size_t i = 1; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument.starts_with("--")) {
      list = argument;
    } else if (list == "--micro" || list == "--outage" || list == "--latency" || list == "--gateway" ||
               list == "--fleet" || list == "--gates") {
      std::optional<json> value = ReadJson(argument);
      if (!value) return 2;
      if (list == "--gates") {
        std::string error;
        std::optional<std::vector<tollgate::bench::Gate>> gates = tollgate::bench::ReadGates(*value, &error);
        if (!gates) return Fail(argument + ": " + error);
        input.gates = *std::move(gates);
      } else if (list == "--outage") {
        // A file has the scenarios of one run.
        input.outage.insert(input.outage.end(), value->begin(), value->end());
      } else if (list == "--fleet") {
        input.fleet = *std::move(value);
      } else {
        (list == "--micro"     ? input.micro
         : list == "--gateway" ? input.gateway
                               : input.latency)
            .push_back(*std::move(value));
      }
    } else if (list == "--mode") {
      input.mode = argument;
    } else if (list == "--command") {
      input.command = argument;
    } else if (list == "--commit") {
      input.commit = argument;
    } else if (list == "--out") {
      out = argument;
    } else {
      return Fail(std::string("unusable arguments\n") + kUsage);
    }
  }
  if (out.empty() || input.gates.empty() ||
      (input.mode != "quick" && input.mode != "plain" && input.mode != "full")) {
    return Fail(std::string("needs --gates, --mode and --out\n") + kUsage);
  }
  input.machine = tollgate::bench::DescribeMachine();
  const json results = tollgate::bench::Collect(input);
  if (!Write(out, results.dump(1) + "\n")) return Fail(out + " cannot be written");
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
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 3 && arguments[0] == "render") {
    const std::optional<json> results = ReadJson(arguments[1]);
    if (!results) return 2;
    if (!Write(arguments[2], tollgate::bench::RenderHtml(*results)))
      return Fail(arguments[2] + " cannot be written");
    return 0;
  }
  if (!arguments.empty() && arguments[0] == "collect") return Collect(arguments);
  const bool asked = arguments.size() == 1 && arguments[0] == "--help";
  std::fputs(kUsage, asked ? stdout : stderr);
  return asked ? 0 : 2;
} catch (const json::exception& error) {
  return Fail(std::string("not in the form that is expected: ") + error.what());
}
