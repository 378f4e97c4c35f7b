// Every token of fixtures/*.json, read by the profiles that the file names; fixtures/README.md says how.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "tests/claims/token_reader.h"

namespace tollgate {
namespace {

using idp::json;
using test::TokenReader;
using testing::ElementsAreArray;
using testing::UnorderedElementsAreArray;

std::vector<std::filesystem::path> Files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(TOLLGATE_CLAIMS_FIXTURES)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

json Load(const std::filesystem::path& file) {
  std::ifstream in(file);
  return json::parse(in);
}

void ExpectMembers(const json& object, const std::vector<std::string>& names) {
  std::vector<std::string> found;
  for (const auto& [name, value] : object.items()) found.push_back(name);
  EXPECT_THAT(found, UnorderedElementsAreArray(names));
}

class Fixtures : public testing::TestWithParam<std::filesystem::path> {
 protected:
  void CheckReading(const json& token, const json& reading) {
    SCOPED_TRACE(token.at("name").get<std::string>() + ", read as " + reading.dump());
    std::optional<Profile> profile = Profile::ByName(reading.at("profile").get<std::string>());
    ASSERT_TRUE(profile.has_value());
    for (const json& claim : reading.value("roles_from", json::array()))
      profile->role_claims.push_back(claim);
    claims::Expectations expectations = TokenReader::Expect(*profile);
    expectations.issuer = token.at("payload").at("iss").get<std::string>();

    json header = token.at("header");
    header["alg"] = reader_.key().alg();
    header["kid"] = reader_.key().kid();
    if (!header.contains("typ")) header["typ"] = nullptr;  // Leaves out the minter's own.
    const Reason reason = reader_.Read(token.at("payload"), expectations, header);
    ASSERT_EQ(ReasonName(reason), reading.at("reason").get<std::string>());

    std::vector<std::string> members = {"profile", "reason"};
    if (reading.contains("roles_from")) members.push_back("roles_from");
    if (reason == Reason::kNone) {
      members.insert(members.end(), {"client", "audiences", "scopes", "roles"});
      const claims::AccessToken& read = reader_.token();
      EXPECT_EQ(read.client_id, reading.at("client").get<std::string>());
      EXPECT_THAT(read.audiences, ElementsAreArray(reading.at("audiences").get<std::vector<std::string>>()));
      EXPECT_THAT(read.scopes, ElementsAreArray(reading.at("scopes").get<std::vector<std::string>>()));
      EXPECT_THAT(read.roles, ElementsAreArray(reading.at("roles").get<std::vector<std::string>>()));
    }
    ExpectMembers(reading, members);
  }

  TokenReader reader_;
};

TEST_P(Fixtures, AreReadAsWritten) {
  const json file = Load(GetParam());
  ExpectMembers(file, {"provider", "documentation", "tokens"});
  ASSERT_FALSE(file.at("tokens").empty());
  for (const json& token : file.at("tokens")) {
    ExpectMembers(token, {"name", "header", "payload", "readings"});
    ASSERT_FALSE(token.at("readings").empty());
    for (const json& reading : token.at("readings")) CheckReading(token, reading);
  }
}

INSTANTIATE_TEST_SUITE_P(Providers, Fixtures, testing::ValuesIn(Files()), [](const auto& param) {
  std::string name = param.param.stem().string();
  std::erase(name, '-');
  return name;
});

TEST(FixtureFiles, AllowAndRefuseUnderEveryProfile) {
  std::set<std::string> allowed, refused;
  for (const std::filesystem::path& path : Files()) {
    const json file = Load(path);
    for (const json& token : file.at("tokens")) {
      for (const json& reading : token.at("readings")) {
        (reading.at("reason") == "none" ? allowed : refused).insert(reading.at("profile").get<std::string>());
      }
    }
  }
  const std::set<std::string> all(Profile::Names().begin(), Profile::Names().end());
  EXPECT_EQ(allowed, all);
  refused.insert("dangerous-google-id-token");  // It takes all that Google issues as a JWT.
  EXPECT_EQ(refused, all);
}

}  // namespace
}  // namespace tollgate
