#include "transport/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

namespace tollgate::transport {

bool IsLoopbackAddress(const sockaddr& address) {
  const void* raw = &address;
  if (address.sa_family == AF_INET)
    return ntohl(static_cast<const sockaddr_in*>(raw)->sin_addr.s_addr) >> 24 == 127;
  if (address.sa_family != AF_INET6) return false;
  const in6_addr& v6 = static_cast<const sockaddr_in6*>(raw)->sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

}  // namespace tollgate::transport
