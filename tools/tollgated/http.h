#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "base/ascii.h"

namespace tollgate::tollgated {

// HttpField is one field of a header, without the blanks around its value (RFC 9110 section 5).
struct HttpField {
  std::string_view name;
  std::string_view value;

  // Is compares names, which have no case. `lower` is lower-case.
  bool Is(std::string_view lower) const { return ascii::EqualIgnoringCase(name, lower); }
};

// HttpRequest is a request as it was received. The views point into the connection's buffer.
struct HttpRequest {
  std::string_view method{};
  std::string_view target{};  // Begins with a slash; visible ASCII.
  std::vector<HttpField> fields{};
  std::string_view body{};
  bool keep_alive = true;
  bool is_http_1_0 = false;
};

// HttpAnswer is what goes back.
struct HttpAnswer {
  int status = 500;
  std::string fields{};  // Whole lines; Content-Length and Connection are the server's.
  std::string body{};

  // Add appends a field. Of `value`, what is no visible ASCII and no space becomes a question mark: nothing
  // that comes from outside ends a line.
  void Add(std::string_view name, std::string_view value) {
    fields.append(name).append(": ").append(value);
    const auto is_other = [](char c) { return c < ' ' || c > '~'; };
    std::replace_if(fields.end() - static_cast<std::ptrdiff_t>(value.size()), fields.end(), is_other, '?');
    fields.append("\r\n");
  }
};

// HttpHandler answers the requests that one thread receives. Owner thread only.
class HttpHandler {
 public:
  // Later takes an answer that came later, from whatever thread. Called once, or destroyed without.
  using Later = std::function<void(HttpAnswer)>;

  virtual ~HttpHandler() = default;

  // Answer fills *answer and returns true; or it calls `later` before it returns false, and what that
  // returned takes the answer. The views of `request` end when Answer returns. Must not throw.
  virtual bool Answer(const HttpRequest& request, HttpAnswer* answer, absl::FunctionRef<Later()> later) = 0;
};

}  // namespace tollgate::tollgated
