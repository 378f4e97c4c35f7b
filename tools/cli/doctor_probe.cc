#include "tools/cli/doctor_probe.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include "keys/request_bucket.h"
#include "tollgate/clock.h"

namespace tollgate::cli {

int64_t WallMs() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

absl::StatusOr<std::unique_ptr<Prober>> Prober::Make(const std::string& ca_file, bool loopback,
                                                     const Timing& timing) {
  std::unique_ptr<Prober> prober(new Prober(timing));
  absl::StatusOr<std::unique_ptr<Transport>> transport = transport::MakeCurlTransport(
      {.ca_file = ca_file,
       .allow_http_on_loopback = loopback,
       .on_end = [&seen = prober->seen_](const transport::Observation& observation) { seen = observation; }});
  if (!transport.ok()) return transport.status();
  prober->transport_ = *std::move(transport);
  return prober;
}

void Prober::WaitForTurn(const std::string& url) {
  const auto at =
      full_ms_.emplace(url.substr(0, url.find('/', url.find("://") + 3)), keys::kBucketFull).first;
  const auto now_ms = [] { return SystemClock().Read().mono_ms; };
  while (keys::NthRequestMs(at->second, 0, timing_, now_ms()) > now_ms())
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  at->second = keys::OnRequest(at->second, timing_, now_ms());
}

Exchange Prober::Fetch(FetchRequest request) {
  Exchange exchange{.url = request.url, .result = {}, .seen = {}};
  seen_ = {};
  WaitForTurn(exchange.url);
  exchange.began_ms = WallMs();
  transport_->Start(std::move(request));
  std::vector<FetchResult> done;
  while (done.empty()) transport_->Poll(1000, &done);
  exchange.ended_ms = WallMs();
  exchange.result = std::move(done.front());
  exchange.seen = seen_;
  return exchange;
}

std::optional<ClockOffset> OffsetOf(const Exchange& exchange) {
  const transport::Observation& seen = exchange.seen;
  if (exchange.result.outcome != FetchOutcome::kAnswered || seen.date_s < 0 || seen.from_cache)
    return std::nullopt;
  // It was written at some moment of the exchange, and its fraction of a second was left out.
  constexpr int64_t kSecondMs = 1000;
  constexpr int64_t kTickMs = 50;  // Servers read a clock that ticks.
  return ClockOffset{.least_ms = seen.date_s * kSecondMs - exchange.ended_ms,
                     .most_ms = (seen.date_s + 1) * kSecondMs + kTickMs - exchange.began_ms};
}

ClockOffset Narrower(const ClockOffset& earlier, const ClockOffset& later) {
  const ClockOffset both = {std::max(earlier.least_ms, later.least_ms),
                            std::min(earlier.most_ms, later.most_ms)};
  return both.least_ms <= both.most_ms ? both : later;
}

}  // namespace tollgate::cli
