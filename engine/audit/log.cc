#include "audit/log.h"

#include <bit>
#include <memory>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tollgate::audit {
namespace {

// A batch is given to the sink when it has this much: two lines of the longest kind at most beyond it.
constexpr size_t kBatchBytes = 256 * 1024;

std::span<const uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

int64_t WallMs(const Now& now) { return now.wall_s * 1000; }

}  // namespace

absl::Status CheckAuditConfig(const AuditConfig& config) {
  const auto refuse = [](const char* why) { return absl::InvalidArgumentError(why); };
  if (!config.key.empty() && config.key.size() < 32) return refuse("key: less than 32 bytes");
  if (!std::has_single_bit(config.ring_bytes) || config.ring_bytes < size_t{64} << 10 ||
      config.ring_bytes > size_t{64} << 20) {
    return refuse("ring_bytes: not a power of two from 64 KiB to 64 MiB");
  }
  if (config.threads_max == 0 || config.threads_max > 65'536) return refuse("threads_max: not 1 to 65536");
  if (config.sample_one_in == 0 || config.sample_one_in > 1'000'000'000) {
    return refuse("sample_one_in: not 1 to 1000000000");
  }
  if (config.checkpoint_interval_ms < 1000 || config.checkpoint_interval_ms > 86'400'000) {
    return refuse("checkpoint_interval_ms: not 1000 to 86400000");
  }
  if (config.sink == nullptr) return absl::OkStatus();
  const absl::Status sink = config.sink->Check();
  return sink.ok() ? sink : absl::InvalidArgumentError(absl::StrCat("sink: ", sink.message()));
}

Log::Log(const AuditConfig& config, const std::array<uint8_t, 16>& chain_id)
    : sink_(config.sink),
      ring_bytes_(config.ring_bytes),
      sample_one_in_(config.sample_one_in),
      checkpoint_interval_ms_(config.checkpoint_interval_ms),
      chain_id_(Hex(chain_id)),
      lanes_(config.threads_max),
      chain_(Bytes(config.key)) {}

// Which of its decisions a thread records first differs from thread to thread, so that of threads that decide
// once each one in so many is recorded, too.
std::unique_ptr<Log::Lane> Log::MakeLane(uint64_t number) const {
  return std::make_unique<Lane>(ring_bytes_, static_cast<uint32_t>(number % sample_one_in_) + 1);
}

TOLLGATE_SLOW std::byte* Log::LoseWithoutLane() noexcept {
  // Ordering: relaxed; a statistic.
  lost_without_lane_.fetch_add(1, std::memory_order_relaxed);
  return nullptr;
}

std::byte* Log::Claim(AuditDuty duty, bool principal_known, size_t bytes) noexcept {
  Lane* const lane = Mine();
  if (lane == nullptr) [[unlikely]]
    return LoseWithoutLane();
  // Ordering: relaxed; a state of the sink that may be a moment old, and guards no data.
  const bool refused = duty == AuditDuty::kMustRecord && sink_failing_.load(std::memory_order_relaxed);
  // Anybody can be denied as often as they like: for that, half of the ring has to do.
  const size_t kept = principal_known ? 0 : ring_bytes_ / 2;
  std::byte* const room = refused || bytes > kRecordBytesMax ? nullptr : lane->ring.Claim(bytes, kept);
  if (room == nullptr) [[unlikely]]
    Count(lane->lost, 1);
  return room;
}

void Log::Publish() noexcept { Mine()->ring.Publish(); }

bool Log::Submit(const Record& record) noexcept {
  std::byte* const room = Claim(record.duty, record.principal_known, StoredBytes(record));
  if (room == nullptr) return false;
  Store(record, room);
  Publish();
  return true;
}

bool Log::Drain(const Now& now) {
  if (!started_) Start(now);
  const uint64_t begin_sequence = sequence_;
  if (!Flush() || !TakeAll()) return false;
  AddLost(now, begin_sequence);
  if (now.mono_ms - checkpoint_mono_ms_ >= checkpoint_interval_ms_) {
    checkpoint_mono_ms_ = now.mono_ms;
    AddCounts(now, /*stop=*/false);
  }
  return Flush();
}

bool Log::Close(const Now& now) {
  if (!stopped_) {
    if (!Drain(now)) return false;
    AddCounts(now, /*stop=*/true);
    stopped_ = true;
  }
  return Flush();
}

AuditCounters Log::Counters() const {
  AuditCounters counters;
  // Ordering: relaxed, all four; statistics.
  counters.written = written_.load(std::memory_order_relaxed);
  counters.lost = lost_.load(std::memory_order_relaxed);
  counters.sampled_out = sampled_out_.load(std::memory_order_relaxed);
  counters.sink_failures = sink_failures_.load(std::memory_order_relaxed);
  const std::lock_guard lock(error_mutex_);
  counters.sink_error = error_;
  return counters;
}

LineHead Log::NextHead() { return {.sequence = ++sequence_, .chain_id = chain_id_}; }

// CloseLine chains the line that begins at `begin` of the batch.
void Log::CloseLine(size_t begin) {
  value_ = chain_.Close(value_, &batch_, begin);
  line_ends_.push_back(batch_.size());
}

void Log::Start(const Now& now) {
  started_ = true;
  checkpoint_mono_ms_ = now.mono_ms;
  const AuditTail tail = sink_->Tail();
  StartLine start = {.time_ms = WallMs(now),
                     .keyed = chain_.keyed(),
                     .sample_one_in = sample_one_in_,
                     .checkpoint_interval_ms = checkpoint_interval_ms_,
                     .continues = {},
                     .unfinished_bytes = tail.unfinished_bytes};
  if (const std::optional<SplitLineResult> last = SplitLine(tail.last_line)) {
    value_ = last->value;
    start.continues = value_;
  }
  AppendStart(NextHead(), start, &batch_);
  CloseLine(0);
}

// Take makes lines of what the lane has; false if the sink fails.
bool Log::Take(Lane& lane) {
  lane.ring.Look();
  while (const std::optional<std::span<const std::byte>> record = lane.ring.Next()) {
    const size_t begin = batch_.size();
    AppendDecision(NextHead(), Stored(*record), &batch_);
    CloseLine(begin);
    ++batch_decisions_;
    if (batch_.size() < kBatchBytes) continue;
    lane.ring.Release();
    if (!Flush()) return false;
  }
  lane.ring.Release();
  return true;
}

// TakeAll does so with all lanes, and counts what they have lost.
bool Log::TakeAll() {
  bool good = true;
  lanes_.Visit([&](Lane& lane) {
    good = Take(lane);
    // Ordering: relaxed, both; Take has acquired what was published, and with it what was lost before.
    const uint64_t lost = lane.lost.load(std::memory_order_relaxed);
    const uint64_t sampled_out = lane.sampled_out.load(std::memory_order_relaxed);
    Count(lost_, lost - std::exchange(lane.lost_taken, lost));
    Count(sampled_out_, sampled_out - std::exchange(lane.sampled_out_taken, sampled_out));
    return good;
  });
  // Ordering: relaxed; a statistic.
  const uint64_t lost = lost_without_lane_.load(std::memory_order_relaxed);
  Count(lost_, lost - std::exchange(lost_without_lane_taken_, lost));
  return good;
}

// AddLost says what was lost since all lanes were last looked at, `begin_sequence` being the last line before
// they were looked at now.
void Log::AddLost(const Now& now, uint64_t begin_sequence) {
  // Ordering: relaxed; this thread's own.
  const uint64_t lost = lost_.load(std::memory_order_relaxed);
  if (lost != lost_said_) {
    const size_t begin = batch_.size();
    AppendLost(NextHead(),
               {.time_ms = WallMs(now),
                .lost = lost - std::exchange(lost_said_, lost),
                .since_sequence = looked_sequence_,
                .since_ms = looked_ms_},
               &batch_);
    CloseLine(begin);
  }
  looked_sequence_ = begin_sequence;
  looked_ms_ = WallMs(now);
}

void Log::AddCounts(const Now& now, bool stop) {
  const size_t begin = batch_.size();
  // Ordering: relaxed, all four; this thread's own.
  AppendCounts(NextHead(),
               {.time_ms = WallMs(now),
                .stop = stop,
                .written = written_.load(std::memory_order_relaxed) + batch_decisions_,
                .lost = lost_.load(std::memory_order_relaxed),
                .sampled_out = sampled_out_.load(std::memory_order_relaxed),
                .sink_failures = sink_failures_.load(std::memory_order_relaxed)},
               &batch_);
  CloseLine(begin);
}

// Flush gives the sink what is on its way to it; false if the sink fails, and then it stays there.
bool Log::Flush() {
  if (line_ends_.empty()) return true;
  lines_.clear();
  size_t begin = 0;
  for (const size_t end : line_ends_) {
    lines_.push_back(std::string_view(batch_).substr(begin, end - begin));
    begin = end;
  }
  const absl::Status status = sink_->Write(lines_);
  {
    const std::lock_guard lock(error_mutex_);
    error_ = std::string(status.message());
  }
  // Ordering: relaxed; see Submit.
  sink_failing_.store(!status.ok(), std::memory_order_relaxed);
  if (!status.ok()) {
    Count(sink_failures_, 1);
    return false;
  }
  Count(written_, std::exchange(batch_decisions_, 0));
  batch_.clear();
  line_ends_.clear();
  return true;
}

}  // namespace tollgate::audit
