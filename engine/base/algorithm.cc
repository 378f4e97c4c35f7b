#include "tollgate/algorithm.h"

#include <array>

namespace tollgate {
namespace {

// In the order of the enumeration.
constexpr std::array<std::string_view, kAlgorithmCount> kNames = {
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
};
static_assert(static_cast<size_t>(Algorithm::kEd25519) + 1 == kNames.size());

}  // namespace

std::string_view AlgorithmName(Algorithm algorithm) {
  const auto index = static_cast<size_t>(algorithm);
  return index < kNames.size() ? kNames[index] : "unknown";
}

std::optional<Algorithm> AlgorithmFromName(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Algorithm>(i);
  }
  return std::nullopt;
}

}  // namespace tollgate
