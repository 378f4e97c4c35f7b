#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "tollgate/clock.h"
#include "tollgate/reason.h"

namespace tollgate::tollgated {

// RefusalBook counts what was not allowed, by server and reason, and remembers the last of it. It knows
// nothing of who has asked. Thread-safe.
class RefusalBook {
 public:
  static constexpr size_t kRecentMax = 64;

  struct Refusal {
    int64_t wall_s = 0;
    size_t server = 0;  // Position in Settings::servers.
    Reason reason{};    // kUndecided: the proxy did not say what it asks about.
  };
  // Counts is by (server, reason).
  using Counts = std::map<std::pair<size_t, Reason>, uint64_t>;

  // `clock` must outlive this.
  explicit RefusalBook(const Clock& clock) : clock_(clock) {}

  void Add(size_t server, Reason reason);

  Counts ReadCounts() const;
  std::vector<Refusal> ReadRecent() const;  // The last one first.

 private:
  const Clock& clock_;
  mutable std::mutex mutex_;
  Counts counts_;               // Under mutex_,
  std::deque<Refusal> recent_;  // like this one.
};

}  // namespace tollgate::tollgated
