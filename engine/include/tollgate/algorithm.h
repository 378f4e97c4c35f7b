#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tollgate/export.h"

namespace tollgate {

// Algorithm is a JWS signature algorithm that tollgate verifies (RFC 7518 section 3.1, RFC 8037, RFC 9864).
// HMAC algorithms and `none` are not among them and cannot be configured. kEdDsa is the polymorphic name of
// RFC 8037 and stands for Ed25519 here; kEd25519 is the fully specified name of RFC 9864. A key or an
// allow-list that has one of these two names permits the other.
enum class Algorithm : uint8_t {
  kRs256,
  kRs384,
  kRs512,
  kPs256,
  kPs384,
  kPs512,
  kEs256,
  kEs384,
  kEs512,
  kEdDsa,
  kEd25519,
};
inline constexpr int kAlgorithmCount = 11;

// AlgorithmName returns the registered `alg` value, such as "RS256". Static storage.
TOLLGATE_API std::string_view AlgorithmName(Algorithm algorithm);

// AlgorithmFromName is the inverse, case-sensitive as RFC 7515 section 4.1.1 says; nullopt for any other
// string.
TOLLGATE_API std::optional<Algorithm> AlgorithmFromName(std::string_view name);

// AlgorithmSet is a set of algorithms, a value of one word. Inserting kEdDsa or kEd25519 inserts both.
// Thread-compatible.
class AlgorithmSet {
 public:
  constexpr AlgorithmSet() = default;
  template <typename... Rest>
  constexpr explicit AlgorithmSet(Algorithm first, Rest... rest) {
    Insert(first);
    (Insert(rest), ...);
  }
  static constexpr AlgorithmSet All() {
    AlgorithmSet all;
    all.bits_ = (1u << kAlgorithmCount) - 1;
    return all;
  }
  constexpr void Insert(Algorithm algorithm) {
    bits_ |= Bit(algorithm);
    if (algorithm == Algorithm::kEdDsa || algorithm == Algorithm::kEd25519) {
      bits_ |= Bit(Algorithm::kEdDsa) | Bit(Algorithm::kEd25519);
    }
  }
  constexpr bool Contains(Algorithm algorithm) const { return (bits_ & Bit(algorithm)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr AlgorithmSet Intersect(AlgorithmSet other) const {
    AlgorithmSet both;
    both.bits_ = bits_ & other.bits_;
    return both;
  }
  friend constexpr bool operator==(AlgorithmSet, AlgorithmSet) = default;

 private:
  static constexpr uint32_t Bit(Algorithm algorithm) { return 1u << static_cast<uint32_t>(algorithm); }
  uint32_t bits_ = 0;
};

}  // namespace tollgate
