// What bench_fleet simulates is what an engine does: the same fetches at the same milliseconds as a
// KeyStore's.

#include <gtest/gtest.h>

#include "bench/fleet/instance.h"
#include "tests/keys/store_fixture.h"

namespace tollgate::bench {
namespace {

using FleetInstanceTest = keys::StoreTest;

// One life of a KeyStore and an Instance of the same seed, side by side: answers good and bad, with and
// without max-age, unknown kids before, during and after fetches.
TEST_F(FleetInstanceTest, FetchesWhenAKeyStoreDoes) {
  Open();
  const Contract contract;
  Instance instance(contract, 1);  // The fixture's seed.
  Random random(7);
  int published = 0;
  const auto see = [&](int key) {
    if (Find(std::to_string(key)) != Reason::kKeyPending) return;
    instance.OnUnknownKid(key);
  };
  size_t failures = 0, forced = 0;
  int64_t next_ms = now_ms_;
  for (int fetch = 0; fetch < 2000; ++fetch) {
    now_ms_ = next_ms;
    ASSERT_LE(instance.NextMs(), now_ms_) << fetch;
    Run();
    instance.OnBegin(now_ms_);
    ASSERT_EQ(network_.pending().size(), 1u) << fetch;
    ASSERT_EQ(network_.num_requests(), static_cast<size_t>(fetch) + 1);

    if (fetch > 0 && random.Below(8) == 0) ++published;
    if (fetch > 0 && random.Below(2) == 0) see(published);
    now_ms_ += 1 + static_cast<int64_t>(random.Below(4000));
    const bool good = fetch == 0 || random.Below(3) != 0;
    if (good) {
      keys::FakeAnswer answer = keys::Ok({keys::Key(0, std::to_string(published))});
      answer.max_age_s = random.Below(2) == 0 ? -1 : static_cast<int64_t>(random.Below(1200));
      instance.OnGood(now_ms_, answer.max_age_s);
      Answer(answer);
    } else {
      ++failures;
      instance.OnFailure(now_ms_);
      Answer(keys::Status(503));
    }

    next_ms = Run();
    ASSERT_EQ(instance.NextMs(), next_ms) << fetch;
    if (random.Below(4) == 0) {
      // A new key between two fetches, which may move the next one forward.
      ++published;
      now_ms_ += static_cast<int64_t>(random.Below(static_cast<uint64_t>(next_ms - now_ms_)));
      see(published);
      forced += std::max(instance.NextMs(), now_ms_) < next_ms;
      next_ms = Run();
      if (!network_.pending().empty()) next_ms = now_ms_;  // At once, for its cooldown is over.
      ASSERT_EQ(std::max(instance.NextMs(), now_ms_), next_ms) << fetch;
    }
  }
  EXPECT_GT(failures, 100u);
  EXPECT_GT(forced, 100u);
}

}  // namespace
}  // namespace tollgate::bench
