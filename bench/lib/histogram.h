#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tollgate::bench {

// Histogram counts durations in nanoseconds with a relative error below 1/128 over the whole range, in fixed
// memory and constant time, after the idea of HdrHistogram: values below 256 are counted exactly, above that
// every power of two is divided into 128 equal buckets. Values beyond kValueMax count as kValueMax; the exact
// maximum is kept beside. Thread-compatible.
class Histogram {
 public:
  static constexpr int kSubBucketBits = 7;
  static constexpr uint64_t kValueMax = (uint64_t{1} << 36) - 1;  // 68 s.

  // BucketOf and HighestIn are the arithmetic: HighestIn(BucketOf(v)) is v or at most v/128 above it.
  static constexpr size_t BucketOf(uint64_t value) {
    if (value < (uint64_t{2} << kSubBucketBits)) return value;
    const int exponent = static_cast<int>(std::bit_width(value)) - (kSubBucketBits + 1);
    return (static_cast<size_t>(exponent) << kSubBucketBits) + static_cast<size_t>(value >> exponent);
  }
  static constexpr uint64_t HighestIn(size_t bucket) {
    if (bucket < (size_t{2} << kSubBucketBits)) return bucket;
    const int exponent = static_cast<int>(bucket >> kSubBucketBits) - 1;
    const uint64_t mantissa = bucket - (static_cast<size_t>(exponent) << kSubBucketBits);
    return ((mantissa + 1) << exponent) - 1;
  }
  static constexpr size_t kBuckets = 3840;

  Histogram() : counts_(kBuckets, 0) {}

  // Record does not allocate.
  void Record(uint64_t value) {
    ++counts_[BucketOf(std::min(value, kValueMax))];
    ++count_;
    max_ = std::max(max_, value);
  }

  void Merge(const Histogram& other) {
    for (size_t bucket = 0; bucket < kBuckets; ++bucket) counts_[bucket] += other.counts_[bucket];
    count_ += other.count_;
    max_ = std::max(max_, other.max_);
  }

  uint64_t count() const { return count_; }
  uint64_t max() const { return max_; }

  // Percentile returns the least bucket bound that at least `percent` (0–100) of the values do not exceed,
  // never more than the maximum; 0 if there are no values.
  uint64_t Percentile(double percent) const {
    if (count_ == 0) return 0;
    const uint64_t rank = std::clamp<uint64_t>(
        static_cast<uint64_t>(std::ceil(percent / 100 * static_cast<double>(count_))), 1, count_);
    uint64_t seen = 0;
    for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
      seen += counts_[bucket];
      // The last bucket has no upper bound of its own.
      if (seen >= rank) return bucket == kBuckets - 1 ? max_ : std::min(HighestIn(bucket), max_);
    }
    return max_;
  }

 private:
  std::vector<uint32_t> counts_;
  uint64_t count_ = 0;
  uint64_t max_ = 0;
};
static_assert(Histogram::BucketOf(Histogram::kValueMax) + 1 == Histogram::kBuckets);

}  // namespace tollgate::bench
