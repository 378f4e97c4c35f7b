#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tollgate/engine.h"
#include "tools/tollgated/http.h"
#include "tools/tollgated/http_server.h"
#include "tools/tollgated/refusals.h"

namespace tollgate::tollgated {

// StatusReading is all that the admin listener shows, at one moment. There is nothing secret in it, but who
// one's identity providers are and how they fare is nobody else's business.
struct StatusReading {
  int64_t wall_s = 0;
  Metrics metrics{};
  std::vector<IssuerHealth> issuers{};
  SnapshotHealth snapshot{};
  std::string audit_error{};
  ShadowReport shadow{};
  HttpCounters http{};  // Of the listeners that proxies ask.
  std::vector<std::string> servers{};
  RefusalBook::Counts refusals{};
  std::vector<RefusalBook::Refusal> recent_refusals{};
  std::string configuration{};  // One line about the last reload; empty: there has been none.
};

// Of issuers, so many are shown one by one: those that are worst off.
inline constexpr size_t kIssuersShownMax = 500;

// MetricsText returns a reading in Prometheus' text format, version 0.0.4. Names begin with tollgate_, times
// are seconds.
std::string MetricsText(const StatusReading& reading);

// StatusJson returns it for programs, StatusPage as HTML for people, without scripts.
std::string StatusJson(const StatusReading& reading);
std::string StatusPage(const StatusReading& reading);

// Readiness is whether this process should get requests: every issuer's keys have been had once, from the
// issuer or from the snapshot. One whose keys have grown too old since does not count: no other process would
// do better, and its tokens are answered 503. `text` names those that are not fresh, a line each.
struct Readiness {
  bool ready = false;
  std::string text{};
};
Readiness ReadinessOf(const StatusReading& reading);

// MakeAdminHandler returns a handler for the admin listener: GET and HEAD of /metrics, /healthz (the process
// lives), /readyz, /status and /. What is asked by another host name than an address or localhost is refused
// (421): it comes from a page of the web whose name leads here. `read` is called on the handler's thread.
std::unique_ptr<HttpHandler> MakeAdminHandler(std::function<StatusReading()> read);

}  // namespace tollgate::tollgated
