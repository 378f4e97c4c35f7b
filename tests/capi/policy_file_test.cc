// Whether a policy that is a YAML file is, through the C ABI, that policy.

#include "tollgate/c/policy_file.h"

#include <gmock/gmock.h>

#include "capi_fixture.h"
#include "policy/c_policy.h"
#include "tollgate/policy_file.h"

namespace tollgate {
namespace {

using ::testing::HasSubstr;
using CapiPolicyFileTest = CapiTest;

constexpr char kYaml[] = R"(version: 1
classes:
  careful: {token_age_max: 60s}
scopes:
  files:read: []
  files:write: files:read
roles:
  editor: files:write
servers:
- uri: https://mcp.example/mcp
  tools:
    search: files:read
    delete: {scopes: files:write, roles: editor}
    pay: {scopes: files:read, class: careful}
)";

TEST_F(CapiPolicyFileTest, APolicyIsWhatItsFileSays) {
  tollgate_policy* made = nullptr;
  ASSERT_EQ(tollgate_policy_from_yaml(Str(kYaml), &made, &error_), TOLLGATE_OK) << Message();
  PolicyPtr policy(made);
  const absl::StatusOr<tollgate::Policy> expected = ParsePolicy(kYaml);
  const absl::StatusOr<tollgate::Policy> got = policy->builder.Build();
  ASSERT_TRUE(expected.ok() && got.ok());
  EXPECT_EQ(FormatPolicy(*got), FormatPolicy(*expected));

  ConfigPtr config = Config(Issuer(), Options());
  ASSERT_EQ(tollgate_config_set_policy(config.get(), policy.get(), &error_), TOLLGATE_OK) << Message();
  EnginePtr engine = Engine(config.get());
  const std::string bearer = Bearer("files:write");
  EXPECT_EQ(Reason(Check(engine.get(), bearer)), "none") << "files:write implies files:read";
  EXPECT_EQ(Reason(Check(engine.get(), bearer, "delete")), "role_missing");
  EXPECT_EQ(Reason(Check(engine.get(), bearer, "other")), "unknown_tool");

  auto rule = Sized<tollgate_rule>();
  rule.name = Str("other");
  rule.any_valid_token = 1;
  ASSERT_EQ(tollgate_policy_add_rule(policy.get(), &rule, &error_), TOLLGATE_OK);
  ASSERT_EQ(tollgate_set_policy(engine.get(), policy.get(), &error_), TOLLGATE_OK) << Message();
  EXPECT_EQ(Reason(Check(engine.get(), bearer, "other")), "none");
}

TEST_F(CapiPolicyFileTest, AnErrorSaysWhereItIs) {
  tollgate_policy* policy = reinterpret_cast<tollgate_policy*>(&error_);
  EXPECT_EQ(tollgate_policy_from_yaml(Str("version: 1\nservers: 7\n"), &policy, &error_),
            TOLLGATE_INVALID_ARGUMENT);
  EXPECT_THAT(Message(), HasSubstr("line 2, column"));
  EXPECT_EQ(policy, nullptr);
  EXPECT_EQ(tollgate_policy_from_yaml({nullptr, 1}, &policy, &error_), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_EQ(tollgate_policy_from_yaml({}, &policy, &error_), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_EQ(tollgate_policy_from_yaml(Str(kYaml), nullptr, &error_), TOLLGATE_INVALID_ARGUMENT);
}

}  // namespace
}  // namespace tollgate
