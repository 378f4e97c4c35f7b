#include "tools/cli/audit.h"

#include <cstdint>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "audit/chain.h"
#include "audit/verifier.h"
#include "tools/cli/console.h"

namespace tollgate::cli {
namespace {

using audit::ChainFault;
using audit::Verifier;
using nlohmann::ordered_json;

constexpr int kExitBroken = 1;
constexpr size_t kKeyBytesMin = 32, kKeyBytesMax = 4096;

int Print(const ordered_json& json, int exit_code) {
  std::cout << json.dump(-1, ' ', /*ensure_ascii=*/true, ordered_json::error_handler_t::replace) << '\n';
  return Written(exit_code);
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

int RunVerify(const std::vector<std::string>& files, const std::string& key_file,
              const std::string& after_hex) {
  std::string key;
  if (!key_file.empty()) {
    std::optional<std::string> read = ReadFile(key_file, kKeyBytesMax);
    if (!read) return Fail("cannot read " + key_file);
    if (read->size() < kKeyBytesMin || read->size() > kKeyBytesMax) {
      return Fail(key_file + ": not 32 to 4096 bytes");
    }
    key = *std::move(read);
  }
  std::optional<audit::ChainValue> after;
  if (!after_hex.empty()) {
    after = audit::ChainValueFromHex(after_hex);
    if (!after) return Fail("--after must be a chain value: 64 digits of lower-case hex");
  }

  Verifier verifier({reinterpret_cast<const uint8_t*>(key.data()), key.size()}, after);
  Place place, before;
  for (const std::string& name : files) {
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

AuditCommands::AuditCommands(CLI::App* app)
    : group_(app->add_subcommand("audit", "Audit logs: say whether one is as it was written.")) {
  group_->require_subcommand(0, 1);  // Said in our own words below.
  verify_ = group_->add_subcommand(
      "verify", "Say whether a log is whole, or which is its first line that is not as it was written.");
  verify_->footer("One JSON object. Exit: 0 the log is whole, 1 it is not.");
  verify_->add_option("files", files_, "The files of the log, the oldest first")->required();
  verify_->add_option("--key-file", key_file_, "The file that holds the key of its chain");
  verify_->add_option(
      "--after", after_,
      "The chain value of the line ahead of the first one, where the log's beginning is gone");
}

int AuditCommands::Run() const {
  if (verify_->parsed()) return RunVerify(files_, key_file_, after_);
  return Fail("no command: audit verify; --help teaches");
}

}  // namespace tollgate::cli
