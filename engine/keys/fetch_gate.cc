#include "keys/fetch_gate.h"

#include <algorithm>

namespace tollgate::keys {

FetchGate::FetchGate(const Timing& timing) : timing_(timing) {}
FetchGate::~FetchGate() = default;

FetchGate::Place& FetchGate::PlaceOf(uint32_t issuer) {
  if (issuer >= places_.size()) places_.resize(std::max<size_t>(issuer + size_t{1}, places_.size() * 2));
  return places_[issuer];
}

FetchGate::Host& FetchGate::HostOf(std::string_view name) {
  std::unique_ptr<Host>& host = hosts_[std::string(name)];
  if (host == nullptr) {
    host = std::make_unique<Host>();
    host->name = name;
    host->number = host_numbers_++;
  }
  return *host;
}

void FetchGate::Plan(uint32_t issuer, int64_t due_ms) {
  Place& place = PlaceOf(issuer);
  if (place.host != nullptr) return;
  if (place.due_ms != INT64_MAX) plans_.erase(std::pair(place.due_ms, issuer));
  place.due_ms = due_ms;
  if (due_ms != INT64_MAX) plans_.emplace(due_ms, issuer);
}

std::optional<uint32_t> FetchGate::TakeDue(int64_t now_ms) {
  if (plans_.empty() || plans_.begin()->first > now_ms) return std::nullopt;
  const uint32_t issuer = plans_.begin()->second;
  plans_.erase(plans_.begin());
  places_[issuer].due_ms = INT64_MAX;
  return issuer;
}

int64_t FetchGate::Enter(uint32_t issuer, std::string_view name, bool goes_on, uint32_t requests,
                         int64_t now_ms) {
  DropIdle(now_ms);
  Host& host = HostOf(name);
  Place& place = PlaceOf(issuer);
  Line& line = goes_on ? host.going_on : host.beginning;
  place.host = &host;
  place.previous = line.last;
  place.next = kNobody;
  place.requests = requests;
  place.goes_on = goes_on;
  (line.last == kNobody ? line.first : places_[line.last].next) = issuer;
  line.last = issuer;
  const int64_t turn_ms = NthRequestMs(host.full_ms, host.requests, timing_, now_ms);
  host.requests += requests;
  if (host.at == Host::At::kReady) return turn_ms;
  Settle(host, now_ms);
  // What was begun ends before something new begins, elsewhere too.
  if (goes_on && host.at == Host::At::kReady) {
    ready_.pop_back();
    ready_.push_front(&host);
  }
  return turn_ms;
}

// Leave takes the issuer out of its host's line.
void FetchGate::Leave(uint32_t issuer) {
  Place& place = places_[issuer];
  Host& host = *place.host;
  Line& line = place.goes_on ? host.going_on : host.beginning;
  (place.previous == kNobody ? line.first : places_[place.previous].next) = place.next;
  (place.next == kNobody ? line.last : places_[place.next].previous) = place.previous;
  host.requests -= place.requests;
  place.host = nullptr;
}

// Unsettle takes a host out of the set that it is in. One that is ready stays among those until its turn.
void FetchGate::Unsettle(Host& host) {
  if (host.at == Host::At::kIdle) idle_.erase(std::tuple(host.at_ms, host.number, &host));
  if (host.at == Host::At::kWaiting) waiting_.erase(std::tuple(host.at_ms, host.number, &host));
  host.at = Host::At::kNowhere;
}

// Settle puts a host that is not ready where it belongs.
void FetchGate::Settle(Host& host, int64_t now_ms) {
  Unsettle(host);
  if (host.going_on.first == kNobody && host.beginning.first == kNobody) {
    host.at = Host::At::kIdle;
    host.at_ms = host.full_ms;
    idle_.emplace(host.at_ms, host.number, &host);
    return;
  }
  host.at_ms = NthRequestMs(host.full_ms, 0, timing_, now_ms);
  if (host.at_ms <= now_ms) {
    host.at = Host::At::kReady;
    ready_.push_back(&host);
  } else {
    host.at = Host::At::kWaiting;
    waiting_.emplace(host.at_ms, host.number, &host);
  }
}

// DropIdle forgets hosts of which there is nothing to know.
void FetchGate::DropIdle(int64_t now_ms) {
  while (!idle_.empty() && std::get<0>(*idle_.begin()) <= now_ms) {
    const std::string name = std::get<Host*>(*idle_.begin())->name;
    idle_.erase(idle_.begin());
    hosts_.erase(name);
  }
}

std::optional<uint32_t> FetchGate::Next(int64_t now_ms) {
  while (!waiting_.empty() && std::get<0>(*waiting_.begin()) <= now_ms) {
    Settle(*std::get<Host*>(*waiting_.begin()), now_ms);
  }
  while (under_way_ < kUnderWayMax && !ready_.empty()) {
    Host& host = *ready_.front();
    ready_.pop_front();
    host.at = Host::At::kNowhere;
    const uint32_t issuer = host.going_on.first != kNobody ? host.going_on.first : host.beginning.first;
    if (issuer != kNobody) {
      Leave(issuer);
      host.full_ms = OnRequest(host.full_ms, timing_, now_ms);
      ++under_way_;
    }
    Settle(host, now_ms);
    if (issuer != kNobody) return issuer;
  }
  return std::nullopt;
}

int64_t FetchGate::NextMs() const {
  int64_t next_ms = plans_.empty() ? INT64_MAX : plans_.begin()->first;
  if (under_way_ >= kUnderWayMax) return INT64_MAX;
  if (!waiting_.empty()) next_ms = std::min(next_ms, std::get<0>(*waiting_.begin()));
  return next_ms;
}

void FetchGate::Forget(uint32_t issuer) {
  if (issuer >= places_.size()) return;
  if (Host* const host = places_[issuer].host; host != nullptr) {
    Leave(issuer);
    // A ready one finds nobody when its turn comes.
    if (host->at == Host::At::kWaiting && host->going_on.first == kNobody && host->beginning.first == kNobody)
      Settle(*host, host->full_ms);
  }
  Plan(issuer, INT64_MAX);
}

}  // namespace tollgate::keys
