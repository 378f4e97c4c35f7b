#pragma once

#include <string_view>

namespace tollgate::policy {

// IsScopePattern: a scope with a `*` at its end, and something in front of it.
inline bool IsScopePattern(std::string_view text) { return text.size() > 1 && text.back() == '*'; }

// MatchesScopePattern takes what IsScopePattern calls one.
inline bool MatchesScopePattern(std::string_view pattern, std::string_view scope) {
  return scope.starts_with(pattern.substr(0, pattern.size() - 1));
}

}  // namespace tollgate::policy
