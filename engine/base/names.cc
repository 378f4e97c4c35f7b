#include "tollgate/decision.h"
#include "tollgate/version.h"

namespace tollgate {

std::string_view FreshnessName(Freshness freshness) {
  switch (freshness) {
    case Freshness::kFresh:
      return "fresh";
    case Freshness::kStale:
      return "stale";
    case Freshness::kDegraded:
      return "degraded";
    case Freshness::kUnavailable:
      return "unavailable";
  }
  return "unavailable";
}

std::string_view Version() { return TOLLGATE_VERSION; }

}  // namespace tollgate
