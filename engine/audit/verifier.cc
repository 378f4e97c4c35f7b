#include "audit/verifier.h"

#include <algorithm>
#include <bit>

namespace tollgate::audit {

std::string_view ChainFaultText(ChainFault fault) {
  switch (fault) {
    case ChainFault::kNone:
      return "whole";
    case ChainFault::kTooLong:
      return "the line is longer than any record";
    case ChainFault::kNotARecord:
      return "the line is no record of an audit log";
    case ChainFault::kNoBeginning:
      return "the chain does not begin here, and what came before is not given";
    case ChainFault::kOtherKey:
      return "the chain was begun with a key and none is given, or without one";
    case ChainFault::kNotContinued:
      return "a chain begins that does not continue the one before it";
    case ChainFault::kAnotherChain:
      return "the line belongs to another chain";
    case ChainFault::kBehindEnd:
      return "the chain had ended before this line";
    case ChainFault::kMissing:
      return "lines are missing before this one";
    case ChainFault::kOutOfOrder:
      return "the line was further ahead, or is there twice";
    case ChainFault::kChanged:
      return "the line is not what was written, or the key is another one";
  }
  return "unknown";
}

// Parsed is what there is to know of one line. The views are valid until the next one is parsed.
struct Verifier::Parsed {
  std::string_view open;
  ChainValue value;
  std::string_view record;
  std::string_view chain_id;
  uint64_t sequence = 0;
  int64_t time_ms = 0;
  uint64_t lost = 0;
  // Of a start:
  std::string_view algorithm;
  int64_t checkpoint_interval_ms = 0;
  std::optional<ChainValue> continues;
  uint64_t unfinished_bytes = 0;
};

Verifier::Verifier(std::span<const uint8_t> key, std::optional<ChainValue> after)
    : chain_(key), value_known_(after.has_value()) {
  if (after) value_ = *after;
}

ChainFault Verifier::Line(std::string_view line, bool ended) {
  if (fault_ != ChainFault::kNone) return fault_;
  if (line.size() > kLineBytesMax) return fault_ = ChainFault::kTooLong;
  Parsed parsed;
  const bool is_record = Parse(line, &parsed);
  if (torn_) {
    if (!is_record || !AccountsForTorn(parsed, line)) {
      fault_is_of_line_before_ = true;
      return fault_ = ChainFault::kNotARecord;
    }
    torn_.reset();
    ++sums_.unfinished;
  }
  if (!is_record) {
    torn_ = std::string(line);
    torn_ended_ = ended;
    return ChainFault::kNone;
  }
  return fault_ = Check(parsed);
}

ChainFault Verifier::End() {
  if (fault_ != ChainFault::kNone || !torn_) return fault_;
  if (torn_ended_) {
    fault_is_of_line_before_ = true;
    return fault_ = ChainFault::kNotARecord;
  }
  ++sums_.unfinished;
  stopped_ = false;
  return ChainFault::kNone;
}

// Parse returns false if the line is none of a log.
bool Verifier::Parse(std::string_view line, Parsed* parsed) {
  const std::optional<SplitLineResult> split = SplitLine(line);
  if (!split) return false;
  if (line.size() > document_bytes_) document_.emplace(document_bytes_ = std::bit_ceil(line.size()));
  if (document_->Parse(line) != Reason::kNone) return false;
  const json::Value root = document_->root(), unmapped = root.Member("unmapped");
  // The end of the line is that of this object, and not of another one.
  if (unmapped.Member("chain").string() != Hex(split->value)) return false;
  const auto number = [](json::Value value) {
    return static_cast<uint64_t>(std::max<int64_t>(value.int64().value_or(0), 0));
  };
  *parsed = {.open = split->open,
             .value = split->value,
             .record = unmapped.Member("record").string().value_or(""),
             .chain_id = unmapped.Member("chain_id").string().value_or(""),
             .sequence = number(root.Member("metadata").Member("sequence")),
             .time_ms = root.Member("time").int64().value_or(0),
             .lost = number(unmapped.Member("lost")),
             .algorithm = unmapped.Member("chain_algorithm").string().value_or(""),
             .checkpoint_interval_ms = unmapped.Member("checkpoint_interval_ms").int64().value_or(0),
             .continues = {},
             .unfinished_bytes = number(unmapped.Member("unfinished_bytes"))};
  if (const std::optional<std::string_view> hex = unmapped.Member("continues").string()) {
    parsed->continues = ChainValueFromHex(*hex);
    if (!parsed->continues) return false;
  }
  return !parsed->record.empty() && !parsed->chain_id.empty() && parsed->sequence != 0;
}

bool Verifier::AccountsForTorn(const Parsed& parsed, std::string_view line) const {
  if (torn_->empty()) return false;
  return (parsed.record == "start" && parsed.unfinished_bytes == torn_->size()) ||
         (!torn_ended_ && line.starts_with(*torn_));
}

ChainFault Verifier::Check(const Parsed& parsed) {
  const bool start = parsed.record == "start";
  sequence_found_ = parsed.sequence;
  if (start) {
    if (const ChainFault fault = CheckStart(parsed); fault != ChainFault::kNone) return fault;
  } else {
    if (!value_known_) return ChainFault::kNoBeginning;
    if (chain_id_.empty()) {  // The first line of all, behind one that is elsewhere.
      chain_id_ = parsed.chain_id;
      sequence_ = parsed.sequence - 1;
    }
    if (parsed.chain_id != chain_id_) return ChainFault::kAnotherChain;
    if (stopped_) return ChainFault::kBehindEnd;
    if (parsed.sequence > sequence_ + 1) return ChainFault::kMissing;
    if (parsed.sequence < sequence_ + 1) return ChainFault::kOutOfOrder;
  }
  const ChainValue before = !start ? value_ : parsed.continues.value_or(ChainValue{});
  if (!crypto::EqualInConstantTime(chain_.Next(before, parsed.open), parsed.value)) {
    return ChainFault::kChanged;
  }
  if (start) {
    ++sums_.chains;
    if (value_known_ && !stopped_ && !chain_id_.empty()) ++sums_.unclosed;
    chain_id_ = parsed.chain_id;
    checkpoint_interval_ms_ = parsed.checkpoint_interval_ms;
    if (!value_known_) continues_unseen_ = parsed.continues;
  }
  ++sums_.lines;
  if (parsed.record == "decision") ++sums_.decisions;
  if (parsed.record == "lost") sums_.lost += parsed.lost;
  stopped_ = parsed.record == "stop";
  value_known_ = true;
  value_ = parsed.value;
  sequence_ = parsed.sequence;
  time_ms_ = parsed.time_ms;
  return ChainFault::kNone;
}

ChainFault Verifier::CheckStart(const Parsed& parsed) {
  // A key that is known is demanded: who has it does not begin a chain that anybody could compute.
  if (parsed.algorithm != ChainAlgorithm(chain_.keyed())) return ChainFault::kOtherKey;
  if (parsed.chain_id == chain_id_) {
    return parsed.sequence <= sequence_ ? ChainFault::kOutOfOrder : ChainFault::kMissing;
  }
  if (value_known_ && parsed.continues != value_) return ChainFault::kNotContinued;
  return parsed.sequence == 1 ? ChainFault::kNone : ChainFault::kMissing;
}

}  // namespace tollgate::audit
