// Mints a token and its key set for whole_check.c, which has to be C.

#include "tests/capi/whole_check.h"
#include "tollgate/clock.h"
#include "tools/idp/mint.h"

int main() {
  const idp::SigningKey& key = idp::TestKey("ES256");
  const int64_t now = tollgate::SystemClock().Read().wall_s;
  const std::string authorization =
      "Bearer " + idp::Mint(key, idp::AccessTokenClaims("https://idp.example", "https://mcp.example/mcp",
                                                        "alice", "agent", "files:read", now, now + 300));
  return run_whole_check(idp::Jwks({&key}).dump().c_str(), authorization.c_str());
}
