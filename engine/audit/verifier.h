#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "audit/chain.h"
#include "json/document.h"

namespace tollgate::audit {

// ChainFault is why a log is not what was written.
enum class ChainFault : uint8_t {
  kNone,
  kTooLong,       // A line beyond kLineBytesMax.
  kNotARecord,    // No line of such a log: nothing of a torn line follows it, see Verifier.
  kNoBeginning,   // The first line begins no chain, and what is ahead of it is not known.
  kOtherKey,      // The chain was begun without a key, or with one, and the other thing is known.
  kNotContinued,  // A chain begins that does not continue the one before it.
  kAnotherChain,  // A line of another chain.
  kBehindEnd,     // A line behind the one that ended its chain.
  kMissing,       // Lines are missing ahead of it.
  kOutOfOrder,    // It belongs further ahead, or has been there.
  kChanged,       // It was changed, or another one put in its place; or the key is another one.
};

// ChainFaultText is one line for people. Static storage.
std::string_view ChainFaultText(ChainFault fault);

// Verifier reads the lines of a log, of several files one after the other, and says whether they are what was
// written: none changed, inserted, removed or in another place. What it cannot see is the end: lines may be
// missing there unless closed() (docs/audit.md).
//
// A line that was not written to its end is no fault if what follows accounts for it: the whole line, of
// which it is the beginning, in the next file, or a chain that begins by saying how long it is.
// Owner thread only.
class Verifier {
 public:
  // `key` is the chain's, empty if it has none. `after` is the value of the line ahead of the first one, for
  // logs whose beginning is elsewhere. Allocates some 16 times the longest line, 5 MB at the most.
  Verifier(std::span<const uint8_t> key, std::optional<ChainValue> after);

  // Line takes the next line, without its line break; `ended` says whether there was one. Once there was a
  // fault it stays. The fault concerns the line before this one if fault_is_of_line_before().
  ChainFault Line(std::string_view line, bool ended);
  // End is for the end of the last file: a line that nothing accounts for is a fault, unless it is the last
  // one and has no line break: it may be just being written.
  ChainFault End();
  bool fault_is_of_line_before() const { return fault_is_of_line_before_; }

  struct Sums {
    uint64_t lines = 0;      // Whole ones.
    uint64_t decisions = 0;  // Of these.
    uint64_t chains = 0;     // That begin here.
    uint64_t unclosed = 0;   // That another one continues though they had not ended.
    uint64_t lost = 0;       // Records that the log itself says were lost.
    uint64_t unfinished = 0;
  };
  const Sums& sums() const { return sums_; }
  // Of the last line: its value, sequence number and time (milliseconds since 1970), whether it ends its
  // chain, and how often a chain that has not ended has a line; 0: not known.
  const ChainValue& value() const { return value_; }
  uint64_t sequence() const { return sequence_; }
  int64_t time_ms() const { return time_ms_; }
  bool closed() const { return stopped_; }
  int64_t checkpoint_interval_ms() const { return checkpoint_interval_ms_; }
  // Of the line that is at fault with kMissing or kOutOfOrder: its sequence number, where sequence() + 1 was
  // to come.
  uint64_t sequence_found() const { return sequence_found_; }
  // A chain that begins here continues one that is not here; empty: none, or it is known to.
  const std::optional<ChainValue>& continues_unseen() const { return continues_unseen_; }

 private:
  struct Parsed;
  bool Parse(std::string_view line, Parsed* parsed);
  ChainFault Check(const Parsed& parsed);
  ChainFault CheckStart(const Parsed& parsed);
  bool AccountsForTorn(const Parsed& parsed, std::string_view line) const;

  Chain chain_;
  size_t document_bytes_ = 0;
  std::optional<json::Document> document_;  // For lines of up to so many bytes.
  bool value_known_;
  ChainValue value_{};
  std::string chain_id_;  // Empty: not known.
  uint64_t sequence_ = 0;
  int64_t time_ms_ = 0;
  bool stopped_ = false;
  int64_t checkpoint_interval_ms_ = 0;
  uint64_t sequence_found_ = 0;
  std::optional<ChainValue> continues_unseen_;
  // A line that is no record, until the next one has been seen.
  std::optional<std::string> torn_;
  bool torn_ended_ = false;
  ChainFault fault_ = ChainFault::kNone;
  bool fault_is_of_line_before_ = false;
  Sums sums_;
};

}  // namespace tollgate::audit
