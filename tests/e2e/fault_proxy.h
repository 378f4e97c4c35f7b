#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

namespace tollgate::e2e {

// FaultProxy stands between an HTTP client and a server that nobody here wrote, both on 127.0.0.1, and spoils
// the answers. It forwards one GET for each connection and closes it then, one connection after the other, on
// a thread of its own. Thread-safe.
class FaultProxy {
 public:
  enum class Mode {
    kPass,
    kRefuse,     // Connections are refused.
    kBlackhole,  // Accepts, reads, never answers.
    kSlowBody,   // The right header, and a byte of the right body from time to time.
    kTruncate,   // The right header, and half of the body.
    kGarbage,    // The right header, and a body of that length that is no text of anything.
  };
  static std::optional<Mode> ParseMode(std::string_view name);

  // Ends the process if there is no port to be had.
  explicit FaultProxy(uint16_t server_port);
  ~FaultProxy();
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;

  uint16_t port() const { return port_; }

  // SetMode drops the connection under way and returns when the mode is in force.
  void SetMode(Mode mode);

  // Requests that were read since the mode is in force.
  uint64_t num_requests() const;

 private:
  void Run();
  void Follow(Mode mode);
  void Serve(int client);
  bool WaitFor(int fd, int timeout_ms);
  std::optional<std::string> ReadRequest(int client);
  std::optional<std::string> Ask(const std::string& request) const;

  const uint16_t server_port_;
  uint16_t port_ = 0;
  int listener_ = -1;  // Bound; while it does not listen, connections are refused and the port stays ours.
  int wake_read_ = -1;
  int wake_write_ = -1;

  mutable std::mutex mutex_;
  std::condition_variable in_force_;
  Mode wanted_ = Mode::kPass;
  bool pending_ = false;
  bool stopping_ = false;
  uint64_t num_requests_ = 0;

  Mode mode_ = Mode::kPass;  // The thread's own.
  std::thread thread_;
};

}  // namespace tollgate::e2e
