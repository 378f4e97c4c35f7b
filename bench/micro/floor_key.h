#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace tollgate::bench {

// FloorKey is the least that a verification can cost: BoringSSL's own functions on a key object prepared
// beforehand, without anything of the engine. Thread-safe.
class FloorKey {
 public:
  // A signature taken apart as far as BoringSSL's functions want it, ahead of the measurement.
  struct Sample;

  // ForToken finds the key of `token` in the JWK Set by the header's kid. Fails with one line.
  static absl::StatusOr<FloorKey> ForToken(std::string_view jwks, std::string_view token);

  FloorKey(FloorKey&&) noexcept;
  ~FloorKey();

  // MakeSample cuts and decodes a token that this key signed. Fails with one line.
  absl::StatusOr<Sample> MakeSample(std::string_view token) const;

  // Verify digests the signing input and verifies the signature.
  bool Verify(const Sample& sample) const;

 private:
  struct Impl;
  explicit FloorKey(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

struct FloorKey::Sample {
  struct Ecdsa;
  Sample();
  Sample(Sample&&) noexcept;
  Sample& operator=(Sample&&) noexcept;
  ~Sample();

  std::string signing_input;
  std::string signature;
  std::unique_ptr<Ecdsa> ecdsa;  // (r, s), for ES* alone.
};

}  // namespace tollgate::bench
