#include "bench/gateway/load.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/ascii.h"

namespace tollgate::bench {
namespace {

// A server that says nothing for so long has died.
constexpr std::chrono::seconds kSilenceMax{10};

double CpuSeconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// ReadHead reads the status and the length of an answer whose header is whole; false if it is in no form that
// is expected here.
bool ReadHead(std::string_view head, int* status, size_t* body_len) {
  constexpr std::string_view kVersion = "HTTP/1.1 ", kLength = "content-length:";
  if (!head.starts_with(kVersion)) return false;
  if (std::from_chars(head.data() + kVersion.size(), head.data() + head.size(), *status).ec != std::errc())
    return false;
  if (*status == 204) return true;  // Has no body, and so no length (RFC 9110 section 8.6).
  for (size_t at = head.find("\r\n"); at != head.npos; at = head.find("\r\n", at)) {
    at += 2;
    if (!ascii::EqualIgnoringCase(head.substr(at, kLength.size()), kLength)) continue;
    const char* first = head.data() + at + kLength.size();
    while (first != head.data() + head.size() && *first == ' ') ++first;
    return std::from_chars(first, head.data() + head.size(), *body_len).ec == std::errc();
  }
  return false;
}

}  // namespace

Load::Load(uint16_t port, const std::vector<std::string>& requests)
    : port_(port), requests_(requests), epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

Load::~Load() {
  for (const Connection& connection : connections_) close(connection.fd);
  close(epoll_);
}

bool Load::Fail(const std::string& why) {
  if (error_.empty()) error_ = why;
  return false;
}

bool Load::Connect(size_t num_connections) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port_);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (size_t i = 0; i < num_connections; ++i) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    epoll_event event = {.events = EPOLLIN, .data = {.u64 = i}};
    connections_.push_back({.fd = fd});
    free_.push_back(i);
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
        epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) {
      return Fail(std::string("cannot connect: ") + std::strerror(errno));
    }
  }
  return true;
}

bool Load::Send(Connection* connection, std::string_view request) {
  connection->answer.clear();
  connection->answer_len = 0;
  const ssize_t sent = send(connection->fd, request.data(), request.size(), MSG_NOSIGNAL);
  return sent == static_cast<ssize_t>(request.size()) || Fail("a request could not be sent");
}

bool Load::Receive(Connection* connection) {
  std::string& answer = connection->answer;
  char bytes[4096];
  const ssize_t size = recv(connection->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
  if (size < 0 && errno == EAGAIN) return false;
  if (size <= 0) return Fail("the server has closed a connection");
  answer.append(bytes, static_cast<size_t>(size));
  if (connection->answer_len == 0) {
    const size_t end = answer.find("\r\n\r\n");
    if (end == answer.npos) return false;
    size_t body_len = 0;
    if (!ReadHead(std::string_view(answer).substr(0, end), &connection->status, &body_len))
      return Fail("an answer cannot be read");
    connection->answer_len = end + 4 + body_len;
  }
  if (answer.size() > connection->answer_len) return Fail("an answer is longer than it says");
  return answer.size() == connection->answer_len;
}

int Load::StatusOf(std::string_view request) {
  Connection& connection = connections_[free_.back()];
  if (!Send(&connection, request)) return 0;
  for (;;) {
    epoll_event event;
    if (epoll_wait(epoll_, &event, 1, std::chrono::milliseconds(kSilenceMax).count()) != 1) {
      Fail("no answer");
      return 0;
    }
    if (Receive(&connection)) return connection.status;
    if (!error_.empty()) return 0;
  }
}

std::optional<LoadSlice> Load::Run(double seconds, double rate) {
  LoadSlice slice;
  const double cpu_before = CpuSeconds();
  const auto length = [](double s) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(s));
  };
  const Clock::time_point begin = Clock::now(), end = begin + length(seconds);
  uint64_t num_due = 0;
  Clock::time_point due = begin;
  epoll_event events[64];
  for (;;) {
    const Clock::time_point now = Clock::now();
    // Saturating, a request is due when a connection is free.
    if (rate == 0) due = now;
    while (due <= now && due < end && !free_.empty()) {
      Connection& connection = connections_[free_.back()];
      free_.pop_back();
      connection.due = due;
      if (!Send(&connection, requests_[next_])) return std::nullopt;
      if (++next_ == requests_.size()) next_ = 0;
      if (rate != 0) due = begin + length(static_cast<double>(++num_due) / rate);
    }
    if (due >= end && free_.size() == connections_.size()) break;

    Clock::duration wait = kSilenceMax;
    if (rate != 0 && due < end && !free_.empty()) wait = std::max(due - Clock::now(), Clock::duration(0));
    const timespec timeout = {
        .tv_sec = std::chrono::duration_cast<std::chrono::seconds>(wait).count(),
        .tv_nsec =
            std::chrono::duration_cast<std::chrono::nanoseconds>(wait % std::chrono::seconds(1)).count()};
    const int num_events = epoll_pwait2(epoll_, events, std::size(events), &timeout, nullptr);
    if (num_events == 0 && wait == Clock::duration(kSilenceMax)) Fail("no answer");
    for (int i = 0; i < num_events; ++i) {
      Connection& connection = connections_[events[i].data.u64];
      if (!Receive(&connection)) continue;
      const Clock::time_point answered = Clock::now();
      free_.push_back(events[i].data.u64);
      slice.wrong += connection.status / 100 != 2;
      if (rate == 0 && answered > end) continue;
      ++slice.answers;
      slice.latency.Record(static_cast<uint64_t>(
          std::chrono::duration_cast<std::chrono::nanoseconds>(answered - connection.due).count()));
    }
    if (!error_.empty()) return std::nullopt;
  }
  slice.seconds = rate == 0 ? seconds : std::chrono::duration<double>(Clock::now() - begin).count();
  slice.client_cpu = CpuSeconds() - cpu_before;
  return slice;
}

}  // namespace tollgate::bench
