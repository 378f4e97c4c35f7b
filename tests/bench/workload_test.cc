#include "bench/lib/workload.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "tools/idp/mint.h"

namespace tollgate::bench {
namespace {

using nlohmann::json;

constexpr size_t kTokens = 4000;

const Workload& Shared() {
  static const auto* const workload = new Workload("EdDSA", kTokens);
  return *workload;
}

struct Parts {
  json header, claims;
  std::string signature;
};

Parts Read(const Request& request) {
  const std::string_view token = request.authorization.substr(7);
  const size_t first = token.find('.'), second = token.rfind('.');
  Parts parts;
  parts.header = json::parse(idp::Base64UrlDecode(token.substr(0, first)).value_or(""), nullptr, false);
  parts.claims = json::parse(idp::Base64UrlDecode(token.substr(first + 1, second - first - 1)).value_or(""),
                             nullptr, false);
  parts.signature = idp::Base64UrlDecode(token.substr(second + 1)).value_or("");
  return parts;
}

TEST(Workload, IsAsLargeAndAsVariedAsItSays) {
  std::set<std::string> kids, scopes, ids;
  std::set<std::string_view> tokens, tools;
  std::map<std::string, size_t> issuers, subjects;
  for (const Request& request : Shared().requests()) {
    EXPECT_GE(request.authorization.size() - 7, Workload::kBytesMin - 2);
    EXPECT_LE(request.authorization.size() - 7, Workload::kBytesMax);
    const Parts parts = Read(request);
    ASSERT_TRUE(parts.header.is_object() && parts.claims.is_object());
    ASSERT_EQ(parts.signature.size(), 64u);
    kids.insert(parts.header["kid"]);
    scopes.insert(parts.claims["scope"]);
    ids.insert(parts.claims["jti"]);
    ++issuers[parts.claims["iss"]];
    ++subjects[parts.claims["sub"]];
    tokens.insert(request.authorization);
    tools.insert(request.tool);
  }
  EXPECT_EQ(tokens.size(), kTokens);
  EXPECT_EQ(ids.size(), kTokens);
  EXPECT_EQ(issuers.size(), Workload::kNumIssuers);
  EXPECT_EQ(kids.size(), Workload::kNumIssuers * Workload::kKeysPerIssuer);
  EXPECT_EQ(scopes.size(), Workload::kNumScopeSets);
  EXPECT_EQ(subjects.size(), kTokens / 10);
  EXPECT_GT(tools.size(), Workload::kNumTools * 9 / 10);
  EXPECT_NEAR(static_cast<double>(Shared().bytes_mean()), 800, 10);
}

TEST(Workload, OtherAlgorithmsHaveSignaturesOfTheirOwnLengthAndTokensOfAboutTheSame) {
  for (const auto& [algorithm, signature_bytes] : {std::pair{"ES256", 64u}, std::pair{"RS256", 256u}}) {
    const Workload workload(algorithm, 200);
    EXPECT_NEAR(static_cast<double>(workload.bytes_mean()), 800, 100) << algorithm;
    for (const Request& request : workload.requests()) {
      const Parts parts = Read(request);
      EXPECT_EQ(parts.header["alg"], algorithm);
      EXPECT_EQ(parts.signature.size(), signature_bytes);
    }
  }
}

TEST(Workload, RequestsLieInMemoryInTheOrderOfTheirArrival) {
  const Workload::Stream zipf = Shared().Zipf(1000);
  for (const std::span<const Request> requests :
       {Shared().requests(), std::span<const Request>(zipf.requests)}) {
    for (size_t i = 1; i < requests.size(); ++i) {
      const std::string_view before = requests[i - 1].authorization;
      ASSERT_EQ(before.data() + before.size(), requests[i].authorization.data());
    }
  }
}

TEST(Workload, ZipfDrawsTheFirstTokenTwiceAsOftenAsTheSecond) {
  constexpr size_t kDraws = 200'000;
  const Workload::Stream zipf = Shared().Zipf(kDraws);
  std::map<std::string_view, size_t> drawn;
  for (const Request& request : zipf.requests) ++drawn[request.authorization];
  const auto share = [&](size_t token) {
    return static_cast<double>(drawn[Shared().requests()[token].authorization]) / kDraws;
  };
  double harmonic = 0;
  for (size_t rank = 1; rank <= kTokens; ++rank) harmonic += 1 / static_cast<double>(rank);
  for (const size_t token : {size_t{0}, size_t{1}, size_t{9}})
    EXPECT_NEAR(share(token) * harmonic * static_cast<double>(token + 1), 1, 0.1) << token;
}

TEST(Workload, ANewTokenDiffersInItsSignatureAloneAndIsStillStrictBase64url) {
  Workload workload("EdDSA", 20);
  const std::string before(workload.requests()[3].authorization), other(workload.requests()[4].authorization);
  std::set<std::string> seen = {before};
  for (int i = 0; i < 100; ++i) {
    workload.MakeNew(3);
    const std::string_view now = workload.requests()[3].authorization;
    EXPECT_TRUE(seen.insert(std::string(now)).second);
    EXPECT_EQ(now.substr(0, now.rfind('.')), before.substr(0, before.rfind('.')));
    EXPECT_EQ(Read(workload.requests()[3]).signature.size(), 64u);
    // Caches may look at the last sixteen bytes alone.
    EXPECT_NE(now.substr(now.size() - 16), before.substr(before.size() - 16));
  }
  EXPECT_EQ(workload.requests()[4].authorization, other);
}

TEST(Workload, KeySetsChangeWithEachGenerationAndKeepTheIssuersKeys) {
  const json first = json::parse(Shared().Jwks(7)), second = json::parse(Shared().Jwks(7, 1)),
             third = json::parse(Shared().Jwks(7, 2));
  ASSERT_EQ(first["keys"].size(), Workload::kKeysPerIssuer);
  ASSERT_EQ(second["keys"].size(), Workload::kKeysPerIssuer + 1);
  for (size_t i = 0; i < Workload::kKeysPerIssuer; ++i) {
    EXPECT_EQ(first["keys"][i], second["keys"][i]);
    EXPECT_EQ(first["keys"][i], third["keys"][i]);
  }
  EXPECT_NE(second["keys"].back(), third["keys"].back());
}

}  // namespace
}  // namespace tollgate::bench
