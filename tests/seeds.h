#pragma once

// Tests of random inputs live through seeds: the same ones in every run, and others when the environment says
// so:
//   TOLLGATE_SEED=N    that one alone
//   TOLLGATE_SOAK_S=N  new ones, for N seconds

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>

namespace tollgate::testing {

// ForEachSeed calls `live` with 1 … `num_seeds`, or what the environment says, until one fails, of which it
// says how to have it again. True if these were the usual ones and all went well: they have seen whatever
// there is to see.
inline bool ForEachSeed(uint64_t num_seeds, const std::function<void(uint64_t seed)>& live) {
  const char* const one = std::getenv("TOLLGATE_SEED");
  const char* const soak_s = std::getenv("TOLLGATE_SOAK_S");
  const auto end = std::chrono::steady_clock::now() +
                   std::chrono::seconds(soak_s == nullptr ? 0 : std::strtoll(soak_s, nullptr, 10));
  uint64_t seed = 1, last = num_seeds;
  if (one != nullptr) {
    seed = last = std::strtoull(one, nullptr, 10);
  } else if (soak_s != nullptr) {
    seed = uint64_t{std::random_device()()} << 24;
    last = UINT64_MAX;
  }
  for (const uint64_t first = seed;; ++seed) {
    live(seed);
    if (::testing::Test::HasFailure()) {
      const ::testing::TestInfo& test = *::testing::UnitTest::GetInstance()->current_test_info();
      ADD_FAILURE() << "replay: TOLLGATE_SEED=" << seed << " " << program_invocation_name
                    << " --gtest_filter=" << test.test_suite_name() << "." << test.name();
      return false;
    }
    if (seed == last || (soak_s != nullptr && std::chrono::steady_clock::now() >= end)) {
      std::printf("seeds %llu to %llu\n", static_cast<unsigned long long>(first),
                  static_cast<unsigned long long>(seed));
      return one == nullptr && soak_s == nullptr;
    }
  }
}

}  // namespace tollgate::testing
