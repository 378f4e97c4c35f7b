#include "verdicts/verdict_cache.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "tests/verdicts/cache_fixture.h"

namespace tollgate::verdicts {
namespace {

using enum VerdictCache::InsertResult;

constexpr size_t kBytes = size_t{4} << 20;
// Four slots: everything competes with everything.
constexpr size_t kFourSlots = 4 * VerdictCache::kSlotBytes;

TEST(VerdictCache, FindsWhatWasInserted) {
  CacheUser user(kBytes);
  Facts facts;
  VerdictCache::Found found;
  EXPECT_FALSE(user.Find(Token(1), &facts, &found));
  for (uint64_t number : {uint64_t{77}, uint64_t{123'456'789}, uint64_t{4'000'000'000}}) {
    EXPECT_EQ(user.Insert(Token(number), EntryOf(number)), kInserted);
    ASSERT_TRUE(user.Find(Token(number), &facts, &found));
    EXPECT_TRUE(SameFacts(facts, EntryOf(number).facts)) << number;
    Details details;
    ASSERT_TRUE(user.cache().ReadDetails(found, &details));
    EXPECT_EQ(details.names.subject, "alice");
    EXPECT_EQ(details.names.client_id, "client");
    EXPECT_EQ(details.names.jwt_id, "jti");
    EXPECT_EQ(details.names.grants, "admin");
    EXPECT_EQ(details.times.expires_at, 3'999'999'000);
    EXPECT_EQ(details.times.not_before, INT64_MIN);
    EXPECT_EQ(details.times.issued_at, static_cast<int64_t>(number));
  }
}

TEST(VerdictCache, KeepsEveryFactAtTheEndsOfItsRange) {
  CacheUser user(kBytes);
  VerdictCache::Entry entry;
  entry.facts = {.key = {.slot = limits::kKeySlotsMax - 1, .generation = limits::kKeyGenerationMax},
                 .valid_from_s = 0,
                 .valid_through_s = UINT32_MAX,
                 .verified_at_mono_ms = (int64_t{1} << 39) - 1,
                 .audience = UINT64_MAX,
                 .epoch = UINT32_MAX,
                 .grant_set = limits::kGrantSetsMax - 1,
                 .algorithm = Algorithm::kEd25519,
                 .sender_constrained = true};
  entry.times = {.expires_at = UINT32_MAX - 1, .not_before = 32'766, .issued_at = 0};
  ASSERT_EQ(user.Insert(Token(1), entry), kInserted);
  Facts facts;
  VerdictCache::Found found;
  ASSERT_TRUE(user.Find(Token(1), &facts, &found));
  EXPECT_TRUE(SameFacts(facts, entry.facts));
  Details details;
  ASSERT_TRUE(user.cache().ReadDetails(found, &details));
  EXPECT_EQ(details.times.not_before, 32'766);
  EXPECT_EQ(details.times.issued_at, 0);
  // A begin before 1970 is as good as none.
  entry.facts.valid_from_s = INT64_MIN;
  ASSERT_EQ(user.Insert(Token(1), entry), kReplaced);
  ASSERT_TRUE(user.Find(Token(1), &facts));
  EXPECT_EQ(facts.valid_from_s, 0);
}

TEST(VerdictCache, DoesNotStoreWhatItCannotKeepExactly) {
  const auto refused = [](auto change) {
    CacheUser user(kBytes);
    VerdictCache::Entry entry = EntryOf(1);
    change(&entry);
    const bool not_there = user.Insert(Token(1), entry) == kUnstorable && !user.Has(Token(1));
    return not_there;
  };
  const std::string long_name(Details::kBytes + 1, 's'), long_text(4097, 't');
  EXPECT_TRUE(refused([](auto* entry) { entry->facts.valid_through_s = int64_t{UINT32_MAX} + 1; }));
  EXPECT_TRUE(refused([](auto* entry) { entry->facts.valid_through_s = -1; }));
  EXPECT_TRUE(refused([](auto* entry) { entry->facts.valid_from_s = int64_t{UINT32_MAX} + 1; }));
  EXPECT_TRUE(refused([](auto* entry) { entry->times.expires_at = UINT32_MAX; }));
  EXPECT_TRUE(refused([](auto* entry) { entry->times.issued_at = -1; }));
  EXPECT_TRUE(refused([](auto* entry) { entry->times.not_before = -1; }));
  // Far from the iat, or from the exp where there is no iat.
  EXPECT_TRUE(refused([](auto* entry) {
    entry->times.issued_at = 100'000;
    entry->times.not_before = 100'000 + 32'767;
  }));
  EXPECT_TRUE(refused([](auto* entry) {
    entry->times.issued_at = 100'000;
    entry->times.not_before = 100'000 - 32'769;
  }));
  EXPECT_TRUE(refused([](auto* entry) {
    entry->times.issued_at = INT64_MIN;
    entry->times.not_before = entry->times.expires_at;
  }));
  EXPECT_FALSE(refused([](auto* entry) {
    entry->times.issued_at = INT64_MIN;
    entry->times.not_before = entry->times.expires_at - 1;
  }));
  EXPECT_TRUE(refused([](auto* entry) { entry->facts.grant_set = limits::kGrantSetsMax; }));
  EXPECT_TRUE(refused([](auto* entry) { entry->facts.key.generation = limits::kKeyGenerationMax + 1; }));
  EXPECT_TRUE(refused([&](auto* entry) { entry->names.subject = long_name; }));
  EXPECT_TRUE(refused([&](auto* entry) { entry->names.jwt_id = long_name; }));
  EXPECT_TRUE(refused([&](auto* entry) { entry->names.grants = long_text; }));
  EXPECT_TRUE(refused([&](auto* entry) { entry->names.audit_id = "sixteen bytes..."; }))
      << "not in this cache";
  EXPECT_FALSE(refused([](auto*) {}));
}

TEST(VerdictCache, KeepsNamesThatFillTheRecordAndLongRolesAndClientsBesides) {
  CacheUser user(kBytes);
  const std::string uuid(36, 'u'), subject(50, 's'), jti(56, 'j'), client(500, 'c'), roles(3000, 'r');
  const Names all[] = {{uuid, uuid, uuid, "rw"},       // To the last byte.
                       {uuid, uuid, uuid, roles},      // Over it: roles and client by number.
                       {subject, client, jti, roles},  // The same, and to the last byte.
                       {"", "", "", roles},           {"", client, "", ""}, {"", "", "", ""}};
  for (size_t i = 0; i < std::size(all); ++i) {
    VerdictCache::Entry entry = EntryOf(i);
    entry.names = all[i];
    ASSERT_EQ(user.Insert(Token(i), entry), kInserted) << i;
  }
  for (size_t i = 0; i < std::size(all); ++i) {
    Facts facts;
    VerdictCache::Found found;
    Details details;
    ASSERT_TRUE(user.Find(Token(i), &facts, &found));
    ASSERT_TRUE(user.cache().ReadDetails(found, &details));
    EXPECT_EQ(details.names.subject, all[i].subject);
    EXPECT_EQ(details.names.client_id, all[i].client_id);
    EXPECT_EQ(details.names.jwt_id, all[i].jwt_id);
    EXPECT_EQ(details.names.grants, all[i].grants);
  }
}

TEST(VerdictCache, CopiesNamesAsItReadsThem) {
  const std::string_view audit_id = "sixteen bytes...";
  for (const bool with_audit_ids : {false, true}) {
    VerdictCache cache(kBytes, 1, crypto::TagKey::BestVariant(), with_audit_ids);
    size_t stored = 0;
    uint64_t number = 0;
    for (const size_t subject : {0, 1, 36, 90}) {
      for (const size_t client : {0, 5, 36, 500}) {
        for (const size_t jti : {0, 7, 36}) {
          for (const size_t grants : {0, 2, 8, 60, 128, 129, 3000}) {
            const std::string texts[] = {std::string(subject, 's'), std::string(client, 'c'),
                                         std::string(jti, 'j'), std::string(grants, 'g')};
            VerdictCache::Entry entry = EntryOf(++number);
            entry.names = {texts[0], texts[1], texts[2], texts[3], {}};
            if (with_audit_ids) entry.names.audit_id = audit_id;
            VerdictCache::Key key;
            cache.Derive(Token(number), &key);
            if (cache.Insert(key, entry, 0, [](KeyRef) { return false; }) == kUnstorable) continue;
            ++stored;
            Facts facts;
            VerdictCache::Found found;
            ASSERT_EQ(cache.Find(key, &facts, &found), VerdictCache::FindResult::kFound);
            Details details;
            ASSERT_TRUE(cache.ReadDetails(found, &details));
            std::vector<char> to(VerdictCache::kNamesBytes);  // A sanitizer sees what goes beyond.
            VerdictCache::CopiedNames names;
            ASSERT_TRUE(cache.CopyNames(found, to.data(), &names));
            const auto text = [&](const VerdictCache::CopiedName& name, bool interned = false,
                                  uint16_t text_number = 0) {
              if (interned) return cache.TextOf(text_number).view();
              EXPECT_LE(name.begin + name.size, to.size());
              return std::string_view(to.data() + name.begin, name.size);
            };
            EXPECT_EQ(text(names.subject), texts[0]);
            EXPECT_EQ(text(names.client_id, names.client_interned, names.client_text), texts[1]);
            EXPECT_EQ(text(names.jwt_id), texts[2]);
            EXPECT_EQ(text(names.grants, names.grants_interned, names.grants_text), texts[3]);
            EXPECT_EQ(details.names.subject, texts[0]);
            EXPECT_EQ(details.names.client_id, texts[1]);
            EXPECT_EQ(details.names.jwt_id, texts[2]);
            EXPECT_EQ(details.names.grants, texts[3]);
            if (with_audit_ids) {
              EXPECT_EQ(std::string_view(to.data() + VerdictCache::kAuditIdBegin, kAuditIdBytes), audit_id);
            }
          }
        }
      }
    }
    EXPECT_GT(stored, 100u);
  }
}

TEST(VerdictCache, RemembersABoundedNumberOfLongRoleLists) {
  CacheUser user(size_t{64} << 20);
  size_t stored = 0, refused = 0;
  for (uint64_t i = 0; i < 12'000; ++i) {
    const std::string roles = std::to_string(i) + std::string(1000, 'r');  // 12 MB in all.
    VerdictCache::Entry entry = EntryOf(i);
    entry.names.grants = roles;
    const auto result = user.Insert(Token(i), entry);
    stored += result == kInserted;
    refused += result == kUnstorable;
  }
  EXPECT_EQ(stored + refused, 12'000u);
  EXPECT_GT(stored, 6'000u);
  EXPECT_GT(refused, 1'000u);
}

// What is kept for ever must not be one issuer's alone.
TEST(VerdictCache, RemembersABoundedNumberOfAudiences) {
  CacheUser user(kBytes);
  size_t refused = 0;
  for (uint64_t i = 0; i < 300; ++i) {
    VerdictCache::Entry entry = EntryOf(i);
    entry.facts.audience = i + 1;
    refused += user.Insert(Token(i), entry) == kUnstorable;
  }
  EXPECT_EQ(refused, 44u);
  Facts facts;
  ASSERT_TRUE(user.Find(Token(200), &facts));
  EXPECT_EQ(facts.audience, 201u);
}

TEST(VerdictCache, DoesNotFindATokenThatDiffersInOneByteAnywhere) {
  CacheUser user(kBytes);
  const std::string token = Token(1);
  ASSERT_EQ(user.Insert(token, EntryOf(1)), kInserted);
  for (size_t i = 0; i < token.size(); ++i) {
    std::string other = token;
    other[i] ^= 1;
    EXPECT_FALSE(user.Has(other)) << i;
  }
  EXPECT_TRUE(user.Has(token));
}

TEST(VerdictCache, DoesNotFindAPrefixASuffixOrALongerToken) {
  CacheUser user(kBytes);
  const std::string token = Token(1);
  ASSERT_EQ(user.Insert(token, EntryOf(1)), kInserted);
  for (size_t size = 0; size < token.size(); ++size) {
    EXPECT_FALSE(user.Has(std::string_view(token).substr(0, size))) << size;
    // Those share the tail, hence the buckets.
    EXPECT_FALSE(user.Has(std::string_view(token).substr(token.size() - size))) << size;
  }
  EXPECT_FALSE(user.Has(token + "x"));
  EXPECT_FALSE(user.Has("x" + token));
  EXPECT_FALSE(user.Has(token + std::string(1, '\0')));
}

TEST(VerdictCache, TellsTokensWithTheSameTailApart) {
  CacheUser user(kBytes);
  const std::string tail = "0123456789abcdef";
  for (char c = 'a'; c < 'a' + 4; ++c) {
    ASSERT_EQ(user.Insert(std::string(100, c) + tail, EntryOf(c)), kInserted);
  }
  for (char c = 'a'; c < 'a' + 4; ++c) {
    Facts facts;
    ASSERT_TRUE(user.Find(std::string(100, c) + tail, &facts));
    EXPECT_EQ(facts.valid_from_s, c);
  }
  EXPECT_FALSE(user.Has(std::string(100, 'z') + tail));
}

TEST(VerdictCache, FindsNothingInEmptySlots) {
  CacheUser user(kBytes);
  EXPECT_FALSE(user.Has("")) << "the tag of no bytes at all is that of a slot never written";
  for (uint64_t i = 0; i < 10'000; ++i) EXPECT_FALSE(user.Has(Token(i)));
}

TEST(VerdictCache, ReplacesTheFactsOfTheSameToken) {
  CacheUser user(kBytes);
  ASSERT_EQ(user.Insert(Token(1), EntryOf(1, "alice, who has a longer name")), kInserted);
  EXPECT_EQ(user.Insert(Token(1), EntryOf(2, "bob")), kReplaced);
  Facts facts;
  VerdictCache::Found found;
  ASSERT_TRUE(user.Find(Token(1), &facts, &found));
  EXPECT_TRUE(SameFacts(facts, EntryOf(2).facts));
  Details details;
  ASSERT_TRUE(user.cache().ReadDetails(found, &details));
  EXPECT_EQ(details.names.subject, "bob");
}

TEST(VerdictCache, TakesTokensOfEverySize) {
  CacheUser user(kBytes);
  for (size_t size = 1; size < 40; ++size)
    ASSERT_EQ(user.Insert(Token(size, size), EntryOf(size)), kInserted);
  for (size_t size = 1; size < 40; ++size) {
    Facts facts;
    ASSERT_TRUE(user.Find(Token(size, size), &facts));
    EXPECT_EQ(facts.valid_from_s, static_cast<int64_t>(size));
  }
  const std::string longest = Token(1, limits::kTokenBytesMax);
  EXPECT_EQ(user.Insert(longest, EntryOf(1)), kInserted);
  EXPECT_TRUE(user.Has(longest));
}

TEST(VerdictCache, WithoutRoomForFourSlotsNothingIsCached) {
  for (const size_t bytes : {size_t{0}, size_t{1}, kFourSlots - 1}) {
    CacheUser user(bytes);
    EXPECT_EQ(user.cache().capacity(), 0u);
    EXPECT_EQ(user.cache().bytes(), 0u);
    EXPECT_EQ(user.Insert(Token(1), EntryOf(1)), kDisabled);
    EXPECT_FALSE(user.Has(Token(1)));
  }
}

TEST(VerdictCache, StaysWithinItsBytesAndUsesMoreThanHalf) {
  for (const size_t bytes : {kFourSlots, size_t{64} << 10, size_t{1'000'003}, size_t{8} << 20}) {
    const VerdictCache cache(bytes, 1);
    EXPECT_LE(cache.bytes(), bytes);
    EXPECT_GT(cache.bytes() * 2, bytes);
    EXPECT_EQ(cache.bytes(), cache.capacity() * VerdictCache::kSlotBytes);
  }
}

// The issue that this cache answers: at most 192 bytes for a token with the facts that decide, 384 with
// names.
TEST(VerdictCache, HoldsATokenInFewBytesAtHalfLoad) {
  EXPECT_LE(2 * size_t{64}, 192u);
  EXPECT_LE(2 * VerdictCache::kSlotBytes, 384u);
}

TEST(VerdictCache, LosesNoLiveTokenAtHalfLoad) {
  // Two tables with secrets of their own, 262,144 tokens in each; the demand is 1 in 100,000, and at most 384
  // bytes of memory for each token.
  size_t displaced = 0, lost = 0, num_tokens = 0;
  for (int table = 0; table < 2; ++table) {
    CacheUser user(size_t{524'288} * VerdictCache::kSlotBytes);
    ASSERT_EQ(user.cache().capacity(), 524'288u);
    const VerdictCache::Entry entry = EntryOf(1);
    const uint64_t half = user.cache().capacity() / 2;
    EXPECT_LE(user.cache().bytes() / half, 384u);
    for (uint64_t i = 0; i < half; ++i) displaced += user.Insert(Token(i, 64), entry) != kInserted;
    for (uint64_t i = 0; i < half; ++i) lost += !user.Has(Token(i, 64));
    num_tokens += half;
  }
  EXPECT_LE(displaced, num_tokens / 100'000);
  EXPECT_LE(lost, num_tokens / 100'000);
}

TEST(VerdictCache, HoldsNoMoreThanItsCapacityAndIsFilledToItsLastSlots) {
  CacheUser user(1024 * VerdictCache::kSlotBytes);
  for (uint64_t i = 0; i < 20'000; ++i) {
    user.Insert(Token(i), EntryOf(i, std::to_string(i)));
  }
  size_t found = 0;
  for (uint64_t i = 0; i < 20'000; ++i) {
    Facts facts;
    if (!user.Find(Token(i), &facts)) continue;
    EXPECT_EQ(facts.valid_from_s, static_cast<int64_t>(i)) << "facts of another token";
    ++found;
  }
  EXPECT_LE(found, 1024u);
  EXPECT_GE(found, 1000u);
}

// What an insertion looks at is counted by the keys that it asks about.
TEST(VerdictCache, AFullTableIsSearchedForRoomEverMoreSeldom) {
  VerdictCache cache(4096 * VerdictCache::kSlotBytes, 1);
  size_t looks = 0;
  uint64_t next = 0;
  const auto looks_of = [&](uint64_t insertions) {
    looks = 0;
    for (const uint64_t end = next + insertions; next < end; ++next) {
      VerdictCache::Key key;
      cache.Derive(Token(next), &key);
      cache.Insert(key, EntryOf(next), 1'000, [&](KeyRef) { return ++looks != 0; });
    }
    return looks;
  };
  looks_of(60'000);
  // Its own four places each, and eight times those of others: two levels deep they are 32.
  constexpr uint64_t kInsertions = 8 * 1024;
  const size_t more = looks_of(kInsertions) - 4 * kInsertions;
  EXPECT_GT(more, 8u * 16) << "it does not give up";
  EXPECT_LE(more, 8u * 32);
}

TEST(VerdictCache, RoomElsewhereIsLookedForAgainOnceSomeHasExpired) {
  CacheUser user(4096 * VerdictCache::kSlotBytes);
  uint64_t next = 0;
  const auto insert = [&](int64_t valid_through_s) {
    const std::string subject = std::to_string(next);
    VerdictCache::Entry entry = EntryOf(next, subject);
    entry.facts.valid_through_s = valid_through_s;
    return user.Insert(Token(next++), entry);
  };
  user.SetNow(1'000);
  while (next < 60'000) insert(next % 8 == 0 ? 2'000 : 3'000);
  user.SetNow(2'001);
  // An eighth is free: of the 256 that come, 170 have no room of their own.
  size_t displaced = 0;
  for (int i = 0; i < 256; ++i) displaced += insert(3'000) == kDisplaced;
  EXPECT_LE(displaced, 85u);
}

TEST(VerdictCache, ATokenInUseOutlivesAStreamOfOthers) {
  CacheUser user(kFourSlots);
  ASSERT_EQ(user.Insert(Token(3), EntryOf(3)), kInserted);
  size_t displaced = 0;
  for (uint64_t i = 100; i < 300; ++i) {
    ASSERT_TRUE(user.Has(Token(3))) << i;  // A use between any two insertions.
    displaced += user.Insert(Token(i), EntryOf(i, std::to_string(i))) == kDisplaced;
  }
  EXPECT_GT(displaced, 100u);
  EXPECT_TRUE(user.Has(Token(3)));
}

TEST(VerdictCache, ATokenNoLongerUsedGoes) {
  CacheUser user(kFourSlots);
  user.Insert(Token(3), EntryOf(3));
  ASSERT_TRUE(user.Has(Token(3)));
  for (uint64_t i = 100; i < 300; ++i) user.Insert(Token(i), EntryOf(i, std::to_string(i)));
  EXPECT_FALSE(user.Has(Token(3)));
}

TEST(VerdictCache, WhenAllAreInUseOneOfThemGivesWay) {
  CacheUser user(kFourSlots);
  for (uint64_t i = 0; i < 20; ++i) user.Insert(Token(i), EntryOf(i, std::to_string(i)));
  for (uint64_t i = 0; i < 20; ++i) user.Has(Token(i));
  EXPECT_EQ(user.Insert(Token(99), EntryOf(99, "99")), kDisplaced);
  EXPECT_TRUE(user.Has(Token(99)));
}

TEST(VerdictCache, TheDeadGiveWayBeforeTheLiving) {
  // In four slots of two buckets, a token has two or four places.
  for (uint64_t dead = 0; dead < 30; ++dead) {
    CacheUser user(kFourSlots);
    uint64_t next = 0;
    std::vector<uint64_t> there;
    while (there.size() < 4 && next < 1'000) {
      if (user.Insert(Token(next), EntryOf(next, std::to_string(next))) == kInserted) there.push_back(next);
      ++next;
      for (uint64_t i : there) user.Has(Token(i));  // In use.
    }
    ASSERT_EQ(there.size(), 4u);
    const uint64_t key = there[dead % 4];
    user.Retire(static_cast<uint32_t>(key));
    // The first that finds room takes that of the dead one: nobody is displaced before.
    while (next < 2'000 && user.Has(Token(key))) {
      const auto result = user.Insert(Token(next), EntryOf(next, std::to_string(next)));
      if (result == kInserted) break;
      ++next;
    }
    EXPECT_FALSE(user.Has(Token(key)));
  }
}

TEST(VerdictCache, TheExpiredGiveWayBeforeTheLiving) {
  CacheUser user(kFourSlots);
  for (uint64_t i = 0; i < 100; ++i) {
    const std::string subject = std::to_string(i);
    VerdictCache::Entry entry = EntryOf(i, subject);
    entry.facts.valid_through_s = 2'000;
    user.SetNow(1'000);
    user.Insert(Token(i), entry);
  }
  user.SetNow(2'001);
  EXPECT_EQ(user.Insert(Token(1000), EntryOf(1000)), kInserted);
}

TEST(VerdictCache, RestampsTheEntryThatWasFound) {
  CacheUser user(kBytes);
  user.Insert(Token(1), EntryOf(1));
  user.Insert(Token(2), EntryOf(2));
  Facts facts;
  VerdictCache::Found found;
  ASSERT_TRUE(user.Find(Token(1), &facts, &found));
  user.cache().Restamp(600, 4, found);
  Details details;
  EXPECT_FALSE(user.cache().ReadDetails(found, &details)) << "it has changed, and is to be looked up again";
  std::array<char, VerdictCache::kNamesBytes> copied;
  VerdictCache::CopiedNames names;
  EXPECT_FALSE(user.cache().CopyNames(found, copied.data(), &names));
  ASSERT_TRUE(user.Find(Token(1), &facts, &found));
  EXPECT_TRUE(user.cache().ReadDetails(found, &details));
  EXPECT_EQ(facts.epoch, 600u);
  EXPECT_EQ(facts.grant_set, 4u);
  facts.epoch = 1;
  facts.grant_set = 1;
  EXPECT_TRUE(SameFacts(facts, EntryOf(1).facts)) << "nothing else has changed";
  ASSERT_TRUE(user.Find(Token(2), &facts));
  EXPECT_EQ(facts.epoch, 2u);
}

TEST(VerdictCache, WhatHasChangedSinceIsNeitherReadNorStamped) {
  CacheUser user(kBytes);
  user.Insert(Token(1), EntryOf(1));
  Facts facts;
  VerdictCache::Found found;
  ASSERT_TRUE(user.Find(Token(1), &facts, &found));
  user.Insert(Token(1), EntryOf(9));
  Details details;
  EXPECT_FALSE(user.cache().ReadDetails(found, &details));
  user.cache().Restamp(600, 4, found);
  ASSERT_TRUE(user.Find(Token(1), &facts));
  EXPECT_EQ(facts.epoch, 9u);
}

TEST(VerdictCache, AgeIsThatOfTheVerification) {
  // Ages are found by the bounds that they are beyond.
  const auto age = [](int64_t verified_at_ms, int64_t now_ms) {
    int64_t bound = 0;
    while (bound < 100 && VerdictCache::IsOlder(verified_at_ms, bound, now_ms)) ++bound;
    return bound;
  };
  EXPECT_EQ(age(5'000, 5'000), 0);
  EXPECT_EQ(age(5'000, 5'001), 1);
  EXPECT_EQ(age(5'000, 4'990), 0) << "a check that read its clock before";
  // As a record keeps it: 39 bits.
  EXPECT_EQ(age(5'000, (int64_t{1} << 41) + 5'000 + 70), 70);
  EXPECT_EQ(age((int64_t{1} << 39) - 10, (int64_t{1} << 39) + 10), 20);
  EXPECT_EQ(age(-10, 10), 20);
  constexpr int64_t kMax = VerdictCache::kAgeMaxMs;
  EXPECT_FALSE(VerdictCache::IsOlder(0, kMax, kMax));
  EXPECT_TRUE(VerdictCache::IsOlder(0, kMax - 1, kMax));
  EXPECT_FALSE(VerdictCache::IsOlder(1, 0, 0)) << "a check that read its clock before";
}

TEST(VerdictCache, StaysOutOfCoreDumps) {
  CacheUser user(size_t{8} << 20);
  ASSERT_EQ(user.Insert(Token(1), EntryOf(1)), kInserted);
  // Of the mappings, one of about this size says "dd": do not dump.
  std::ifstream smaps("/proc/self/smaps");
  bool excluded = false;
  size_t kib = 0;
  for (std::string line; std::getline(smaps, line);) {
    if (line.starts_with("Size:")) kib = std::stoul(line.substr(5));
    if (line.starts_with("VmFlags:") && kib * 1024 == user.cache().bytes()) {
      excluded |= (line + " ").find(" dd ") != std::string::npos;
    }
  }
  EXPECT_TRUE(excluded);
}

}  // namespace
}  // namespace tollgate::verdicts
