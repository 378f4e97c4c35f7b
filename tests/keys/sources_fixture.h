#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "keys/key_store.h"
#include "keys/snapshot_keeper.h"
#include "tests/keys/fake_files.h"
#include "tests/keys/store_fixture.h"

namespace tollgate::keys {

using testing::FakeFiles;

// SourcesStoreTest has a disk beside the network, and a snapshot on it after Restart.
class SourcesStoreTest : public StoreTest {
 protected:
  static constexpr char kIssuer[] = "https://idp.example";
  static constexpr char kFile[] = "/etc/keys/jwks.json";
  static constexpr char kFirst[] = "https://idp.example/jwks";
  static constexpr char kMirror[] = "https://mirror.example/jwks";
  static constexpr char kSigned[] = "https://idp.example/signed_jwks";
  static constexpr char kSnapshot[] = "/keys/snapshot";

  class TestClock final : public Clock {
   public:
    explicit TestClock(const SourcesStoreTest& test) : test_(test) {}
    Now Read() const override { return {.wall_s = test_.WallS(), .mono_ms = test_.now_ms_}; }

   private:
    const SourcesStoreTest& test_;
  };

  SourcesStoreTest() { outside_ = {.files = &files_, .clock = &clock_}; }

  int64_t WallS() const { return 1'800'000'000 + now_ms_ / 1000; }

  static IssuerConfig FromFile(std::string_view issuer = kIssuer) {
    IssuerConfig config;
    config.issuer = issuer;
    config.jwks_file = kFile;
    return config;
  }
  static IssuerConfig WithFallbacks(std::vector<KeyPlace> fallbacks) {
    IssuerConfig config = Fetched();
    config.fallbacks = std::move(fallbacks);
    return config;
  }
  static const idp::SigningKey& Voucher(int n = 0) { return idp::TestKey("EdDSA", n); }
  static IssuerConfig FromSigned(int voucher = 0) {
    IssuerConfig config;
    config.issuer = kIssuer;
    config.signed_jwks_uri = kSigned;
    config.signed_jwks_keys = idp::Jwks({&Voucher(voucher)}).dump();
    return config;
  }
  static std::string SignedText(const std::vector<nlohmann::json>& jwks,
                                const nlohmann::json& claims = nlohmann::json::object(),
                                const idp::SigningKey& key = Voucher()) {
    nlohmann::json payload = {{"iss", kIssuer}, {"sub", kIssuer}, {"keys", jwks}};
    payload.merge_patch(claims);
    return idp::Mint(key, payload, {{"typ", "jwk-set+jwt"}});
  }
  static FakeAnswer Signed(const std::vector<nlohmann::json>& jwks,
                           const nlohmann::json& claims = nlohmann::json::object()) {
    FakeAnswer answer;
    answer.body = SignedText(jwks, claims);
    answer.etag = "\"signed\"";
    return answer;
  }

  void Write(const std::vector<nlohmann::json>& jwks, const std::string& path = kFile) {
    files_.Put(path, {.mode = 0644, .bytes = SetText(jwks)});
  }
  // Pass lets `ms` pass, background turns included; requests that nobody has told what to answer are left.
  void Pass(int64_t ms) { RunUntil(now_ms_ + ms); }
  // Fetch lets the next fetch begin; the network answers it as far as it has been told to.
  void Fetch() {
    now_ms_ += std::max<int64_t>(HealthNow().next_fetch_in_ms, 0);
    for (int turns = 0; turns < 12; ++turns) Run();
  }

  // A restart: another store, the same disk.
  void Restart(std::vector<IssuerConfig> issuers) {
    store_.reset();
    keeper_.reset();
    while (network_.CompleteOldest(Broken(FetchOutcome::kUnreachable))) continue;
    std::vector<FetchResult> dropped;
    network_.Poll(0, &dropped);
    Open(std::move(issuers));
    keeper_.emplace(SnapshotConfig{.path = kSnapshot, .key = std::string(32, 'k')}, files_, clock_);
    store_->UseSnapshot(*keeper_);
  }
  SnapshotHealth Snapshot() { return keeper_->Health(now_ms_); }
  int64_t Reads() const { return static_cast<int64_t>(files_.num_reads()); }
  int64_t Requests() const { return static_cast<int64_t>(network_.num_requests()); }
  std::string OnDisk() { return files_.Get(kSnapshot).bytes; }

  FakeFiles files_;
  TestClock clock_{*this};
  std::optional<SnapshotKeeper> keeper_;
};

}  // namespace tollgate::keys
