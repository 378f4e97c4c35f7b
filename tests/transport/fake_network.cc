#include "tests/transport/fake_network.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

namespace tollgate::transport {
namespace {

struct State {
  std::map<std::string, std::vector<std::string>, std::less<>> names;
  std::vector<std::string> connections;
  size_t num_resolved = 0;
};

std::mutex mutex;
std::unique_ptr<State> state;  // Guarded by the mutex; null: no FakeNetwork.

template <typename Function>
Function* Real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

std::string TextOf(const sockaddr& address) {
  const void* raw = &address;
  char text[INET6_ADDRSTRLEN] = "";
  if (address.sa_family == AF_INET) {
    inet_ntop(AF_INET, &static_cast<const sockaddr_in*>(raw)->sin_addr, text, sizeof text);
  } else if (address.sa_family == AF_INET6) {
    inet_ntop(AF_INET6, &static_cast<const sockaddr_in6*>(raw)->sin6_addr, text, sizeof text);
  }
  return text;
}

}  // namespace

FakeNetwork::FakeNetwork() {
  const std::lock_guard lock(mutex);
  state = std::make_unique<State>();
}

FakeNetwork::~FakeNetwork() {
  const std::lock_guard lock(mutex);
  state.reset();
}

void FakeNetwork::Resolve(std::string_view name, std::vector<std::string> addresses) {
  const std::lock_guard lock(mutex);
  state->names[std::string(name)] = std::move(addresses);
}

size_t FakeNetwork::num_resolved() const {
  const std::lock_guard lock(mutex);
  return state->num_resolved;
}

std::vector<std::string> FakeNetwork::TakeConnections() {
  const std::lock_guard lock(mutex);
  return std::exchange(state->connections, {});
}

}  // namespace tollgate::transport

// The program's definitions come before the C library's for everything that it loads.
extern "C" __attribute__((visibility("default"))) int getaddrinfo(const char* node, const char* service,
                                                                  const addrinfo* hints, addrinfo** result) {
  using namespace tollgate::transport;
  static auto* const real = Real<decltype(getaddrinfo)>("getaddrinfo");
  std::vector<std::string> addresses;
  {
    const std::lock_guard lock(mutex);
    const bool known = state != nullptr && node != nullptr && state->names.contains(std::string_view(node));
    if (!known) return real(node, service, hints, result);
    ++state->num_resolved;
    addresses = state->names.find(std::string_view(node))->second;
  }
  addrinfo numeric{};
  numeric.ai_flags = AI_NUMERICHOST;
  numeric.ai_socktype = SOCK_STREAM;
  *result = nullptr;
  addrinfo** end = result;
  for (const std::string& address : addresses) {
    const int failure = real(address.c_str(), service, &numeric, end);
    if (failure != 0) return failure;
    while (*end != nullptr) end = &(*end)->ai_next;
  }
  return addresses.empty() ? EAI_NONAME : 0;
}

extern "C" __attribute__((visibility("default"))) int connect(int fd, const sockaddr* address,
                                                              socklen_t size) {
  using namespace tollgate::transport;
  static auto* const real = Real<decltype(connect)>("connect");
  sockaddr_in inside{};
  {
    const std::lock_guard lock(mutex);
    const bool inet = address->sa_family == AF_INET || address->sa_family == AF_INET6;
    if (state == nullptr || !inet) return real(fd, address, size);
    state->connections.push_back(TextOf(*address));
    if (address->sa_family == AF_INET6) {
      errno = ENETUNREACH;
      return -1;
    }
    const void* raw = address;
    inside = *static_cast<const sockaddr_in*>(raw);
  }
  inside.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return real(fd, reinterpret_cast<const sockaddr*>(&inside), sizeof inside);
}
