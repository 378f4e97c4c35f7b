#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tollgate/policy.h"

namespace tollgate::policy {

// ScopeMask has one bit for each scope that a policy names.
using ScopeMask = std::array<uint64_t, PolicyBuilder::kScopesMax / 64>;

// CompiledTool is what one tool needs, ready for a bit test.
struct CompiledTool {
  ScopeMask needed{};
  ValidationMode mode = ValidationMode::kSignature;
  int64_t token_age_max_s = 0;
  std::string scopes;  // All needed scopes, space-delimited, for challenges.
};

// CompiledPolicy answers by one table probe and one bit test. Immutable. Thread-safe.
class CompiledPolicy {
 public:
  explicit CompiledPolicy(const Policy& policy);
  ~CompiledPolicy();

  // FindTool returns null for a tool that the policy does not name. Valid as long as the policy. Does not
  // allocate.
  const CompiledTool* FindTool(std::string_view tool) const;

  // MaskOf returns the bits of those `scopes` that the policy knows; others have none. Does not allocate.
  ScopeMask MaskOf(std::span<const std::string_view> scopes) const;

  static bool Covers(const ScopeMask& held, const ScopeMask& needed) {
    for (size_t i = 0; i < held.size(); ++i) {
      if ((needed[i] & ~held[i]) != 0) return false;
    }
    return true;
  }

 private:
  struct Tables;
  std::unique_ptr<const Tables> tables_;
};

}  // namespace tollgate::policy
