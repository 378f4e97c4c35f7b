#pragma once

// A small configuration, and the files that it names.

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/keys/fake_files.h"

namespace tollgate::tollgated {

constexpr char kDirectory[] = "/etc/tollgate";

constexpr char kSmall[] = R"(version: 1
listen: 127.0.0.1:9180
policy_file: policy.yaml
servers:
- name: files
  uri: https://mcp.example/files
  proxy: envoy
  sees_body: true
issuers:
- issuer: https://idp.example
  jwks_uri: https://idp.example/jwks
)";

constexpr char kSmallPolicy[] = R"(version: 1
servers: [{uri: https://mcp.example/files, tools: {search: files:read}}]
)";

// With puts `with` in the place of `what`, which is there once.
inline std::string With(std::string text, std::string_view what, std::string_view with) {
  const size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  if (at == std::string::npos) return text;
  EXPECT_EQ(text.find(what, at + 1), std::string::npos) << what;
  return text.replace(at, what.size(), with);
}

// PutSecrets writes what configurations of these tests name.
inline void PutSecrets(testing::FakeFiles& files) {
  files.Put("/etc/tollgate/policy.yaml", {.bytes = kSmallPolicy});
  files.Put("/etc/tollgate/secret", {.bytes = "s3cret\n"});
  files.Put("/etc/tollgate/key", {.bytes = std::string(32, '\n')});
}

}  // namespace tollgate::tollgated
