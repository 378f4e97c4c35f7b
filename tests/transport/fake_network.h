#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::transport {

// FakeNetwork stands between libcurl and the C library: while one exists, the names that it knows resolve to
// the addresses that the test says, and every connection that is begun is noted and ends at the same port of
// 127.0.0.1 (over IPv6: nowhere), so that a test sees what would have gone out. One at a time. Thread-safe:
// libcurl resolves on threads.
class FakeNetwork {
 public:
  FakeNetwork();
  ~FakeNetwork();
  FakeNetwork(const FakeNetwork&) = delete;
  FakeNetwork& operator=(const FakeNetwork&) = delete;

  void Resolve(std::string_view name, std::vector<std::string> addresses);
  size_t num_resolved() const;                 // Of names that it knows.
  std::vector<std::string> TakeConnections();  // The addresses connected to since the last call.
};

}  // namespace tollgate::transport
