#include "tools/cli/audit.h"

#include <CLI/CLI.hpp>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "audit/chain.h"
#include "audit/verifier.h"

namespace tollgate::cli {
namespace {

using audit::ChainFault;
using audit::Verifier;
using nlohmann::ordered_json;

constexpr int kExitBroken = 1, kExitUnusable = 2;
constexpr size_t kKeyBytesMin = 32, kKeyBytesMax = 4096;

struct Options {
  std::vector<std::string> files;
  std::string key_file;
  std::string after;
};

int Fail(const std::string& message) {
  std::cerr << "tollgate: " << message << '\n';
  return kExitUnusable;
}

int Print(const ordered_json& json, int exit_code) {
  std::cout << json.dump(-1, ' ', /*ensure_ascii=*/true, ordered_json::error_handler_t::replace) << '\n';
  return std::cout.flush() ? exit_code : Fail("cannot write standard output");
}

// ReadLine reads the next line without its line break, `ended` if there was one; false at the end. Of a line
// that is longer than any only so much is kept that it is still too long.
bool ReadLine(std::istream& in, std::string* line, bool* ended) {
  line->clear();
  *ended = false;
  bool any = false;
  for (char c; in.get(c);) {
    any = true;
    if (c == '\n') return *ended = true;
    if (line->size() <= audit::kLineBytesMax) line->push_back(c);
  }
  return any;
}

struct Place {
  std::string file;
  uint64_t line = 0;
};

ordered_json Broken(const Verifier& verifier, ChainFault fault, const Place& place) {
  ordered_json json = {
      {"whole", false}, {"file", place.file}, {"line", place.line}, {"fault", audit::ChainFaultText(fault)}};
  if (fault == ChainFault::kMissing || fault == ChainFault::kOutOfOrder) {
    json["sequence"] = verifier.sequence_found();
    json["behind_sequence"] = verifier.sequence();
  }
  return json;
}

ordered_json Whole(const Verifier& verifier) {
  const Verifier::Sums& sums = verifier.sums();
  ordered_json json = {{"whole", true},
                       {"lines", sums.lines},
                       {"decisions", sums.decisions},
                       {"lost", sums.lost},
                       {"chains", sums.chains},
                       {"unclosed", sums.unclosed},
                       {"unfinished", sums.unfinished},
                       {"closed", verifier.closed()},
                       {"time", verifier.time_ms()},
                       {"checkpoint_interval_ms", verifier.checkpoint_interval_ms()},
                       {"sequence", verifier.sequence()},
                       {"chain", audit::Hex(verifier.value())}};
  if (verifier.continues_unseen()) json["continues"] = audit::Hex(*verifier.continues_unseen());
  return json;
}

int RunVerify(const Options& options) {
  std::string key;
  if (!options.key_file.empty()) {
    std::ifstream file(options.key_file, std::ios::binary);
    key.resize(kKeyBytesMax + 1);
    file.read(key.data(), static_cast<std::streamsize>(key.size()));
    if (file.bad() || file.gcount() == 0) return Fail("cannot read " + options.key_file);
    key.resize(static_cast<size_t>(file.gcount()));
    if (key.size() < kKeyBytesMin || key.size() > kKeyBytesMax) {
      return Fail(options.key_file + ": not 32 to 4096 bytes");
    }
  }
  std::optional<audit::ChainValue> after;
  if (!options.after.empty()) {
    after = audit::ChainValueFromHex(options.after);
    if (!after) return Fail("--after must be a chain value: 64 digits of lower-case hex");
  }

  Verifier verifier({reinterpret_cast<const uint8_t*>(key.data()), key.size()}, after);
  Place place, before;
  for (const std::string& name : options.files) {
    std::ifstream file(name, std::ios::binary);
    if (!file) return Fail("cannot read " + name);
    std::string line;
    bool ended;
    for (uint64_t number = 1; ReadLine(file, &line, &ended); ++number) {
      before = std::exchange(place, {name, number});
      const ChainFault fault = verifier.Line(line, ended);
      if (fault == ChainFault::kNone) continue;
      return Print(Broken(verifier, fault, verifier.fault_is_of_line_before() ? before : place), kExitBroken);
    }
    if (file.bad()) return Fail("cannot read " + name);
  }
  // At the end, the line before the one that does not come is the last one.
  if (const ChainFault fault = verifier.End(); fault != ChainFault::kNone) {
    return Print(Broken(verifier, fault, place), kExitBroken);
  }
  if (verifier.sums().lines == 0) return Fail("there is no line of a log");
  return Print(Whole(verifier), 0);
}

}  // namespace

std::function<std::optional<int>()> AddAudit(CLI::App* app) {
  const auto options = std::make_shared<Options>();
  CLI::App* audit = app->add_subcommand("audit", "Audit logs: verify that one is as it was written.");
  audit->require_subcommand(0, 1);
  CLI::App* verify = audit->add_subcommand(
      "verify", "Say whether a log is whole, or its first line that is not as it was written.");
  verify->add_option("files", options->files, "The files of the log, the oldest first")->required();
  verify->add_option("--key-file", options->key_file, "The file that holds the key of its chain");
  verify->add_option("--after", options->after,
                     "The chain value of the line ahead of the first one, where the log's beginning is gone");
  return [audit, verify, options]() -> std::optional<int> {
    if (!audit->parsed()) return std::nullopt;
    if (!verify->parsed()) return Fail("no command of audit: verify; --help teaches");
    return RunVerify(*options);
  };
}

}  // namespace tollgate::cli
