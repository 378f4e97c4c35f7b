#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate {

// ScopeText is one text of scopes and what it comes to, which depends on nothing else: made once, for all
// tokens that bring the same text. The later members are notes of policy/, for the next time that it is
// asked. Owner thread only.
struct ScopeText {
  std::string text;                     // As the tokens have it.
  std::vector<std::string_view> words;  // In its order, without duplicates; views into it.

  std::string sorted{};             // The words, sorted and space-delimited; empty: not made yet.
  uint64_t granted_by = 0;          // Which policy was asked what the words alone grant, and how; 0: none.
  std::vector<uint64_t> granted{};  // Its answer, with which a GrantMask begins.
};

}  // namespace tollgate
