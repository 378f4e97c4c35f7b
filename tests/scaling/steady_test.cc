// Steady hits send nothing from core to core, on however many cores: the engine's own code, traced on 128
// threads. What would send something is found, by the same count.

#include <pthread.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "tests/scaling/world.h"

namespace tollgate::scaling {
namespace {

constexpr size_t kThreadsMax = 128;
constexpr size_t kHits = 64;  // Of one thread.
constexpr std::array<size_t, 5> kThreads = {1, 2, 8, 32, kThreadsMax};
// 128: where processors fetch lines in pairs, two neighbours are as one.
constexpr std::array<size_t, 2> kLineBytes = {64, 128};

using Traces = std::vector<std::vector<Access>>;

struct Stack {
  uintptr_t begin = 0;
  uintptr_t end = 0;
  bool Has(uint64_t address) const { return address >= begin && address < end; }
};

Stack OwnStack() {
  pthread_attr_t attributes;
  void* begin = nullptr;
  size_t size = 0;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return {};
  pthread_attr_getstack(&attributes, &begin, &size);
  pthread_attr_destroy(&attributes);
  return {reinterpret_cast<uintptr_t>(begin), reinterpret_cast<uintptr_t>(begin) + size};
}

// EachLine visits the lines of each access in `trace`, and the ends of hits with line 0.
template <typename Visit>
void EachLine(Trace trace, size_t line_bytes, Visit visit) {
  for (const Access& access : trace) {
    const uint64_t first = access.address / line_bytes;
    const uint64_t last = access.kind == Kind::kEnd ? 0 : (access.address + access.size - 1) / line_bytes;
    for (uint64_t line = first; line <= last; ++line) visit(access, line);
  }
}

// PerCall is what one call of Check, or of CheckBatch, accesses at most.
struct PerCall {
  size_t accesses = 0;
  size_t lines_read = 0;
  size_t lines_read_by_others = 0;  // Of these, other threads read them too.
  size_t lines_stored = 0;
  size_t lines_stored_elsewhere = 0;  // Not on the thread's own stack.

  void Raise(const PerCall& other) {
    accesses = std::max(accesses, other.accesses);
    lines_read = std::max(lines_read, other.lines_read);
    lines_read_by_others = std::max(lines_read_by_others, other.lines_read_by_others);
    lines_stored = std::max(lines_stored, other.lines_stored);
    lines_stored_elsewhere = std::max(lines_stored_elsewhere, other.lines_stored_elsewhere);
  }
};

// By line: who accesses it, kSeveral if more than one.
using Users = absl::flat_hash_map<uint64_t, size_t>;
constexpr size_t kSeveral = SIZE_MAX;

PerCall Count(Trace trace, const Stack& stack, const Users& users, size_t line_bytes) {
  PerCall most;
  size_t accesses = 0;
  std::set<uint64_t> read, shared, stored, elsewhere;
  EachLine(trace, line_bytes, [&](const Access& access, uint64_t line) {
    if (access.kind == Kind::kEnd) {
      if (access.size != 0)
        most.Raise({accesses, read.size(), shared.size(), stored.size(), elsewhere.size()});
      accesses = 0;
      for (auto* lines : {&read, &shared, &stored, &elsewhere}) lines->clear();
      return;
    }
    if (line == access.address / line_bytes) ++accesses;
    if (access.kind == Kind::kLoad) {
      read.insert(line);
      if (users.at(line) == kSeveral) shared.insert(line);
    } else {
      stored.insert(line);
      if (!stack.Has(access.address)) elsewhere.insert(line);
    }
  });
  return most;
}

PerCall CountAll(const Traces& traces, const std::vector<Stack>& stacks, size_t line_bytes) {
  Users users;
  for (size_t i = 0; i < traces.size(); ++i) {
    EachLine(traces[i], line_bytes, [&](const Access&, uint64_t line) {
      size_t& user = users.try_emplace(line, i).first->second;
      if (user != i) user = kSeveral;
    });
  }
  PerCall most;
  for (size_t i = 0; i < traces.size(); ++i) {
    const PerCall one = Count(traces[i], stacks[i], users, line_bytes);
    EXPECT_EQ(one.lines_stored_elsewhere, 1u) << "the thread's block, where it counts its hits";
    most.Raise(one);
  }
  return most;
}

class SteadyTest : public ::testing::Test {
 protected:
  explicit SteadyTest(size_t threads = kThreadsMax) : world_({.num_threads = threads}), stacks_(threads) {
    for (size_t i = 0; i < threads; ++i) {
      world_.crew().On(i, [&] { stacks_[i] = OwnStack(); });
    }
  }

  // Run records two rounds of hits of each thread, after one that only warms: every hit of them is to find
  // marked what it marks.
  void Run(Form form, bool same, Beside beside = Nothing) {
    std::vector<Session> sessions;
    for (size_t i = 0; i < stacks_.size(); ++i) {
      sessions.push_back(same ? world_.SessionOf(0, 16, kHits / 16, i)
                              : world_.SessionOf(8 * i, 8, kHits / 8, 0));
    }
    size_t misses = 0;
    world_.RecordAll(sessions, form, &misses, beside);
    first_ = world_.RecordAll(sessions, form, &misses, beside);
    second_ = world_.RecordAll(sessions, form, &misses, beside);
    EXPECT_EQ(misses, 0u);
  }

  // Sent returns what the second round sends, on so many cores, when the first has filled their caches.
  uint64_t Sent(size_t threads, size_t line_bytes) const {
    Directory directory(line_bytes);
    EXPECT_GT(directory.Replay(Views(first_, threads)).all(), 0u);
    return directory.Replay(Views(second_, threads)).all();
  }

  std::vector<SharedLine> SharedLines(size_t line_bytes) const {
    return FindSharedLines(Views(second_, second_.size()), line_bytes);
  }

  World world_;
  std::vector<Stack> stacks_;  // By thread.
  Traces first_;
  Traces second_;
};

struct Case {
  const char* name;
  Form form;
  bool same;  // All threads ask for the same 16 tokens, or each for its own.
};
constexpr Case kCases[] = {
    {"Check, tokens of its own", Form::kCheck, false},
    {"Check, the same 16 tokens", Form::kCheck, true},
    {"with Principal, tokens of its own", Form::kCheckWithPrincipal, false},
    {"with Principal, the same 16 tokens", Form::kCheckWithPrincipal, true},
    {"CheckBatch, tokens of its own", Form::kCheckBatch, false},
    {"CheckBatch, the same 16 tokens", Form::kCheckBatch, true},
};

TEST_F(SteadyTest, HitsSendNothingFromCoreToCore) {
  std::printf("%-35s line hits accesses | lines: read, others too, stored, off stack | messages per hit on",
              "");
  for (const size_t threads : kThreads) std::printf(" %zu", threads);
  std::printf(" cores\n");
  for (const Case& at : kCases) {
    SCOPED_TRACE(at.name);
    Run(at.form, at.same);
    const bool is_batch = at.form == Form::kCheckBatch;
    for (const size_t line_bytes : kLineBytes) {
      const PerCall most = CountAll(second_, stacks_, line_bytes);
      std::printf("%-35s %4zu %4d %8zu | %11zu %11zu %7zu %10zu |", at.name, line_bytes, is_batch ? 32 : 1,
                  most.accesses, most.lines_read, most.lines_read_by_others, most.lines_stored,
                  most.lines_stored_elsewhere);
      EXPECT_LE(most.lines_stored, is_batch ? 128u : 24u);
      for (const size_t threads : kThreads) {
        const uint64_t sent = Sent(threads, line_bytes);
        EXPECT_EQ(sent, 0u) << threads << " cores";
        std::printf(" %g", static_cast<double>(sent) / static_cast<double>(threads * kHits));
      }
      std::printf("\n");
      // Nor would they in any other order of the accesses.
      std::set<std::pair<uint32_t, uint32_t>> named;
      for (const SharedLine& line : SharedLines(line_bytes)) {
        if (!named.emplace(line.stored_by, line.used_by).second) continue;
        ADD_FAILURE() << std::hex << "a line is stored to ahead of 0x" << line.stored_by
                      << " and used by another thread ahead of 0x" << line.used_by << " (see addr2line)";
      }
    }
    for (const std::vector<Access>& trace : second_) {
      EXPECT_TRUE(std::none_of(trace.begin(), trace.end(), [](const Access& access) {
        return access.kind == Kind::kChange;
      })) << "a read-modify-write, or a lock";
    }
  }
}

// Controls: each must be seen.
class ScalingControlTest : public SteadyTest {
 protected:
  ScalingControlTest() : SteadyTest(8) {}

  // ExpectTraffic: every hit of several cores sends something, that of one alone does not.
  void ExpectTraffic() {
    EXPECT_FALSE(SharedLines(64).empty());
    EXPECT_EQ(Sent(1, 64), 0u);
    const uint64_t of_two = Sent(2, 64), of_eight = Sent(8, 64);
    EXPECT_GE(of_two, 2 * kHits);
    EXPECT_GE(of_eight, 8 * kHits);
    EXPECT_GE(of_eight, 3 * of_two);
  }
};

TEST_F(ScalingControlTest, ACounterThatAllHitsShareIsSeen) {
  std::atomic<uint64_t> counter{0};
  // Ordering: relaxed; a statistic.
  Run(Form::kCheck, false, [&] { counter.fetch_add(1, std::memory_order_relaxed); });
  ExpectTraffic();
}

TEST_F(ScalingControlTest, AnUpdateThatChangesNothingIsSeen) {
  std::atomic<uint64_t> cell{0};
  // Ordering: relaxed; nothing is published.
  Run(Form::kCheck, false, [&] { cell.fetch_add(0, std::memory_order_relaxed); });
  ExpectTraffic();
  Run(Form::kCheck, false, [&] {
    uint64_t expected = 1;
    // Ordering: relaxed, as above.
    cell.compare_exchange_strong(expected, 2, std::memory_order_relaxed);
  });
  ExpectTraffic();
}

TEST_F(ScalingControlTest, AStoreOfWhatIsThereAlreadyIsSeen) {
  std::atomic<uint64_t> cell{0};
  // Ordering: relaxed; nothing is published.
  Run(Form::kCheck, false, [&] { cell.store(0, std::memory_order_relaxed); });
  ExpectTraffic();
}

TEST_F(ScalingControlTest, BlocksOfTwoThreadsInOneLineAreSeen) {
  Run(Form::kCheck, false);
  EXPECT_EQ(Sent(8, 64), 0u);
  EXPECT_TRUE(SharedLines(64).empty());
  // All blocks where the first one is.
  std::vector<uint64_t> blocks;
  for (size_t i = 0; i < second_.size(); ++i) {
    for (const Access& access : second_[i]) {
      const bool stores = access.kind == Kind::kStore || access.kind == Kind::kChange;
      if (stores && !stacks_[i].Has(access.address)) blocks.push_back(access.address / 64);
      if (blocks.size() > i) break;
    }
  }
  ASSERT_EQ(blocks.size(), 8u);
  for (Traces* traces : {&first_, &second_}) {
    for (size_t i = 0; i < traces->size(); ++i) {
      for (Access& access : (*traces)[i]) {
        if (access.address / 64 == blocks[i]) access.address = blocks[0] * 64 + access.address % 64;
      }
    }
  }
  ExpectTraffic();
  EXPECT_EQ(SharedLines(64).size(), 1u);
}

}  // namespace
}  // namespace tollgate::scaling
