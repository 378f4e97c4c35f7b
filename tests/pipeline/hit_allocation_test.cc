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

class HitAllocationTest : public EngineTest {
 protected:
  static constexpr int kTokens = 66;  // More than CheckBatch takes at once.

  HitAllocationTest() {
    for (int i = 0; i < kTokens; ++i) {
      idp::json claims = Claims("files:read");
      claims["sub"] = "user-" + std::to_string(i);
      // Every third has roles that do not fit into a record, and are kept beside it.
      if (i % 3 == 0)
        claims["roles"] = {std::string(150, 'a'), std::string(150, static_cast<char>('b' + i % 5))};
      authorizations_.push_back("Bearer " + idp::MintToSize(key_, claims, 800));
    }
    for (const std::string& authorization : authorizations_) {
      requests_.push_back({.authorization = authorization, .tool = "search"});
    }
    decisions_.resize(requests_.size());
  }

  void CheckAll(std::string_view tool, Reason expected, bool with_principal = false,
                ResourceId resource = ResourceId{0}) {
    Decision decision;
    for (const std::string& authorization : authorizations_) {
      engine_->Check({.authorization = authorization, .tool = tool, .resource = resource}, &decision,
                     with_principal ? &principal_ : nullptr);
      if (decision.reason != expected || !decision.from_cache) std::abort();
      if (with_principal && principal_.subject().empty()) std::abort();
    }
  }

  // WarmUp is what is slow by design: a thread's first check, and each token's.
  void WarmUp() {
    Decision decision;
    for (const Request& request : requests_) {
      engine_->Check(request, &decision, &principal_);
      ASSERT_TRUE(decision.was_cached);
    }
  }

  // AllocationsOf counts those of 100 times `what`.
  template <typename Function>
  static uint64_t AllocationsOf(const Function& what) {
    const uint64_t before = allocations.load(std::memory_order_relaxed);
    for (int round = 0; round < 100; ++round) what();
    return allocations.load(std::memory_order_relaxed) - before;
  }

  std::vector<std::string> authorizations_;
  std::vector<Request> requests_;
  std::vector<Decision> decisions_;
};

TEST_F(HitAllocationTest, AHitAllocatesNothingWhateverIsAsked) {
  const uint64_t before = allocations.load(std::memory_order_relaxed);
  WarmUp();
  EXPECT_GT(allocations.load(std::memory_order_relaxed), before)
      << "the first check of a thread allocates its buffers: the counter counts";
  EXPECT_EQ(AllocationsOf([&] { CheckAll("search", Reason::kNone); }), 0u);
  EXPECT_EQ(AllocationsOf([&] { CheckAll("pay", Reason::kNone); }), 0u) << "a tool for young tokens";
  EXPECT_EQ(AllocationsOf([&] { CheckAll("delete", Reason::kInsufficientScope); }), 0u);
  EXPECT_EQ(AllocationsOf([&] { CheckAll("no such tool", Reason::kUnknownTool); }), 0u);
  EXPECT_EQ(AllocationsOf([&] {
              for (Request request : requests_) {
                request.object = McpObject::kResource;
                request.tool = "file:///docs/7/notes.txt";
                engine_->Check(request, &decisions_[0]);
                if (!decisions_[0].allowed() || !decisions_[0].from_cache) std::abort();
              }
            }),
            0u)
      << "a resource, by a template";
  EXPECT_EQ(AllocationsOf([&] { CheckAll("search", Reason::kAudienceMismatch, false, ResourceId{1}); }), 0u);
  clock_.Advance(121);
  EXPECT_EQ(AllocationsOf([&] { CheckAll("pay", Reason::kTooOld); }), 0u);
}

TEST_F(HitAllocationTest, NorIfThePrincipalIsAsked) {
  WarmUp();
  EXPECT_EQ(AllocationsOf([&] { CheckAll("search", Reason::kNone, true); }), 0u);
  EXPECT_EQ(AllocationsOf([&] { CheckAll("delete", Reason::kInsufficientScope, true); }), 0u);
  EXPECT_EQ(AllocationsOf([&] {
              Principal fresh;
              engine_->Check(requests_[0], &decisions_[0], &fresh);
              if (fresh.roles().size() != 301) std::abort();
            }),
            0u)
      << "up to Principal::kInlineBytes";
}

TEST_F(HitAllocationTest, NamesLongerThanAPrincipalAllocateOnceInEach) {
  idp::json claims = Claims();
  claims["roles"] = {std::string(400, 'x'), std::string(400, 'y'), std::string(400, 'z')};
  const std::string authorization = "Bearer " + idp::Mint(key_, claims);
  const Request request = {.authorization = authorization, .tool = "search"};
  engine_->Check(request, &decisions_[0], &principal_);
  EXPECT_TRUE(decisions_[0].was_cached);
  EXPECT_EQ(AllocationsOf([&] { engine_->Check(request, &decisions_[0], &principal_); }), 0u);
  EXPECT_TRUE(decisions_[0].from_cache);
  EXPECT_EQ(principal_.roles().size(), 1202u);
  EXPECT_EQ(AllocationsOf([&] {
              Principal fresh;
              engine_->Check(request, &decisions_[0], &fresh);
            }),
            100u);
}

TEST_F(HitAllocationTest, NorDoesABatch) {
  WarmUp();
  EXPECT_EQ(AllocationsOf([&] {
              engine_->CheckBatch(requests_, decisions_);
              for (const Decision& decision : decisions_) {
                if (!decision.allowed() || !decision.from_cache) std::abort();
              }
            }),
            0u);
}

TEST_F(HitAllocationTest, NorALookAgainAfterARevocation) {
  WarmUp();
  ASSERT_TRUE(engine_->RevokeSubject(kIssuer, "nobody", kStart + 1000).ok());
  CheckAll("search", Reason::kNone);  // The thread's first, which makes its buffers.
  const uint64_t rechecks = engine_->ReadMetrics().rechecks;
  ASSERT_TRUE(engine_->RevokeSubject(kIssuer, "nobody else", kStart + 1000).ok());
  const uint64_t before = allocations.load(std::memory_order_relaxed);
  CheckAll("search", Reason::kNone);
  EXPECT_EQ(allocations.load(std::memory_order_relaxed) - before, 0u);
  EXPECT_EQ(engine_->ReadMetrics().rechecks, rechecks + kTokens) << "once each";
  EXPECT_EQ(AllocationsOf([&] { CheckAll("search", Reason::kNone, true); }), 0u);
  EXPECT_EQ(engine_->ReadMetrics().rechecks, rechecks + kTokens) << "they are stamped anew";
}

}  // namespace
}  // namespace tollgate
