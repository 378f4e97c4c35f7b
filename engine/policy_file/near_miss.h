#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tollgate::policy_file {

// DidYouMean returns `; did you mean "files:read"?` with the name that is nearest to `text`, if it takes at
// most two insertions, deletions or replacements of a character, and fewer than `text` is long; else nothing.
std::string DidYouMean(std::string_view text, std::span<const std::string_view> names);

}  // namespace tollgate::policy_file
