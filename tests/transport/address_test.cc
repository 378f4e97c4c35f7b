#include "transport/address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <string>
#include <vector>

namespace tollgate::transport {
namespace {

constexpr AddressKind kPublic = AddressKind::kPublic;
constexpr AddressKind kPrivate = AddressKind::kPrivate;
constexpr AddressKind kLoopback = AddressKind::kLoopback;
constexpr AddressKind kSpecial = AddressKind::kSpecial;

// The address as a resolver returns it, and as a URL would have it.
AddressKind Kind(const std::string& text) {
  sockaddr_storage storage{};
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  const bool is_v4 = inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1;
  if (!is_v4) {
    EXPECT_EQ(inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr), 1) << text;
  }
  storage.ss_family = is_v4 ? AF_INET : AF_INET6;
  const AddressKind kind = KindOf(reinterpret_cast<const sockaddr&>(storage));
  EXPECT_EQ(KindOfLiteral(is_v4 ? text : "[" + text + "]"), kind) << text;
  return kind;
}

struct Block {
  const char* first;
  const char* last;
  AddressKind kind;
};

// The blocks of the registries from end to end; what lies between two of them is public.
const std::vector<Block>& V4Blocks() {
  static const std::vector<Block> blocks = {
      {"0.0.0.0", "0.255.255.255", kSpecial},       {"10.0.0.0", "10.255.255.255", kPrivate},
      {"100.64.0.0", "100.127.255.255", kPrivate},  {"127.0.0.0", "127.255.255.255", kLoopback},
      {"169.254.0.0", "169.254.255.255", kSpecial}, {"172.16.0.0", "172.31.255.255", kPrivate},
      {"192.0.0.0", "192.0.0.255", kSpecial},       {"192.0.2.0", "192.0.2.255", kSpecial},
      {"192.88.99.0", "192.88.99.255", kSpecial},   {"192.168.0.0", "192.168.255.255", kPrivate},
      {"198.18.0.0", "198.19.255.255", kSpecial},   {"198.51.100.0", "198.51.100.255", kSpecial},
      {"203.0.113.0", "203.0.113.255", kSpecial},   {"224.0.0.0", "239.255.255.255", kSpecial},
      {"240.0.0.0", "255.255.255.255", kSpecial},
  };
  return blocks;
}

uint32_t Number(const std::string& text) {
  in_addr address{};
  EXPECT_EQ(inet_pton(AF_INET, text.c_str(), &address), 1) << text;
  return ntohl(address.s_addr);
}

std::string Text(uint32_t number) {
  const in_addr address = {.s_addr = htonl(number)};
  char text[INET_ADDRSTRLEN];
  return inet_ntop(AF_INET, &address, text, sizeof text);
}

TEST(KindOf, V4BlocksEndWhereTheRegistryEndsThem) {
  for (size_t i = 0; i < V4Blocks().size(); ++i) {
    const Block& block = V4Blocks()[i];
    const uint32_t first = Number(block.first), last = Number(block.last);
    for (const uint32_t number : {first, first + 1, first + (last - first) / 2, last - 1, last}) {
      EXPECT_EQ(Kind(Text(number)), block.kind) << Text(number);
    }
    if (i == 0) continue;
    const uint32_t end = Number(V4Blocks()[i - 1].last);
    if (end + 1 == first) continue;
    EXPECT_EQ(Kind(Text(end + 1)), kPublic) << Text(end + 1);
    EXPECT_EQ(Kind(Text(first - 1)), kPublic) << Text(first - 1);
  }
}

TEST(KindOf, V6BlocksEndWhereTheRegistryEndsThem) {
  const std::vector<Block> blocks = {
      {"::", "::", kSpecial},
      {"::1", "::1", kLoopback},
      {"::2", "::fffe:ffff:ffff", kSpecial},  // What once was "IPv4-compatible" too.
      {"::1:0:0:0", "64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", kSpecial},
      {"64:ff9b:0:0:0:1::", "64:ff9b:0:ffff:ffff:ffff:ffff:ffff", kSpecial},
      {"64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", kSpecial},  // Local translation.
      {"64:ff9b:2::", "ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", kSpecial},
      {"100::", "100::ffff:ffff:ffff:ffff", kSpecial},  // Discard.
      {"100:0:0:1::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", kSpecial},
      {"2000::", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", kPublic},
      {"2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", kSpecial},  // Teredo, ORCHID and others.
      {"2001:200::", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", kPublic},
      {"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", kSpecial},
      {"2001:db9::", "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", kPublic},
      {"2003::", "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", kPublic},
      {"3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", kSpecial},
      {"3fff:1000::", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", kPublic},
      {"4000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", kSpecial},  // 5f00::/16 is in it.
      {"fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", kPrivate},
      {"fe00::", "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", kSpecial},
      {"fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", kSpecial},  // Link-local.
      {"fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", kSpecial},  // Once site-local.
      {"ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", kSpecial},  // Multicast.
  };
  for (const Block& block : blocks) {
    EXPECT_EQ(Kind(block.first), block.kind) << block.first;
    EXPECT_EQ(Kind(block.last), block.kind) << block.last;
  }
}

TEST(KindOf, AnAddressMappedIntoV6IsOfItsOwnKind) {
  for (const Block& block : V4Blocks()) {
    EXPECT_EQ(Kind("::ffff:" + std::string(block.first)), block.kind) << block.first;
    EXPECT_EQ(Kind("::ffff:" + std::string(block.last)), block.kind) << block.last;
  }
  EXPECT_EQ(Kind("::ffff:9.9.9.9"), kPublic);
  EXPECT_EQ(Kind("::ffff:7f00:1"), kLoopback);
  EXPECT_EQ(Kind("::9.9.9.9"), kSpecial);
  EXPECT_EQ(Kind("::ffff:0:9.9.9.9"), kSpecial);
}

// What translates or tunnels must not be a way into a network that is not public.
TEST(KindOf, TranslatedAndTunnelledAddressesArePublicOrSpecial) {
  const auto tunnelled = [](uint32_t v4) {
    char text[INET6_ADDRSTRLEN];
    snprintf(text, sizeof text, "2002:%x:%x::1", v4 >> 16, v4 & 0xffff);
    return std::string(text);
  };
  for (const Block& block : V4Blocks()) {
    for (const std::string v4 : {block.first, block.last}) {
      EXPECT_EQ(Kind("64:ff9b::" + v4), kSpecial) << v4;
      EXPECT_EQ(Kind(tunnelled(Number(v4))), kSpecial) << v4;
    }
  }
  EXPECT_EQ(Kind("64:ff9b::9.9.9.9"), kPublic);
  EXPECT_EQ(Kind(tunnelled(Number("9.9.9.9"))), kPublic);
  EXPECT_EQ(Kind("64:ff9b::1:9.9.9.9"), kSpecial);
}

TEST(KindOf, AnotherFamilyIsSpecial) {
  sockaddr address{};
  address.sa_family = AF_UNIX;
  EXPECT_EQ(KindOf(address), kSpecial);
}

TEST(KindOfLiteral, ANameIsNoAddress) {
  for (const char* host : {"", "idp.example", "localhost", "127.1", "2130706433", "0x7f.0.0.1", "::1", "["}) {
    EXPECT_EQ(KindOfLiteral(host), std::nullopt) << host;
  }
  EXPECT_EQ(KindOfLiteral("[fe80::1%25eth0]"), kSpecial);
  EXPECT_EQ(KindOfLiteral("[v1.x]"), kSpecial);
}

TEST(IsWithin, PrivateReachHasPublicAddressesToo) {
  for (const AddressKind kind : {kPublic, kPrivate, kLoopback, kSpecial}) {
    EXPECT_EQ(IsWithin(Reach::kPublic, kind), kind == kPublic);
    EXPECT_EQ(IsWithin(Reach::kPrivate, kind), kind == kPublic || kind == kPrivate);
  }
}

}  // namespace
}  // namespace tollgate::transport
