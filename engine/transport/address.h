#pragma once

#include <sys/socket.h>

namespace tollgate::transport {

// IsLoopbackAddress says whether a resolved address is in 127.0.0.0/8, written as IPv4 or mapped into IPv6,
// or ::1. `address` must be as long as its family says.
bool IsLoopbackAddress(const sockaddr& address);

}  // namespace tollgate::transport
