// A program of its own, since it replaces the allocator by a counting one.

#include <atomic>
#include <cstdlib>
#include <new>

#include <gtest/gtest.h>

#include "tests/jose/tokens.h"

namespace {

std::atomic<int> allocations{0};

// Ordering: relaxed; one thread allocates and reads.
int Counted() { return allocations.load(std::memory_order_relaxed); }

void* Allocate(size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* p = std::malloc(size)) return p;
  std::abort();
}

}  // namespace

void* operator new(size_t size) { return Allocate(size); }
void* operator new(size_t size, const std::nothrow_t&) noexcept { return Allocate(size); }
void* operator new[](size_t size) { return Allocate(size); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return Allocate(size); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete[](void* p, size_t) noexcept { std::free(p); }

namespace tollgate::jose {
namespace {

std::string Token(std::string_view alg, int n) {
  const std::string number = std::to_string(n);
  return idp::Mint(idp::TestKey(alg),
                   idp::AccessTokenClaims("https://issuer.example", "https://api.example",
                                          "subject-" + number, "client", "read write", 1, 2));
}

TEST(Allocation, ParsingASimilarTokenAllocatesNothing) {
  for (const char* alg : {"RS256", "ES256", "EdDSA"}) {
    const std::string first = Token(alg, 1), second = Token(alg, 2);
    ParsedJws jws;
    ASSERT_EQ(jws.Parse(first), Reason::kNone);
    const int before = Counted();
    const Reason reason = jws.Parse(second);
    const int after = Counted();
    EXPECT_EQ(reason, Reason::kNone);
    EXPECT_EQ(after - before, 0) << alg;
  }
}

TEST(Allocation, VerifyingAllocatesNothingOutsideBoringSsl) {
  for (const char* alg : {"RS256", "ES256", "EdDSA"}) {
    const std::string token = Token(alg, 1);
    const Jwk key = test::KeyOf(idp::TestKey(alg));
    ParsedJws jws;
    ASSERT_EQ(jws.Parse(token), Reason::kNone);
    std::optional<VerifiedJws> verified;
    const int before = Counted();
    const Reason reason = Verify(jws, key.key, &verified);
    const int after = Counted();
    EXPECT_EQ(reason, Reason::kNone);
    EXPECT_EQ(after - before, 0) << alg;
  }
}

TEST(Allocation, RefusingAllocatesNothing) {
  const std::string good = Token("ES256", 1);
  const std::string bad[] = {"",
                             "a.b",
                             good + "=",
                             good + ".",
                             std::string(20'000, 'a'),
                             std::string(1000, '.'),
                             test::Token(R"({"alg":"none"})", "{}"),
                             test::Token(R"({"alg":"ES256"})", "[]")};
  ParsedJws jws;
  ASSERT_EQ(jws.Parse(good), Reason::kNone);
  const int before = Counted();
  bool any_accepted = false;
  for (const std::string& token : bad) any_accepted |= jws.Parse(token) == Reason::kNone;
  EXPECT_EQ(Counted() - before, 0);
  EXPECT_FALSE(any_accepted);
}

TEST(Allocation, TheCounterCounts) {
  const int before = Counted();
  const ParsedJws jws;
  EXPECT_GT(Counted(), before);
}

}  // namespace
}  // namespace tollgate::jose
