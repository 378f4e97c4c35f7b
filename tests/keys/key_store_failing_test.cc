// Several processes with one snapshot in a world where everything fails: processes hang, die and step down,
// locks go, disks fill, files are replaced, clocks are set, the identity provider is away.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/keys/shared_fixture.h"

namespace tollgate::keys {
namespace {

class KeyStoreFailingTest : public KeyStoreSharedTest {
 protected:
  // Worker is a process, and what the issuer had when it was asked by it.
  struct Worker {
    std::unique_ptr<Process> process;
    std::vector<std::pair<uint64_t, bool>> asked;  // Requests that wait, and whether "a" was there.
    size_t num_seen = 0;                           // Of its requests.
    bool hangs = false;
    bool saw_end = false;
  };

  static FakeAnswer Set(bool has_a) { return has_a ? Ok({Key(0, "a"), Key(1, "b")}) : Ok({Key(1, "b")}); }
  bool FileHas(std::string_view kid) const {
    return files_.Get(kSharedPath).bytes.find("\"kid\":\"" + std::string(kid) + "\"") != std::string::npos;
  }
  // TurnOf is a turn of the loop, in which some of what was asked is answered.
  template <typename Below>
  void TurnOf(Worker& worker, bool has_a, bool is_up, Below below) {
    worker.process->Turn();
    const std::vector<FetchRequest> requests = worker.process->network.requests();
    for (; worker.num_seen < requests.size(); ++worker.num_seen)
      worker.asked.emplace_back(requests[worker.num_seen].id, has_a);
    std::erase_if(worker.asked, [&](const std::pair<uint64_t, bool>& asked) {
      if (below(3) == 0) return false;
      worker.process->network.Complete(asked.first,
                                       is_up ? Set(asked.second) : Broken(FetchOutcome::kTimedOut));
      return true;
    });
  }
};

TEST_F(KeyStoreFailingTest, ARemovedKeyEndsWithinTheBoundAndTheWorldRecovers) {
  timing_.refresh_min_ms = timing_.refresh_max_ms = 10'000;
  timing_.cooldown_ms = 5000;
  timing_.staleness_bound_ms = 120'000;
  int num_ended = 0;
  std::array<int, 14> num_events{};
  for (uint32_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto below = [&](size_t n) { return static_cast<size_t>(random()) % n; };
    static_cast<void>(files_.Remove(kSharedPath));  // Of the seed before.
    std::array<Worker, 4> all;
    for (Worker& worker : all) worker.process = Start();
    std::vector<FakeFiles::File> backups;
    bool has_a = true, is_up = true;
    int64_t removed_ms = INT64_MAX, set_back_ms = 0;
    std::string broken;
    const auto check = [&](int step) {
      for (size_t i = 0; i < all.size(); ++i) {
        Worker& worker = all[i];
        const bool accepts_a = worker.process->Find("a") == Reason::kNone;
        const bool accepts_b = worker.process->Find("b") == Reason::kNone;
        if (accepts_b && !accepts_a && !has_a) worker.saw_end = true;
        // An old file is as young as it says, on a clock that has been set back.
        ASSERT_FALSE(accepts_a && worker.saw_end && set_back_ms == 0)
            << "comes back in " << i << ", step " << step;
        if (removed_ms == INT64_MAX) continue;
        // An answer was there in its time, and is dated to the second.
        ASSERT_FALSE(accepts_a && now_ms_ - removed_ms > timing_.staleness_bound_ms +
                                                             timing_.fetch_timeout_ms + 2000 + set_back_ms)
            << "outlives the bound in " << i << ", step " << step;
      }
    };
    for (int step = 0; step < 500; ++step) {
      Worker& worker = all[below(all.size())];
      const size_t event = below(40);
      if (event < num_events.size()) ++num_events[event];
      switch (event) {
        case 0:
          worker.hangs = true;
          break;
        case 1:
        case 2:
          worker.hangs = false;
          break;
        case 3:
          worker = Worker{};
          worker.process = Start();
          break;
        case 4:
          if (below(3) == 0) worker.process->store->StepDown();
          break;
        case 5:
          if (below(3) == 0) files_.LoseLocks();
          break;
        case 6:
          broken = std::array{"create", "write", "replace", "remove", "sync", "read", "lock"}[below(7)];
          files_.SetFault([broken](std::string_view what, const std::string&) {
            return what == broken ? absl::ResourceExhaustedError("no room") : absl::OkStatus();
          });
          break;
        case 7:
          files_.SetFault(nullptr);
          break;
        case 8:
          if (files_.Has(kSharedPath)) backups.push_back(files_.Get(kSharedPath));
          break;
        case 9:
          if (!backups.empty()) files_.Put(kSharedPath, backups[below(backups.size())]);
          break;
        case 10: {
          FakeFiles::File file = files_.Get(kSharedPath);
          file.mode = 0600;
          file.bytes = file.bytes.substr(0, below(file.bytes.size() + 1));
          files_.Put(kSharedPath, file);
          break;
        }
        case 11: {
          if (seed % 2 != 0) break;
          const auto by_ms = static_cast<int64_t>(below(120'000)) - 60'000;
          wall_ms_ += by_ms;
          set_back_ms -= std::min<int64_t>(by_ms, 0);
          break;
        }
        case 12:
          is_up = below(2) != 0;
          break;
        case 13:
          if (!has_a || step < 50) break;
          // Seconds are rounded: what lies this far apart is told apart.
          Pass(kSnapshotRoundingMs + timing_.fetch_timeout_ms);
          for (Worker& each : all) {
            for (const auto& asked : each.asked) each.process->network.Complete(asked.first, Set(true));
            each.asked.clear();
            if (!each.hangs) each.process->Turn();
          }
          Pass(kSnapshotRoundingMs + timing_.fetch_timeout_ms);
          has_a = false;
          removed_ms = now_ms_;
          break;
        case 14:
        case 15:
        case 16:
          Pass(static_cast<int64_t>(below(8000)));
          break;
        default:
          if (!worker.hangs) TurnOf(worker, has_a, is_up, below);
      }
      ASSERT_NO_FATAL_FAILURE(check(step));
    }
    // All is well again, but that a process may still hang that does not lead; for some it takes a moment.
    files_.SetFault(nullptr);
    has_a = false;
    for (Worker& worker : all) worker.hangs = false;
    all[0] = Worker{};
    all[0].process = Start();  // The others may have stepped down.
    for (int64_t end_ms = now_ms_ + 60'000; now_ms_ < end_ms; Pass(500)) {
      for (Worker& worker : all) TurnOf(worker, false, true, below);
    }
    size_t num_leaders = 0;
    for (Worker& worker : all) {
      num_leaders += worker.process->leads();
      EXPECT_EQ(worker.process->Find("b"), Reason::kNone);
      EXPECT_NE(worker.process->Find("a"), Reason::kNone);
      num_ended += worker.saw_end;
    }
    EXPECT_EQ(num_leaders, 1u);
    EXPECT_TRUE(FileHas("b"));
    EXPECT_FALSE(FileHas("a"));
    if (HasFailure()) return;
  }
  EXPECT_GT(num_ended, 100);
  EXPECT_THAT(num_events, ::testing::Each(::testing::Gt(100)));
}

}  // namespace
}  // namespace tollgate::keys
