// Several processes with one snapshot: one fetches, the others have what it has, and its place is taken when
// it goes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/keys/shared_fixture.h"

namespace tollgate::keys {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(KeyStoreSharedTest, OneFetchesAndTheOthersFollow) {
  const auto one = Start(), two = Start(), three = Start();
  EXPECT_TRUE(one->leads());
  EXPECT_FALSE(two->leads() || three->leads());
  EXPECT_THAT(two->wanted, ElementsAre(kIssuer));
  EXPECT_EQ(two->Find("a"), Reason::kKeysNeverFetched);
  one->Answer(Ok({Key(0, "a")}));
  for (Process* const process : {two.get(), three.get()}) {
    const int settled = process->num_settled;
    PassALook({process});
    EXPECT_GT(process->num_settled, settled);
    EXPECT_EQ(process->Find("a"), Reason::kNone);
    EXPECT_EQ(process->Standing().freshness, Freshness::kFresh);
    EXPECT_FALSE(process->asks());
    EXPECT_EQ(process->store->Health(now_ms_)[0].fetches, 0u);
  }
  // The same answer once more: younger keys for all, and nobody but the first has asked.
  Pass(timing_.refresh_max_ms * 2);
  EXPECT_EQ(two->Standing().freshness, Freshness::kStale);
  one->Answer(Ok({Key(0, "a")}));
  PassALook({two.get(), three.get()});
  EXPECT_EQ(two->Standing().freshness, Freshness::kFresh);
  EXPECT_FALSE(two->asks() || three->asks());
}

TEST_F(KeyStoreSharedTest, AFileThatSaysNothingNewIsNotTakenAgain) {
  const auto one = Start(), two = Start();
  one->Answer(Ok({Key(0, "a")}));
  PassALook({two.get()});
  const KeyRef ref = two->RefOf("a");
  const int settled = two->num_settled;
  PassALook({two.get()});
  EXPECT_EQ(two->num_settled, settled);
  EXPECT_EQ(two->RefOf("a"), ref);
  // Another key beside it leaves it what it was.
  Pass(timing_.refresh_max_ms * 2);
  one->Answer(Ok({Key(0, "a"), Key(1, "b")}));
  PassALook({one.get(), two.get()});
  EXPECT_EQ(two->RefOf("a"), ref);
  EXPECT_EQ(two->Find("b"), Reason::kNone);
}

TEST_F(KeyStoreSharedTest, ARemovalEndsTheKeyForAll) {
  const auto one = Start(), two = Start();
  one->Answer(Ok({Key(0, "a"), Key(1, "b")}));
  PassALook({two.get()});
  const KeyRef ref = two->RefOf("a");
  ASSERT_TRUE(two->store->IsCurrent(ref));
  Pass(timing_.refresh_max_ms * 2);
  one->Answer(Ok({Key(1, "b")}));
  PassALook({two.get()});
  EXPECT_FALSE(two->store->IsCurrent(ref));
  EXPECT_EQ(two->Find("b"), Reason::kNone);
  EXPECT_NE(two->Find("a"), Reason::kNone);
}

TEST_F(KeyStoreSharedTest, WithoutAFileThereAreNoKeys) {
  const auto one = Start(), two = Start();
  one->Answer(Ok({Key(0, "a")}));
  PassALook({two.get()});
  const KeyRef ref = two->RefOf("a");
  // As whoever cannot write a removal does.
  ASSERT_TRUE(files_.Remove(kSharedPath).ok());
  PassALook({two.get()});
  EXPECT_FALSE(two->store->IsCurrent(ref));
  EXPECT_EQ(two->Find("a"), Reason::kKeysNeverFetched);
  EXPECT_EQ(two->Standing().freshness, Freshness::kUnavailable);
  // What is there in its place, and is not authentic, counts for nothing.
  files_.Put(kSharedPath, {.bytes = "tollgate key snapshot 1 0\nhmac \n"});
  PassALook({two.get()});
  EXPECT_EQ(two->Find("a"), Reason::kKeysNeverFetched);
  Pass(timing_.refresh_max_ms * 2);
  one->Answer(Ok({Key(0, "a")}));
  PassALook({two.get()});
  EXPECT_EQ(two->Find("a"), Reason::kNone);
}

TEST_F(KeyStoreSharedTest, TheStalenessBoundCountsFromTheAnswer) {
  const auto one = Start(), two = Start();
  one->Answer(Ok({Key(0, "a")}));
  Pass(timing_.staleness_bound_ms / 2);
  PassALook({two.get()});
  EXPECT_EQ(two->Find("a"), Reason::kNone);
  const int64_t age_ms = two->Standing().age_ms;
  EXPECT_GE(age_ms, timing_.staleness_bound_ms / 2);
  EXPECT_LE(age_ms, timing_.staleness_bound_ms / 2 + timing_.file_interval_ms + 3000);
  Pass(timing_.staleness_bound_ms / 2 + 1);
  EXPECT_EQ(two->Find("a"), Reason::kKeysTooStale);
  // Not by the clock of whoever begins later, either.
  EXPECT_EQ(Start()->Find("a"), Reason::kKeysNeverFetched);
}

TEST_F(KeyStoreSharedTest, AnOlderFileIsNotTaken) {
  const auto one = Start(), two = Start();
  one->Answer(Ok({Key(0, "a"), Key(1, "b")}));
  PassALook({two.get()});
  const FakeFiles::File old = files_.Get(kSharedPath);
  Pass(timing_.refresh_max_ms * 2);
  one->Answer(Ok({Key(1, "b")}));
  PassALook({two.get()});
  files_.Put(kSharedPath, old);
  PassALook({two.get()});
  EXPECT_NE(two->Find("a"), Reason::kNone);
  EXPECT_EQ(two->Find("b"), Reason::kNone);
}

TEST_F(KeyStoreSharedTest, AnUnknownKidHasTheLeaderAskOncePerCooldown) {
  const auto one = Start(), two = Start();
  one->Answer(Ok({Key(0, "a")}));
  Pass(timing_.cooldown_ms);
  PassALook({one.get(), two.get()});
  two->wanted.clear();
  two->Turn();
  EXPECT_THAT(two->wanted, IsEmpty());
  EXPECT_EQ(two->Find("b"), Reason::kKeyPending);
  two->Turn();  // At once, not when the next look is due.
  EXPECT_THAT(two->wanted, ElementsAre(kIssuer));
  EXPECT_FALSE(one->store->Refresh("https://other.example"));
  EXPECT_TRUE(one->store->Refresh(kIssuer));
  one->Answer(Ok({Key(0, "a"), Key(1, "b")}));
  Pass(FollowMs(timing_, true));
  two->Turn();
  EXPECT_EQ(two->Find("b"), Reason::kNone);
  // However often it is asked for, the next one waits for the cooldown.
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(one->store->Refresh(kIssuer));
  one->Turn();
  EXPECT_FALSE(one->asks());
  Pass(timing_.cooldown_ms);
  one->Turn();
  EXPECT_TRUE(one->asks());
}

TEST_F(KeyStoreSharedTest, AKidIsAbsentOnceAnAnswerToALaterQuestionLacksIt) {
  const auto one = Start(), two = Start();
  one->Answer(Ok({Key(0, "a")}));
  PassALook({two.get()});
  EXPECT_EQ(two->Find("forged"), Reason::kKeyPending);
  // One more answer may have been asked for before, as far as its file tells; the next but one was not.
  int num_answers = 0;
  for (; num_answers < 3 && two->Find("forged") == Reason::kKeyPending; ++num_answers) {
    Pass(timing_.cooldown_ms);
    ASSERT_TRUE(one->store->Refresh(kIssuer));
    one->Answer(Ok({Key(0, "a")}));
    PassALook({one.get(), two.get()});
  }
  EXPECT_EQ(two->Find("forged"), Reason::kKeyUnknown);
  EXPECT_EQ(num_answers, 2);
  // Who asks for another one begins anew.
  EXPECT_EQ(two->Find("forged too"), Reason::kKeyPending);
}

TEST_F(KeyStoreSharedTest, AnAnswerThatMayHaveBeenAskedForBeforeSettlesNothing) {
  timing_.cooldown_ms = 1000;
  timing_.file_interval_ms = 500;
  const auto one = Start(), two = Start();
  one->Answer(Ok({Key(0, "a")}));
  PassALook({two.get()});
  EXPECT_EQ(two->Find("forged"), Reason::kKeyPending);
  int64_t first_ms = 0;  // When the first answer had come that lacks it.
  for (int i = 0; i < 10 && two->Find("forged") == Reason::kKeyPending; ++i) {
    Pass(timing_.cooldown_ms);
    ASSERT_TRUE(one->store->Refresh(kIssuer));
    one->Answer(Ok({Key(0, "a")}));
    PassALook({one.get(), two.get()});
    if (first_ms == 0) first_ms = now_ms_;
  }
  EXPECT_EQ(two->Find("forged"), Reason::kKeyUnknown);
  EXPECT_GE(now_ms_ - first_ms, timing_.fetch_timeout_ms);
}

TEST_F(KeyStoreSharedTest, WhoGoesIsReplacedByOneWhoAsksWhenItWouldHave) {
  auto one = Start();
  const auto two = Start();
  one->Answer(Ok({Key(0, "a")}));
  PassALook({two.get()});
  const KeyRef ref = two->RefOf("a");
  one.reset();  // Whatever its end, the lock ends with it.
  PassALook({two.get()});
  EXPECT_TRUE(two->leads());
  two->Turn();
  EXPECT_FALSE(two->asks());
  EXPECT_EQ(two->RefOf("a"), ref);
  EXPECT_EQ(two->Standing().freshness, Freshness::kFresh);
  Pass(timing_.refresh_max_ms * 2);
  two->Turn();
  ASSERT_TRUE(two->asks());
  // What the other one has written is known: this is a removal, which is written before it is seen.
  const auto three = Start();
  EXPECT_EQ(three->Find("a"), Reason::kNone);
  two->Answer(Ok({Key(1, "b")}));
  EXPECT_FALSE(two->store->IsCurrent(ref));
  PassALook({three.get()});
  EXPECT_NE(three->Find("a"), Reason::kNone);
  EXPECT_EQ(three->Find("b"), Reason::kNone);
}

TEST_F(KeyStoreSharedTest, ARestartOfAllAsksAtOnceAndServesMeanwhile) {
  auto one = Start();
  one->Answer(Ok({Key(0, "a")}));
  one.reset();
  Pass(60'000);
  const auto next = Start();
  EXPECT_TRUE(next->leads());
  EXPECT_EQ(next->Find("a"), Reason::kNone);
  next->Turn();
  EXPECT_TRUE(next->asks());
}

TEST_F(KeyStoreSharedTest, WhoStepsDownNeitherFetchesNorWritesAnyMore) {
  const auto one = Start(), two = Start();
  one->Answer(Ok({Key(0, "a")}));
  PassALook({two.get()});
  Pass(timing_.refresh_max_ms * 2);
  one->Turn();
  ASSERT_TRUE(one->asks());
  one->store->StepDown();
  EXPECT_FALSE(one->leads());
  const std::string before = files_.Get(kSharedPath).bytes;
  // The answer to what it has asked before comes to nothing.
  ASSERT_TRUE(one->network.CompleteOldest(Ok({Key(0, "a"), Key(2, "late")})));
  one->Turn();
  EXPECT_EQ(files_.Get(kSharedPath).bytes, before);
  EXPECT_NE(one->Find("late"), Reason::kNone);
  PassALook({one.get(), two.get()});
  EXPECT_FALSE(one->leads());
  EXPECT_TRUE(two->leads());
  two->Answer(Ok({Key(1, "b")}));
  PassALook({one.get()});
  EXPECT_EQ(one->Find("b"), Reason::kNone);
  EXPECT_NE(one->Find("a"), Reason::kNone);
  EXPECT_FALSE(one->asks());
}

TEST_F(KeyStoreSharedTest, AnotherSourceIsNoneOfTheIssuers) {
  const auto one = Start(), two = Start("https://idp.example/other");
  one->Answer(Ok({Key(0, "a")}));
  PassALook({two.get()});
  EXPECT_EQ(two->Find("a"), Reason::kKeysNeverFetched);
  EXPECT_EQ(two->keeper.Health(now_ms_).issuers_source_changed, 1u);
}

TEST_F(KeyStoreSharedTest, WithoutALockNobodyFetches) {
  files_.SetFault([](std::string_view what, const std::string& path) {
    EXPECT_TRUE(what != "lock" || path == "/keys/snapshot.lock");
    return what == "lock" ? absl::UnavailableError("the disk fails") : absl::OkStatus();
  });
  const auto one = Start();
  one->Turn();
  EXPECT_FALSE(one->leads() || one->asks());
  EXPECT_EQ(one->keeper.Health(now_ms_).write_error, "the lock: the disk fails");
  files_.SetFault(nullptr);
  PassALook({one.get()});
  EXPECT_TRUE(one->leads() && one->keeper.Health(now_ms_).write_error.empty());
}

TEST_F(KeyStoreSharedTest, WhoStepsDownHasTheBackgroundLookAtOnce) {
  const auto one = Start();
  one->Answer(Ok({Key(0, "a")}));
  int num_wakes = 0;
  one->store->SetWaker([&] { ++num_wakes; });
  one->store->StepDown();
  EXPECT_EQ(num_wakes, 1);
  EXPECT_LE(one->store->NextSnapshotMs(), now_ms_);
  one->store->StepDown();
  EXPECT_EQ(num_wakes, 1);
}

TEST_F(KeyStoreSharedTest, ALateKeyIsAskedForAgainAndAgainByThoseWhoFollow) {
  const auto one = Start(), two = Start();
  one->Answer(Ok({Key(0, "a")}));
  PassALook({one.get(), two.get()});
  // Tokens name a key that the issuer does not show yet: each answer in vain leads to another question.
  for (int i = 0; i < 6; ++i) {
    EXPECT_NE(two->Find("late"), Reason::kNone);
    two->wanted.clear();
    Pass(FollowMs(timing_, true));
    two->Turn();
    EXPECT_THAT(two->wanted, ElementsAre(kIssuer)) << i;
    Pass(timing_.cooldown_ms);
    ASSERT_TRUE(one->store->Refresh(kIssuer));
    one->Answer(Ok({Key(0, "a")}));
    PassALook({one.get(), two.get()});
    Pass(timing_.cooldown_ms);
  }
  EXPECT_EQ(two->Find("late"), Reason::kKeyUnknown);
}

TEST_F(KeyStoreSharedTest, WhoStepsDownTakesNoEarlierAnswerForTheOneThatItAskedFor) {
  const auto one = Start(), two = Start();
  one->Answer(Ok({Key(0, "a")}));
  Pass(timing_.cooldown_ms);
  PassALook({one.get(), two.get()});
  EXPECT_EQ(one->Find("b"), Reason::kKeyPending);
  one->Turn();
  ASSERT_TRUE(one->asks());
  one->store->StepDown();
  one->Turn();
  EXPECT_EQ(one->Find("b"), Reason::kKeyPending);
  PassALook({one.get(), two.get()});
  EXPECT_EQ(one->Find("b"), Reason::kKeyPending);
  ASSERT_TRUE(two->leads());
  ASSERT_TRUE(two->store->Refresh(kIssuer));
  two->Answer(Ok({Key(0, "a"), Key(1, "b")}));
  PassALook({two.get(), one.get()});
  EXPECT_EQ(one->Find("b"), Reason::kNone);
}

TEST_F(KeyStoreSharedTest, AChangeOfAFollowersIssuerSettlesNothing) {
  const auto one = Start(), two = Start();
  one->Answer(Ok({Key(0, "a")}));
  PassALook({two.get()});
  const uint64_t num_fetches = two->store->Health(now_ms_)[0].fetches;
  EXPECT_EQ(two->Find("b"), Reason::kKeyPending);
  Pass(timing_.cooldown_ms);
  ASSERT_TRUE(one->store->Refresh(kIssuer));
  one->Answer(Ok({Key(0, "a")}));
  PassALook({one.get(), two.get()});
  ASSERT_EQ(two->Find("b"), Reason::kKeyPending);
  IssuerConfig issuer;
  issuer.issuer = kIssuer;
  issuer.jwks_uri = "https://idp.example/jwks";
  ASSERT_TRUE(two->store->ChangeIssuer(issuer).ok());
  PassALook({two.get()});
  const sync::ReadScope scope(two->blocks);
  const IssuerKey* key = nullptr;
  const auto position = two->store->FindIssuer(scope, kIssuer);
  ASSERT_TRUE(position);
  EXPECT_EQ(two->store->Find(scope, *position, true, "a", Algorithm::kEs256, now_ms_, &key), Reason::kNone);
  EXPECT_EQ(two->store->Find(scope, *position, true, "b", Algorithm::kEs256, now_ms_, &key),
            Reason::kKeyPending);
  EXPECT_EQ(two->store->Health(now_ms_)[0].fetches, num_fetches);
}

TEST_F(KeyStoreSharedTest, AfterARemovalThatCouldNotBeWrittenTheFileComesBackWithTheDisk) {
  const auto one = Start(), two = Start();
  one->Answer(Ok({Key(0, "a"), Key(1, "b")}));
  PassALook({one.get(), two.get()});
  Pass(timing_.refresh_max_ms * 2);
  files_.SetFault([](std::string_view what, const std::string&) {
    return what == "write" ? absl::ResourceExhaustedError("the disk is full") : absl::OkStatus();
  });
  one->Answer(Ok({Key(1, "b")}));
  PassALook({two.get()});
  EXPECT_EQ(two->Find("b"), Reason::kKeysNeverFetched);
  files_.SetFault(nullptr);
  PassALook({one.get(), two.get()});
  EXPECT_EQ(two->Find("b"), Reason::kNone);
  EXPECT_NE(two->Find("a"), Reason::kNone);
}

TEST_F(KeyStoreSharedTest, ANewLeaderThatCannotReadForAMomentLosesNobodysKeys) {
  const std::vector<IssuerConfig> issuers = Two();
  auto one = std::make_unique<Process>(*this, issuers);
  const auto two = std::make_unique<Process>(*this, issuers),
             three = std::make_unique<Process>(*this, issuers);
  one->Turn();
  ASSERT_TRUE(one->network.CompleteOldest(Ok({Key(0, "a")})));
  ASSERT_TRUE(one->network.CompleteOldest(Ok({Key(1, "b")})));
  one->Turn();
  PassALook({one.get(), two.get(), three.get()});
  ASSERT_EQ(three->Find("a"), Reason::kNone);
  one.reset();
  files_.SetFault([](std::string_view what, const std::string& path) {
    return what == "read" && path == kSharedPath ? absl::UnavailableError("too many open files")
                                                 : absl::OkStatus();
  });
  PassALook({two.get()});
  files_.SetFault(nullptr);
  PassALook({two.get()});
  ASSERT_TRUE(two->leads());
  // The first issuer does not answer, the second one does.
  Pass(timing_.refresh_max_ms * 2);
  two->Turn();
  ASSERT_EQ(two->network.pending().size(), 2u);
  for (const FetchRequest& request : two->network.pending()) {
    const bool first = request.url == "https://idp.example/jwks";
    two->network.Complete(request.id, first ? Broken(FetchOutcome::kTimedOut) : Ok({Key(1, "b")}));
  }
  two->Turn();
  PassALook({two.get(), three.get()});
  EXPECT_EQ(two->Find("a"), Reason::kNone);
  EXPECT_EQ(three->Find("a"), Reason::kNone);
}

TEST_F(KeyStoreSharedTest, AFileThatCannotBeReadForGoodStopsNobodyFromLeading) {
  files_.SetFault([](std::string_view what, const std::string& path) {
    return what == "read" && path == kSharedPath ? absl::UnavailableError("the disk fails")
                                                 : absl::OkStatus();
  });
  const auto one = Start();
  for (int i = 0; i < 10; ++i) PassALook({one.get()});
  EXPECT_TRUE(one->leads() && one->asks());
}

TEST_F(KeyStoreSharedTest, AClockThatIsSetBackMakesNoKeysYounger) {
  auto one = Start();
  const auto two = Start();
  one->Answer(Ok({Key(0, "a")}));
  PassALook({one.get(), two.get()});
  Pass(timing_.staleness_bound_ms / 2);
  const int64_t age_ms = two->Standing().age_ms;
  // The same answer once more, since somebody takes over.
  wall_ms_ -= timing_.staleness_bound_ms / 2;
  one.reset();
  PassALook({two.get()});
  ASSERT_TRUE(two->leads());
  EXPECT_GE(two->Standing().age_ms, age_ms);
  Pass(timing_.staleness_bound_ms / 2);
  EXPECT_EQ(two->Find("a"), Reason::kKeysTooStale);
}

TEST_F(KeyStoreSharedTest, AnOlderFileIsNotTakenAfterNoneEither) {
  const auto one = Start(), two = Start();
  one->Answer(Ok({Key(0, "a"), Key(1, "b")}));
  PassALook({one.get(), two.get()});
  const FakeFiles::File old = files_.Get(kSharedPath);
  Pass(timing_.refresh_max_ms * 2);
  one->Answer(Ok({Key(1, "b")}));
  PassALook({two.get()});
  const FakeFiles::File last = files_.Get(kSharedPath);
  ASSERT_TRUE(files_.Remove(kSharedPath).ok());
  PassALook({two.get()});
  files_.Put(kSharedPath, old);
  PassALook({two.get()});
  EXPECT_EQ(two->Find("a"), Reason::kKeysNeverFetched);
  files_.Put(kSharedPath, last);
  PassALook({two.get()});
  EXPECT_EQ(two->Find("b"), Reason::kNone);
  EXPECT_NE(two->Find("a"), Reason::kNone);
}

TEST_F(KeyStoreSharedTest, ALockThatFailedOnceIsNoFaultOfWhoFollows) {
  const auto one = Start();
  files_.SetFault([](std::string_view what, const std::string&) {
    return what == "lock" ? absl::UnavailableError("the disk fails") : absl::OkStatus();
  });
  const auto two = Start();
  EXPECT_FALSE(two->keeper.Health(now_ms_).write_error.empty());
  files_.SetFault(nullptr);
  PassALook({two.get()});
  EXPECT_EQ(two->keeper.Health(now_ms_).write_error, "");
}

TEST_F(KeyStoreSharedTest, KidsOfManyIssuersDoNotHaveTheFileReadOnceForEach) {
  std::vector<IssuerConfig> issuers;
  for (int i = 0; i < 50; ++i) {
    IssuerConfig issuer;
    issuer.issuer = "https://idp" + std::to_string(i) + ".example";
    issuer.jwks_uri = issuer.issuer + "/jwks";
    issuers.push_back(issuer);
  }
  Process one(*this, issuers), two(*this, issuers);
  for (const IssuerConfig& issuer : issuers) one.network.SetAnswer(issuer.jwks_uri, Ok({Key(0, "a")}));
  for (int i = 0; i < 10; ++i) PassALook({&one, &two});
  ASSERT_EQ(two.Find("a"), Reason::kNone);
  two.Turn();
  const uint64_t num_reads = files_.num_reads();
  for (uint32_t i = 0; i < 50; ++i) {
    const sync::ReadScope scope(two.blocks);
    const IssuerKey* key = nullptr;
    EXPECT_EQ(two.store->Find(scope, i, true, "forged", Algorithm::kEs256, now_ms_, &key),
              Reason::kKeyPending);
    two.store->NextSnapshotMs();
    two.Turn();
    if (i % 10 == 9) Pass(1);
  }
  EXPECT_LE(files_.num_reads() - num_reads, 2u);
}

// A mirror that lags still lists a key that the first place has ended.
TEST_F(KeyStoreSharedTest, AMirrorThatLagsTakesNobodysKeys) {
  IssuerConfig issuer;
  issuer.issuer = kIssuer;
  issuer.jwks_uri = "https://idp.example/jwks";
  issuer.fallbacks = {{.jwks_uri = "https://mirror.example/jwks"}};
  const auto one = std::make_unique<Process>(*this, std::vector<IssuerConfig>{issuer});
  const auto two = std::make_unique<Process>(*this, std::vector<IssuerConfig>{issuer});
  const std::string first = "https://idp.example/jwks", mirror = "https://mirror.example/jwks";
  one->network.SetAnswer(mirror, Ok({Key(0, "a"), Key(1, "b")}));
  for (const auto& answer : {Ok({Key(0, "a"), Key(1, "b")}), Ok({Key(1, "b")}), Status(503)}) {
    one->network.SetAnswer(first, answer);
    Pass(timing_.refresh_max_ms * 2);
    for (int i = 0; i < 3; ++i) PassALook({one.get(), two.get()});
    EXPECT_EQ(two->Find("b"), Reason::kNone);
  }
  ASSERT_EQ(one->store->Health(now_ms_)[0].key_place, 1u);
  EXPECT_NE(two->Find("a"), Reason::kNone);
  EXPECT_EQ(two->Standing().age_ms / 60'000, 0);
  EXPECT_EQ(Start()->Find("a"), Reason::kKeysNeverFetched);  // It does not know the mirror.
}

}  // namespace
}  // namespace tollgate::keys
