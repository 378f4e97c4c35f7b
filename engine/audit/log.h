#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "audit/chain.h"
#include "audit/lines.h"
#include "audit/record.h"
#include "base/marks.h"
#include "sync/byte_ring.h"
#include "sync/per_thread.h"
#include "tollgate/audit.h"
#include "tollgate/clock.h"

namespace tollgate::audit {

// CheckAuditConfig returns InvalidArgument with one line that begins with the setting's name if `config` asks
// for what AuditConfig does not allow.
absl::Status CheckAuditConfig(const AuditConfig& config);

// Log is the way of records from the threads that decide to the sink. Threads hand records over, each in a
// ring of its own; the background thread takes them from there, makes lines of them, chains these and gives
// them to the sink.
//
// That Submit returns true means that the record lies in the ring: if the process lives and the sink works
// (again), it will be written, in the order of its thread. What a crash takes along is what lies in the
// rings, and in the one batch that the sink is being given. While the sink fails, records of
// AuditDuty::kMustRecord are refused, beginning with the end of the Drain that found out.
//
// Wants and Submit: thread-safe. Drain and Close: one thread at a time, and not with each other.
class Log {
 public:
  // `config` was checked and has a sink. `chain_id` is random.
  Log(const AuditConfig& config, const std::array<uint8_t, 16>& chain_id);
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Wants says whether a decision about a class with this duty is to be recorded, and counts: call it once
  // for each decision. Wait-free; but for a thread's first call no allocation, no lock and no system call.
  TOLLGATE_INLINE bool Wants(AuditDuty duty, Verdict verdict) noexcept {
    if (duty == AuditDuty::kNone) return false;
    if (duty != AuditDuty::kSampled || verdict != Verdict::kAllow) return true;
    Lane* const lane = Mine();
    return lane == nullptr || lane->Sample(sample_one_in_);
  }
  // SampleOneIn is what the record of such a decision says of itself.
  uint32_t SampleOneIn(AuditDuty duty, Verdict verdict) const {
    return duty == AuditDuty::kSampled && verdict == Verdict::kAllow ? sample_one_in_ : 1;
  }

  // Submit hands a record over, whose texts it copies; false if it is lost (which is counted): the thread's
  // ring is full, there is no ring for the thread, the record is longer than kRecordBytesMax, or it must be
  // recorded and the sink fails. Costs a copy of the record, and otherwise as Wants.
  bool Submit(const Record& record) noexcept;

  // Submit in two steps, for whoever makes the record where it is to lie. Claim returns room for one, aligned
  // as a Record, and as many bytes in all; null if it is lost. Publish hands over the Record that was made
  // at the beginning of that room; its texts lie behind it, or outlive the log. Without Publish there was
  // none. `principal_known`: see Record.
  std::byte* Claim(AuditDuty duty, bool principal_known, size_t bytes) noexcept;
  void Publish() noexcept;

  // Drain gives the sink what was handed over before the call, and of each thread not more than its ring
  // holds. False if something is left, since the sink fails: the next Drain begins with it. May take as long
  // as the sink.
  bool Drain(const Now& now);

  // Close is a last Drain, when no thread submits any more, and writes the line that ends the chain. False if
  // something is left.
  bool Close(const Now& now);

  AuditCounters Counters() const;

 private:
  // Count adds to a counter that one thread writes, by load and store.
  static void Count(std::atomic<uint64_t>& counter, uint64_t n) {
    // Ordering: relaxed; a statistic. What was lost ahead of a record is seen with it: records are published
    // with release.
    counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }

  // Lane is what one thread has.
  struct Lane {
    Lane(size_t ring_bytes, uint32_t first_sample) : ring(ring_bytes), until_sample(first_sample) {}

    bool Sample(uint32_t one_in) {
      if (--until_sample == 0) {
        until_sample = one_in;
        return true;
      }
      Count(sampled_out, 1);
      return false;
    }

    sync::ByteRing ring;
    uint32_t until_sample;
    std::atomic<uint64_t> lost{0};
    std::atomic<uint64_t> sampled_out{0};
    uint64_t lost_taken = 0, sampled_out_taken = 0;  // The background thread's: what it has counted of these.
  };

  TOLLGATE_INLINE Lane* Mine() {
    return lanes_.Mine([this](uint64_t number) { return MakeLane(number); });
  }
  std::unique_ptr<Lane> MakeLane(uint64_t number) const;

  std::byte* LoseWithoutLane() noexcept;
  LineHead NextHead();
  void CloseLine(size_t begin);
  void Start(const Now& now);
  bool Take(Lane& lane);
  bool TakeAll();
  void AddLost(const Now& now, uint64_t begin_sequence);
  void AddCounts(const Now& now, bool stop);
  bool Flush();

  const std::shared_ptr<AuditSink> sink_;
  const size_t ring_bytes_;
  const uint32_t sample_one_in_;
  const int64_t checkpoint_interval_ms_;
  const std::string chain_id_;
  sync::PerThread<Lane> lanes_;
  std::atomic<uint64_t> lost_without_lane_{0};
  std::atomic<bool> sink_failing_{false};

  // The background thread's. Lines that are on their way to the sink, one behind the other:
  std::string batch_;
  std::vector<size_t> line_ends_;
  std::vector<std::string_view> lines_;
  uint64_t batch_decisions_ = 0;
  Chain chain_;
  ChainValue value_{};
  uint64_t sequence_ = 0;  // Of the last line.
  bool started_ = false, stopped_ = false;
  int64_t checkpoint_mono_ms_ = 0;
  // What the log says of losses, and when all lanes were last looked at.
  uint64_t lost_without_lane_taken_ = 0;
  uint64_t lost_said_ = 0;
  uint64_t looked_sequence_ = 0;
  int64_t looked_ms_ = 0;

  // Written by the background thread, for Counters.
  std::atomic<uint64_t> written_{0};
  std::atomic<uint64_t> lost_{0};
  std::atomic<uint64_t> sampled_out_{0};
  std::atomic<uint64_t> sink_failures_{0};
  mutable std::mutex error_mutex_;
  std::string error_;
};

}  // namespace tollgate::audit
