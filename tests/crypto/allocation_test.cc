// A program of its own, since it replaces the allocators of C++ and of BoringSSL by counting ones.

#include <atomic>
#include <cstdlib>
#include <new>

#include <gtest/gtest.h>

#include "crypto/cache_tag.h"
#include "crypto/digest.h"
#include "tests/crypto/signers.h"

namespace {

std::atomic<int> allocations{0};

// Ordering: relaxed; one thread allocates and reads.
void Count() { allocations.fetch_add(1, std::memory_order_relaxed); }
int Counted() { return allocations.load(std::memory_order_relaxed); }

constexpr size_t kPrefix = alignof(std::max_align_t);

}  // namespace

// Never inlined: gcc would see malloc's memory given to delete, or new's to free, and warn.
[[gnu::noinline]] void* operator new(size_t size) {
  Count();
  if (void* p = std::malloc(size)) return p;
  std::abort();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { std::free(p); }

// BoringSSL takes these three if the program has them; the size stands before the block.
extern "C" {
void* OPENSSL_memory_alloc(size_t size) {
  Count();
  auto* block = static_cast<char*>(std::malloc(size + kPrefix));
  if (block == nullptr) return nullptr;
  *reinterpret_cast<size_t*>(block) = size;
  return block + kPrefix;
}
void OPENSSL_memory_free(void* p) {
  if (p != nullptr) std::free(static_cast<char*>(p) - kPrefix);
}
size_t OPENSSL_memory_get_size(void* p) {
  return p == nullptr ? 0 : *reinterpret_cast<size_t*>(static_cast<char*>(p) - kPrefix);
}
}

namespace tollgate::crypto {
namespace {

int AllocationsOfVerify(const char* alg) {
  const idp::SigningKey& signer = idp::TestKey(alg);
  const VerifyKey key = test::KeyOf(signer);
  const Algorithm algorithm = *AlgorithmFromName(alg);
  const std::string first = signer.Sign("first"), second = signer.Sign("second");
  EXPECT_EQ(key.Verify(algorithm, "first", test::Span(first)), SignatureCheck::kGood);
  const int before = Counted();
  const SignatureCheck check = key.Verify(algorithm, "second", test::Span(second));
  const int after = Counted();
  EXPECT_EQ(check, SignatureCheck::kGood);
  return after - before;
}

TEST(Allocation, VerificationsAllocateNothing) {
  for (const char* alg : {"RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"})
    EXPECT_EQ(AllocationsOfVerify(alg), 0) << alg;
}

// Also shows that the counter sees BoringSSL's allocations.
TEST(Allocation, PssAllocatesInsideBoringSsl) {
  EXPECT_GT(AllocationsOfVerify("PS256"), 0);
  EXPECT_LT(AllocationsOfVerify("PS256"), 64);
}

TEST(Allocation, DigestsAllocateNothing) {
  const std::string text(1000, 'x'), key(200, 'k');
  const int before = Counted();
  (void)Sha256(text);
  (void)HmacSha256(test::Span(key), text);
  (void)KeyedHash64({1, 2}, text);
  (void)EqualInConstantTime(test::Span(text), test::Span(text));
  EXPECT_EQ(Counted() - before, 0);
}

TEST(Allocation, CacheTagsAllocateNothing) {
  for (const TagVariant variant : TagKey::SupportedVariants()) {
    const TagKey key(variant);
    for (const size_t length : {0, 15, 800, 16'384, 20'000}) {
      const std::string token(length, 'x');
      Derived derived;
      const int before = Counted();
      key.Derive(token, &derived);
      EXPECT_EQ(Counted() - before, 0) << static_cast<int>(variant) << " " << length;
    }
  }
}

}  // namespace
}  // namespace tollgate::crypto
