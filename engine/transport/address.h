#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "tollgate/transport.h"

namespace tollgate::transport {

// AddressKind says whose an address is, by IANA's special-purpose address registries (RFC 6890).
enum class AddressKind : uint8_t {
  kPublic,    // Globally reachable unicast.
  kPrivate,   // Of a private network, as Reach::kPrivate lists them.
  kLoopback,  // 127.0.0.0/8, ::1.
  // All others: "this" network, link-local (where clouds keep their metadata), multicast, documentation,
  // benchmarking, translation and tunnels to what is not public, reserved and unassigned; another family.
  kSpecial,
};

// KindOf judges an address that is to be connected to. One that carries an IPv4 address is judged by it: one
// mapped into IPv6 is of the same kind, one translated (64:ff9b::/96, RFC 6052) or tunnelled to (2002::/16,
// RFC 3056) is public or special. `address` must be as long as its family says.
AddressKind KindOf(const sockaddr& address);

// KindOfLiteral judges the host of a URL if it is an address and no name: dotted IPv4, or IPv6 in brackets.
std::optional<AddressKind> KindOfLiteral(std::string_view host);

// IsWithin says whether an address of this kind may be connected to. Loopback is within neither.
bool IsWithin(Reach reach, AddressKind kind);

}  // namespace tollgate::transport
