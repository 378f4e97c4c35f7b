#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/lib/histogram.h"

namespace tollgate::bench {

// LoadSlice is what one slice of load came to.
struct LoadSlice {
  uint64_t answers = 0;
  uint64_t wrong = 0;     // Those of another status than 2xx.
  double seconds = 0;     // Until the last answer that counts.
  double client_cpu = 0;  // Seconds of processor time that the generator took itself.
  Histogram latency;      // From the time at which a request was to be sent to the end of its answer.
};

// Load sends requests to one HTTP/1.1 server at 127.0.0.1 over connections that stay open, one request at a
// time on each, whatever the server is: all servers are measured with the same generator. Owner thread only.
class Load {
 public:
  // Requests are whole HTTP requests, sent in turn; they must outlive this, and so must nothing else.
  Load(uint16_t port, const std::vector<std::string>& requests);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  // Connect opens the connections. False, with error(), if the server does not take them.
  bool Connect(size_t num_connections);

  // StatusOf sends one request by itself and returns the status of the answer; 0, with error(), for none.
  int StatusOf(std::string_view request);

  // Saturate sends the next request on each connection as soon as the one before is answered. Answers that
  // come within `seconds` count. nullopt, with error(), if the server closes a connection or goes silent.
  std::optional<LoadSlice> Saturate(double seconds) { return Run(seconds, 0); }

  // Offer sends `rate` requests a second, each at its time or, if no connection is free then, as soon as one
  // is; all of them count, from that time on.
  std::optional<LoadSlice> Offer(double seconds, double rate) { return Run(seconds, rate); }

  const std::string& error() const { return error_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Connection {
    int fd = -1;
    Clock::time_point due{};  // Of the request under way.
    std::string answer{};     // What has come of its answer,
    size_t answer_len = 0;    // and how long it is; 0: not known yet.
    int status = 0;
  };

  std::optional<LoadSlice> Run(double seconds, double rate);
  bool Send(Connection* connection, std::string_view request);
  // Receive reads what is there. True once the answer is whole.
  bool Receive(Connection* connection);
  bool Fail(const std::string& why);

  const uint16_t port_;
  const std::vector<std::string>& requests_;
  size_t next_ = 0;
  int epoll_ = -1;
  std::vector<Connection> connections_;
  std::vector<size_t> free_;
  std::string error_;
};

}  // namespace tollgate::bench
