#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/lib/huge_memory.h"
#include "tollgate/config.h"
#include "tollgate/request.h"

namespace tollgate::bench {

// Workload is what a large installation's requests are like: kNumIssuers issuers with kKeysPerIssuer keys
// each, kNumScopeSets different sets of scopes, kNumTools tools, and access tokens of 700 to 900 bytes, 800
// on average, no two alike (RS256, whose signatures are long, comes out somewhat longer). Ten tokens share a
// subject. Keys are real; signatures are random bytes of the right length, since a million real ones would
// take minutes and a hit does not depend on them: a program that uses a workload replaces the verification
// (bench/lib/recorded_verify.h). Every request's tool is one that its token may call. The same numbers in
// every run. Thread-compatible.
class Workload {
 public:
  static constexpr size_t kNumIssuers = 100;
  static constexpr size_t kKeysPerIssuer = 4;
  static constexpr size_t kNumScopeSets = 200;
  static constexpr size_t kNumTools = 1000;
  static constexpr size_t kBytesMin = 700;
  static constexpr size_t kBytesMax = 900;

  // `algorithm` is "EdDSA", "ES256" or "RS256"; for the last the issuers share four moduli, each under a kid
  // of its own, since making 400 takes half a minute.
  Workload(std::string_view algorithm, size_t num_tokens);
  Workload(Workload&&) = default;

  // The requests in the order of their arrival, which is also that of their bytes in memory: a server has
  // just received them, so what a check has to fetch from afar is its table and not the token.
  std::span<const Request> requests() const { return requests_; }

  // Zipf returns `count` requests drawn with replacement by Zipf's law with s = 1: the r-th token as often as
  // 1/r. Copied, so that their bytes too lie in the order of arrival.
  struct Stream {
    HugeMemory bytes;
    std::vector<Request> requests;
  };
  Stream Zipf(size_t count) const;

  // MakeNew turns the `index`-th token into one that nobody has seen: other signature characters, up to its
  // end, where a cache may look. Its claims stay.
  void MakeNew(size_t index);

  // MakeConfig returns a configuration that accepts the tokens, with the issuers' keys inline, or at
  // JwksUri(issuer) if `fetched`.
  absl::StatusOr<Config> MakeConfig(bool fetched = false) const;
  static std::string JwksUri(size_t issuer);
  // Jwks returns the key set of one issuer. With `generation` above 0 it holds one key more, another one in
  // each generation (of eight), which no token names.
  std::string Jwks(size_t issuer, size_t generation = 0) const;

  size_t bytes_mean() const { return requests_.empty() ? 0 : bytes_ / requests_.size(); }

 private:
  std::string algorithm_;
  std::vector<std::string> jwks_members_;  // JWKs of one issuer, comma-separated.
  std::vector<std::string> spare_jwks_;
  std::vector<std::string> tools_;
  std::vector<std::vector<uint8_t>> scope_sets_;  // Numbers of scopes.
  HugeMemory memory_;
  std::vector<Request> requests_;
  size_t bytes_ = 0;
  uint64_t random_state_;
};

// Random is splitmix64: small, quick and the same everywhere. Owner thread only.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // Uniform in [0, n), 0 < n < 2^32.
  uint64_t Below(uint64_t n) { return (Next() >> 32) * n >> 32; }
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1p-53; }

 private:
  uint64_t state_;
};

// ReplaceTail writes other base64url characters over eleven of the signature's last ones. The very last two
// stay: the final character has bits that must be zero.
void ReplaceTail(std::span<char> token, uint64_t random);

}  // namespace tollgate::bench
