#include "keys/issuer.h"

#include <algorithm>

namespace tollgate::keys {

int64_t Issuer::NextRequestMs(const Timing& timing) const {
  return std::max(schedule.in_flight ? ScheduleState::kNever : NextFetchMs(schedule, timing), turn_ms);
}

void Issuer::Mirror(const Timing& timing) {
  // Ordering: relaxed, but for the last: see the members.
  due_ms.store(schedule.due_ms, std::memory_order_relaxed);
  next_ms.store(NextRequestMs(timing), std::memory_order_relaxed);
  failures.store(schedule.failures, std::memory_order_relaxed);
  in_flight.store(schedule.in_flight, std::memory_order_relaxed);
  fell_back.store(schedule.fell_back, std::memory_order_relaxed);
  // Ordering: release pairs with the acquire in Seen.
  last_good_ms.store(schedule.last_good_ms, std::memory_order_release);
  // Ordering: release, both, pairs with the acquires in KeyStore::IsFresh.
  fresh.last_good_ms.store(schedule.last_good_ms, std::memory_order_release);
  fresh.until_ms.store(FreshUntil(schedule, timing), std::memory_order_release);
}

void Issuer::MirrorTo(Issuer& tenant) const {
  // Ordering: relaxed, both loads; this side wrote them. Release, both stores, pairs with the acquires in
  // KeyStore::IsFresh, as in Mirror.
  tenant.fresh.last_good_ms.store(fresh.last_good_ms.load(std::memory_order_relaxed),
                                  std::memory_order_release);
  tenant.fresh.until_ms.store(fresh.until_ms.load(std::memory_order_relaxed), std::memory_order_release);
}

void Issuer::MirrorToTenants() const {
  for (Issuer* const tenant : tenants) MirrorTo(*tenant);
}

ScheduleState Issuer::Seen() const {
  ScheduleState seen;
  // Ordering: acquire pairs with the release in Mirror; the others are relaxed, see the members.
  seen.last_good_ms = last_good_ms.load(std::memory_order_acquire);
  seen.due_ms = due_ms.load(std::memory_order_relaxed);
  seen.failures = failures.load(std::memory_order_relaxed);
  seen.in_flight = in_flight.load(std::memory_order_relaxed);
  seen.fell_back = fell_back.load(std::memory_order_relaxed);
  return seen;
}

}  // namespace tollgate::keys
