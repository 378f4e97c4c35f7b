#include "transport/curl_transport.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tollgate/version.h"
#include "transport/address.h"
#include "transport/cache_control.h"
#include "transport/url.h"

namespace tollgate::transport {
namespace {

// All header lines of one exchange, interim responses and trailers included. Identity providers send about 2
// KiB.
constexpr size_t kHeaderBytesMax = 64 * 1024;

// A kept connection is not used again when it has been idle or open so long, in seconds: addresses change.
constexpr long kConnectionIdleMaxS = 30;
constexpr long kConnectionAgeMaxS = 300;

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct MultiDeleter {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

// SigpipeGuard keeps SIGPIPE from the embedder's process while libcurl writes to sockets. With
// CURLOPT_NOSIGNAL libcurl leaves that to its caller.
class SigpipeGuard {
 public:
  SigpipeGuard() {
    sigemptyset(&sigpipe_);
    sigaddset(&sigpipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &sigpipe_, &before_);
  }
  ~SigpipeGuard() {
    const timespec at_once{};
    if (!was_pending_) sigtimedwait(&sigpipe_, nullptr, &at_once);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  SigpipeGuard(const SigpipeGuard&) = delete;
  SigpipeGuard& operator=(const SigpipeGuard&) = delete;

 private:
  sigset_t sigpipe_;
  sigset_t before_;
  bool was_pending_;
};

// Exchange is one request under way; libcurl's callbacks write to it.
struct Exchange {
  FetchRequest request;
  FetchResult result;
  bool loopback_only = false;  // Its URL names loopback; any other may connect to what is in reach.
  bool refused_address = false;
  bool too_large = false;
  bool headers_complete = false;  // Of the final response; what follows in this form are trailers.
  size_t header_bytes = 0;
  std::string cache_control;
  std::string age;
  std::string location;
  std::string date;
  std::unique_ptr<curl_slist, ListDeleter> headers;
  std::unique_ptr<CURL, EasyDeleter> easy;  // Destroyed first: it points to all the others.
};

// OnOpenSocket is asked before each connect, with the address that a name has resolved to and that the socket
// will be connected to.
curl_socket_t OnOpenSocket(void* user, curlsocktype /*purpose*/, curl_sockaddr* to) {
  auto* exchange = static_cast<Exchange*>(user);
  const AddressKind kind = KindOf(to->addr);
  const bool allowed =
      exchange->loopback_only ? kind == AddressKind::kLoopback : IsWithin(exchange->request.reach, kind);
  if (!allowed) {
    exchange->refused_address = true;
    return CURL_SOCKET_BAD;
  }
  return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

void Append(std::string* list, std::string_view value) {
  if (!list->empty()) *list += ',';
  *list += value;
}

// OnHeader gets one whole line at a time, status lines and the empty line at the end included.
size_t OnHeader(char* data, size_t size, size_t count, void* user) {
  auto* exchange = static_cast<Exchange*>(user);
  std::string_view line(data, size * count);
  exchange->header_bytes += line.size();
  if (exchange->header_bytes > kHeaderBytesMax) {
    exchange->too_large = true;
    return 0;
  }
  if (exchange->headers_complete) return size * count;
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n' || line.back() == ' '))
    line.remove_suffix(1);
  if (line.empty()) {
    long status = 0;
    curl_easy_getinfo(exchange->easy.get(), CURLINFO_RESPONSE_CODE, &status);
    exchange->headers_complete = status >= 200;
    return size * count;
  }
  if (line.starts_with("HTTP/")) {  // What an interim response said does not count for the final one.
    exchange->cache_control.clear();
    exchange->age.clear();
    exchange->location.clear();
    exchange->date.clear();
    exchange->result.etag.clear();
    exchange->result.content_type.clear();
    return size * count;
  }
  const size_t colon = line.find(':');
  if (colon == line.npos) return size * count;
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  const auto is = [name = line.substr(0, colon)](std::string_view wanted) {
    return name.size() == wanted.size() && strncasecmp(name.data(), wanted.data(), wanted.size()) == 0;
  };
  if (is("cache-control")) Append(&exchange->cache_control, value);
  if (is("age")) Append(&exchange->age, value);
  if (is("location")) exchange->location = value;
  if (is("date")) exchange->date = value;
  if (is("etag")) exchange->result.etag = value;
  if (is("content-type")) exchange->result.content_type = value;
  return size * count;
}

size_t OnBody(char* data, size_t size, size_t count, void* user) {
  auto* exchange = static_cast<Exchange*>(user);
  if (size * count > exchange->request.body_bytes_max - exchange->result.body.size()) {
    exchange->too_large = true;
    return 0;
  }
  exchange->result.body.append(data, size * count);
  return size * count;
}

FetchOutcome OutcomeOf(CURLcode code, const Exchange& exchange) {
  if (exchange.too_large) return FetchOutcome::kTooLarge;
  switch (code) {
    case CURLE_OK:  // To libcurl, a connection that ends among the headers is an answer without a body.
      return exchange.headers_complete ? FetchOutcome::kAnswered : FetchOutcome::kUnreachable;
    case CURLE_FILESIZE_EXCEEDED:
      return FetchOutcome::kTooLarge;
    case CURLE_OPERATION_TIMEDOUT:
      return FetchOutcome::kTimedOut;
    case CURLE_COULDNT_RESOLVE_HOST:
      return FetchOutcome::kUnresolved;
    case CURLE_URL_MALFORMAT:
      return FetchOutcome::kNotAllowed;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_ENGINE_INITFAILED:
      return FetchOutcome::kTlsFailed;
    default:
      return exchange.refused_address ? FetchOutcome::kAddressRefused : FetchOutcome::kUnreachable;
  }
}

// A header value of ours must not be able to begin another header.
bool IsHeaderValue(std::string_view value) {
  return std::none_of(value.begin(), value.end(),
                      [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
}

class CurlTransport final : public Transport {
 public:
  CurlTransport(CurlOptions options, CURLM* multi) : options_(std::move(options)), multi_(multi) {}

  ~CurlTransport() override {
    const SigpipeGuard guard;
    for (const auto& [easy, exchange] : exchanges_) curl_multi_remove_handle(multi_.get(), easy);
    exchanges_.clear();
  }

  void Start(FetchRequest request) override {
    const SigpipeGuard guard;
    auto exchange = std::make_unique<Exchange>();
    exchange->request = std::move(request);
    exchange->result.id = exchange->request.id;
    const absl::Status allowed =
        CheckFetchUrl(exchange->request.url,
                      {.reach = exchange->request.reach, .loopback = options_.allow_http_on_loopback});
    if (!allowed.ok() || !IsHeaderValue(exchange->request.if_none_match) ||
        !IsHeaderValue(exchange->request.authorization) || !IsHeaderValue(exchange->request.accept)) {
      exchange->result.outcome =
          absl::IsPermissionDenied(allowed) ? FetchOutcome::kAddressRefused : FetchOutcome::kNotAllowed;
      failed_.push_back(std::move(exchange->result));
      return;
    }
    if (!Prepare(exchange.get()) || curl_multi_add_handle(multi_.get(), exchange->easy.get()) != CURLM_OK) {
      exchange->result.outcome = FetchOutcome::kUnreachable;
      failed_.push_back(std::move(exchange->result));
      return;
    }
    CURL* easy = exchange->easy.get();
    exchanges_.emplace(easy, std::move(exchange));
  }

  void Poll(int timeout_ms, std::vector<FetchResult>* done) override {
    const SigpipeGuard guard;
    if (Collect(done)) return;
    curl_multi_poll(multi_.get(), nullptr, 0, std::max(timeout_ms, 0), nullptr);
    Collect(done);
  }

  void Wake() override { curl_multi_wakeup(multi_.get()); }

 private:
  // Collect lets libcurl work and takes out what has ended; whether there was any.
  bool Collect(std::vector<FetchResult>* done) {
    const size_t before = done->size();
    std::move(failed_.begin(), failed_.end(), std::back_inserter(*done));
    failed_.clear();
    int running = 0;
    curl_multi_perform(multi_.get(), &running);
    int queued = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &queued)) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL* easy = message->easy_handle;  // The message does not outlive the removal.
      const CURLcode code = message->data.result;
      curl_multi_remove_handle(multi_.get(), easy);
      const auto found = exchanges_.find(easy);
      if (found == exchanges_.end()) continue;
      if (options_.on_end) options_.on_end(Observe(*found->second));
      done->push_back(Finish(*found->second, code));
      exchanges_.erase(found);
    }
    return done->size() > before;
  }

  static FetchResult Finish(Exchange& exchange, CURLcode code) {
    FetchResult result;
    result.id = exchange.request.id;
    result.outcome = OutcomeOf(code, exchange);
    if (result.outcome != FetchOutcome::kAnswered) return result;
    long status = 0;
    curl_easy_getinfo(exchange.easy.get(), CURLINFO_RESPONSE_CODE, &status);
    result.http_status = static_cast<int>(status);
    result.body = std::move(exchange.result.body);
    result.content_type = std::move(exchange.result.content_type);
    result.etag = std::move(exchange.result.etag);
    result.max_age_s = MaxAgeSeconds(exchange.cache_control, exchange.age);
    return result;
  }

  static Observation Observe(const Exchange& exchange) {
    Observation seen{.id = exchange.request.id,
                     .cache_control = exchange.cache_control,
                     .location = exchange.location,
                     .from_cache = !exchange.age.empty()};
    curl_off_t took_us = 0;
    curl_easy_getinfo(exchange.easy.get(), CURLINFO_TOTAL_TIME_T, &took_us);
    seen.took_ms = took_us / 1000;
    if (!exchange.date.empty()) seen.date_s = curl_getdate(exchange.date.c_str(), nullptr);
    curl_certinfo* chain = nullptr;
    curl_easy_getinfo(exchange.easy.get(), CURLINFO_CERTINFO, &chain);
    if (chain == nullptr || chain->num_of_certs == 0) return seen;
    constexpr std::string_view kEnds = "Expire date:";
    for (const curl_slist* line = chain->certinfo[0]; line != nullptr; line = line->next) {
      if (std::string_view(line->data).starts_with(kEnds))
        seen.certificate_ends_s = curl_getdate(line->data + kEnds.size(), nullptr);
    }
    return seen;
  }

  // Prepare makes the easy handle. False if libcurl lacks memory or one of the protections asked for.
  bool Prepare(Exchange* exchange) const {
    exchange->easy.reset(curl_easy_init());
    if (exchange->easy == nullptr) return false;
    exchange->loopback_only = HasLoopbackHost(exchange->request.url);
    return SetLimits(exchange) && SetProtections(exchange) && SetMethod(*exchange) && SetHeaders(exchange);
  }

  template <typename Value>
  static bool Set(const Exchange& exchange, CURLoption option, Value value) {
    return curl_easy_setopt(exchange.easy.get(), option, value) == CURLE_OK;
  }

  static bool SetLimits(Exchange* exchange) {
    const Exchange& e = *exchange;
    const long timeout_ms = std::max<long>(e.request.timeout_ms, 1);  // 0 would mean no limit.
    return Set(e, CURLOPT_URL, e.request.url.c_str()) && Set(e, CURLOPT_TIMEOUT_MS, timeout_ms) &&
           Set(e, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms) &&
           // No signals in somebody else's process, and no waiting for a resolver thread beyond the timeout.
           Set(e, CURLOPT_NOSIGNAL, 1L) && Set(e, CURLOPT_QUICK_EXIT, 1L) &&
           // An announced length beyond the limit ends the exchange before its body; 0 would mean no limit.
           Set(e, CURLOPT_MAXFILESIZE_LARGE, std::max<curl_off_t>(e.request.body_bytes_max, 1)) &&
           Set(e, CURLOPT_HEADERFUNCTION, &OnHeader) &&
           Set(e, CURLOPT_HEADERDATA, static_cast<void*>(exchange)) &&
           Set(e, CURLOPT_WRITEFUNCTION, &OnBody) &&
           Set(e, CURLOPT_WRITEDATA, static_cast<void*>(exchange)) && Set(e, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
  }

  static bool SetMethod(const Exchange& e) {
    const bool post = !e.request.form.empty();
    // Minutes pass between two fetches: a kept connection would be dead, and its address out of date.
    // Questions come one after the other, and a handshake for each would cost the other side more than its
    // answer; but what has led into a private network is not kept, since others may not use it.
    if ((!post || (e.request.reach == Reach::kPrivate && !e.loopback_only)) &&
        !(Set(e, CURLOPT_FORBID_REUSE, 1L) && Set(e, CURLOPT_FRESH_CONNECT, 1L))) {
      return false;
    }
    if (!post) return Set(e, CURLOPT_HTTPGET, 1L);
    // Not copied: the exchange owns the form and outlives the transfer.
    return Set(e, CURLOPT_POST, 1L) &&
           Set(e, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(e.request.form.size())) &&
           Set(e, CURLOPT_POSTFIELDS, e.request.form.data()) &&
           Set(e, CURLOPT_MAXAGE_CONN, kConnectionIdleMaxS) &&
           Set(e, CURLOPT_MAXLIFETIME_CONN, kConnectionAgeMaxS);
  }

  bool SetProtections(Exchange* exchange) const {
    const Exchange& e = *exchange;
    const bool http = strncasecmp(e.request.url.c_str(), "http:", 5) == 0;
    bool ok = Set(e, CURLOPT_PROTOCOLS_STR, http ? "http" : "https") &&
              Set(e, CURLOPT_REDIR_PROTOCOLS_STR, "https") && Set(e, CURLOPT_FOLLOWLOCATION, 0L) &&
              Set(e, CURLOPT_PROXY, "") && Set(e, CURLOPT_NOPROXY, "*") &&
              Set(e, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED)) &&
              Set(e, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) && Set(e, CURLOPT_HTTP_CONTENT_DECODING, 0L) &&
              Set(e, CURLOPT_HTTP09_ALLOWED, 0L) &&
              Set(e, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1)) &&
              Set(e, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2)) &&
              Set(e, CURLOPT_SSL_VERIFYPEER, 1L) && Set(e, CURLOPT_SSL_VERIFYHOST, 2L) &&
              Set(e, CURLOPT_OPENSOCKETFUNCTION, &OnOpenSocket) &&
              Set(e, CURLOPT_OPENSOCKETDATA, static_cast<void*>(exchange));
    if (ok && !e.request.client_certificate_file.empty()) {
      ok = Set(e, CURLOPT_SSLCERT, e.request.client_certificate_file.c_str()) &&
           Set(e, CURLOPT_SSLKEY, e.request.client_key_file.c_str());
    }
    if (ok && options_.on_end) ok = Set(e, CURLOPT_CERTINFO, 1L);
    if (ok && !options_.ca_file.empty()) {
      // A file of one's own replaces the system's directory as well, or any public CA would still do.
      ok = Set(e, CURLOPT_CAINFO, options_.ca_file.c_str()) && Set(e, CURLOPT_CAPATH, nullptr);
    }
    return ok;
  }

  static bool SetHeaders(Exchange* exchange) {
    const auto add = [exchange](const std::string& line) {
      curl_slist* longer = curl_slist_append(exchange->headers.get(), line.c_str());
      if (longer == nullptr) return false;
      static_cast<void>(exchange->headers.release());  // The longer list begins with what we had.
      exchange->headers.reset(longer);
      return true;
    };
    const FetchRequest& request = exchange->request;
    const std::string& etag = request.if_none_match;
    const bool post = !request.form.empty();
    const std::string accept = !request.accept.empty() ? request.accept
                               : post                  ? "application/json"
                                                       : "application/jwk-set+json, application/json";
    const std::string agent = "tollgate/" + std::string(Version());
    // An empty "Expect" is none: nobody waits for leave to send a few hundred bytes.
    return add("Accept: " + accept) && (!post || add("Expect:")) &&
           (etag.empty() || add("If-None-Match: " + etag)) &&
           (request.authorization.empty() || add("Authorization: " + request.authorization)) &&
           Set(*exchange, CURLOPT_USERAGENT, agent.c_str()) &&
           Set(*exchange, CURLOPT_HTTPHEADER, exchange->headers.get());
  }

  const CurlOptions options_;
  std::unique_ptr<CURLM, MultiDeleter> multi_;
  std::unordered_map<CURL*, std::unique_ptr<Exchange>> exchanges_;
  std::vector<FetchResult> failed_;  // Ended before libcurl had them.
};

}  // namespace

absl::StatusOr<std::unique_ptr<Transport>> MakeCurlTransport(CurlOptions options) {
  // Once a process; later calls do nothing. Never undone: others in the process may use libcurl.
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (started != CURLE_OK) return absl::UnavailableError("libcurl cannot start");
  CURLM* multi = curl_multi_init();
  if (multi == nullptr) return absl::UnavailableError("libcurl cannot start");
  return std::make_unique<CurlTransport>(std::move(options), multi);
}

}  // namespace tollgate::transport
