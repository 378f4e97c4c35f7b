#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "keys/request_bucket.h"
#include "tollgate/config.h"

namespace tollgate::keys {

// FetchGate is the one gate that every request for keys and metadata passes. Fetches are planned; and those
// that are due stand in the line of the host that they ask; and of the hosts whose bucket has a token, each
// in its turn has the first of its line served, as long as exchanges under way are fewer than a bound. So no
// host is asked more often than its bucket allows, and who waits for one host is in nobody's way at another.
// Issuers are known by their positions. Costs the logarithm of their number. It has no clock and no
// randomness. Thread-compatible.
class FetchGate {
 public:
  // Exchanges under way at a time, over all issuers: a start with thousands of issuers must not open as many
  // sockets.
  static constexpr size_t kUnderWayMax = 64;

  // `timing` must outlive the gate.
  explicit FetchGate(const Timing& timing);
  ~FetchGate();

  // Plan sets when the issuer's next fetch is due (INT64_MAX: never). Nothing, if it stands in a line.
  void Plan(uint32_t issuer, int64_t due_ms);

  // TakeDue takes the plan that is due for longest out of the plans. Whose it was then belongs in a line.
  std::optional<uint32_t> TakeDue(int64_t now_ms);

  // Enter puts the issuer, which stands in no line and has no plan, into the line of `host`, behind all of
  // its kind: those whose fetch has begun and goes on are served before the others, so that what was begun
  // ends. `requests` is how many it will send, as far as one can tell. Returns when its turn is to come.
  int64_t Enter(uint32_t issuer, std::string_view host, bool goes_on, uint32_t requests, int64_t now_ms);

  // Next takes the issuer whose turn it is out of its line: one request of it is to be sent at `now_ms`.
  // Nullopt: nobody may send anything now.
  std::optional<uint32_t> Next(int64_t now_ms);

  // Done: an exchange has ended.
  void Done() { --under_way_; }

  // NextMs returns when TakeDue or Next will have an answer again after having had none, unless an exchange
  // ends before. INT64_MAX: not without that.
  int64_t NextMs() const;

  // Forget takes the issuer out of plans and lines.
  void Forget(uint32_t issuer);

  size_t num_hosts() const { return hosts_.size(); }  // Those that are remembered.

 private:
  static constexpr uint32_t kNobody = UINT32_MAX;
  // A line, as a list through `places_`.
  struct Line {
    uint32_t first = kNobody;
    uint32_t last = kNobody;
  };
  struct Host {
    std::string name;
    uint64_t number = 0;  // In the order of appearance.
    int64_t full_ms = kBucketFull;
    Line going_on;
    Line beginning;
    uint64_t requests = 0;  // That those in the lines will send.
    enum class At : uint8_t { kNowhere, kIdle, kWaiting, kReady } at = At::kNowhere;
    int64_t at_ms = 0;  // In idle_ and waiting_.
  };
  struct Place {
    int64_t due_ms = INT64_MAX;  // Planned for then; INT64_MAX: not.
    Host* host = nullptr;        // In a line of this one.
    uint32_t previous = kNobody;
    uint32_t next = kNobody;
    uint32_t requests = 0;
    bool goes_on = false;
  };
  using HostTimes = absl::btree_set<std::tuple<int64_t, uint64_t, Host*>>;

  Place& PlaceOf(uint32_t issuer);
  Host& HostOf(std::string_view name);
  void Leave(uint32_t issuer);
  void Settle(Host& host, int64_t now_ms);
  void Unsettle(Host& host);
  void DropIdle(int64_t now_ms);

  const Timing& timing_;
  std::vector<Place> places_;                            // By position.
  absl::btree_set<std::pair<int64_t, uint32_t>> plans_;  // Due times and whose they are.
  absl::flat_hash_map<std::string, std::unique_ptr<Host>> hosts_;
  uint64_t host_numbers_ = 0;
  std::deque<Host*> ready_;  // Somebody in the line, and a token; in the order of their turns.
  HostTimes waiting_;        // Somebody in the line, and a token from then on.
  HostTimes idle_;           // Nobody, and a bucket that is not full before then.
  size_t under_way_ = 0;
};

}  // namespace tollgate::keys
