#include "transport/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

namespace tollgate::transport {
namespace {

using Bytes = std::array<uint8_t, 16>;

struct Block {
  Bytes prefix;
  int bits;
  AddressKind kind;
};

constexpr AddressKind kPublic = AddressKind::kPublic;
constexpr AddressKind kPrivate = AddressKind::kPrivate;
constexpr AddressKind kLoopback = AddressKind::kLoopback;
constexpr AddressKind kSpecial = AddressKind::kSpecial;

// No block lies in another. What is in none is public: 192.88.99.0/24, once the relays of 6to4 (RFC 7526), is
// listed, and so is all of 192.0.0.0/24, whose few reachable addresses are of protocols and not of hosts.
constexpr Block kV4Blocks[] = {
    {{0}, 8, kSpecial},              // "This network", RFC 791; Linux takes 0.0.0.0 for loopback.
    {{10}, 8, kPrivate},             // RFC 1918.
    {{100, 64}, 10, kPrivate},       // Shared address space, RFC 6598.
    {{127}, 8, kLoopback},           // RFC 1122.
    {{169, 254}, 16, kSpecial},      // Link-local, RFC 3927.
    {{172, 16}, 12, kPrivate},       // RFC 1918.
    {{192, 0, 0}, 24, kSpecial},     // IETF protocol assignments, RFC 6890.
    {{192, 0, 2}, 24, kSpecial},     // Documentation, RFC 5737.
    {{192, 88, 99}, 24, kSpecial},   // RFC 7526.
    {{192, 168}, 16, kPrivate},      // RFC 1918.
    {{198, 18}, 15, kSpecial},       // Benchmarking, RFC 2544.
    {{198, 51, 100}, 24, kSpecial},  // Documentation, RFC 5737.
    {{203, 0, 113}, 24, kSpecial},   // Documentation, RFC 5737.
    {{224}, 4, kSpecial},            // Multicast, RFC 1112.
    {{240}, 4, kSpecial},            // Reserved, RFC 1112, and 255.255.255.255.
};

// Of IPv6 only 2000::/3 has been assigned to hosts (RFC 4291 section 2.4): what is not listed and outside of
// it is special. The first block that holds an address counts.
constexpr Block kV6Blocks[] = {
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, kLoopback},  // RFC 4291.
    {{0xfc}, 7, kPrivate},                                               // Unique local, RFC 4193.
    {{0x20, 0x01}, 23, kSpecial},              // IETF protocol assignments, RFC 2928; Teredo, RFC 4380.
    {{0x20, 0x01, 0x0d, 0xb8}, 32, kSpecial},  // Documentation, RFC 3849.
    {{0x3f, 0xff}, 20, kSpecial},              // Documentation, RFC 9637.
    {{0x20}, 3, kPublic},
};

// Where an IPv6 address carries an IPv4 address.
constexpr Block kMapped = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, kSpecial};  // RFC 4291.
constexpr Block kTranslated = {{0, 0x64, 0xff, 0x9b}, 96, kSpecial};                   // RFC 6052.
constexpr Block kTunnelled = {{0x20, 0x02}, 16, kSpecial};                             // RFC 3056.

bool Contains(const Block& block, const uint8_t* address) {
  const auto whole = static_cast<size_t>(block.bits / 8);
  if (!std::equal(address, address + whole, block.prefix.begin())) return false;
  const int rest = block.bits % 8;
  return rest == 0 || ((address[whole] ^ block.prefix[whole]) >> (8 - rest)) == 0;
}

template <size_t kSize>
AddressKind Find(const Block (&blocks)[kSize], const uint8_t* address, AddressKind otherwise) {
  const Block* end = blocks + kSize;
  const Block* found = std::find_if(blocks, end, [&](const Block& b) { return Contains(b, address); });
  return found == end ? otherwise : found->kind;
}

AddressKind KindOfV4(const uint8_t* address) { return Find(kV4Blocks, address, kPublic); }

AddressKind KindOfV6(const uint8_t* address) {
  if (Contains(kMapped, address)) return KindOfV4(address + 12);
  const bool translated = Contains(kTranslated, address);
  if (translated || Contains(kTunnelled, address)) {
    return KindOfV4(address + (translated ? 12 : 2)) == kPublic ? kPublic : kSpecial;
  }
  return Find(kV6Blocks, address, kSpecial);
}

}  // namespace

AddressKind KindOf(const sockaddr& address) {
  const void* raw = &address;
  if (address.sa_family == AF_INET) {
    const void* v4 = &static_cast<const sockaddr_in*>(raw)->sin_addr;
    return KindOfV4(static_cast<const uint8_t*>(v4));
  }
  if (address.sa_family != AF_INET6) return kSpecial;
  return KindOfV6(static_cast<const sockaddr_in6*>(raw)->sin6_addr.s6_addr);
}

std::optional<AddressKind> KindOfLiteral(std::string_view host) {
  in_addr v4;
  if (inet_pton(AF_INET, std::string(host).c_str(), &v4) == 1) {
    const void* raw = &v4;
    return KindOfV4(static_cast<const uint8_t*>(raw));
  }
  if (host.size() < 2 || host.front() != '[' || host.back() != ']') return std::nullopt;
  in6_addr v6;
  if (inet_pton(AF_INET6, std::string(host.substr(1, host.size() - 2)).c_str(), &v6) != 1) return kSpecial;
  return KindOfV6(v6.s6_addr);
}

bool IsWithin(Reach reach, AddressKind kind) {
  return kind == kPublic || (kind == kPrivate && reach == Reach::kPrivate);
}

}  // namespace tollgate::transport
