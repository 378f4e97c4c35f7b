// Several processes with one snapshot, whose lock and file somebody takes away or puts back: there is one
// who writes, and what has ended does not come back.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/keys/shared_fixture.h"

namespace tollgate::keys {
namespace {

class KeyStoreLockTest : public KeyStoreSharedTest {
 protected:
  bool FileHas(std::string_view kid) const {
    return files_.Get(kSharedPath).bytes.find("\"kid\":\"" + std::string(kid) + "\"") != std::string::npos;
  }
};

TEST_F(KeyStoreLockTest, WhoseLockIsGoneNeitherWritesNorLeads) {
  const auto one = Start(), two = Start();
  one->Answer(Ok({Key(0, "a"), Key(1, "b")}));
  PassALook({one.get(), two.get()});
  Pass(timing_.refresh_max_ms * 2);
  one->Turn();
  ASSERT_TRUE(one->asks());
  files_.LoseLocks();
  PassALook({two.get()});
  ASSERT_TRUE(two->leads());
  two->Answer(Ok({Key(1, "b")}));
  const std::string before = files_.Get(kSharedPath).bytes;
  ASSERT_TRUE(one->network.CompleteOldest(Ok({Key(0, "a"), Key(1, "b"), Key(2, "c")})));
  PassALook({one.get()});
  EXPECT_EQ(files_.Get(kSharedPath).bytes, before);
  EXPECT_FALSE(one->leads());
  EXPECT_EQ(one->Find("b"), Reason::kNone);
  EXPECT_NE(one->Find("a"), Reason::kNone);
  EXPECT_NE(one->Find("c"), Reason::kNone);
  PassALook({one.get()});
  EXPECT_FALSE(one->leads());
  EXPECT_TRUE(two->leads());
}

TEST_F(KeyStoreLockTest, WhoseLockIsGoneSeesThatWithoutAnythingToWrite) {
  const auto one = Start(), two = Start();
  one->Answer(Ok({Key(0, "a")}));
  PassALook({one.get(), two.get()});
  files_.LoseLocks();
  PassALook({two.get()});
  EXPECT_LE(one->store->NextSnapshotMs(), now_ms_);
  one->Turn();
  EXPECT_TRUE(two->leads());
  EXPECT_FALSE(one->leads());
}

TEST_F(KeyStoreLockTest, WhoseLockIsGoneGoesOnIfNobodyElseHasIt) {
  const auto one = Start();
  one->Answer(Ok({Key(0, "a")}));
  PassALook({one.get()});
  const KeyRef ref = one->RefOf("a");
  files_.LoseLocks();
  PassALook({one.get()});
  EXPECT_TRUE(one->leads());
  one->Turn();
  EXPECT_FALSE(one->asks());
  EXPECT_EQ(one->RefOf("a"), ref);
  EXPECT_EQ(one->Standing().freshness, Freshness::kFresh);
  Pass(timing_.refresh_max_ms * 2);
  one->Turn();
  EXPECT_TRUE(one->asks());
}

TEST_F(KeyStoreLockTest, ALockThatGoesDuringTheWriteTakesTheAnswerAlong) {
  // The file is made in three steps, and gets its name in the fourth.
  for (const uint64_t step : {1, 2, 3}) {
    const auto one = Start(), two = Start();
    one->Answer(Ok({Key(0, "a"), Key(1, "b")}));
    PassALook({one.get(), two.get()});
    const KeyRef ref = one->RefOf("a");
    const std::string before = files_.Get(kSharedPath).bytes;
    const size_t num_names = files_.num_names();
    Pass(timing_.refresh_max_ms * 2);
    one->Turn();
    ASSERT_TRUE(one->network.CompleteOldest(Ok({Key(1, "b"), Key(2, "c")}, "\"1\"")));
    files_.DoBefore(step, [&] {
      files_.LoseLocks();
      two->Turn();
    });
    one->Turn();
    ASSERT_TRUE(two->leads()) << step;
    EXPECT_FALSE(one->leads());
    EXPECT_EQ(files_.Get(kSharedPath).bytes, before);
    EXPECT_EQ(files_.num_names(), num_names);
    EXPECT_TRUE(one->store->IsCurrent(ref));  // Nobody has seen it end.
    EXPECT_EQ(one->Find("a"), Reason::kNone);
    EXPECT_NE(one->Find("c"), Reason::kNone);
    two->Answer(Ok({Key(1, "b"), Key(2, "c")}));
    PassALook({one.get()});
    EXPECT_FALSE(one->store->IsCurrent(ref));
    EXPECT_EQ(one->Find("c"), Reason::kNone);
    ASSERT_TRUE(files_.Remove(kSharedPath).ok());
  }
}

TEST_F(KeyStoreLockTest, WhatWasNeverPublishedIsNoNameForAnything) {
  const auto one = Start();
  one->Answer(Ok({Key(0, "a")}, "\"0\""));
  PassALook({one.get()});
  Pass(timing_.refresh_max_ms * 2);
  one->Turn();
  ASSERT_TRUE(one->network.CompleteOldest(Ok({Key(1, "b")}, "\"1\"")));
  files_.DoBefore(1, [&] { files_.LoseLocks(); });
  files_.SetFault([](std::string_view what, const std::string&) {
    return what == "read" ? absl::UnavailableError("too many open files") : absl::OkStatus();
  });
  one->Turn();
  files_.SetFault(nullptr);
  PassALook({one.get()});
  ASSERT_TRUE(one->leads());
  Pass(timing_.refresh_max_ms * 2);
  one->Turn();
  ASSERT_TRUE(one->asks());
  EXPECT_NE(one->network.pending().front().if_none_match, "\"1\"");
}

TEST_F(KeyStoreLockTest, WhoLeadsPutsItsFileBack) {
  const auto one = Start(), two = Start();
  one->Answer(Ok({Key(0, "a"), Key(1, "b")}));
  PassALook({one.get(), two.get()});
  const FakeFiles::File old = files_.Get(kSharedPath);
  Pass(timing_.refresh_max_ms * 2);
  one->Answer(Ok({Key(1, "b")}));
  ASSERT_FALSE(FileHas("a"));
  files_.Put(kSharedPath, old);
  PassALook({one.get()});
  EXPECT_FALSE(FileHas("a"));
  EXPECT_TRUE(FileHas("b"));
  ASSERT_TRUE(files_.Remove(kSharedPath).ok());
  PassALook({one.get(), two.get()});
  EXPECT_TRUE(FileHas("b"));
  EXPECT_EQ(two->Find("b"), Reason::kNone);
  EXPECT_TRUE(one->leads());
  // What is not authentic does no harm, and stays until there is something to write.
  files_.Put(kSharedPath, {.bytes = "tollgate key snapshot 1 0\nhmac \n"});
  PassALook({one.get(), two.get()});
  EXPECT_FALSE(FileHas("b"));
  EXPECT_EQ(two->Find("b"), Reason::kNone);
}

TEST_F(KeyStoreLockTest, WhoLeadsTakesAwayWhatItDoesNotVouchFor) {
  const auto one = std::make_unique<Process>(*this, Two());
  one->Turn();
  ASSERT_TRUE(one->network.CompleteOldest(Ok({Key(0, "a")})));
  PassALook({one.get()});
  ASSERT_TRUE(FileHas("a"));
  // Only the other issuer, and that one not known to the leader.
  const SnapshotEntry entry{.issuer = "https://other.example",
                            .jwks_uri = "https://other.example/jwks",
                            .jwks = R"({"keys":[],"kid":"z"})",
                            .last_good_wall_s = wall_ms_ / 1000 - 60};
  const std::string key(32, 'k');
  const auto bytes = Encode({&entry, 1}, {reinterpret_cast<const uint8_t*>(key.data()), key.size()});
  files_.Put(kSharedPath, {.bytes = *bytes});
  PassALook({one.get()});
  EXPECT_TRUE(FileHas("a"));
  EXPECT_FALSE(FileHas("z"));
  EXPECT_TRUE(one->leads());
}

TEST_F(KeyStoreLockTest, WhoHasNothingWritesNothing) {
  const auto one = Start();
  for (int i = 0; i < 3; ++i) PassALook({one.get()});
  EXPECT_TRUE(one->leads());
  EXPECT_FALSE(files_.Has(kSharedPath));
}

// Somebody looked at the lock, was stopped, and gives the file its name when another one leads already.
TEST_F(KeyStoreLockTest, ANewerFileOfWhoLedBeforeIsTaken) {
  auto one = Start();
  const auto two = Start();
  one->Answer(Ok({Key(0, "a"), Key(1, "b")}));
  PassALook({one.get(), two.get()});
  const FakeFiles::File old = files_.Get(kSharedPath);
  Pass(60'000);
  ASSERT_TRUE(one->store->Refresh(kIssuer));
  one->Answer(Ok({Key(1, "b")}));
  const FakeFiles::File late = files_.Get(kSharedPath);
  files_.Put(kSharedPath, old);
  one.reset();
  PassALook({two.get()});
  ASSERT_TRUE(two->leads());
  ASSERT_EQ(two->Find("a"), Reason::kNone);
  files_.Put(kSharedPath, late);
  PassALook({two.get()});
  EXPECT_TRUE(two->leads());
  EXPECT_NE(two->Find("a"), Reason::kNone);
  EXPECT_EQ(two->Find("b"), Reason::kNone);
  Pass(timing_.refresh_max_ms * 2);
  two->Answer(Ok({Key(1, "b"), Key(2, "c")}));
  PassALook({two.get()});
  EXPECT_TRUE(FileHas("c"));
  EXPECT_FALSE(FileHas("a"));
}

TEST_F(KeyStoreLockTest, ANewLeaderAsksAtOnceForWhatTheFileDoesNotTellIt) {
  auto one = Start();
  const auto two = Start();
  one->Answer(Ok({Key(0, "a"), Key(1, "b")}));
  PassALook({one.get(), two.get()});
  const FakeFiles::File old = files_.Get(kSharedPath);
  Pass(timing_.refresh_max_ms * 2);
  one->Answer(Ok({Key(1, "b")}));
  PassALook({two.get()});
  one.reset();
  files_.Put(kSharedPath, old);
  PassALook({two.get()});
  ASSERT_TRUE(two->leads());
  two->Turn();
  EXPECT_TRUE(two->asks());
  EXPECT_NE(two->Find("a"), Reason::kNone);
  EXPECT_EQ(two->Find("b"), Reason::kNone);
}

TEST_F(KeyStoreLockTest, ANewLeaderKnowsTheAnswersThatItHasFollowedByAnyClock) {
  auto one = std::make_unique<Process>(*this, Two());
  const auto two = std::make_unique<Process>(*this, Two());
  one->Turn();
  ASSERT_TRUE(one->network.CompleteOldest(Ok({Key(0, "a")})));
  ASSERT_TRUE(one->network.CompleteOldest(Ok({Key(1, "b")})));
  PassALook({one.get(), two.get()});
  PassALook({one.get(), two.get()});
  ASSERT_EQ(two->Find("a"), Reason::kNone);
  wall_ms_ -= 7'200'000;
  one.reset();
  PassALook({two.get()});
  ASSERT_TRUE(two->leads());
  EXPECT_EQ(two->keeper.Health(now_ms_).issuers_future_dated, 0u);
  // The second issuer's answer is written together with the first one's.
  ASSERT_TRUE(two->store->Refresh("https://other.example"));
  Pass(timing_.cooldown_ms);
  two->Turn();
  for (const FetchRequest& request : two->network.pending()) {
    if (request.url == "https://other.example/jwks")
      two->network.Complete(request.id, Ok({Key(1, "b"), Key(2, "c")}));
  }
  PassALook({two.get()});
  ASSERT_TRUE(FileHas("c"));
  const auto three = std::make_unique<Process>(*this, Two());
  EXPECT_EQ(three->Find("a"), Reason::kNone);
}

TEST_F(KeyStoreLockTest, AHostThatTellsEverybodyHasNobodyAskForever) {
  const auto one = Start(), two = Start(), three = Start();
  one->Answer(Ok({Key(0, "a")}));
  PassALook({one.get(), two.get(), three.get()});
  ASSERT_EQ(two->Find("forged"), Reason::kKeyPending);
  const std::vector<Process*> all = {one.get(), two.get(), three.get()};
  const auto pass = [&](int looks) {
    const size_t before = one->network.num_requests();
    for (int i = 0; i < looks; ++i) {
      Pass(FollowMs(timing_, true));
      for (Process* const process : all) {
        if (process->asks()) process->network.CompleteOldest(Ok({Key(0, "a")}));
        process->wanted.clear();
        process->Turn();
        for (const std::string& issuer : process->wanted) {
          for (Process* const told : all) EXPECT_TRUE(told->store->Refresh(issuer));
        }
      }
    }
    return one->network.num_requests() - before;
  };
  const int per_cooldown = static_cast<int>(timing_.cooldown_ms / FollowMs(timing_, true));
  EXPECT_GE(pass(3 * per_cooldown), 1u);
  ASSERT_EQ(two->Find("forged"), Reason::kKeyUnknown);
  pass(2 * per_cooldown);
  EXPECT_EQ(pass(4 * per_cooldown), 0u);
}

// Locks go at any moment but between the last look at them and the file's name, and answers come late.
TEST_F(KeyStoreLockTest, AKeyThatHasEndedNeverComesBackWhoeverTakesTheLocksAway) {
  timing_.refresh_min_ms = timing_.refresh_max_ms = 10'000;
  timing_.cooldown_ms = 1000;
  const std::vector<nlohmann::json> both = {Key(0, "a"), Key(1, "b")}, rest = {Key(1, "b")};
  int num_ended = 0, num_lost = 0;
  for (uint32_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto below = [&](uint32_t n) { return random() % n; };
    static_cast<void>(files_.Remove(kSharedPath));  // Of the seed before.
    std::vector<std::unique_ptr<Process>> all;
    for (int i = 0; i < 3; ++i) all.push_back(Start());
    all[0]->Answer(Ok(both));
    PassALook({all[0].get(), all[1].get(), all[2].get()});
    bool removed = false, ended = false;
    size_t turning = 0;
    std::vector<bool> seen(all.size(), false);
    std::vector<size_t> num_before(all.size(), SIZE_MAX);  // Requests that the key's end came after.
    for (int step = 0; step < 500; ++step) {
      const size_t i = below(3);
      Process& process = *all[i];
      switch (below(9)) {
        case 0:
          files_.LoseLocks();
          break;
        case 1:
          files_.DoBefore(1 + below(3), [&, other = below(3)] {
            files_.LoseLocks();
            ++num_lost;
            if (other != turning) all[other]->Turn();
          });
          break;
        case 2:
          if (below(4) == 0) {
            all[i] = Start();
            seen[i] = false;
            num_before[i] = removed ? 0 : SIZE_MAX;
          }
          break;
        case 3:
          if (removed || step < 20) break;
          removed = true;
          for (size_t k = 0; k < all.size(); ++k) num_before[k] = all[k]->network.num_requests();
          break;
        case 4:
          Pass(below(8000));
          break;
        default:
          turning = i;
          process.Turn();
          if (process.asks() && below(3) != 0)
            process.network.CompleteOldest(Ok(process.network.num_requests() > num_before[i] ? rest : both));
      }
      for (size_t k = 0; k < all.size(); ++k) {
        const bool has = all[k]->Find("a") == Reason::kNone;
        if (all[k]->Find("b") != Reason::kNone) continue;
        if (!has) seen[k] = ended = true;
        ASSERT_FALSE(has && seen[k]) << "process " << k << ", step " << step;
      }
      ASSERT_FALSE(ended && FileHas("a")) << "step " << step;
    }
    files_.DoBefore(0, nullptr);
    num_ended += ended;
  }
  EXPECT_GT(num_ended, 100);
  EXPECT_GT(num_lost, 100);
}

}  // namespace
}  // namespace tollgate::keys
