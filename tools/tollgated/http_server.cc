#include "tools/tollgated/http_server.h"

#include <string.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <string_view>
#include <thread>
#include <unordered_set>
#include <utility>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include "tools/tollgated/http_reader.h"
#include "tools/tollgated/listener.h"

namespace tollgate::tollgated {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Executor = asio::io_context::executor_type;
using Protocol = asio::generic::stream_protocol;
using Socket = asio::basic_stream_socket<Protocol, Executor>;
using Acceptor = asio::basic_socket_acceptor<Protocol, Executor>;
using SteadyClock = std::chrono::steady_clock;
using Timer = asio::basic_waitable_timer<SteadyClock, asio::wait_traits<SteadyClock>, Executor>;

constexpr size_t kReadBytes = 4096;              // Room for what is read at a time, at first.
constexpr size_t kKeptBytesMax = 64 << 10;       // A longer buffer is given back once it is empty.
constexpr size_t kUnwrittenBytesMax = 64 << 10;  // Then pipelined requests wait.
constexpr std::chrono::milliseconds kLinger{2'000};
constexpr std::chrono::milliseconds kAcceptPause{100};

std::string_view PhraseOf(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 421:
      return "Misdirected Request";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Internal Server Error";
  }
}

int StatusOf(HttpReader::Result result) {
  switch (result) {
    case HttpReader::Result::kBodyTooLong:
      return 413;
    case HttpReader::Result::kHeaderTooLong:
      return 431;
    case HttpReader::Result::kNotImplemented:
      return 501;
    case HttpReader::Result::kVersionNotSupported:
      return 505;
    default:
      return 400;
  }
}

// Counters are written by all threads of a server.
struct Counters {
  std::atomic<uint64_t> connections{0}, refused{0}, open{0}, requests{0}, malformed{0}, timeouts{0};
};

void Count(std::atomic<uint64_t>& counter) {
  // Ordering: relaxed, no partner: a statistic.
  counter.fetch_add(1, std::memory_order_relaxed);
}

// Wipe overwrites what was read, tokens among it, before its memory is somebody else's.
void Wipe(std::string* bytes) {
  bytes->resize(bytes->capacity());
  explicit_bzero(bytes->data(), bytes->size());
}

class Connection;

// Worker is one thread with the connections that are its own. Owner thread only, but for `io`.
struct Worker {
  Worker(const Bounds& b, Counters& c, std::unique_ptr<HttpHandler> h)
      : bounds(b), counters(c), guard(io.get_executor()), sweep(io), handler(std::move(h)) {}

  void Run();
  void Add(Socket socket);
  void End(const std::shared_ptr<Connection>& connection);
  void Sweep();
  void BeginToDrain();
  void EndIfDrained();
  void CutOff();

  const Bounds bounds;
  Counters& counters;
  asio::io_context io{1};
  asio::executor_work_guard<Executor> guard;
  Timer sweep;
  const std::unique_ptr<HttpHandler> handler;
  bool draining = false;
  std::unordered_set<std::shared_ptr<Connection>> connections;
};

// Connection is one client. It reads, or writes, or waits for an answer, never two of these at once but for
// the answers to earlier requests. Owner thread only.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Worker& worker, Socket socket)
      : worker_(worker),
        socket_(std::move(socket)),
        reader_({.header_bytes_max = worker.bounds.header_bytes_max,
                 .body_bytes_max = worker.bounds.body_bytes_max}) {
    error_code ignored;
    socket_.non_blocking(true, ignored);
  }
  ~Connection() { Wipe(&buffer_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Step does whatever can be done, until it waits for the client, for the handler or for nothing any more.
  void Step() {
    while (!is_over_) {
      const bool more = !waiting_ && !last_ && AnswerRequests();
      if (!Flush() || waiting_) return;
      if (last_) return Linger();
      if (!more) return Read();
    }
  }

  bool IsDue(SteadyClock::time_point now) const { return now >= deadline_; }

  void TimeOut() {
    Count(worker_.counters.timeouts);
    // In the middle of a request; of an answer, another one cannot be begun.
    if (request_begun_ && !writing_ && !lingering_) {
      last_ = true;
      Append({.status = 408});
      error_code ignored;
      socket_.write_some(asio::buffer(unwritten_), ignored);
    }
    End();
  }

  // EndIfIdle leaves a request alone that has come, but has not been read.
  void EndIfIdle() {
    error_code error;
    if (!request_begun_ && !waiting_ && !writing_ && socket_.available(error) == 0) End();
  }

  void End() {
    if (is_over_) return;
    is_over_ = true;
    error_code ignored;
    socket_.close(ignored);
    worker_.End(shared_from_this());
  }

 private:
  // AnswerRequests answers the requests that are there. True if it left off because there is enough to write.
  bool AnswerRequests() {
    while (unwritten_.size() < kUnwrittenBytesMax) {
      const HttpReader::Result result =
          begin_ == end_ ? HttpReader::Result::kNeedsMore
                         : reader_.Read(std::string_view(buffer_).substr(begin_, end_ - begin_));
      if (result == HttpReader::Result::kNeedsMore) {
        if (begin_ != end_ && reader_.expects_continue() && !continued_) {
          continued_ = true;
          unwritten_ += "HTTP/1.1 100 Continue\r\n\r\n";
        }
        return false;
      }
      request_begun_ = continued_ = false;
      if (result != HttpReader::Result::kRequest) {
        Count(worker_.counters.malformed);
        last_ = client_may_send_ = true;
        Append({.status = StatusOf(result)});
        return false;
      }
      Count(worker_.counters.requests);
      const HttpRequest& request = reader_.request();
      begin_ += reader_.length();
      is_head_ = request.method == "HEAD";
      is_http_1_0_ = request.is_http_1_0;
      if (!request.keep_alive) last_ = true;
      HttpAnswer answer;
      if (!worker_.handler->Answer(request, &answer, [this] { return MakeLater(); })) return false;
      Append(answer);
      if (last_) return false;
    }
    return true;
  }

  HttpHandler::Later MakeLater() {
    waiting_ = true;
    deadline_ = SteadyClock::time_point::max();  // The handler has a bound of its own.
    WatchForLeaving();
    return [self = shared_from_this()](HttpAnswer answer) {
      asio::post(self->socket_.get_executor(), [self, answer = std::move(answer)] {
        self->waiting_ = false;
        if (self->is_over_) return;
        self->Append(answer);
        self->Step();
      });
    };
  }

  // WatchForLeaving ends the connection of a client that leaves while the handler has it wait: nobody would
  // read the answer. Who sends more meanwhile is there.
  void WatchForLeaving() {
    if (watching_) return;
    watching_ = true;
    socket_.async_wait(Socket::wait_read, [self = shared_from_this()](error_code error) {
      self->watching_ = false;
      if (error || self->is_over_ || !self->waiting_) return;
      char byte;
      self->socket_.receive(asio::buffer(&byte, 1), Socket::message_peek, error);
      if (error == asio::error::would_block) return self->WatchForLeaving();
      if (error) self->End();
    });
  }

  void Append(const HttpAnswer& answer) {
    if (worker_.draining) last_ = true;
    unwritten_.append("HTTP/1.1 ").append(std::to_string(answer.status)).append(" ");
    unwritten_.append(PhraseOf(answer.status)).append("\r\n").append(answer.fields);
    if (answer.status != 204)
      unwritten_.append("Content-Length: ").append(std::to_string(answer.body.size())).append("\r\n");
    if (last_) {
      unwritten_.append("Connection: close\r\n");
    } else if (is_http_1_0_) {
      unwritten_.append("Connection: keep-alive\r\n");
    }
    unwritten_.append("\r\n");
    if (!is_head_) unwritten_.append(answer.body);
    is_head_ = false;
  }

  // Flush writes. False if the rest is written later, which leads to Step, or the connection is over.
  bool Flush() {
    if (writing_) return false;
    if (unwritten_.empty()) return true;
    error_code error;
    const size_t written = socket_.write_some(asio::buffer(unwritten_), error);
    if (error && error != asio::error::would_block) {
      End();
      return false;
    }
    unwritten_.erase(0, written);
    if (unwritten_.empty()) return true;
    writing_ = true;
    being_written_.swap(unwritten_);
    deadline_ = SteadyClock::now() + worker_.bounds.request_timeout;
    asio::async_write(
        socket_, asio::buffer(being_written_), [self = shared_from_this()](error_code write_error, size_t) {
          self->writing_ = false;
          self->being_written_.clear();
          if (write_error) return self->End();
          // Behind 100 there is the rest of a request to come.
          self->deadline_ = self->request_begun_ ? SteadyClock::now() + self->worker_.bounds.request_timeout
                                                 : SteadyClock::time_point::max();
          self->Step();
        });
    return false;
  }

  void Read() {
    MakeRoom();
    if (begin_ != end_) {
      BeginRequest();
    } else if (!request_begun_) {
      deadline_ = SteadyClock::now() + worker_.bounds.idle_timeout;
    }
    socket_.async_read_some(asio::buffer(buffer_.data() + end_, buffer_.size() - end_),
                            [self = shared_from_this()](error_code error, size_t size) {
                              if (error) return self->End();
                              self->end_ += size;
                              self->BeginRequest();
                              self->Step();
                            });
  }

  // BeginRequest: the time for a request counts from its first byte.
  void BeginRequest() {
    if (request_begun_) return;
    request_begun_ = true;
    deadline_ = SteadyClock::now() + worker_.bounds.request_timeout;
  }

  void MakeRoom() {
    if (begin_ == end_) {
      begin_ = end_ = 0;
      if (buffer_.size() > kKeptBytesMax) Resize(0);
    } else if (begin_ > 0) {
      buffer_.erase(0, begin_);  // The size is what there is room for.
      end_ -= begin_;
      begin_ = 0;
    }
    // What the reader may want to see at once is bounded, and so is this.
    if (end_ == buffer_.size()) Resize(std::max(kReadBytes, 2 * buffer_.size()));
  }

  // Resize gives the buffer other memory, and leaves nothing in the old one.
  void Resize(size_t size) {
    std::string other(size, '\0');
    std::copy_n(buffer_.data(), std::min(end_, size), other.data());
    Wipe(&buffer_);
    buffer_.swap(other);
  }

  // Linger lets the client read the last answer: to close while it sends would take that away from it (RFC
  // 9112 section 9.6).
  void Linger() {
    if (!client_may_send_) return End();
    error_code error;
    if (!lingering_) socket_.shutdown(Socket::shutdown_send, error);
    if (error) return End();
    if (!lingering_) deadline_ = SteadyClock::now() + kLinger;
    lingering_ = true;
    buffer_.resize(kReadBytes);
    socket_.async_read_some(asio::buffer(buffer_),
                            [self = shared_from_this()](error_code read_error, size_t) {
                              read_error ? self->End() : self->Step();
                            });
  }

  Worker& worker_;
  Socket socket_;
  HttpReader reader_;
  std::string buffer_;          // Its size is what there is room for;
  size_t begin_ = 0, end_ = 0;  // here is what has not been taken.
  std::string unwritten_;       // Answers,
  std::string being_written_;   // and those on their way.
  SteadyClock::time_point deadline_ = SteadyClock::time_point::max();
  bool request_begun_ = false;  // Some of a request is there, but not all.
  bool continued_ = false;      // And 100 has been sent.
  bool waiting_ = false;        // For the handler,
  bool watching_ = false;       // and for the client to leave.
  bool writing_ = false;
  bool last_ = false;             // Behind what is to be written the connection ends,
  bool client_may_send_ = false;  // though the client does not know.
  bool lingering_ = false;
  bool is_head_ = false, is_http_1_0_ = false;  // Of the request that is answered.
  bool is_over_ = false;
};

void Worker::Run() {
  Sweep();
  io.run();
}

void Worker::Add(Socket socket) {
  const auto connection = std::make_shared<Connection>(*this, std::move(socket));
  connections.insert(connection);
  connection->Step();
}

void Worker::End(const std::shared_ptr<Connection>& connection) {
  // Ordering: relaxed, no partner: a bound that guards no data.
  if (connections.erase(connection) != 0) counters.open.fetch_sub(1, std::memory_order_relaxed);
  EndIfDrained();
}

// Sweep looks for connections whose time is over. So a request needs no timer of its own, and has a quarter
// more of time at most.
void Worker::Sweep() {
  const auto now = SteadyClock::now();
  std::vector<std::shared_ptr<Connection>> due;
  for (const std::shared_ptr<Connection>& connection : connections) {
    if (connection->IsDue(now)) due.push_back(connection);
  }
  for (const std::shared_ptr<Connection>& connection : due) connection->TimeOut();
  if (draining && connections.empty()) return;
  const std::chrono::milliseconds least = std::min(bounds.request_timeout, bounds.idle_timeout) / 4;
  sweep.expires_after(std::clamp(least, std::chrono::milliseconds(1), std::chrono::milliseconds(1000)));
  sweep.async_wait([this](error_code error) {
    if (!error) Sweep();
  });
}

void Worker::BeginToDrain() {
  draining = true;
  const std::vector<std::shared_ptr<Connection>> all(connections.begin(), connections.end());
  for (const std::shared_ptr<Connection>& connection : all) connection->EndIfIdle();
  EndIfDrained();
}

void Worker::EndIfDrained() {
  if (!draining || !connections.empty()) return;
  sweep.cancel();
  guard.reset();
}

void Worker::CutOff() {
  const std::vector<std::shared_ptr<Connection>> all(connections.begin(), connections.end());
  for (const std::shared_ptr<Connection>& connection : all) connection->End();
}

}  // namespace

class HttpServer::Impl {
 public:
  Impl(const Options& options, const MakeHandler& make_handler) : bounds_(options.bounds) {
    for (size_t i = 0; i < std::max<size_t>(options.threads, 1); ++i)
      workers_.push_back(std::make_unique<Worker>(bounds_, counters_, make_handler()));
  }

  ~Impl() { Drain(std::chrono::milliseconds(0)); }

  absl::Status Listen(const std::vector<std::string>& addresses) {
    if (addresses.empty()) return absl::InvalidArgumentError("listen: there is no address");
    for (const std::string& address : addresses) {
      absl::StatusOr<Listener> listener = Listener::Open(address);
      if (!listener.ok()) return listener.status();
      listening_.push_back(listener->address());
      listeners_.push_back(*std::move(listener));
    }
    for (Listener& listener : listeners_) {
      acceptors_.push_back(std::make_unique<Acceptor>(workers_[0]->io));
      error_code error;
      acceptors_.back()->assign(Protocol(listener.family(), 0), listener.Release(), error);
      if (error) return absl::UnavailableError("listen: " + error.message());
    }
    pause_ = std::make_unique<Timer>(workers_[0]->io);
    return absl::OkStatus();
  }

  void Run() {
    num_running_ = workers_.size();
    for (const auto& acceptor : acceptors_) Accept(*acceptor);
    for (const auto& worker : workers_) {
      threads_.emplace_back([this, &worker = *worker] {
        worker.Run();
        const std::lock_guard lock(mutex_);
        --num_running_;
        one_has_ended_.notify_all();
      });
    }
  }

  bool Drain(std::chrono::milliseconds drain_max) {
    const std::lock_guard alone(drain_mutex_);
    if (threads_.empty()) return true;
    // First nothing new comes; whatever has come is with its worker before it is told.
    std::promise<void> closed;
    asio::post(workers_[0]->io, [this, &closed] {
      is_closed_ = true;
      error_code ignored;
      for (const auto& acceptor : acceptors_) acceptor->close(ignored);
      pause_->cancel();
      closed.set_value();
    });
    closed.get_future().wait();
    for (const auto& worker : workers_)
      asio::post(worker->io, [&worker = *worker] { worker.BeginToDrain(); });
    bool in_time = false;
    {
      std::unique_lock lock(mutex_);
      in_time = one_has_ended_.wait_for(lock, drain_max, [this] { return num_running_ == 0; });
    }
    if (!in_time) {
      for (const auto& worker : workers_) asio::post(worker->io, [&worker = *worker] { worker.CutOff(); });
    }
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    listeners_.clear();  // And the names of UNIX sockets.
    return in_time;
  }

  const std::vector<std::string>& listening() const { return listening_; }

  HttpCounters ReadCounters() const {
    // Ordering: relaxed, no partner: statistics.
    const auto read = [](const std::atomic<uint64_t>& counter) {
      return counter.load(std::memory_order_relaxed);
    };
    return {.connections = read(counters_.connections),
            .connections_refused = read(counters_.refused),
            .connections_open = read(counters_.open),
            .requests = read(counters_.requests),
            .requests_malformed = read(counters_.malformed),
            .timeouts = read(counters_.timeouts)};
  }

 private:
  // Accept runs on the first worker's thread and gives each connection to the next one.
  void Accept(Acceptor& acceptor) {
    Worker& worker = *workers_[next_++ % workers_.size()];
    acceptor.async_accept(worker.io, [this, &acceptor, &worker](error_code error, Socket socket) {
      if (is_closed_) return;
      if (!error) {
        Admit(worker, std::move(socket));
        return Accept(acceptor);
      }
      // Out of descriptors, most likely: to try again at once would keep the processor busy.
      pause_->expires_after(kAcceptPause);
      pause_->async_wait([this, &acceptor](error_code) {
        if (!is_closed_) Accept(acceptor);
      });
    });
  }

  void Admit(Worker& worker, Socket socket) {
    Count(counters_.connections);
    // Ordering: relaxed, no partner: a bound that guards no data, and this thread alone raises it.
    if (counters_.open.load(std::memory_order_relaxed) >= bounds_.connections_max) {
      Count(counters_.refused);
      error_code ignored;
      socket.close(ignored);
      return;
    }
    Count(counters_.open);
    asio::post(worker.io, [&worker, socket = std::move(socket)]() mutable { worker.Add(std::move(socket)); });
  }

  const Bounds bounds_;
  Counters counters_;
  std::vector<std::string> listening_;
  std::vector<Listener> listeners_;
  std::vector<std::unique_ptr<Worker>> workers_;
  // Of the first worker, whose thread alone looks at them.
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::unique_ptr<Timer> pause_;
  size_t next_ = 0;
  bool is_closed_ = false;

  std::vector<std::thread> threads_;
  std::mutex drain_mutex_;
  std::mutex mutex_;
  std::condition_variable one_has_ended_;
  size_t num_running_ = 0;  // Under mutex_.
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const Options& options,
                                                              const MakeHandler& make_handler) {
  auto impl = std::make_unique<Impl>(options, make_handler);
  if (const absl::Status status = impl->Listen(options.listen); !status.ok()) return status;
  impl->Run();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

bool HttpServer::Drain(std::chrono::milliseconds drain_max) { return impl_->Drain(drain_max); }
const std::vector<std::string>& HttpServer::listening() const { return impl_->listening(); }
HttpCounters HttpServer::ReadCounters() const { return impl_->ReadCounters(); }

}  // namespace tollgate::tollgated
