#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "tollgate/policy.h"

namespace tollgate {
namespace {

absl::Status Invalid(std::string_view what, std::string_view name, std::string_view why) {
  const auto view = [](std::string_view text) { return absl::string_view(text.data(), text.size()); };
  return absl::InvalidArgumentError(
      absl::StrCat("policy: ", view(what), " \"", view(name), "\" ", view(why)));
}

// scope-token of RFC 6749 section 3.3: %x21 / %x23-5B / %x5D-7E, at least one.
bool IsScopeToken(std::string_view scope) {
  return !scope.empty() && std::all_of(scope.begin(), scope.end(),
                                       [](char c) { return c > ' ' && c <= '~' && c != '"' && c != '\\'; });
}

}  // namespace

PolicyBuilder::PolicyBuilder() {
  for (const char* name : {"read", "write", "privileged"}) AddClass({.name = name});
}

PolicyBuilder& PolicyBuilder::AddClass(SensitivityClass sensitivity) {
  const auto same = std::find_if(classes_.begin(), classes_.end(), [&](const SensitivityClass& existing) {
    return existing.name == sensitivity.name;
  });
  if (same == classes_.end()) {
    classes_.push_back(std::move(sensitivity));
  } else {
    *same = std::move(sensitivity);
  }
  return *this;
}

PolicyBuilder& PolicyBuilder::AddRule(AccessRule rule) {
  tools_.push_back(std::move(rule));
  return *this;
}

absl::StatusOr<Policy> PolicyBuilder::Build() const {
  if (tools_.empty()) return absl::InvalidArgumentError("policy: allows no tool");
  if (tools_.size() > kToolsMax) {
    return absl::InvalidArgumentError(absl::StrCat("policy: more than ", kToolsMax, " tools"));
  }
  absl::flat_hash_set<std::string> class_names, tool_names, scopes;
  for (const SensitivityClass& sensitivity : classes_) {
    if (sensitivity.name.empty()) return Invalid("class", "", "has no name");
    if (sensitivity.token_age_max_s < 0)
      return Invalid("class", sensitivity.name, "has a negative token age");
    if (sensitivity.introspection_age_max_s < 0 || sensitivity.last_known_age_max_s < 0)
      return Invalid("class", sensitivity.name, "has a negative introspection age");
    if ((sensitivity.introspection_outage == IntrospectionOutage::kLastKnown) !=
        (sensitivity.last_known_age_max_s > 0)) {
      return Invalid("class", sensitivity.name, "needs both kLastKnown and last_known_age_max_s, or neither");
    }
    class_names.insert(sensitivity.name);
  }
  for (const AccessRule& rule : tools_) {
    if (rule.name.empty() || rule.name.size() > limits::kToolBytesMax) {
      return Invalid("tool", rule.name.substr(0, 64), "has an empty or too long name");
    }
    if (!tool_names.insert(rule.name).second) return Invalid("tool", rule.name, "is named twice");
    if (rule.scopes.empty() && !rule.any_valid_token) {
      return Invalid("tool", rule.name, "needs scopes, or any_valid_token to say that it needs none");
    }
    if (!rule.scopes.empty() && rule.any_valid_token) {
      return Invalid("tool", rule.name, "has both scopes and any_valid_token");
    }
    for (const std::string& scope : rule.scopes) {
      if (!IsScopeToken(scope)) return Invalid("tool", rule.name, "needs a scope that no token can carry");
      scopes.insert(scope);
    }
    if (!class_names.contains(rule.sensitivity)) return Invalid("tool", rule.name, "is of an unknown class");
  }
  if (scopes.size() > kScopesMax) {
    return absl::InvalidArgumentError(absl::StrCat("policy: more than ", kScopesMax, " different scopes"));
  }
  Policy policy;
  policy.classes_ = classes_;
  policy.tools_ = tools_;
  return policy;
}

}  // namespace tollgate
