// docs/examples: who may do what. Everything that a caller may use is listed, so that nobody gets more
// unseen.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "policy/caller.h"
#include "policy/compiled_policy.h"
#include "policy/interpreter.h"
#include "tollgate/policy_file.h"

namespace tollgate {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Policy Read(const std::string& name) {
  std::ifstream file(std::string(TOLLGATE_SOURCE_DIR) + "/docs/examples/" + name);
  const std::string yaml(std::istreambuf_iterator<char>(file), {});
  std::vector<PolicyFileFinding> findings;
  absl::StatusOr<Policy> policy = ParsePolicy(yaml, &findings);
  EXPECT_TRUE(policy.ok()) << policy.status();
  EXPECT_THAT(findings, IsEmpty());
  return *std::move(policy);
}

class Example {
 public:
  explicit Example(const std::string& name) : policy_(Read(name)) {
    std::set<std::string> servers;
    for (const AccessRule& rule : policy_.rules()) servers.insert(rule.server);
    servers_.assign(servers.begin(), servers.end());
  }

  const Policy& policy() const { return policy_; }

  // Decide is what the interpreter and the compiled policy say alike.
  Reason Decide(const policy::Caller& caller, const policy::Target& target) const {
    const Reason reason = policy::Interpret(policy_, caller, target).reason;
    const auto server =
        static_cast<size_t>(std::find(servers_.begin(), servers_.end(), target.server) - servers_.begin());
    const policy::CompiledPolicy compiled(policy_, servers_);
    const policy::CompiledTool* const tool = compiled.FindTool(server, target.object, target.name);
    policy::GrantMask mask;
    compiled.Evaluate(caller, &mask);
    EXPECT_EQ(tool == nullptr ? Reason::kUnknownTool : compiled.Lacking(tool->requirement, mask), reason);
    return reason;
  }

  Reason Tool(const policy::Caller& caller, std::string_view name) const {
    return Decide(caller, {servers_.front(), McpObject::kTool, name});
  }

  // Allowed names all that `caller` may use at a server, but for MCP's own methods.
  std::vector<std::string> Allowed(const policy::Caller& caller, std::string_view server) const {
    std::vector<std::string> allowed;
    for (const AccessRule& rule : policy_.rules()) {
      if (rule.server != server || (rule.object == McpObject::kMethod && rule.any_valid_token)) continue;
      if (Decide(caller, {server, rule.object, rule.name}) == Reason::kNone) allowed.push_back(rule.name);
    }
    return allowed;
  }

 private:
  Policy policy_;
  std::vector<std::string> servers_;
};

// Words own nothing: they stand in the test's text.
using Words = std::vector<std::string_view>;

constexpr std::string_view kCrm = "https://mcp.example/crm";
constexpr std::string_view kAcme = "https://idp.example/realms/acme";

TEST(CrmExampleTest, SalesPeopleReadAndWriteWhatTheyWorkOn) {
  const Example crm("crm.yaml");
  const Words roles = {"crm-sales"};
  const policy::Caller sales = {.issuer = kAcme, .roles = roles, .lifetime_s = 3600};
  EXPECT_THAT(crm.Allowed(sales, kCrm),
              ElementsAre("search_accounts", "read_account", "log_call", "update_opportunity", "send_mail",
                          "summarize_account", "crm://accounts/{id}",
                          "crm://accounts/{id}/contracts/{contract}", "crm://templates/*"));
  policy::Caller short_lived = sales;
  short_lived.lifetime_s = 900;
  EXPECT_EQ(crm.Tool(short_lived, "delete_account"), Reason::kRoleMissing);
}

TEST(CrmExampleTest, RolesComeFromTheirIssuersAlone) {
  const Example crm("crm.yaml");
  const Words here = {"crm-sales"}, entra = {"CRM.Sales"};
  EXPECT_EQ(
      crm.Tool({.issuer = "https://login.example", .profile = "entra-v2", .roles = entra, .lifetime_s = 1},
               "log_call"),
      Reason::kNone);
  EXPECT_EQ(crm.Tool({.issuer = "https://other.example", .roles = here, .lifetime_s = 1}, "log_call"),
            Reason::kInsufficientScope);
  EXPECT_EQ(crm.Tool({.issuer = kAcme, .roles = entra, .lifetime_s = 1}, "log_call"),
            Reason::kInsufficientScope);
}

TEST(CrmExampleTest, ManagersDeleteWithASecondFactorAlone) {
  const Example crm("crm.yaml");
  const Words roles = {"crm-manager"}, password = {"pwd"}, both = {"pwd", "mfa"};
  policy::Caller manager = {.issuer = kAcme, .roles = roles, .amr = both, .lifetime_s = 900};
  EXPECT_THAT(crm.Allowed(manager, kCrm),
              ElementsAre("search_accounts", "read_account", "log_call", "update_opportunity", "send_mail",
                          "export_accounts", "delete_account", "summarize_account", "crm://accounts/{id}",
                          "crm://accounts/{id}/contracts/{contract}", "crm://templates/*"));
  EXPECT_EQ(crm.Tool(manager, "sync_contacts"), Reason::kPrincipalKindNotAllowed);
  manager.amr = password;
  EXPECT_EQ(crm.Tool(manager, "delete_account"), Reason::kAuthenticationInsufficient);
  EXPECT_EQ(crm.Tool(manager, "update_opportunity"), Reason::kNone);
  manager.amr = both;
  manager.lifetime_s = 901;
  EXPECT_EQ(crm.Tool(manager, "delete_account"), Reason::kLifetimeTooLongHere);
  manager.kind = PrincipalKind::kService;
  EXPECT_EQ(crm.Tool(manager, "delete_account"), Reason::kPrincipalKindNotAllowed);
}

TEST(CrmExampleTest, AgentsHaveTheScopesOfTheirTokensAlone) {
  const Example crm("crm.yaml");
  const Words roles = {"crm-sales"}, read = {"crm:read"}, write = {"crm:write"};
  policy::Caller agent = {
      .issuer = kAcme, .kind = PrincipalKind::kAgent, .scopes = read, .roles = roles, .lifetime_s = 900};
  EXPECT_THAT(crm.Allowed(agent, kCrm),
              ElementsAre("search_accounts", "read_account", "summarize_account", "crm://accounts/{id}",
                          "crm://accounts/{id}/contracts/{contract}", "crm://templates/*"));
  EXPECT_EQ(crm.Tool(agent, "send_mail"), Reason::kInsufficientScope);
  agent.scopes = write;
  EXPECT_EQ(crm.Tool(agent, "send_mail"), Reason::kNone);
}

TEST(CrmExampleTest, TheServiceSynchronisesAndSendsNoMail) {
  const Example crm("crm.yaml");
  const Words sync = {"crm:sync"}, write = {"crm:write"}, star = {"crm:*"};
  policy::Caller service = {.kind = PrincipalKind::kService, .scopes = sync, .lifetime_s = 3600};
  EXPECT_THAT(crm.Allowed(service, kCrm), ElementsAre("sync_contacts", "crm://templates/*"));
  service.scopes = write;
  EXPECT_EQ(crm.Tool(service, "send_mail"), Reason::kPrincipalKindNotAllowed);
  // A star in a token is a letter.
  service.scopes = star;
  EXPECT_THAT(crm.Allowed(service, kCrm), ElementsAre("crm://templates/*"));
}

TEST(CrmExampleTest, WhatNobodyNamedIsForNobody) {
  const Example crm("crm.yaml");
  const Words roles = {"crm-manager"}, both = {"pwd", "mfa"};
  const policy::Caller manager = {.issuer = kAcme, .roles = roles, .amr = both, .lifetime_s = 900};
  EXPECT_EQ(crm.Tool(manager, "drop_database"), Reason::kUnknownTool);
  for (const char* uri :
       {"crm://accounts/7/../8", "crm://accounts/", "crm://accounts/7%2Fcontracts", "crm://"}) {
    EXPECT_EQ(crm.Decide(manager, {kCrm, McpObject::kResource, uri}), Reason::kUnknownTool) << uri;
  }
}

constexpr std::string_view kWarehouse = "https://mcp.example/warehouse";
constexpr std::string_view kTestWarehouse = "https://mcp-test.example/warehouse";

TEST(WarehouseExampleTest, AnalystsQueryWhatIsPublished) {
  const Example warehouse("warehouse.yaml");
  const Words roles = {"analyst"};
  const policy::Caller analyst = {.roles = roles, .lifetime_s = 900};
  EXPECT_THAT(warehouse.Allowed(analyst, kWarehouse),
              ElementsAre("list_datasets", "describe_table", "run_query", "warehouse://published/*",
                          "warehouse://published/{dataset}/schema"));
}

TEST(WarehouseExampleTest, RowsAboutPeopleNeedDepartmentTrainingAndAuthentication) {
  const Example warehouse("warehouse.yaml");
  const Words roles = {"data_steward"}, yes = {"true"}, compliance = {"compliance"}, sales = {"sales"};
  const policy::Claim trained = {.name = "/training/privacy", .values = yes};
  const std::vector<policy::Claim> fitting = {{.name = "department", .is_text = true, .values = compliance},
                                              trained};
  const std::vector<policy::Claim> elsewhere = {{.name = "department", .is_text = true, .values = sales},
                                                trained};
  policy::Caller steward = {
      .roles = roles, .acr = "urn:example:acr:mfa", .lifetime_s = 900, .claims = fitting};
  const policy::Target query = {kWarehouse, McpObject::kTool, "run_query_personal"};
  EXPECT_THAT(warehouse.Allowed(steward, kWarehouse),
              ElementsAre("list_datasets", "describe_table", "run_query", "run_query_personal", "load_batch",
                          "drop_table", "warehouse://published/*", "warehouse://published/{dataset}/schema",
                          "warehouse://personal/{dataset}/schema"));
  steward.claims = elsewhere;
  EXPECT_EQ(warehouse.Decide(steward, query), Reason::kClaimNotAsNeeded);
  steward.claims = std::span(fitting).first(1);
  EXPECT_EQ(warehouse.Decide(steward, query), Reason::kClaimNotAsNeeded);
  steward.claims = fitting;
  steward.acr = "urn:example:acr:password";
  EXPECT_EQ(warehouse.Decide(steward, query), Reason::kAuthenticationInsufficient);
  steward.lifetime_s = 1801;
  EXPECT_EQ(warehouse.Decide(steward, query), Reason::kLifetimeTooLongHere);
}

TEST(WarehouseExampleTest, AgentsOnlyEverRead) {
  const Example warehouse("warehouse.yaml");
  const Words scopes = {"warehouse:manage", "warehouse:query:personal"}, roles = {"data_steward", "loader"};
  const policy::Caller agent = {.kind = PrincipalKind::kAgent,
                                .scopes = scopes,
                                .roles = roles,
                                .acr = "urn:example:acr:mfa",
                                .lifetime_s = 900};
  EXPECT_THAT(warehouse.Allowed(agent, kWarehouse),
              ElementsAre("list_datasets", "describe_table", "run_query", "warehouse://published/*",
                          "warehouse://published/{dataset}/schema", "warehouse://personal/{dataset}/schema"));
}

TEST(WarehouseExampleTest, TheLoaderIsAServiceAndOnlyLoads) {
  const Example warehouse("warehouse.yaml");
  const Words roles = {"loader"};
  policy::Caller loader = {.kind = PrincipalKind::kService, .roles = roles, .lifetime_s = 900};
  EXPECT_THAT(warehouse.Allowed(loader, kWarehouse),
              ElementsAre("list_datasets", "describe_table", "load_batch", "warehouse://published/*",
                          "warehouse://published/{dataset}/schema"));
  loader.kind = PrincipalKind::kUser;
  EXPECT_THAT(warehouse.Allowed(loader, kWarehouse), ElementsAre("warehouse://published/{dataset}/schema"));
}

TEST(WarehouseExampleTest, TheTestServerHasRulesOfItsOwn) {
  const Example warehouse("warehouse.yaml");
  const Words groups = {"all", "engineering"};
  const std::vector<policy::Claim> claims = {{.name = "groups", .is_list = true, .values = groups}};
  policy::Caller engineer = {.lifetime_s = 900, .claims = claims};
  EXPECT_THAT(warehouse.Allowed(engineer, kTestWarehouse), ElementsAre("list_datasets", "run_query"));
  EXPECT_THAT(warehouse.Allowed(engineer, kWarehouse), ElementsAre("warehouse://published/{dataset}/schema"));
  engineer.claims = {};
  EXPECT_THAT(warehouse.Allowed(engineer, kTestWarehouse), ElementsAre("list_datasets"));
}

constexpr std::string_view kAdmin = "https://mcp.example/admin";
constexpr std::string_view kStaff = "https://idp.example/realms/staff";

TEST(AdminExampleTest, AdministratorsNeedAFreshLoginThatCannotBePhished) {
  const Example admin("admin.yaml");
  const Words roles = {"platform-admin"}, purge = {"admin:purge"};
  policy::Caller administrator = {.issuer = kStaff, .roles = roles, .acr = "phr", .lifetime_s = 900};
  EXPECT_THAT(admin.Allowed(administrator, kAdmin),
              ElementsAre("tools/list", "logging/setLevel", "get_user", "list_sessions", "end_session",
                          "grant_role", "admin://users/{id}", "admin://users/{id}/secrets"));
  EXPECT_EQ(admin.Tool(administrator, "purge_tenant"), Reason::kInsufficientScope);
  administrator.scopes = purge;
  EXPECT_EQ(admin.Tool(administrator, "purge_tenant"), Reason::kNone);
  administrator.acr = "pwd";
  EXPECT_EQ(admin.Tool(administrator, "purge_tenant"), Reason::kAuthenticationInsufficient);
  administrator.credential = CredentialKind::kOpaque;
  EXPECT_EQ(admin.Tool(administrator, "grant_role"), Reason::kCredentialKindNotAllowed);
  const auto classes = admin.policy().classes();
  const auto privileged =
      std::find_if(classes.begin(), classes.end(), [](const auto& of) { return of.name == "privileged"; });
  EXPECT_EQ(privileged->token_age_max_s, 300);
  EXPECT_EQ(privileged->token_lifetime_max_s, 900);  // As built in.
  EXPECT_EQ(privileged->mode, ValidationMode::kIntrospect);
  EXPECT_EQ(privileged->audit, AuditDuty::kMustRecord);
}

TEST(AdminExampleTest, SupportResetsPasswordsUnderItsOwnAccounts) {
  const Example admin("admin.yaml");
  const Words roles = {"support-l2"}, own = {"support-7@example.com"}, private_account = {"me@example.com"};
  const std::vector<policy::Claim> fitting = {{.name = "email", .is_text = true, .values = own}};
  const std::vector<policy::Claim> other = {{.name = "email", .is_text = true, .values = private_account}};
  policy::Caller support = {
      .issuer = kStaff, .roles = roles, .acr = "phrh", .lifetime_s = 900, .claims = fitting};
  EXPECT_THAT(admin.Allowed(support, kAdmin),
              ElementsAre("tools/list", "get_user", "list_sessions", "end_session", "reset_password",
                          "admin://users/{id}"));
  support.claims = other;
  EXPECT_EQ(admin.Tool(support, "reset_password"), Reason::kClaimNotAsNeeded);
}

TEST(AdminExampleTest, AuditorsAndAgentsLookAtThings) {
  const Example admin("admin.yaml");
  const Words auditor_roles = {"audit"}, admin_roles = {"platform-admin"},
              all = {"admin:rotate", "admin:purge"};
  const policy::Caller auditor = {.issuer = kStaff, .roles = auditor_roles, .lifetime_s = 900};
  EXPECT_THAT(admin.Allowed(auditor, kAdmin), ElementsAre("tools/list", "get_user", "list_sessions",
                                                          "admin://audit/*", "admin://users/{id}"));
  const policy::Caller agent = {.issuer = kStaff,
                                .kind = PrincipalKind::kAgent,
                                .scopes = all,
                                .roles = admin_roles,
                                .acr = "phr",
                                .lifetime_s = 600};
  EXPECT_THAT(admin.Allowed(agent, kAdmin),
              ElementsAre("tools/list", "get_user", "list_sessions", "admin://users/{id}"));
}

TEST(AdminExampleTest, OthersDoNotEvenSeeTheToolsAndServicesOnlyRotateKeys) {
  const Example admin("admin.yaml");
  const Words rotate = {"admin:rotate"};
  EXPECT_THAT(admin.Allowed({.issuer = kStaff, .lifetime_s = 900}, kAdmin), IsEmpty());
  EXPECT_EQ(admin.Decide({.lifetime_s = 900}, {kAdmin, McpObject::kMethod, "tools/list"}),
            Reason::kRoleMissing);
  EXPECT_EQ(admin.Decide({.lifetime_s = 900}, {kAdmin, McpObject::kMethod, "initialize"}), Reason::kNone);
  policy::Caller service = {.kind = PrincipalKind::kService, .scopes = rotate, .lifetime_s = 600};
  EXPECT_THAT(admin.Allowed(service, kAdmin), ElementsAre("rotate_key"));
  service.lifetime_s = 601;
  EXPECT_EQ(admin.Tool(service, "rotate_key"), Reason::kLifetimeTooLongHere);
}

}  // namespace
}  // namespace tollgate
