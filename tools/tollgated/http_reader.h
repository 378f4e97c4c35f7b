#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tools/tollgated/http.h"

namespace tollgate::tollgated {

// HttpReader takes requests out of the bytes of one connection (RFC 9112), and reads nothing that another
// reader on the same connection could read otherwise: lines end in CRLF alone and are not folded, there is
// no blank before a colon, one Host, one way to say where a body ends. Owner thread only.
class HttpReader {
 public:
  struct Limits {
    size_t header_bytes_max = 0;  // Request line and header together.
    size_t body_bytes_max = 0;
  };
  static constexpr size_t kFieldsMax = 256;

  enum class Result : uint8_t {
    kRequest,
    kNeedsMore,
    // No request, and none can follow: the connection is to end with this answer.
    kMalformed,            // 400
    kBodyTooLong,          // 413
    kHeaderTooLong,        // 431
    kNotImplemented,       // 501: a transfer coding other than chunked.
    kVersionNotSupported,  // 505
  };

  explicit HttpReader(Limits limits) : limits_(limits) {}

  // Read looks for a request at the beginning of `bytes`, which is all that came behind the last request.
  // kNeedsMore: call it again with these bytes and more. kRequest: request() has views into `bytes` and into
  // this, valid until the next Read, which is to begin length() bytes further on. In time proportional to the
  // bytes that are new.
  Result Read(std::string_view bytes);

  const HttpRequest& request() const { return request_; }
  size_t length() const { return length_; }
  // expects_continue says, after kNeedsMore, whether the client waits for 100 before it sends the body (RFC
  // 9110 section 10.1.1).
  bool expects_continue() const { return head_len_ != 0 && expects_continue_; }

 private:
  Result FindHead(std::string_view bytes);
  Result ReadHead(std::string_view head);
  Result ReadRequestLine(std::string_view line);
  Result ReadField(std::string_view line);
  Result ReadChunks(std::string_view bytes);
  void Reset();

  const Limits limits_;
  HttpRequest request_;
  size_t length_ = 0;
  bool done_ = false;

  size_t scanned_ = 0;     // Of a head that has not come wholly: looked at so far,
  size_t line_begin_ = 0;  // where its last line begins.
  size_t head_len_ = 0;    // 0: has not come wholly.

  size_t num_hosts_ = 0;
  std::optional<size_t> content_length_;
  bool chunked_ = false;
  bool expects_continue_ = false;
  bool closes_ = false, keeps_ = false;  // Connection: close, keep-alive.
  size_t chunks_len_ = 0;                // Of the chunks, those that are in chunked_body_ already.
  std::string chunked_body_;
};

}  // namespace tollgate::tollgated
