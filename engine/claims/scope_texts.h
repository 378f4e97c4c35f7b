#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "base/scope_text.h"

namespace tollgate::claims {

// ScopeTexts remembers the texts of scopes that tokens were seen with: an issuer grants few different ones.
// They are found by exact bytes, and what is known of a text follows from these bytes alone, so that no token
// can make another's scopes mean anything else; and only tokens that were verified and found good bring new
// ones, so that nobody without a key of an issuer fills the memory. At most kTexts texts, each of at most
// kBytesMax bytes and kWordsMax words: with all that is made of them about 1 MB. Owner thread only.
class ScopeTexts {
 public:
  static constexpr size_t kTexts = 512;
  static constexpr size_t kBytesMax = 512;
  static constexpr size_t kWordsMax = 64;

  // Find returns what is known of `text`, or null. Valid until the next Remember. Does not allocate.
  ScopeText* Find(std::string_view text) const;

  // Remember takes a text that Find does not know, and its words, which are views into it, without
  // duplicates. Returns what is known of it from now on, in the place of another text if there is no room;
  // null for an empty text, and for one beyond the bounds. Allocates, until all places have been used.
  ScopeText* Remember(std::string_view text, std::span<const std::string_view> words);

 private:
  // A text is in one of the kWays places from its hash on.
  static constexpr size_t kWays = 8;
  struct Place {
    size_t hash = 0;
    std::unique_ptr<ScopeText> known;
  };
  Place& PlaceOf(size_t hash, size_t way) const { return (*places_)[(hash + way) % kTexts]; }

  std::unique_ptr<std::array<Place, kTexts>> places_;  // Null before the first text.
  size_t displaced_ = 0;                               // Whose turn it is of those in each other's way.
};

}  // namespace tollgate::claims
