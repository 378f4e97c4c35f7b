// audit_reader: a log is whole exactly if a model says so, and what is written is whole until a bit changes
//
// Functions: audit::Verifier; audit::Log, Chain. The input is taken in three ways. As a log: if it is whole,
// each line's value is that of its text and of the line before. As a log without its chain values, which the
// target adds, as somebody would who has the key: whole exactly if the model accepts, and at fault at the
// same line. As the texts of two records: what the log writes of them is whole and, to another JSON library,
// what was handed over; with one bit changed anywhere it is at fault.

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "audit/log.h"
#include "audit/verifier.h"
#include "fuzz/fuzz.h"
#include "tests/json/strict_oracle.h"

namespace tollgate::fuzz {
namespace {

using audit::ChainFault;
using audit::ChainValue;
using nlohmann::json;

constexpr std::string_view kKey = "the key that the fuzz target has";
constexpr size_t kNoFault = SIZE_MAX;

std::span<const uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::vector<std::string> Lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    lines.emplace_back(text.substr(0, text.find('\n')));
    text.remove_prefix(std::min(text.size(), lines.back().size() + 1));
  }
  return lines;
}

// Verify returns the line at fault.
size_t Verify(const std::vector<std::string>& lines, std::string_view key) {
  audit::Verifier verifier(Bytes(key), std::nullopt);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (verifier.Line(lines[i], true) != ChainFault::kNone) return i - verifier.fault_is_of_line_before();
  }
  return verifier.End() == ChainFault::kNone ? kNoFault : lines.size() - 1;
}

std::string Text(const json& object, const char* name) {
  if (!object.is_object()) return {};
  const auto member = object.find(name);
  return member != object.end() && member->is_string() ? member->get<std::string>() : std::string();
}

int64_t Number(const json& object, const char* name) {
  if (!object.is_object()) return 0;
  const auto member = object.find(name);
  if (member == object.end() || !member->is_number_integer()) return 0;
  if (member->is_number_unsigned() && member->get<uint64_t>() > uint64_t{INT64_MAX}) return 0;
  return std::max<int64_t>(0, member->get<int64_t>());
}

bool IsHex(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == text.npos;
}

// Model holds the rules of docs/audit.md, over lines that this target has chained: their values are right.
class Model {
 public:
  // The value that the line has to be chained to.
  static ChainValue Before(const json& line, const ChainValue& previous) {
    const json unmapped = line.is_object() ? line.value("unmapped", json()) : json();
    if (Text(unmapped, "record") != "start") return previous;
    return audit::ChainValueFromHex(Text(unmapped, "continues")).value_or(ChainValue{});
  }

  // FaultAt returns the line at fault.
  size_t FaultAt(const std::vector<std::string>& lines) {
    for (size_t i = 0; i < lines.size(); ++i) {
      const std::optional<json> line = Record(lines[i]);
      if (torn_) {
        const bool accounted =
            line && !torn_->empty() && Text((*line)["unmapped"], "record") == "start" &&
            static_cast<size_t>(Number((*line)["unmapped"], "unfinished_bytes")) == torn_->size();
        if (!accounted) return i - 1;
        torn_.reset();
      }
      if (!line) {
        torn_ = lines[i];
      } else if (!Continue(*line)) {
        return i;
      }
    }
    return torn_ ? lines.size() - 1 : kNoFault;
  }

 private:
  static std::optional<json> Record(const std::string& text) {
    const std::string_view mark = ",\"chain\":\"";
    if (text.size() < mark.size() + 67 || !test::StrictOracle::Accepts(text)) return std::nullopt;
    const std::string value = text.substr(text.size() - 67, 64);
    if (text.substr(text.size() - 67 - mark.size(), mark.size()) != mark || !text.ends_with("\"}}") ||
        !IsHex(value)) {
      return std::nullopt;
    }
    json line = json::parse(text);
    if (!line.is_object() || !line.contains("unmapped")) return std::nullopt;
    const json& unmapped = line["unmapped"];
    const bool good = Text(unmapped, "chain") == value && !Text(unmapped, "record").empty() &&
                      !Text(unmapped, "chain_id").empty() && line.contains("metadata") &&
                      Number(line["metadata"], "sequence") > 0;
    if (!good) return std::nullopt;
    const bool continues = unmapped.contains("continues") && unmapped["continues"].is_string();
    if (continues && !IsHex(Text(unmapped, "continues"))) return std::nullopt;
    return line;
  }

  bool Continue(const json& line) {
    const json& unmapped = line["unmapped"];
    const std::string record = Text(unmapped, "record"), id = Text(unmapped, "chain_id");
    const int64_t sequence = Number(line["metadata"], "sequence");
    if (record == "start") {
      if (Text(unmapped, "chain_algorithm") != "HMAC-SHA-256" || sequence != 1 || id == chain_id_)
        return false;
      if (!value_.empty() && Text(unmapped, "continues") != value_) return false;
    } else if (id != chain_id_ || stopped_ || sequence != sequence_ + 1) {
      return false;
    }
    chain_id_ = id;
    sequence_ = sequence;
    stopped_ = record == "stop";
    value_ = Text(unmapped, "chain");
    return true;
  }

  std::optional<std::string> torn_;
  std::string chain_id_, value_;
  int64_t sequence_ = 0;
  bool stopped_ = false;
};

// ChainLines gives each line that is an object within an object its value.
std::vector<std::string> ChainLines(std::vector<std::string> lines) {
  audit::Chain chain(Bytes(kKey));
  ChainValue value{};
  for (std::string& line : lines) {
    if (!line.ends_with("}}")) continue;
    const json parsed = json::parse(line, nullptr, /*allow_exceptions=*/false);
    line.resize(line.size() - 2);
    value = chain.Close(Model::Before(parsed, value), &line);
  }
  return lines;
}

bool ExpectModel(std::string_view input) {
  const std::vector<std::string> lines = ChainLines(Lines(input));
  const size_t fault = Verify(lines, kKey);
  Expect(fault == Model().FaultAt(lines), "a line is at fault exactly if the model says so");
  return fault == kNoFault && !lines.empty();
}

bool ExpectValues(std::string_view input) {
  const std::vector<std::string> lines = Lines(input);
  if (lines.empty() || Verify(lines, {}) != kNoFault) return false;
  ChainValue value{};
  for (const std::string& line : lines) {
    const json parsed = json::parse(line, nullptr, /*allow_exceptions=*/false);
    const std::string hex = parsed.is_object() ? Text(parsed.value("unmapped", json()), "chain") : "";
    if (hex.empty()) continue;  // A line that was not finished.
    const ChainValue before = Model::Before(parsed, value);
    std::string text(audit::kChainPurpose);
    text.append(before.begin(), before.end());
    text += line.substr(0, line.rfind(",\"chain\""));
    value = crypto::Sha256(text);
    Expect(audit::Hex(value) == hex, "the value is that of the text and of the line before");
  }
  return true;
}

class Kept final : public AuditSink {
 public:
  absl::Status Write(std::span<const std::string_view> given) override {
    lines.insert(lines.end(), given.begin(), given.end());
    return absl::OkStatus();
  }
  std::vector<std::string> lines;
};

void ExpectWritten(std::string_view input) {
  const auto sink = std::make_shared<Kept>();
  audit::Log log({.sink = sink, .key = std::string(kKey), .ring_bytes = size_t{64} << 10}, {1});
  const std::string_view tool = input.substr(0, input.size() / 2), subject = input.substr(input.size() / 2);
  audit::Record record = {.tool = tool, .principal_known = true, .subject = subject, .scopes = input};
  if (!log.Submit(record)) return Expect(input.size() > 2048, "there is room");
  record.roles = subject;
  log.Submit(record);
  Expect(log.Close({.wall_s = 1'800'000'000, .mono_ms = 0}), "the sink takes it");
  Expect(Verify(sink->lines, kKey) == kNoFault, "what is written is whole");
  const json line = json::parse(sink->lines[1]);
  const auto is_ascii = [](char c) { return static_cast<uint8_t>(c) < 0x80; };
  if (std::all_of(input.begin(), input.end(), is_ascii)) {
    Expect(Text(line["api"], "operation") == tool && Text(line["actor"]["user"], "uid") == subject,
           "and is what was handed over");
  }
  size_t at = input.size() * 2654435761u;
  for (const char c : input) at = at * 31 + static_cast<uint8_t>(c);
  std::string& changed = sink->lines[at % sink->lines.size()];
  changed[at / 8 % changed.size()] ^= static_cast<char>(1 << at % 8);
  // What has become a line break makes two lines.
  std::string all;
  for (const std::string& each : sink->lines) all += each + "\n";
  Expect(Verify(Lines(all), kKey) != kNoFault, "a changed bit shows");
}

}  // namespace

bool Accepts(std::string_view input) {
  const bool as_it_is = ExpectValues(input), chained = ExpectModel(input);
  ExpectWritten(input);
  return as_it_is || chained;
}

}  // namespace tollgate::fuzz
