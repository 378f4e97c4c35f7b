#pragma once

#include <cstdint>
#include <optional>

namespace tollgate::bench {

// IdpSettings is what the identity provider can do.
struct IdpSettings {
  double capacity_hz = 500;     // Requests for keys that it can answer a second, one after the other.
  int64_t response_ms = 50;     // From the turn of a request to the arrival of its answer.
  int64_t queue_ms_max = 2000;  // A request that would wait for longer is refused at once: 503.
};

// IdpOutage is when it is down: connections are refused, or `silent`: nothing ever comes back. None if it
// ends when it begins.
struct IdpOutage {
  int64_t begin_ms = INT64_MAX;
  int64_t end_ms = INT64_MAX;
  bool silent = false;
};

// IdpModel answers requests for keys in virtual time. Owner thread only.
class IdpModel {
 public:
  struct Answer {
    bool good = false;
    std::optional<int64_t> at_ms{};  // When it arrives; nullopt: never.
  };

  IdpModel(const IdpSettings& settings, const IdpOutage& outage) : settings_(settings), outage_(outage) {}

  // Ask takes in the request that arrives now; `now_ms` never falls. Work on an answer that the outage cuts
  // off is lost.
  Answer Ask(int64_t now_ms);

 private:
  const IdpSettings settings_;
  const IdpOutage outage_;
  double free_ms_ = 0;  // When the last request that it took in will have had its turn.
};

}  // namespace tollgate::bench
