#include "tests/sim/host_watch.h"

#include <algorithm>
#include <vector>

namespace tollgate::sim {
namespace {

std::string AuthorityOf(const std::string& url) {
  const size_t begin = std::string_view("https://").size();
  return url.substr(begin, url.find('/', begin) - begin);
}

// By issuer and path, the last one being the metadata's: the number of the host.
using Numbers = std::array<std::array<size_t, kPaths + 1>, kIssuersMax>;

Numbers MakeNumbers() {
  Numbers numbers{};
  std::vector<std::string> hosts;
  for (int issuer = 0; issuer < kIssuersMax; ++issuer) {
    for (int path = 0; path <= kPaths; ++path) {
      const std::string host =
          AuthorityOf(path < kPaths ? KeysUrl(issuer, path) : MetadataUrls(issuer).front());
      const auto found = std::find(hosts.begin(), hosts.end(), host);
      numbers[static_cast<size_t>(issuer)][static_cast<size_t>(path)] =
          static_cast<size_t>(found - hosts.begin());
      if (found == hosts.end()) hosts.push_back(host);
    }
  }
  return numbers;
}

}  // namespace

HostWatch::HostWatch(const Script& script)
    : interval_ms_(script.config.timing.host_interval_ms),
      spare_ms_((script.config.timing.host_burst - 1) * interval_ms_) {
  for (int issuer = 0; issuer < static_cast<int>(script.idps.size()); ++issuer) {
    const IdpScript& idp = script.idps[static_cast<size_t>(issuer)];
    std::array<bool, 1 + kIssuersMax> asks{};
    if (idp.kind == SourceKind::kInline) continue;
    for (const Since<int>& path : idp.paths)
      asks[NumberOf({.issuer = issuer, .keys = true, .number = path.value})] = true;
    if (idp.kind == SourceKind::kDiscovery) asks[NumberOf({.issuer = issuer})] = true;
    for (size_t host = 0; host < asks.size(); ++host) hosts_[host].num_issuers += asks[host] ? 1 : 0;
  }
}

size_t HostWatch::NumberOf(const Place& place) const {
  static const Numbers kNumbers = MakeNumbers();
  const int path = place.keys ? std::max(place.number, 0) : kPaths;
  return kNumbers[static_cast<size_t>(place.issuer)][static_cast<size_t>(path)];
}

void HostWatch::OnRequest(const Place& place, int64_t now_ms) {
  Host& host = hosts_[NumberOf(place)];
  host.full_ms = std::max(host.full_ms, now_ms) + interval_ms_;
}

int64_t HostWatch::FetchMs() const {
  int num_issuers = 1;
  for (const Host& host : hosts_) num_issuers = std::max(num_issuers, host.num_issuers);
  return interval_ms_ * (kRequestsMax * (num_issuers - 1) + 1 + (kRequestsMax - 1) * num_issuers);
}

}  // namespace tollgate::sim
