#include "tools/idp/server.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <ctime>
#include <functional>
#include <future>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include "tools/idp/connection.h"

namespace idp {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr size_t kOversizedBytesMax = 64 << 20;
constexpr int kBacklog = 1024;

constexpr std::array<std::pair<FaultMode, std::string_view>, 14> kModes = {{
    {FaultMode::kNone, "none"},
    {FaultMode::kDown, "down"},
    {FaultMode::kSlow, "slow"},
    {FaultMode::kError, "error"},
    {FaultMode::kBlackhole, "blackhole"},
    {FaultMode::kGarbage, "garbage"},
    {FaultMode::kEmpty, "empty"},
    {FaultMode::kEmptySet, "empty_set"},
    {FaultMode::kTruncated, "truncated"},
    {FaultMode::kSlowBody, "slow_body"},
    {FaultMode::kOversized, "oversized"},
    {FaultMode::kRedirect, "redirect"},
    {FaultMode::kWrongType, "wrong_type"},
    {FaultMode::kWrongIssuer, "wrong_issuer"},
}};

// WithMember returns the object in `body` with one member set; any other body as it is.
std::string WithMember(const std::string& body, const char* name, const json& value) {
  json object = json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return body;
  object[name] = value;
  return object.dump();
}

// Applies a fault to the response that would have been right.
Delivery Apply(const Fault& fault, Response right, const std::string& url) {
  Delivery delivery{.response = std::move(right)};
  Response& response = delivery.response;
  switch (fault.mode) {
    case FaultMode::kNone:
    case FaultMode::kDown:
      break;
    case FaultMode::kSlow:
      delivery.delay = fault.delay;
      break;
    case FaultMode::kError:
      response = ErrorResponse(fault.status, "server_error");
      if (!fault.retry_after.empty()) response.headers.emplace_back("Retry-After", fault.retry_after);
      break;
    case FaultMode::kBlackhole:
      delivery.never = true;
      break;
    case FaultMode::kGarbage:
      response = {.body = std::string("\x00\xff{\"keys\":[{]}\x1b<html>", 21)};
      break;
    case FaultMode::kEmpty:
      response = {};
      break;
    case FaultMode::kEmptySet:
      response = JsonResponse({{"keys", json::array()}});
      break;
    case FaultMode::kTruncated:
      delivery.truncate = true;
      break;
    case FaultMode::kSlowBody:
      delivery.per_byte = fault.delay;
      break;
    case FaultMode::kOversized:
      response.body =
          WithMember(response.body, "padding", std::string(std::min(fault.bytes, kOversizedBytesMax), 'a'));
      break;
    case FaultMode::kRedirect:
      response = {.status = 302, .headers = {{"Location", fault.location}}};
      if (fault.location.empty()) response.headers[0].second = url + "/redirected";
      break;
    case FaultMode::kWrongType:
      response.content_type = "text/html";
      break;
    case FaultMode::kWrongIssuer:
      response.body = WithMember(response.body, "issuer", "https://wrong-issuer.example");
      break;
  }
  return delivery;
}

std::string TextMember(const json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

uint64_t NumberMember(const json& object, const char* name, uint64_t otherwise) {
  const auto it = object.find(name);
  return it != object.end() && it->is_number_unsigned() ? it->get<uint64_t>() : otherwise;
}

// ParseFault reads the body of POST /admin/fault; the path goes to *path.
std::optional<Fault> ParseFault(const json& body, std::string* path) {
  if (!body.is_object()) return std::nullopt;
  const std::optional<FaultMode> mode = ParseFaultMode(TextMember(body, "mode"));
  const uint64_t status = NumberMember(body, "status", 500);
  const uint64_t delay_ms = NumberMember(body, "delay_ms", 1000);
  if (!mode || status < 200 || status > 599 || delay_ms > 3'600'000) return std::nullopt;
  *path = body.contains("path") ? TextMember(body, "path") : "*";
  Fault fault;
  fault.mode = *mode;
  fault.delay = std::chrono::milliseconds(delay_ms);
  fault.status = static_cast<int>(status);
  fault.bytes = NumberMember(body, "bytes", fault.bytes);
  fault.location = TextMember(body, "location");
  fault.retry_after = TextMember(body, "retry_after");
  return fault;
}

// HttpDate is RFC 9110 section 5.6.7's.
std::string HttpDate(int64_t wall_s) {
  const std::time_t time = wall_s;
  std::tm parts = {};
  char text[64];
  gmtime_r(&time, &parts);
  std::strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return text;
}

bool IsAdmin(std::string_view path) { return path == "/stats" || path.starts_with("/admin/"); }

}  // namespace

std::string_view FaultModeName(FaultMode mode) {
  return std::find_if(kModes.begin(), kModes.end(), [mode](const auto& m) { return m.first == mode; })
      ->second;
}

std::optional<FaultMode> ParseFaultMode(std::string_view name) {
  for (const auto& [mode, mode_name] : kModes) {
    if (mode_name == name) return mode;
  }
  return std::nullopt;
}

// Everything but the counters belongs to the server's thread: the public calls post there and wait.
class Server::Impl {
 public:
  explicit Impl(ServerOptions options)
      : options_(std::move(options)), work_(io_.get_executor()), main_(io_), admin_(io_) {}

  // Runs `function` on the server's thread and waits for its result.
  template <typename Function>
  auto Run(Function function) {
    std::packaged_task<decltype(function())()> task(std::move(function));
    auto result = task.get_future();
    asio::post(io_, std::move(task));
    return result.get();
  }

  ~Impl() {
    if (!thread_.joinable()) return;
    Run([this] {
      error_code ignored;
      main_.close(ignored);
      admin_.close(ignored);
      DropConnections();
    });
    work_.reset();
    thread_.join();
  }

  bool Start(std::string* error) {
    error_code code = Reserve(main_, options_.port);
    if (!code) code = Listen(main_, /*admin=*/false);
    if (!code && options_.admin_port) code = Reserve(admin_, *options_.admin_port);
    if (!code && options_.admin_port) code = Listen(admin_, /*admin=*/true);
    if (code) {
      *error = "cannot listen on 127.0.0.1: " + code.message();
      return false;
    }
    port_ = main_.local_endpoint(code).port();
    url_ = "http://127.0.0.1:" + std::to_string(port_);
    if (options_.admin_port) {
      admin_url_ = "http://127.0.0.1:" + std::to_string(admin_.local_endpoint(code).port());
    }
    endpoints_.emplace(std::move(options_.endpoints), url_);
    thread_ = std::thread([this] { io_.run(); });
    return true;
  }

  // The methods from here to the mark: server's thread only.

  void SetFault(std::string_view path, const Fault& fault) {
    if (fault.mode == FaultMode::kDown) return Down();
    if (fault.mode == FaultMode::kNone) {
      faults_.erase(std::string(path));
    } else {
      faults_[std::string(path)] = fault;
    }
  }

  bool ClearFaults() {
    faults_.clear();
    return Up();
  }

  // The closed socket's port stays ours through one that is bound without listening: connecting to it is
  // refused.
  void Down() {
    if (down_) return;
    error_code ignored;
    main_.close(ignored);
    Reserve(main_, port_);
    DropConnections();
    down_ = true;
    ++generation_;
  }

  bool Up() {
    if (!down_) return true;
    if (!main_.is_open() && Reserve(main_, port_)) return false;
    if (Listen(main_, /*admin=*/false)) return false;
    down_ = false;
    return true;
  }

  Endpoints& endpoints() { return *endpoints_; }
  std::map<std::string, std::string, std::less<>>& bodies() { return bodies_; }

  // End of the methods for the server's thread only.

  const std::string& url() const { return url_; }
  const std::string& admin_url() const { return admin_url_; }
  uint16_t port() const { return port_; }

  ServerStats Stats() const {
    const std::lock_guard lock(stats_mutex_);
    return stats_;
  }

  bool WaitForRequests(std::string_view path, uint64_t count, std::chrono::milliseconds timeout) const {
    std::unique_lock lock(stats_mutex_);
    return stats_changed_.wait_for(lock, timeout, [&] {
      const auto it = stats_.num_requests.find(std::string(path));
      return it != stats_.num_requests.end() && it->second >= count;
    });
  }

 private:
  error_code Reserve(tcp::acceptor& acceptor, uint16_t port) {
    error_code code;
    const tcp::endpoint endpoint(asio::ip::address_v4::loopback(), port);
    acceptor.open(endpoint.protocol(), code);
    if (!code) acceptor.set_option(tcp::acceptor::reuse_address(true), code);
    if (!code) acceptor.bind(endpoint, code);
    error_code ignored;
    if (code) acceptor.close(ignored);
    return code;
  }

  error_code Listen(tcp::acceptor& acceptor, bool admin) {
    error_code code;
    acceptor.listen(kBacklog, code);
    if (!code) Accept(acceptor, admin);
    return code;
  }

  void Accept(tcp::acceptor& acceptor, bool admin) {
    acceptor.async_accept(
        [this, &acceptor, admin, generation = generation_](error_code code, tcp::socket socket) {
          // What was accepted before the server went down is down too.
          const bool stale = !admin && generation != generation_;
          if (code == asio::error::operation_aborted || !acceptor.is_open() || stale) return;
          if (!code && connections_.size() < options_.num_connections_max)
            AddConnection(std::move(socket), admin);
          Accept(acceptor, admin);
        });
  }

  void AddConnection(tcp::socket socket, bool admin) {
    {
      const std::lock_guard lock(stats_mutex_);
      ++stats_.num_connections;
    }
    auto connection = std::make_shared<Connection>(
        std::move(socket), [this, admin](const Request& request) { return Handle(request, admin); },
        [this](const std::shared_ptr<Connection>& ended) { connections_.erase(ended); });
    connections_.insert(connection);
    connection->Start();
  }

  void DropConnections() {
    for (const auto& connection : connections_) connection->Close();
    connections_.clear();
  }

  Delivery Handle(const Request& request, bool admin) {
    Count(request.path);
    try {
      return Decide(request, admin);
    } catch (const json::exception&) {  // text that is not UTF-8 cannot be written as JSON
      return {.response = ErrorResponse(400, "invalid_request")};
    }
  }

  Delivery Decide(const Request& request, bool admin) {
    if (IsAdmin(request.path)) return {.response = Admin(request)};
    if (admin) return {.response = ErrorResponse(404, "not_found")};
    auto fault = faults_.find(request.path);
    if (fault == faults_.end()) fault = faults_.find("*");
    const auto body = bodies_.find(request.path);
    Response right = body == bodies_.end() || request.method != "GET" ? endpoints_->Answer(request)
                                                                      : Response{.body = body->second};
    Delivery delivery = Apply(fault == faults_.end() ? Fault{} : fault->second, std::move(right), url_);
    delivery.response.headers.emplace_back("Date", HttpDate(endpoints_->Now()));
    return delivery;
  }

  void Count(const std::string& path) {
    const bool known = Endpoints::IsKnown(path) || IsAdmin(path) || path == "/redirected";
    const std::lock_guard lock(stats_mutex_);
    const std::string name = Endpoints::IsTenantKeySet(path) ? "/tenants" : path;
    ++stats_.num_requests[known && name.size() < 64 ? name : "other"];
    stats_changed_.notify_all();
  }

  Response Admin(const Request& request) {
    if (request.path == "/stats" && request.method == "GET") {
      const ServerStats stats = Stats();
      return JsonResponse({{"connections", stats.num_connections}, {"requests", stats.num_requests}});
    }
    if (request.path == "/admin/fault" && request.method == "DELETE") {
      return ClearFaults() ? JsonResponse(json::object()) : ErrorResponse(500, "cannot_listen");
    }
    const json body = json::parse(request.body, nullptr, /*allow_exceptions=*/false);
    if (request.path == "/admin/fault" && request.method == "POST") {
      std::string path;
      const std::optional<Fault> fault = ParseFault(body, &path);
      if (!fault) return ErrorResponse(400, "invalid_request");
      // The answer to "down" could not leave any more.
      asio::post(io_, [this, path, fault = *fault] { SetFault(path, fault); });
      return JsonResponse(json::object());
    }
    if (request.path == "/admin/keys" && request.method == "POST") return ChangeKeys(body);
    return ErrorResponse(404, "not_found");
  }

  Response ChangeKeys(const json& body) {
    if (!body.is_object()) return ErrorResponse(400, "invalid_request");
    const std::string op = TextMember(body, "op"), kid = TextMember(body, "kid"),
                      alg = TextMember(body, "alg");
    if (op == "remove") {
      return endpoints_->RemoveKey(kid) ? JsonResponse(json::object()) : ErrorResponse(404, "no_such_key");
    }
    if (!SigningKey::Supports(alg) || kid.empty()) return ErrorResponse(400, "invalid_request");
    const SigningKey key = SigningKey::Generate(alg, kid);
    if (op == "add") {
      endpoints_->AddKey(key);
    } else if (op != "replace") {
      return ErrorResponse(400, "invalid_request");
    } else if (!endpoints_->ReplaceKey(key)) {
      return ErrorResponse(404, "no_such_key");
    }
    return JsonResponse(key.PublicJwk());
  }

  ServerOptions options_;
  uint16_t port_ = 0;
  std::string url_;
  std::string admin_url_;

  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  tcp::acceptor main_;
  tcp::acceptor admin_;
  std::thread thread_;

  bool down_ = false;
  uint64_t generation_ = 0;  // of main_'s listening socket
  std::optional<Endpoints> endpoints_;
  std::map<std::string, Fault, std::less<>> faults_;
  std::map<std::string, std::string, std::less<>> bodies_;
  std::set<std::shared_ptr<Connection>> connections_;

  mutable std::mutex stats_mutex_;
  mutable std::condition_variable stats_changed_;
  ServerStats stats_;  // under stats_mutex_
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

std::unique_ptr<Server> Server::Start(ServerOptions options, std::string* error) {
  auto impl = std::make_unique<Impl>(std::move(options));
  if (!impl->Start(error)) return nullptr;
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

const std::string& Server::url() const { return impl_->url(); }
const std::string& Server::admin_url() const { return impl_->admin_url(); }
uint16_t Server::port() const { return impl_->port(); }

void Server::SetFault(std::string_view path, const Fault& fault) {
  impl_->Run([&] { impl_->SetFault(path, fault); });
}
void Server::ClearFaults() {
  impl_->Run([&] { return impl_->ClearFaults(); });
}
void Server::Stop() {
  impl_->Run([&] { impl_->Down(); });
}
bool Server::Restart() {
  return impl_->Run([&] { return impl_->Up(); });
}

void Server::AddKey(const SigningKey& key) {
  impl_->Run([&] { impl_->endpoints().AddKey(key); });
}
bool Server::RemoveKey(std::string_view kid) {
  return impl_->Run([&] { return impl_->endpoints().RemoveKey(kid); });
}
bool Server::ReplaceKey(const SigningKey& key) {
  return impl_->Run([&] { return impl_->endpoints().ReplaceKey(key); });
}

void Server::SetBody(std::string_view path, std::optional<std::string> body) {
  impl_->Run([&] {
    if (body) {
      impl_->bodies()[std::string(path)] = *std::move(body);
    } else {
      impl_->bodies().erase(std::string(path));
    }
  });
}

void Server::Remember(std::string_view token, const json& claims) {
  impl_->Run([&] { impl_->endpoints().Remember(token, claims); });
}
void Server::Forget(std::string_view token) {
  impl_->Run([&] { impl_->endpoints().Forget(token); });
}

ServerStats Server::Stats() const { return impl_->Stats(); }

bool Server::WaitForRequests(std::string_view path, uint64_t count, std::chrono::milliseconds timeout) const {
  return impl_->WaitForRequests(path, count, timeout);
}

}  // namespace idp
