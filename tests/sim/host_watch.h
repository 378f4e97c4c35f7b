#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "tests/sim/network.h"
#include "tests/sim/script.h"

namespace tollgate::sim {

// HostWatch knows when each host may be asked for metadata or keys: in any stretch of t milliseconds at most
// Timing::host_burst + t / host_interval_ms times, whichever issuers that is for. It follows that whoever
// waits for a host is served at once when the host may be asked, and by how much a line can delay somebody.
// Owner thread only.
class HostWatch {
 public:
  // An engine begins: its buckets are full.
  explicit HostWatch(const Script& script);

  // FreeMs returns since when, or from when on, the place may be asked once more.
  int64_t FreeMs(const Place& place) const { return HostOf(place).full_ms - spare_ms_; }
  void OnRequest(const Place& place, int64_t now_ms);
  bool SameHost(const Place& one, const Place& other) const { return &HostOf(one) == &HostOf(other); }

  // LineMs bounds how long a fetch that is due stands in the line of a place: each other issuer that may ask
  // there is ahead of it once, with all requests of a fetch.
  int64_t LineMs(const Place& place) const {
    return interval_ms_ * (kRequestsMax * (HostOf(place).num_issuers - 1) + 1);
  }
  // GoOnMs is the same of a fetch that has begun, ahead of which are others that have.
  int64_t GoOnMs(const Place& place) const { return interval_ms_ * HostOf(place).num_issuers; }
  // FetchMs bounds how long the lines delay one fetch of any issuer, from when it is due to its end.
  int64_t FetchMs() const;

 private:
  static constexpr int kRequestsMax = 4;  // Of a fetch: three places of metadata, and keys.
  struct Host {
    int64_t full_ms = INT64_MIN / 2;  // When the bucket will be full.
    int num_issuers = 0;              // That may ask it.
  };
  const Host& HostOf(const Place& place) const { return hosts_[NumberOf(place)]; }
  size_t NumberOf(const Place& place) const;

  int64_t interval_ms_;
  int64_t spare_ms_;  // What the bucket may lack, and be asked still.
  std::array<Host, 1 + kIssuersMax> hosts_;
};

}  // namespace tollgate::sim
