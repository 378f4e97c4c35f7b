// Runs the examples of docs/embedding.md, in C++ and in C: both give the same answers.

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "tollgate/c/tollgate.h"
#include "tollgate/engine.h"
#include "tools/idp/mint.h"

// docs/examples/embedding/embed.cc
absl::StatusOr<std::unique_ptr<tollgate::Engine>> MakeEngine(const std::string& jwks);
int Answer(tollgate::Engine& engine, std::string_view authorization, std::string_view tool,
           std::string* field);
// docs/examples/embedding/embed.c
extern "C" tollgate_engine* make_engine(const char* jwks);
extern "C" int answer(tollgate_engine* engine, const char* authorization, const char* tool, char* field,
                      size_t size);

namespace {

bool Expect(bool holds, const char* what) {
  if (!holds) std::printf("not so: %s\n", what);
  return holds;
}

}  // namespace

int main() {
  const idp::SigningKey& key = idp::TestKey("ES256");
  const std::string jwks = idp::Jwks({&key}).dump();
  const int64_t now = tollgate::SystemClock().Read().wall_s;
  const std::string good =
      "Bearer " + idp::Mint(key, idp::AccessTokenClaims("https://idp.example", "https://mcp.example/mcp",
                                                        "alice", "agent", "files:read", now, now + 300));
  auto engine = MakeEngine(jwks);
  tollgate_engine* const c_engine = make_engine(jwks.c_str());
  if (!Expect(engine.ok() && c_engine != nullptr, "there are engines")) return 1;
  bool all = Expect(make_engine("{}") == nullptr && !MakeEngine("{}").ok(), "no keys, no engine");

  const auto ask = [&](const std::string& authorization, const char* tool, std::string* field) {
    char c_field[2048];
    const int c_status = answer(c_engine, authorization.c_str(), tool, c_field, sizeof c_field);
    field->clear();
    const int status = Answer(**engine, authorization, tool, field);
    if (std::string_view(tool) != "delete")  // Which the C example has no rule for.
      all &= Expect(c_status == status && *field == c_field, "C and C++ answer alike");
    return status;
  };
  std::string field;
  all &= Expect(ask(good, "search", &field) == 200 && field.empty(), "allowed");
  all &= Expect(ask(good, "delete", &field) == 403, "the scope is missing");
  all &= Expect(field.starts_with("WWW-Authenticate: Bearer error=\"insufficient_scope\""), "step up");
  all &= Expect(ask(good, "other", &field) == 403 && field.empty(), "what no rule names");
  all &= Expect(ask("", "search", &field) == 401, "no token");
  all &= Expect(field.find("resource_metadata=\"https://mcp.example/.well-known/") != field.npos, "where to");
  all &= Expect(ask("Bearer x", "search", &field) == 401, "no good token");
  tollgate_engine_destroy(c_engine);
  return all ? 0 : 1;
}
