// A cached token costs no heap: every operator new and malloc-like call of this program is counted.

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "tests/pipeline/engine_fixture.h"

namespace {

// Ordering: relaxed throughout; the test reads what its own thread counted.
std::atomic<uint64_t> allocations{0};

void* Counted(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* p = std::malloc(size == 0 ? 1 : size)) return p;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t size) { return Counted(size); }
void* operator new[](std::size_t size) { return Counted(size); }
void* operator new(std::size_t size, std::align_val_t align) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* p = std::aligned_alloc(static_cast<size_t>(align), (size + static_cast<size_t>(align) - 1) &
                                                                   ~(static_cast<size_t>(align) - 1))) {
    return p;
  }
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

namespace tollgate {
namespace {

class HitAllocationTest : public EngineTest {};

TEST_F(HitAllocationTest, AHitAllocatesNothingWhateverIsAsked) {
  std::vector<std::string> authorizations;
  for (int i = 0; i < 64; ++i) {
    idp::json claims = Claims("files:read");
    claims["sub"] = "user-" + std::to_string(i);
    authorizations.push_back("Bearer " + idp::MintToSize(key_, claims, 800));
  }
  Decision decision;
  Principal principal;
  uint64_t on_misses = allocations.load(std::memory_order_relaxed);
  for (const std::string& authorization : authorizations) {
    engine_->Check({.authorization = authorization, .tool = "search"}, &decision, &principal);
    ASSERT_TRUE(decision.allowed());
  }
  on_misses = allocations.load(std::memory_order_relaxed) - on_misses;
  EXPECT_GT(on_misses, 0u) << "the first check of a thread allocates its buffers: the counter counts";

  const uint64_t before = allocations.load(std::memory_order_relaxed);
  for (int round = 0; round < 100; ++round) {
    for (const std::string& authorization : authorizations) {
      engine_->Check({.authorization = authorization, .tool = "search"}, &decision, &principal);
      if (!decision.allowed() || !decision.from_cache || principal.subject().empty()) std::abort();
      engine_->Check({.authorization = authorization, .tool = "delete"}, &decision);
      if (decision.reason != Reason::kInsufficientScope) std::abort();
      engine_->Check({.authorization = authorization, .tool = "search", .resource = ResourceId{1}},
                     &decision);
      if (decision.reason != Reason::kAudienceMismatch) std::abort();
    }
  }
  EXPECT_EQ(allocations.load(std::memory_order_relaxed) - before, 0u);
}

}  // namespace
}  // namespace tollgate
