#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/tollgated/http.h"
#include "tools/tollgated/settings.h"

namespace tollgate::tollgated {

// HttpCounters is one reading of what a server has done since its start.
struct HttpCounters {
  uint64_t connections = 0;          // Accepted.
  uint64_t connections_refused = 0;  // Closed at once: there were Bounds::connections_max.
  uint64_t connections_open = 0;     // At this moment.
  uint64_t requests = 0;             // Read to their end.
  uint64_t requests_malformed = 0;   // Or beyond a limit.
  uint64_t timeouts = 0;             // Connections ended by request_timeout or idle_timeout.
};

// HttpServer serves HTTP/1.1 over TCP and UNIX sockets on threads of its own. Each connection is one
// thread's; requests that are pipelined are answered in order. All that a client may take is bounded: see
// Bounds. What cannot be read as a request is answered 4xx or 5xx, and its connection ends. Thread-safe.
class HttpServer {
 public:
  struct Options {
    std::vector<std::string> listen{};  // As Settings::listen. Port 0: any free one.
    size_t threads = 1;
    Bounds bounds{};
  };
  using MakeHandler = std::function<std::unique_ptr<HttpHandler>()>;

  // Start returns a server that listens, or InvalidArgument or Unavailable with one line. `make_handler` is
  // called once for each thread, before Start returns.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const Options& options,
                                                           const MakeHandler& make_handler);

  // The destructor is Drain without patience. Whoever still has a Later must have ended before.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Drain stops accepting, closes connections that are idle, lets requests under way end, for as long as
  // `drain_max` at most, and ends all threads. True: nothing was cut off.
  bool Drain(std::chrono::milliseconds drain_max);

  // listening returns Options::listen with the ports that there are.
  const std::vector<std::string>& listening() const;
  HttpCounters ReadCounters() const;

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tollgate::tollgated
