#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "audit/chain.h"
#include "audit/record.h"

namespace tollgate::audit {

// What stands in the lines of a log, all of it but the end that Chain::Close appends: events of OCSF 1.3,
// API Activity for a decision, Application Lifecycle for the log's own. docs/audit.md has every member.

inline constexpr std::string_view kSchemaVersion = "1.3.0";

// LineHead is what a line has whatever it is about.
struct LineHead {
  uint64_t sequence = 0;        // The first line of a chain is 1.
  std::string_view chain_id{};  // In hex.
};

// AppendDecision appends the beginning of the line of one decision. What is no UTF-8 becomes U+FFFD.
void AppendDecision(const LineHead& head, const Record& record, std::string* out);

// StartLine begins a chain.
struct StartLine {
  int64_t time_ms = 0;
  bool keyed = false;
  uint32_t sample_one_in = 1;
  int64_t checkpoint_interval_ms = 0;
  std::optional<ChainValue> continues{};  // The last value of what the log already had.
  size_t unfinished_bytes = 0;            // AuditTail.
};
void AppendStart(const LineHead& head, const StartLine& start, std::string* out);

// LostLine says that records were lost, after the line `since_sequence`, which was written at `since_ms`, and
// before this one.
struct LostLine {
  int64_t time_ms = 0;
  uint64_t lost = 0;
  uint64_t since_sequence = 0;
  int64_t since_ms = 0;
};
void AppendLost(const LineHead& head, const LostLine& lost, std::string* out);

// CountsLine says what the log has come to: a checkpoint, or at its end the last word.
struct CountsLine {
  int64_t time_ms = 0;
  bool stop = false;
  uint64_t written = 0;
  uint64_t lost = 0;
  uint64_t sampled_out = 0;
  uint64_t sink_failures = 0;
};
void AppendCounts(const LineHead& head, const CountsLine& counts, std::string* out);

}  // namespace tollgate::audit
