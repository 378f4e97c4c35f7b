#pragma once

#include <string>
#include <string_view>

#include "keys/key_store.h"
#include "tests/keys/store_fixture.h"

namespace tollgate::keys {

// DiscoveryStoreTest has an issuer whose name alone is known.
class DiscoveryStoreTest : public StoreTest {
 protected:
  static constexpr char kIssuer[] = "https://idp.example/tenant";
  static constexpr char kOauth[] = "https://idp.example/.well-known/oauth-authorization-server/tenant";
  static constexpr char kOpenId[] = "https://idp.example/.well-known/openid-configuration/tenant";
  static constexpr char kAppended[] = "https://idp.example/tenant/.well-known/openid-configuration";
  static constexpr char kKeys[] = "https://idp.example/tenant/keys";
  static constexpr char kMoved[] = "https://idp.example/tenant/keys2";

  static FakeAnswer Metadata(const std::string& jwks_uri = kKeys, const std::string& issuer = kIssuer) {
    FakeAnswer answer;
    answer.body = nlohmann::json{{"issuer", issuer}, {"jwks_uri", jwks_uri}}.dump();
    answer.etag = "\"metadata\"";
    answer.max_age_s = 1;
    return answer;
  }
  static IssuerConfig Discovered(std::string_view issuer = kIssuer) {
    IssuerConfig config;
    config.issuer = issuer;
    config.discovery = true;
    return config;
  }
  // OpenDiscovered has the keys by way of the first place.
  void OpenDiscovered(const FakeAnswer& keys = Ok({Key(0, "a")})) {
    Open({Discovered()});
    Run();
    Answer(Metadata());
    Answer(keys);
    ASSERT_EQ(FreshnessNow(), Freshness::kFresh);
    asked_ = network_.num_requests();
  }
  // RefreshAfter lets `ms` pass and begins what is due.
  void RefreshAfter(int64_t ms) {
    now_ms_ += ms;
    Run();
  }
  // Every answer that the network gives at once is followed up.
  void Settle() {
    for (int turns = 0; turns < 8; ++turns) Run();
  }
};

}  // namespace tollgate::keys
