// Tokens of issuers whose keys are in a file, in a signed set, or at a place to fall back on.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/keys/fake_files.h"
#include "tests/pipeline/network_fixture.h"

namespace tollgate {
namespace {

using ::tollgate::testing::FakeFiles;

constexpr char kFile[] = "/etc/keys/jwks.json";
constexpr char kUri[] = "https://idp.example/keys";
constexpr char kMirror[] = "https://mirror.example/keys";

class KeySourcesTest : public NetworkTest {
 protected:
  void Start() { NetworkTest::Start(config_, files_); }
  static std::string Set(std::initializer_list<const idp::SigningKey*> keys) { return Keys(keys).body; }
  // Turn lets the next fetch or reading come, and end.
  void Turn() {
    clock_.now.mono_ms += std::max<int64_t>(engine_->ReadHealth()[0].next_fetch_in_ms, 0);
    Run(4);
  }
  std::string TokenOf(const idp::SigningKey& key) const { return idp::Mint(key, Claims()); }

  const idp::SigningKey& other_ = idp::TestKey("ES256", 1);
  Config config_ = TestConfig("");
  FakeFiles fake_files_;
  FileSystem* files_ = &fake_files_;
};

TEST_F(KeySourcesTest, AFilesKeysVerifyAndEndWithTheFile) {
  config_.issuers[0].jwks_file = kFile;
  fake_files_.Put(kFile, {.bytes = Set({&key_})});
  Start();
  const std::string token = TokenOf(key_);
  EXPECT_EQ(Check(token).verdict, Verdict::kAllow);
  EXPECT_TRUE(Check(token).from_cache);
  EXPECT_EQ(Check(TokenOf(other_)).reason, Reason::kKeyPending);
  fake_files_.Put(kFile, {.bytes = Set({&other_})});
  Turn();
  EXPECT_EQ(Check(TokenOf(other_)).verdict, Verdict::kAllow);
  EXPECT_NE(Check(token).verdict, Verdict::kAllow);
  // Without the file the keys stay, and are said to be.
  ASSERT_TRUE(fake_files_.Remove(kFile).ok());
  Turn();
  const Decision degraded = Check(TokenOf(other_));
  EXPECT_EQ(degraded.verdict, Verdict::kAllow);
  EXPECT_EQ(degraded.freshness, Freshness::kDegraded);
  clock_.now.mono_ms += config_.timing.staleness_bound_ms + 1;
  EXPECT_EQ(Check(TokenOf(other_)).reason, Reason::kKeysTooStale);
  EXPECT_EQ(network_->num_requests(), 0u);
}

TEST_F(KeySourcesTest, AFileIsReadByTheEngineFromTheDisk) {
  std::string name = (std::filesystem::temp_directory_path() / "tollgate-keys-XXXXXX").string();
  const std::filesystem::path directory = mkdtemp(name.data());
  std::ofstream(directory / "jwks.json") << Set({&key_});
  std::filesystem::create_symlink("jwks.json", directory / "link");
  config_.issuers[0].jwks_file = directory / "link";
  files_ = nullptr;
  Start();
  std::filesystem::remove_all(directory);
  EXPECT_EQ(Check(Token()).verdict, Verdict::kAllow);
}

TEST_F(KeySourcesTest, ASignedSetsKeysVerify) {
  const idp::SigningKey& voucher = idp::TestKey("EdDSA");
  config_.issuers[0].signed_jwks_uri = kUri;
  config_.issuers[0].signed_jwks_keys = Set({&voucher});
  Start();
  idp::json payload = idp::Jwks({&key_});
  payload.update({{"iss", kIssuer}, {"sub", kIssuer}, {"iat", kStart - 10}, {"exp", kStart + 86'400}});
  network_->SetAnswer(kUri, FakeAnswer{.body = idp::Mint(voucher, payload, {{"typ", "jwk-set+jwt"}})});
  EXPECT_EQ(Check(Token()).verdict, Verdict::kUnavailable);
  Turn();
  EXPECT_EQ(Check(Token()).verdict, Verdict::kAllow);
  EXPECT_EQ(Check(Token()).freshness, Freshness::kFresh);
  // Who vouches for the keys signs no tokens.
  EXPECT_NE(Check(TokenOf(voucher)).verdict, Verdict::kAllow);
}

TEST_F(KeySourcesTest, AFallbacksKeysVerifyAndAreSaidToBeDegraded) {
  config_.issuers[0].jwks_uri = kUri;
  config_.issuers[0].fallbacks = {{.jwks_uri = kMirror}, {.jwks_file = kFile}};
  fake_files_.Put(kFile, {.bytes = Set({&other_})});
  Start();
  network_->SetAnswer(kUri, kRefused);
  network_->SetAnswer(kMirror, Keys({&key_}));
  Turn();
  const std::string token = Token();
  EXPECT_EQ(Check(token).verdict, Verdict::kAllow);
  const Decision hit = Check(token);
  EXPECT_TRUE(hit.from_cache);
  EXPECT_EQ(hit.freshness, Freshness::kDegraded);
  EXPECT_EQ(engine_->ReadHealth()[0].key_place, 1u);
  network_->SetAnswer(kMirror, kRefused);
  Turn();
  EXPECT_EQ(Check(TokenOf(other_)).verdict, Verdict::kAllow);
  EXPECT_EQ(engine_->ReadHealth()[0].key_place, 2u);
  network_->SetAnswer(kUri, Keys({&key_}));
  Turn();
  EXPECT_EQ(Check(Token()).freshness, Freshness::kFresh);
  EXPECT_EQ(engine_->ReadHealth()[0].key_place, 0u);
}

}  // namespace
}  // namespace tollgate
