#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "tollgate/config.h"
#include "tollgate/transport.h"
#include "transport/curl_transport.h"

namespace tollgate::cli {

// Exchange is one request, and all that was seen of it.
struct Exchange {
  std::string url;
  FetchResult result;
  transport::Observation seen;
  int64_t began_ms = 0;  // Wall time, in milliseconds since 1970,
  int64_t ended_ms = 0;  // likewise.

  bool answered(int status) const {
    return result.outcome == FetchOutcome::kAnswered && result.http_status == status;
  }
};

// Prober asks what the engine would ask, by its own transport and the rules of that, one after the other, and
// no host more often. Owner thread only.
class Prober {
 public:
  // `loopback`: see DangerousOptions::dangerous_allow_http_on_loopback.
  static absl::StatusOr<std::unique_ptr<Prober>> Make(const std::string& ca_file, bool loopback,
                                                      const Timing& timing);

  // Fetch waits for the host's turn (Timing::host_interval_ms), and for the answer, up to the request's time
  // limit.
  Exchange Fetch(FetchRequest request);

 private:
  explicit Prober(const Timing& timing) : timing_(timing) {}
  void WaitForTurn(const std::string& url);

  const Timing timing_;
  std::map<std::string, int64_t> full_ms_;  // By host: keys/request_bucket.h.
  std::unique_ptr<Transport> transport_;
  transport::Observation seen_;
};

int64_t WallMs();

// ClockOffset is how far somebody's clock is ahead of ours, in milliseconds: somewhere between both.
struct ClockOffset {
  int64_t least_ms = 0;
  int64_t most_ms = 0;

  int64_t middle_ms() const { return least_ms + (most_ms - least_ms) / 2; }
  int64_t uncertainty_ms() const { return (most_ms - least_ms + 1) / 2; }
};

// OffsetOf reads a server's clock off the Date of its answer. Nullopt without one, or out of a cache.
std::optional<ClockOffset> OffsetOf(const Exchange& exchange);
// Narrower returns what two readings of one clock leave; the later one if they contradict each other.
ClockOffset Narrower(const ClockOffset& earlier, const ClockOffset& later);

}  // namespace tollgate::cli
