#include "keys/key_snapshot.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/limits.h"
#include "crypto/digest.h"

namespace tollgate::keys {
namespace {

std::vector<uint8_t> KeyOf(std::string_view text) { return {text.begin(), text.end()}; }
const std::vector<uint8_t>& TestKey() {
  static const std::vector<uint8_t> key = KeyOf("0123456789abcdef0123456789abcdef");
  return key;
}

std::vector<SnapshotEntry> TwoEntries() {
  return {{.issuer = "https://idp.example",
           .jwks_uri = "https://idp.example/jwks",
           .etag = "\"v1\"",
           .jwks = R"({"keys":[]})",
           .max_age_s = 300,
           .last_good_wall_s = 1'800'000'000},
          {.issuer = "https://other.example/\nhmac ",
           .discovered = true,
           .jwks_uri = "https://other.example/keys",
           .jwks = "any\nbytes",
           .last_good_wall_s = 0}};
}

std::string Good() { return Encode(TwoEntries(), TestKey()).value(); }

// What somebody who has the key could write.
std::string Sealed(const std::string& body) {
  std::string text = "tollgate key snapshot 1 " + std::to_string(body.size()) + "\n" + body;
  const crypto::Sha256Digest mac = crypto::HmacSha256(TestKey(), text);
  text += "hmac ";
  for (const uint8_t byte : mac) {
    for (const int nibble : {byte >> 4, byte & 15}) text += "0123456789abcdef"[nibble];
  }
  return text + "\n";
}

SnapshotFault FaultOf(std::string_view bytes, const std::vector<uint8_t>& key = TestKey()) {
  std::vector<SnapshotEntry> entries = TwoEntries();
  const SnapshotFault fault = Decode(bytes, key, &entries);
  EXPECT_TRUE(fault == SnapshotFault::kNone || entries.empty());
  EXPECT_EQ(fault == SnapshotFault::kNone, SnapshotFaultText(fault).empty());
  return fault;
}

TEST(KeySnapshot, ReadsWhatWasWritten) {
  std::vector<SnapshotEntry> entries;
  const std::string text = Good();
  ASSERT_EQ(Decode(text, TestKey(), &entries), SnapshotFault::kNone);
  EXPECT_EQ(entries, TwoEntries());
  EXPECT_EQ(Encode(entries, TestKey()), text);

  const std::string none = Encode({}, TestKey()).value();
  ASSERT_EQ(Decode(none, TestKey(), &entries), SnapshotFault::kNone);
  EXPECT_TRUE(entries.empty());
}

TEST(KeySnapshot, TheFormIsTheDocumentedOne) {
  EXPECT_EQ(Encode({}, TestKey()), Sealed(""));
  const std::vector<SnapshotEntry> entries = TwoEntries();
  EXPECT_EQ(Encode(std::span(entries).first(1), TestKey()),
            Sealed("issuer 19 jwks_uri 24 4 11 300 1800000000\n"
                   "https://idp.example\nhttps://idp.example/jwks\n\"v1\"\n{\"keys\":[]}\n"));
}

TEST(KeySnapshot, AChangeOfAnyBitIsRefused) {
  const std::string good = Good();
  for (size_t i = 0; i < good.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = good;
      changed[i] = static_cast<char>(changed[i] ^ 1 << bit);
      EXPECT_NE(FaultOf(changed), SnapshotFault::kNone) << i;
      EXPECT_NE(FaultOf(changed), SnapshotFault::kMalformed) << i;
    }
  }
}

TEST(KeySnapshot, EveryTruncationIsCalledSo) {
  const std::string good = Good();
  // Within the number of the first line the beginning is that of a shorter snapshot's first line.
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_EQ(FaultOf(good.substr(0, size)), SnapshotFault::kTruncated) << size;
}

TEST(KeySnapshot, NothingMayFollowAndNothingMayBeLeftOut) {
  const std::string good = Good();
  EXPECT_EQ(FaultOf(good + "\n"), SnapshotFault::kTampered);
  EXPECT_EQ(FaultOf(good + good), SnapshotFault::kTampered);
  EXPECT_EQ(FaultOf(good.substr(1)), SnapshotFault::kTampered);
  for (size_t i = 0; i < good.size(); ++i) {
    std::string shorter = good;
    EXPECT_NE(FaultOf(shorter.erase(i, 1)), SnapshotFault::kNone) << i;
  }
}

TEST(KeySnapshot, AnotherKeysSnapshotIsRefused) {
  EXPECT_EQ(FaultOf(Good(), KeyOf("0123456789abcdef0123456789abcdeF")), SnapshotFault::kTampered);
  EXPECT_EQ(FaultOf(Good(), {}), SnapshotFault::kTampered);
}

TEST(KeySnapshot, PartsOfTwoSnapshotsAreNone) {
  std::vector<SnapshotEntry> entries = TwoEntries();
  const std::string one = Good();
  entries[0].last_good_wall_s += 1;  // As long as the first.
  const std::string other = Encode(entries, TestKey()).value();
  ASSERT_EQ(one.size(), other.size());
  const size_t from =
      static_cast<size_t>(std::mismatch(one.begin(), one.end(), other.begin()).first - one.begin() + 1);
  // Up to where they first differ and behind the last difference a mixture is one of the two.
  for (size_t i = from; i + 64 < one.size(); ++i)
    EXPECT_EQ(FaultOf(one.substr(0, i) + other.substr(i)), SnapshotFault::kTampered) << i;
}

TEST(KeySnapshot, SaysWhenItIsOfAnotherVersion) {
  std::string later = Good();
  later.replace(later.find(" 1 "), 3, " 2 ");
  EXPECT_EQ(FaultOf(later), SnapshotFault::kUnknownVersion);
  EXPECT_EQ(FaultOf("tollgate key snapshot 12 {}"), SnapshotFault::kUnknownVersion);
  EXPECT_EQ(FaultOf("tollgate key snapshot x"), SnapshotFault::kTampered);
  EXPECT_EQ(FaultOf("tollgate key snapshot 01 0\n"), SnapshotFault::kTampered);
  EXPECT_EQ(FaultOf("# shell script"), SnapshotFault::kTampered);
}

TEST(KeySnapshot, SizeIsBoundedWhateverTheFirstLineSays) {
  EXPECT_EQ(FaultOf(std::string(limits::kSnapshotBytesMax + 1, 'x')), SnapshotFault::kTooLarge);
  EXPECT_EQ(FaultOf("tollgate key snapshot 1 9223372036854775807\n"), SnapshotFault::kTooLarge);
  EXPECT_EQ(FaultOf("tollgate key snapshot 1 9223372036854775808\n"), SnapshotFault::kTampered);
  EXPECT_EQ(FaultOf("tollgate key snapshot 1 -1\n"), SnapshotFault::kTampered);
  EXPECT_EQ(FaultOf("tollgate key snapshot 1 " + std::string(4096, '1')), SnapshotFault::kTampered);
}

TEST(KeySnapshot, EncodeWritesNothingThatDecodeRefuses) {
  const std::string text(limits::kJwksBytesMax, 'x');
  SnapshotEntry entry = TwoEntries()[0];
  entry.jwks = text;
  std::vector<SnapshotEntry> entries(1, entry);
  EXPECT_EQ(FaultOf(Encode(entries, TestKey()).value()), SnapshotFault::kNone);
  // As many as fit, and one more.
  const size_t room = limits::kSnapshotBytesMax - kSnapshotFrameBytesMax;
  entries.assign(room / EncodedBytes(entry), entry);
  const auto full = Encode(entries, TestKey());
  ASSERT_TRUE(full.has_value());
  EXPECT_LE(full->size(), limits::kSnapshotBytesMax);
  EXPECT_EQ(FaultOf(*full), SnapshotFault::kNone);
  entries.push_back(entry);
  EXPECT_FALSE(Encode(entries, TestKey()).has_value());

  const auto refused = [](SnapshotEntry odd) { return !Encode(std::span(&odd, 1), TestKey()).has_value(); };
  const std::string longer(limits::kJwksBytesMax + 1, 'x');
  for (const auto member :
       {&SnapshotEntry::issuer, &SnapshotEntry::jwks_uri, &SnapshotEntry::etag, &SnapshotEntry::jwks}) {
    SnapshotEntry odd = TwoEntries()[0];
    odd.*member = longer;
    EXPECT_TRUE(refused(odd));
  }
  SnapshotEntry odd = TwoEntries()[0];
  odd.last_good_wall_s = -1;
  EXPECT_TRUE(refused(odd));
  odd.last_good_wall_s = limits::kNumericDateMax + 1;
  EXPECT_TRUE(refused(odd));
  odd = TwoEntries()[0];
  odd.max_age_s = -2;
  EXPECT_TRUE(refused(odd));
}

TEST(KeySnapshot, WhoHasTheKeyIsHeldToTheForm) {
  const std::string line = "issuer 1 jwks_uri 1 0 1 - 5\n", texts = "i\nu\n\nj\n";
  ASSERT_EQ(FaultOf(Sealed(line + texts)), SnapshotFault::kNone);
  for (const std::string& body : {
           std::string("x"),
           line,
           line + "i\nu\n\nj",
           line + texts + "\n",
           line + "i\nu\n\njj\n",
           "issuer 01 jwks_uri 1 0 1 - 5\n" + texts,
           "issuer +1 jwks_uri 1 0 1 - 5\n" + texts,
           "issuer -1 jwks_uri 1 0 1 - 5\n" + texts,
           "issuer 1 elsewhere 1 0 1 - 5\n" + texts,
           "issuer 1 jwks_uri 1 -0 1 - 5\n" + texts,
           "issuer 1 jwks_uri 1 0 1 -1 5\n" + texts,
           "issuer 1 jwks_uri 1 0 1 - -5\n" + texts,
           "issuer 1 jwks_uri 1 0 1 - 05\n" + texts,
           "issuer 1 jwks_uri 1 0 1 - 5 \n" + texts,
           "issuer 1 jwks_uri 1 0 9223372036854775807 - 5\n" + texts,
           "issuer 1 jwks_uri 1 0 9223372036854775808 - 5\n" + texts,
           "issuer 1 jwks_uri 1 0 1 - 253402300800\n" + texts,
       }) {
    EXPECT_EQ(FaultOf(Sealed(body)), SnapshotFault::kMalformed) << body;
  }
}

}  // namespace
}  // namespace tollgate::keys
