// Whether what a host says of a configuration is what the engine is told.

#include <gmock/gmock.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "capi_fixture.h"

namespace tollgate {
namespace {

using ::testing::HasSubstr;

class CapiConfigTest : public CapiTest {
 protected:
  tollgate_status Create(const tollgate_config* config) {
    tollgate_engine* engine = nullptr;
    const tollgate_status status = tollgate_engine_create(config, &engine, &error_);
    EXPECT_EQ(engine == nullptr, status != TOLLGATE_OK);
    tollgate_engine_destroy(engine);
    return status;
  }

  // What is said of an issuer that is like Issuer() but for `change`.
  template <typename Change>
  std::string ErrorOfIssuer(Change change) {
    tollgate_issuer issuer = Issuer();
    change(&issuer);
    ConfigPtr config(tollgate_config_new());
    EXPECT_EQ(tollgate_config_add_issuer(config.get(), &issuer, &error_), TOLLGATE_INVALID_ARGUMENT);
    return Message();
  }
};

TEST_F(CapiConfigTest, ErrorsNameTheSetting) {
  EXPECT_EQ(ErrorOfIssuer([](tollgate_issuer* issuer) { issuer->algorithms = Str("ES256 HS256"); }),
            "algorithms: there is no \"HS256\"");
  EXPECT_EQ(ErrorOfIssuer([](tollgate_issuer* issuer) { issuer->profile = Str("okat"); }),
            "profile: there is no \"okat\"");
  EXPECT_EQ(ErrorOfIssuer([](tollgate_issuer* issuer) { issuer->leeway_s = -2; }),
            "leeway_s: is out of range");
  EXPECT_THAT(ErrorOfIssuer([](tollgate_issuer* issuer) { issuer->jwks = {nullptr, 3}; }), HasSubstr("NULL"));

  auto options = Options();
  options.in_vain_percent_max = int64_t{1} << 32;
  ConfigPtr config(tollgate_config_new());
  EXPECT_EQ(tollgate_config_set_options(config.get(), &options, &error_), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_EQ(Message(), "in_vain_percent_max: is out of range");
  EXPECT_EQ(Create(config.get()), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_NE(Message(), "") << "without issuers and resources";
}

TEST_F(CapiConfigTest, EachTimeIsTheOneOfItsName) {
  const std::pair<const char*, int64_t tollgate_options::*> times[] = {
      {"refresh_min_ms", &tollgate_options::refresh_min_ms},
      {"refresh_max_ms", &tollgate_options::refresh_max_ms},
      {"cooldown_ms", &tollgate_options::cooldown_ms},
      {"staleness_bound_ms", &tollgate_options::staleness_bound_ms},
      {"backoff_min_ms", &tollgate_options::backoff_min_ms},
      {"backoff_cap_ms", &tollgate_options::backoff_cap_ms},
      {"fetch_timeout_ms", &tollgate_options::fetch_timeout_ms},
      {"file_interval_ms", &tollgate_options::file_interval_ms},
      {"verdict_age_max_ms", &tollgate_options::verdict_age_max_ms},
  };
  for (const auto& [name, member] : times) {
    for (const int64_t value : {int64_t{400} * 24 * 3600 * 1000, int64_t{-1}}) {
      auto options = Options();
      options.*member = value;
      EXPECT_EQ(Create(Config(Issuer(), options).get()), TOLLGATE_INVALID_ARGUMENT) << name;
      EXPECT_THAT(Message(), HasSubstr(std::string("\"") + name + "\": must be between")) << value;
    }
  }
}

TEST_F(CapiConfigTest, EachTextIsTheOneOfItsName) {
  // A place of keys beside `jwks` is refused by name, whichever it is.
  for (tollgate_string tollgate_issuer::*member :
       {&tollgate_issuer::jwks_uri, &tollgate_issuer::jwks_file, &tollgate_issuer::signed_jwks_uri}) {
    auto issuer = Issuer();
    issuer.*member = Str("/x");
    EXPECT_EQ(Create(Config(issuer, Options()).get()), TOLLGATE_INVALID_ARGUMENT);
  }
  auto issuer = Issuer();
  issuer.discovery = 1;
  EXPECT_EQ(Create(Config(issuer, Options()).get()), TOLLGATE_INVALID_ARGUMENT);

  issuer = Issuer();
  issuer.introspection_endpoint = Str("http://idp.example/introspect");
  EXPECT_EQ(Create(Config(issuer, Options()).get()), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_THAT(Message(), HasSubstr("introspection"));

  auto options = Options();
  options.snapshot_path = Str("relative");
  options.snapshot_key = Str("0123456789abcdef0123456789abcdef");
  EXPECT_EQ(Create(Config(Issuer(), options).get()), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_THAT(Message(), HasSubstr("snapshot"));
}

TEST_F(CapiConfigTest, OneAlgorithmMayBeAllThatAnIssuerMaySignBy) {
  auto issuer = Issuer();
  issuer.algorithms = Str("RS256 EdDSA");
  EXPECT_EQ(Reason(Check(Engine(Config(issuer, Options()).get()).get(), Bearer())), "algorithm_not_allowed");
  issuer.algorithms = Str("RS256 ES256");
  EXPECT_EQ(Reason(Check(Engine(Config(issuer, Options()).get()).get(), Bearer())), "none");
}

TEST_F(CapiConfigTest, AProfileIsFoundByItsName) {
  auto issuer = Issuer();
  issuer.profile = Str("keycloak");
  EXPECT_EQ(Reason(Check(Engine(Config(issuer, Options()).get()).get(), Bearer())), "not_an_access_token");
}

TEST_F(CapiConfigTest, AgesAndLeewayHaveADefaultAndANone) {
  const std::string bearer = Bearer();
  now_s_ += 630;  // Expired for half a minute.
  auto issuer = Issuer();
  EXPECT_EQ(Reason(Check(Engine(Config(issuer, Options()).get()).get(), bearer)), "none");
  issuer.leeway_s = -1;
  EXPECT_EQ(Reason(Check(Engine(Config(issuer, Options()).get()).get(), bearer)), "expired");
  issuer.leeway_s = 0;
  issuer.token_age_max_s = 60;
  EXPECT_EQ(Reason(Check(Engine(Config(issuer, Options()).get()).get(), bearer)), "too_old");
  issuer.token_age_max_s = -1;
  issuer.token_lifetime_max_s = 60;
  EXPECT_EQ(Reason(Check(Engine(Config(issuer, Options()).get()).get(), bearer)), "lifetime_too_long");
  issuer.token_lifetime_max_s = -1;
  EXPECT_EQ(Reason(Check(Engine(Config(issuer, Options()).get()).get(), bearer)), "none");
}

TEST_F(CapiConfigTest, NothingIsCachedWhereThatIsSaid) {
  auto options = Options();
  EXPECT_EQ(Check(Engine(Config(Issuer(), options).get()).get(), Bearer()).was_cached, 1);
  options.verdict_cache_bytes = -1;
  EXPECT_EQ(Check(Engine(Config(Issuer(), options).get()).get(), Bearer()).was_cached, 0);
}

TEST_F(CapiConfigTest, ResourcesAreNamedByTheirPosition) {
  ConfigPtr config = Config(Issuer(), Options());
  auto other = Sized<tollgate_resource>();
  const tollgate_string audiences[] = {tollgate_str("other"), tollgate_str("https://mcp.example/mcp")};
  other.uri = Str("https://other.example/mcp");
  other.audiences = {audiences, 1};
  ASSERT_EQ(tollgate_config_add_resource(config.get(), &other, &error_), TOLLGATE_OK);
  EnginePtr engine = Engine(config.get());
  const std::string bearer = Bearer();
  auto request = Request(bearer);
  auto decision = Sized<tollgate_decision>();
  request.resource = 1;
  ASSERT_EQ(tollgate_check(engine.get(), &request, &decision, nullptr), TOLLGATE_OK);
  EXPECT_EQ(Reason(decision), "audience_mismatch");
  request.resource = 2;
  ASSERT_EQ(tollgate_check(engine.get(), &request, &decision, nullptr), TOLLGATE_OK);
  EXPECT_EQ(Reason(decision), "unknown_resource");

  other.uri = Str("https://third.example/mcp");
  other.audiences = {audiences, 2};
  ASSERT_EQ(tollgate_config_add_resource(config.get(), &other, &error_), TOLLGATE_OK);
  EXPECT_EQ(Reason(Check(Engine(config.get()).get(), bearer)), "none");
  engine = Engine(config.get());
  ASSERT_EQ(tollgate_check(engine.get(), &request, &decision, nullptr), TOLLGATE_OK);
  EXPECT_EQ(Reason(decision), "none") << "by its second audience";
}

TEST_F(CapiConfigTest, AnIssuerOfAnotherResourceIsRefusedHere) {
  ConfigPtr config(tollgate_config_new());
  const auto issuer = Issuer();
  auto unused = Issuer();
  unused.issuer = Str("https://unused.example");
  ASSERT_EQ(tollgate_config_add_issuer(config.get(), &issuer, &error_), TOLLGATE_OK);
  ASSERT_EQ(tollgate_config_add_issuer(config.get(), &unused, &error_), TOLLGATE_OK);
  auto resource = Sized<tollgate_resource>();
  const tollgate_string issuers[] = {tollgate_str("https://unused.example")};
  resource.uri = Str(kResource);
  resource.issuers = {issuers, 1};
  ASSERT_EQ(tollgate_config_add_resource(config.get(), &resource, &error_), TOLLGATE_OK);
  ASSERT_EQ(tollgate_config_set_policy(config.get(), Policy().get(), &error_), TOLLGATE_OK);
  const auto options = Options();
  ASSERT_EQ(tollgate_config_set_options(config.get(), &options, &error_), TOLLGATE_OK);
  EXPECT_EQ(Reason(Check(Engine(config.get()).get(), Bearer())), "issuer_not_allowed_here");
}

TEST_F(CapiConfigTest, APolicyThatIsNoneIsRefusedWhenItIsSet) {
  PolicyPtr policy(tollgate_policy_new());
  auto rule = Sized<tollgate_rule>();
  rule.name = Str("search");
  ASSERT_EQ(tollgate_policy_add_rule(policy.get(), &rule, &error_), TOLLGATE_OK);
  ConfigPtr config(tollgate_config_new());
  EXPECT_EQ(tollgate_config_set_policy(config.get(), policy.get(), &error_), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_THAT(Message(), HasSubstr("search")) << "without scopes, and without saying so";
  rule.object = 4;
  EXPECT_EQ(tollgate_policy_add_rule(policy.get(), &rule, &error_), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_EQ(Message(), "object: is out of range");
}

TEST_F(CapiConfigTest, RulesHaveAClassAServerAndAWordThatNoScopeIsNeeded) {
  PolicyPtr policy(tollgate_policy_new());
  const auto add = [&](const char* name, const char* sensitivity, const char* server) {
    auto rule = Sized<tollgate_rule>();
    rule.name = tollgate_str(name);
    rule.sensitivity = tollgate_str(sensitivity);
    rule.server = tollgate_str(server);
    rule.any_valid_token = 1;
    ASSERT_EQ(tollgate_policy_add_rule(policy.get(), &rule, &error_), TOLLGATE_OK);
  };
  add("anybody", nullptr, nullptr);
  add("careful", "privileged", nullptr);
  add("here", nullptr, kResource);
  ConfigPtr config = Config(Issuer(), Options());
  ASSERT_EQ(tollgate_config_set_policy(config.get(), policy.get(), &error_), TOLLGATE_OK) << Message();
  auto elsewhere = Sized<tollgate_resource>();
  const tollgate_string audiences[] = {tollgate_str(kResource)};
  elsewhere.uri = Str("https://other.example/mcp");
  elsewhere.audiences = {audiences, 1};
  ASSERT_EQ(tollgate_config_add_resource(config.get(), &elsewhere, &error_), TOLLGATE_OK);
  EnginePtr engine = Engine(config.get());
  const std::string bearer =
      "Bearer " + idp::Mint(key_, idp::AccessTokenClaims(kIssuer, kResource, "alice", "agent-1", "", now_s_,
                                                         now_s_ + 1800));
  EXPECT_EQ(Reason(Check(engine.get(), bearer, "anybody")), "none");
  EXPECT_EQ(Reason(Check(engine.get(), bearer, "careful")), "lifetime_too_long_here");
  EXPECT_EQ(Reason(Check(engine.get(), bearer, "here")), "none");
  auto request = Request(bearer, "here");
  request.resource = 1;
  auto decision = Sized<tollgate_decision>();
  ASSERT_EQ(tollgate_check(engine.get(), &request, &decision, nullptr), TOLLGATE_OK);
  EXPECT_EQ(Reason(decision), "unknown_tool");
}

TEST_F(CapiConfigTest, StructsOfOtherVersionsAreTakenAsFarAsTheyAreUnderstood) {
  Newer<tollgate_issuer> issuer;
  issuer.known.issuer = Str(kIssuer);
  issuer.known.jwks = Str(jwks_);
  ConfigPtr config(tollgate_config_new());
  EXPECT_EQ(tollgate_config_add_issuer(config.get(), &issuer.known, &error_), TOLLGATE_OK);
  issuer.unknown = 1;
  EXPECT_EQ(tollgate_config_add_issuer(config.get(), &issuer.known, &error_), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_THAT(Message(), HasSubstr("struct"));
  issuer.known.struct_size = sizeof(tollgate_issuer) - 8;
  EXPECT_EQ(tollgate_config_add_issuer(config.get(), &issuer.known, &error_), TOLLGATE_INVALID_ARGUMENT);
}

TEST_F(CapiConfigTest, NullIsAnError) {
  ConfigPtr config(tollgate_config_new());
  PolicyPtr policy(tollgate_policy_new());
  const auto issuer = Issuer();
  const auto options = Options();
  const auto resource = Sized<tollgate_resource>();
  const auto rule = Sized<tollgate_rule>();
  tollgate_engine* engine = nullptr;
  for (const tollgate_status status : {
           tollgate_policy_add_rule(nullptr, &rule, &error_),
           tollgate_policy_add_rule(policy.get(), nullptr, &error_),
           tollgate_policy_add_protocol(nullptr, {}, &error_),
           tollgate_policy_add_protocol(policy.get(), {nullptr, 1}, &error_),
           tollgate_config_add_issuer(nullptr, &issuer, &error_),
           tollgate_config_add_issuer(config.get(), nullptr, &error_),
           tollgate_config_add_resource(nullptr, &resource, &error_),
           tollgate_config_add_resource(config.get(), nullptr, &error_),
           tollgate_config_set_policy(nullptr, policy.get(), &error_),
           tollgate_config_set_policy(config.get(), nullptr, &error_),
           tollgate_config_set_options(nullptr, &options, &error_),
           tollgate_config_set_options(config.get(), nullptr, &error_),
           tollgate_engine_create(nullptr, &engine, &error_),
           tollgate_engine_create(config.get(), nullptr, &error_),
           tollgate_engine_create(config.get(), &engine, nullptr),
       }) {
    EXPECT_EQ(status, TOLLGATE_INVALID_ARGUMENT);
  }
  tollgate_policy_free(nullptr);
  tollgate_config_free(nullptr);
  tollgate_engine_destroy(nullptr);
  tollgate_principal_free(nullptr);
}

TEST_F(CapiConfigTest, EachEngineOfAConfigurationIsItsOwn) {
  ConfigPtr config = Config(Issuer(), Options());
  EnginePtr first = Engine(config.get());
  EnginePtr second = Engine(config.get());
  config.reset();
  const std::string bearer = Bearer();
  ASSERT_EQ(tollgate_revoke(first.get(), TOLLGATE_REVOKE_SUBJECT, Str(kIssuer), Str("alice"), now_s_ + 600,
                            &error_),
            TOLLGATE_OK);
  EXPECT_EQ(Reason(Check(first.get(), bearer)), "subject_revoked");
  EXPECT_EQ(Reason(Check(second.get(), bearer)), "none");
}

// ---- The audit log

struct Lines {
  int32_t status = 0;
  std::vector<std::string> taken;
};

int32_t TakeLines(void* user, const tollgate_string* lines, size_t num_lines) {
  auto* const all = static_cast<Lines*>(user);
  if (all->status != 0) return all->status;
  for (size_t i = 0; i < num_lines; ++i) all->taken.push_back(Text(lines[i]));
  return 0;
}

TEST_F(CapiConfigTest, DecisionsAreToldToACallback) {
  Lines lines;
  auto options = Options();
  options.audit_write = TakeLines;
  options.audit_user = &lines;
  EnginePtr engine = Engine(Config(Issuer(), options).get());
  EXPECT_EQ(Check(engine.get(), Bearer("other"), "search").http_status, 403);
  lines.status = 1;
  ASSERT_EQ(tollgate_run_background(engine.get(), 0, nullptr), TOLLGATE_OK);
  EXPECT_TRUE(lines.taken.empty());
  auto metrics = Sized<tollgate_metrics>();
  ASSERT_EQ(tollgate_read_metrics(engine.get(), &metrics), TOLLGATE_OK);
  EXPECT_EQ(metrics.audit_written, 0u);
  EXPECT_EQ(metrics.audit_sink_failures, 1u);
  lines.status = 0;
  engine.reset();  // What is left is written at the end.
  EXPECT_THAT(lines.taken, ::testing::Contains(HasSubstr("insufficient_scope")));
}

TEST_F(CapiConfigTest, DecisionsAreWrittenToAFile) {
  const std::string path = ::testing::TempDir() + "/capi_audit.jsonl";
  std::remove(path.c_str());
  auto options = Options();
  options.audit_file = Str(path);
  EnginePtr engine = Engine(Config(Issuer(), options).get());
  EXPECT_EQ(Check(engine.get(), Bearer("other"), "search").http_status, 403);
  engine.reset();
  std::ifstream file(path);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_THAT(text, HasSubstr("insufficient_scope"));
  std::remove(path.c_str());

  options.audit_write = TakeLines;
  ConfigPtr config(tollgate_config_new());
  EXPECT_EQ(tollgate_config_set_options(config.get(), &options, &error_), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_THAT(Message(), HasSubstr("audit_file"));
}

}  // namespace
}  // namespace tollgate
