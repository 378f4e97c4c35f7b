#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "json/document.h"
#include "tollgate/reason.h"

// How the values of single claims are read. All functions take a present value, answer kNone or kBadClaim,
// and leave their result unspecified on failure. None allocates but for what a vector grows.
namespace tollgate::claims {

// Find looks `name` up as Profile names claims. An absent claim is kNone and an absent value; kBadClaim if
// something on the way of a JSON pointer is there but is no object, since a claim of the wrong type is not
// taken as absent.
Reason Find(json::Value payload, std::string_view name, json::Value* value);

// ReadNumericDate reads RFC 7519 section 2: any JSON number within 0 … limits::kNumericDateMax, fractions
// rounded down or up.
enum class Rounding : uint8_t { kDown, kUp };
Reason ReadNumericDate(json::Value value, Rounding rounding, int64_t* seconds);

// ReadText reads a name: a string that is not empty and has no control characters or line separators, so that
// it can stand in a header or a log line.
Reason ReadText(json::Value value, std::string_view* text);

// ReadStrings appends a string, or the members of an array of strings; none may be empty. At most `max` in
// all.
Reason ReadStrings(json::Value value, size_t max, std::vector<std::string_view>* strings);

// IsScopeToken is RFC 6749 section 3.3: one or more of %x21 / %x23-5B / %x5D-7E. IsRole is any UTF-8 without
// control characters and white space.
bool IsScopeToken(std::string_view word);
bool IsRole(std::string_view word);

// ReadWords appends the words of a space-delimited string or of an array of single words. Every word must
// satisfy `is_word`. Runs of spaces in a string count as one, and a string of none but spaces is an empty
// list: identity providers write `"scope": ""` where nothing was granted, and no reading of it grants more.
// At most `max` in all.
Reason ReadWords(json::Value value, bool (*is_word)(std::string_view), size_t max,
                 std::vector<std::string_view>* words);

// RemoveDuplicates keeps the first of equal words, in order. At most limits::kRolesPerTokenMax words; O(n log
// n).
void RemoveDuplicates(std::vector<std::string_view>* words);

}  // namespace tollgate::claims
