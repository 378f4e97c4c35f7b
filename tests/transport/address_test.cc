#include "transport/address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>

namespace tollgate::transport {
namespace {

bool IsLoopback(const char* text) {
  sockaddr_storage storage{};
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
    storage.ss_family = AF_INET;
  } else {
    EXPECT_EQ(inet_pton(AF_INET6, text, &v6->sin6_addr), 1) << text;
    storage.ss_family = AF_INET6;
  }
  return IsLoopbackAddress(reinterpret_cast<const sockaddr&>(storage));
}

TEST(IsLoopbackAddress, KnowsBothFamilies) {
  for (const char* text : {"127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(IsLoopback(text)) << text;
  }
  for (const char* text : {"126.255.255.255", "128.0.0.0", "0.0.0.0", "10.0.0.127", "169.254.169.254",
                           "::", "::2", "fe80::1", "::ffff:10.0.0.1", "::127.0.0.1", "7f00::1"}) {
    EXPECT_FALSE(IsLoopback(text)) << text;
  }
}

TEST(IsLoopbackAddress, AnotherFamilyIsNotLoopback) {
  sockaddr address{};
  address.sa_family = AF_UNIX;
  EXPECT_FALSE(IsLoopbackAddress(address));
}

}  // namespace
}  // namespace tollgate::transport
