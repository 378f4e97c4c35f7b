#include "revocation/revocation_list.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

#include "base/limits.h"

namespace tollgate::revocation {
namespace {

constexpr int64_t kNow = 1'000;
constexpr int64_t kUntil = 2'000;

Candidate Someone() {
  Candidate candidate;
  candidate.issuer = "3";
  candidate.key_id = "kid";
  candidate.key_thumbprint = "thumbprint";
  candidate.subject = "alice";
  candidate.jwt_id = "jti";
  candidate.issued_at = kNow;
  return candidate;
}

TEST(RevocationListTest, CoversNothingAtFirst) {
  const RevocationList list;
  EXPECT_TRUE(list.Empty());
  EXPECT_EQ(list.Covers(Someone()), Reason::kNone);
  EXPECT_EQ(list.epoch(), 1u);
}

TEST(RevocationListTest, CoversWhatWasRevokedAndNothingElse) {
  RevocationList list;
  ASSERT_TRUE(list.RevokeToken("3", "jti", kUntil, kNow).ok());
  EXPECT_EQ(list.Covers(Someone()), Reason::kTokenRevoked);
  Candidate other = Someone();
  other.jwt_id = "jti2";
  EXPECT_EQ(list.Covers(other), Reason::kNone);
  other = Someone();
  other.issuer = "4";
  EXPECT_EQ(list.Covers(other), Reason::kNone);
  // A name means what it was revoked as: a subject called like a revoked token is another thing.
  other = Someone();
  other.jwt_id = "";
  other.subject = "jti";
  EXPECT_EQ(list.Covers(other), Reason::kNone);
}

TEST(RevocationListTest, TheKeyCountsBeforeTheSubjectAndThatBeforeTheToken) {
  RevocationList list;
  ASSERT_TRUE(list.RevokeToken("3", "jti", kUntil, kNow).ok());
  ASSERT_TRUE(list.RevokeSubject("3", "alice", kUntil, kNow).ok());
  EXPECT_EQ(list.Covers(Someone()), Reason::kSubjectRevoked);
  ASSERT_TRUE(list.RevokeKey("3", "thumbprint", kUntil, kNow).ok());
  EXPECT_EQ(list.Covers(Someone()), Reason::kKeyRevoked);
}

TEST(RevocationListTest, AKeyIsMatchedByThumbprintOrKid) {
  for (const char* name : {"thumbprint", "kid"}) {
    RevocationList list;
    ASSERT_TRUE(list.RevokeKey("3", name, kUntil, kNow).ok());
    EXPECT_EQ(list.Covers(Someone()), Reason::kKeyRevoked) << name;
  }
}

TEST(RevocationListTest, ASubjectIsCoveredUpToTheMomentOfTheRevocation) {
  RevocationList list;
  ASSERT_TRUE(list.RevokeSubject("3", "alice", kUntil, kNow).ok());
  Candidate candidate = Someone();
  EXPECT_EQ(list.Covers(candidate), Reason::kSubjectRevoked) << "issued in the same second";
  candidate.issued_at = kNow + 1;
  EXPECT_EQ(list.Covers(candidate), Reason::kNone);
  candidate.issued_at = INT64_MIN;
  EXPECT_EQ(list.Covers(candidate), Reason::kSubjectRevoked) << "without iat";
}

TEST(RevocationListTest, RevokingAgainExtendsAndNeverShortens) {
  RevocationList list;
  ASSERT_TRUE(list.RevokeSubject("3", "alice", kUntil, kNow).ok());
  ASSERT_TRUE(list.RevokeSubject("3", "alice", kUntil - 500, kNow + 100).ok());
  EXPECT_EQ(list.size(), 1u);
  list.Expire(kUntil - 1);
  Candidate candidate = Someone();
  candidate.issued_at = kNow + 100;
  EXPECT_EQ(list.Covers(candidate), Reason::kSubjectRevoked);
}

TEST(RevocationListTest, ExpiresAtUntilWithoutANewEpoch) {
  RevocationList list;
  ASSERT_TRUE(list.RevokeToken("3", "jti", kUntil, kNow).ok());
  const uint64_t epoch = list.epoch();
  list.Expire(kUntil - 1);
  EXPECT_EQ(list.Covers(Someone()), Reason::kTokenRevoked);
  list.Expire(kUntil);
  EXPECT_EQ(list.Covers(Someone()), Reason::kNone);
  EXPECT_TRUE(list.Empty());
  EXPECT_EQ(list.epoch(), epoch);
}

TEST(RevocationListTest, RefusesWhatMakesNoSense) {
  RevocationList list;
  EXPECT_EQ(list.RevokeToken("3", "", kUntil, kNow).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(list.RevokeToken("3", "jti", kNow, kNow).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(list.epoch(), 1u);
  Candidate nameless;  // An absent name is covered by nothing.
  nameless.issuer = "3";
  ASSERT_TRUE(list.RevokeSubject("3", "alice", kUntil, kNow).ok());
  EXPECT_EQ(list.Covers(nameless), Reason::kNone);
}

TEST(RevocationListTest, WhenFullItRefusesAndForgetsNothing) {
  RevocationList list;
  for (size_t i = 0; i < limits::kRevocationsMax; ++i) {
    ASSERT_TRUE(list.RevokeToken("3", "t" + std::to_string(i), kUntil, kNow).ok());
  }
  const uint64_t epoch = list.epoch();
  EXPECT_EQ(list.RevokeToken("3", "one more", kUntil, kNow).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(list.epoch(), epoch);
  EXPECT_TRUE(list.RevokeToken("3", "t0", kUntil + 1, kNow).ok()) << "extending needs no room";
  Candidate first = Someone();
  first.jwt_id = "t0";
  EXPECT_EQ(list.Covers(first), Reason::kTokenRevoked);
}

// Whoever sees the new epoch sees the entry that raised it.
TEST(RevocationListThreadsTest, AnEpochIsNeverSeenBeforeItsEntry) {
  RevocationList list;
  constexpr int kRounds = 500;
  std::atomic<int> late{0};
  std::thread reader([&] {
    for (uint64_t seen = 1; seen <= kRounds;) {
      const uint64_t epoch = list.epoch();
      for (; seen < epoch; ++seen) {
        const std::string jwt_id = "t" + std::to_string(seen);
        Candidate candidate = Someone();
        candidate.jwt_id = jwt_id;
        // Ordering: relaxed; read after the join.
        if (list.Covers(candidate) != Reason::kTokenRevoked) late.fetch_add(1, std::memory_order_relaxed);
      }
      std::this_thread::yield();
    }
  });
  for (int i = 1; i <= kRounds; ++i) {
    ASSERT_TRUE(list.RevokeToken("3", "t" + std::to_string(i), kUntil, kNow).ok());
  }
  reader.join();
  EXPECT_EQ(late.load(std::memory_order_relaxed), 0);
}

}  // namespace
}  // namespace tollgate::revocation
