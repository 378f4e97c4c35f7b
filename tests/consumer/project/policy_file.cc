#include <tollgate/policy_file.h>

#include <cstdio>

// A policy is read, written, and refused.
int main() {
  const absl::StatusOr<tollgate::Policy> policy =
      tollgate::ParsePolicy("version: 1\nservers:\n- protocol: deny\n  tools: {search: files:read}\n");
  if (!policy.ok() || policy->rules().size() != 1) {
    std::printf("not read\n");
    return 1;
  }
  if (!tollgate::ParsePolicy(tollgate::FormatPolicy(*policy)).ok()) {
    std::printf("not written\n");
    return 1;
  }
  if (tollgate::ParsePolicy("version: 1\n").ok()) {
    std::printf("not refused\n");
    return 1;
  }
  return 0;
}
