#include "claims/scope_texts.h"

#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"

namespace tollgate::claims {
namespace {

size_t HashOf(std::string_view text) { return absl::HashOf(absl::string_view(text.data(), text.size())); }

}  // namespace

ScopeText* ScopeTexts::Find(std::string_view text) const {
  if (places_ == nullptr || text.empty() || text.size() > kBytesMax) return nullptr;
  const size_t hash = HashOf(text);
  for (size_t way = 0; way < kWays; ++way) {
    const Place& place = PlaceOf(hash, way);
    if (place.known == nullptr) return nullptr;  // Places are never empty again.
    if (place.hash == hash && place.known->text == text) return place.known.get();
  }
  return nullptr;
}

ScopeText* ScopeTexts::Remember(std::string_view text, std::span<const std::string_view> words) {
  if (text.empty() || text.size() > kBytesMax || words.size() > kWordsMax) return nullptr;
  if (places_ == nullptr) places_ = std::make_unique<std::array<Place, kTexts>>();
  const size_t hash = HashOf(text);
  size_t way = 0;
  while (way < kWays && PlaceOf(hash, way).known != nullptr) ++way;
  Place& place = PlaceOf(hash, way < kWays ? way : displaced_++ % kWays);
  if (place.known == nullptr) place.known = std::make_unique<ScopeText>();
  place.hash = hash;
  ScopeText& known = *place.known;
  known.text = text;
  known.words.clear();
  for (std::string_view word : words)
    known.words.emplace_back(known.text.data() + (word.data() - text.data()), word.size());
  known.sorted.clear();
  known.granted_by = 0;
  return &known;
}

}  // namespace tollgate::claims
