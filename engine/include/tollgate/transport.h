#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tollgate/export.h"

namespace tollgate {

// FetchOutcome says how far one exchange got. Only kAnswered has an HTTP status.
enum class FetchOutcome : uint8_t {
  kAnswered,     // A complete HTTP response, whatever its status.
  kNotAllowed,   // The URL's scheme or form is refused; nothing was sent.
  kUnresolved,   // The host name did not resolve.
  kUnreachable,  // Connection refused, reset or cut off before the response was complete.
  kTlsFailed,
  kTimedOut,
  kTooLarge,        // The body passed FetchRequest::body_bytes_max; the rest was not read.
  kAddressRefused,  // An address outside of FetchRequest::reach was not tried; no other answered.
};

// Reach says to which addresses an exchange may connect, whatever the name in its URL resolves to at that
// moment. Neither has loopback, link-local and multicast addresses, nor others of a special purpose. Loopback
// needs DangerousOptions::dangerous_allow_http_on_loopback and a URL that says so itself.
enum class Reach : uint8_t {
  kPublic,
  // And 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 (RFC 1918), 100.64.0.0/10 (RFC 6598), fc00::/7 (RFC 4193).
  kPrivate,
};

// FetchRequest is one HTTP GET, or a POST if it has a form. A form and an authorization hold secrets: an
// implementation must not log them, nor send them anywhere but to this URL.
struct FetchRequest {
  uint64_t id = 0;  // Chosen by the caller; comes back in the result.
  std::string url{};
  std::string if_none_match{};  // An ETag, or empty.
  std::string form{};           // A body of application/x-www-form-urlencoded, or empty.
  std::string authorization{};  // The value of an Authorization header field, or empty.
  // The value of an Accept header field. Empty: application/json, and of a GET application/jwk-set+json
  // first.
  std::string accept{};
  // PEM files of a client certificate and its key (RFC 8705), by their paths, or empty.
  std::string client_certificate_file{};
  std::string client_key_file{};
  uint32_t timeout_ms = 5000;  // For the whole exchange, name resolution included.
  uint32_t body_bytes_max = 1 << 20;
  // To be held against each address just before it is connected to, not when the name is resolved, so that
  // nothing lies between the two (DNS rebinding).
  Reach reach = Reach::kPublic;
};

// FetchResult is how it ended.
struct FetchResult {
  uint64_t id = 0;
  FetchOutcome outcome = FetchOutcome::kUnreachable;
  int http_status = 0;
  std::string body{};
  std::string content_type{};
  std::string etag{};
  int64_t max_age_s =
      -1;  // Freshness lifetime by Cache-Control: max-age (RFC 9111 section 5.2.2.1); −1: not given.
};

// Transport talks to identity providers. All methods but Wake are called by one thread, the engine's
// background thread (or whoever calls Engine::RunBackground). Redirects are not followed; proxy environment
// variables are ignored. At most the caller's own number of exchanges is under way. Owner thread only, but
// for Wake.
class TOLLGATE_API Transport {
 public:
  virtual ~Transport() = default;

  // Start begins an exchange and returns at once. Its result comes from a later Poll, exactly once, failures
  // too.
  virtual void Start(FetchRequest request) = 0;

  // Poll waits until something happens, `timeout_ms` (≥ 0) passes or Wake is called, and appends what has
  // ended.
  virtual void Poll(int timeout_ms, std::vector<FetchResult>* done) = 0;

  // Wake makes a Poll in progress, or else the next one, return at once. Any thread. Does not block.
  virtual void Wake() = 0;
};

}  // namespace tollgate
