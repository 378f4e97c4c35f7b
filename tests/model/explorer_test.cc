// Does the explorer find what C++20 allows and nothing else? The classic litmus tests, each with the weaker
// orders that allow what the stronger ones forbid.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <set>
#include <vector>

#include "tests/model/explorer.h"

namespace tollgate::model {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;
constexpr auto kAcqRel = std::memory_order_acq_rel;

using Outcomes = std::set<std::vector<uint64_t>>;

struct Orders {
  std::memory_order store;
  std::memory_order load;
};

Outcomes OutcomesOf(Explorer& explorer) {
  const Result result = explorer.Run();
  EXPECT_TRUE(result.exhausted);
  return result.outcomes;
}

Outcomes StoreBuffering(Orders orders) {
  Explorer explorer;
  Cell<int> x, y;
  explorer.AddThread("left", [&] {
    x.store(1, orders.store);
    return y.load(orders.load);
  });
  explorer.AddThread("right", [&] {
    y.store(1, orders.store);
    return x.load(orders.load);
  });
  return OutcomesOf(explorer);
}

TEST(Litmus, StoreBufferingIsAllowedWithoutSequentialConsistency) {
  const Outcomes all = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
  EXPECT_EQ(StoreBuffering({kRelaxed, kRelaxed}), all);
  EXPECT_EQ(StoreBuffering({kRelease, kAcquire}), all);
}

// The reader returns flag * 10 + data.
Outcomes MessagePassing(Orders orders) {
  Explorer explorer;
  Cell<int> data, flag;
  explorer.AddThread("writer", [&] {
    data.store(1, kRelaxed);
    flag.store(1, orders.store);
    return 0;
  });
  explorer.AddThread("reader", [&] {
    const int seen = flag.load(orders.load);
    return seen * 10 + data.load(kRelaxed);
  });
  return OutcomesOf(explorer);
}

TEST(Litmus, MessagePassingNeedsReleaseAndAcquire) {
  const Outcomes ordered = {{0, 0}, {0, 1}, {0, 11}};
  const Outcomes all = {{0, 0}, {0, 1}, {0, 10}, {0, 11}};
  EXPECT_EQ(MessagePassing({kRelease, kAcquire}), ordered);
  EXPECT_EQ(MessagePassing({kRelaxed, kAcquire}), all);
  EXPECT_EQ(MessagePassing({kRelease, kRelaxed}), all);
}

TEST(Litmus, HappensBeforeIsTransitive) {
  Explorer explorer;
  Cell<int> data, first, second;
  explorer.AddThread("writer", [&] {
    data.store(1, kRelaxed);
    first.store(1, kRelease);
    return 0;
  });
  explorer.AddThread("between", [&] {
    if (first.load(kAcquire) == 0) return 0;
    second.store(1, kRelease);
    return 1;
  });
  explorer.AddThread("reader", [&] {
    if (second.load(kAcquire) == 0) return 2;
    return data.load(kRelaxed);
  });
  EXPECT_EQ(OutcomesOf(explorer), (Outcomes{{0, 0, 2}, {0, 1, 2}, {0, 1, 1}}));
}

TEST(Litmus, ReadsOfOneCellNeverGoBack) {
  Explorer explorer;
  Cell<int> x;
  explorer.AddThread("writer", [&] {
    x.store(1, kRelaxed);
    x.store(2, kRelaxed);
    return 0;
  });
  explorer.AddThread("reader", [&] {
    const int earlier = x.load(kRelaxed);
    return earlier * 10 + x.load(kRelaxed);
  });
  EXPECT_EQ(OutcomesOf(explorer), (Outcomes{{0, 0}, {0, 1}, {0, 2}, {0, 11}, {0, 12}, {0, 22}}));
}

TEST(Litmus, AllReadersAgreeOnTheOrderOfOneCell) {
  Explorer explorer;
  Cell<int> x;
  for (const int value : {1, 2}) {
    explorer.AddThread("writer", [&x, value] {
      x.store(value, kRelaxed);
      return 0;
    });
  }
  for (int i = 0; i < 2; ++i) {
    explorer.AddThread("reader", [&] {
      const int earlier = x.load(kRelaxed);
      return earlier * 10 + x.load(kRelaxed);
    });
  }
  const Outcomes outcomes = OutcomesOf(explorer);
  EXPECT_TRUE(outcomes.contains({0, 0, 12, 12}));
  EXPECT_TRUE(outcomes.contains({0, 0, 21, 21}));
  EXPECT_FALSE(outcomes.contains({0, 0, 12, 21}));
  EXPECT_FALSE(outcomes.contains({0, 0, 21, 12}));
}

TEST(Litmus, AThreadReadsItsOwnStoreOrALaterOne) {
  Explorer explorer;
  Cell<int> x;
  explorer.AddThread("left", [&] {
    x.store(1, kRelaxed);
    return x.load(kRelaxed);
  });
  explorer.AddThread("right", [&] {
    x.store(2, kRelaxed);
    return x.load(kRelaxed);
  });
  EXPECT_EQ(OutcomesOf(explorer), (Outcomes{{1, 2}, {2, 2}, {1, 1}}));
}

// Both threads find the other's store behind their own, which they ran later: 2+2W. A model that only appends
// to the modification order does not have it.
TEST(Litmus, StoresEnterTheModificationOrderAnywhereBehindTheView) {
  Explorer explorer;
  Cell<int> x, y;
  explorer.AddThread("left", [&] {
    x.store(1, kRelease);
    y.store(2, kRelease);
    return y.load(kAcquire);
  });
  explorer.AddThread("right", [&] {
    y.store(1, kRelease);
    x.store(2, kRelease);
    return x.load(kAcquire);
  });
  EXPECT_TRUE(OutcomesOf(explorer).contains({1, 1}));
}

TEST(Litmus, StoresThatAreOrderedKeepTheirOrder) {
  Explorer explorer;
  Cell<int> x, flag;
  explorer.AddThread("left", [&] {
    x.store(1, kRelaxed);
    flag.store(1, kRelease);
    return 0;
  });
  explorer.AddThread("right", [&] {
    if (flag.load(kAcquire) == 0) return 0;
    x.store(2, kRelaxed);
    return x.load(kRelaxed);
  });
  EXPECT_EQ(OutcomesOf(explorer), (Outcomes{{0, 0}, {0, 2}}));
}

TEST(Litmus, IndependentReadsOfIndependentWritesMayDisagreeUnderAcquire) {
  Explorer explorer;
  Cell<int> x, y;
  explorer.AddThread("writes x", [&] {
    x.store(1, kRelease);
    return 0;
  });
  explorer.AddThread("writes y", [&] {
    y.store(1, kRelease);
    return 0;
  });
  explorer.AddThread("reads x, y", [&] {
    const int first = x.load(kAcquire);
    return first * 10 + y.load(kAcquire);
  });
  explorer.AddThread("reads y, x", [&] {
    const int first = y.load(kAcquire);
    return first * 10 + x.load(kAcquire);
  });
  EXPECT_TRUE(OutcomesOf(explorer).contains({0, 0, 10, 10}));
}

TEST(Litmus, OfCompareExchangesFromOneValueOneSucceeds) {
  Explorer explorer;
  Cell<int> x;
  for (int i = 0; i < 3; ++i) {
    explorer.AddThread("claims", [&] {
      int expected = 0;
      return x.compare_exchange_strong(expected, 1, kRelaxed, kRelaxed);
    });
  }
  EXPECT_EQ(OutcomesOf(explorer), (Outcomes{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}));
}

TEST(Litmus, NoStoreComesBetweenACompareExchangeAndWhatItRead) {
  Explorer explorer;
  Cell<int> x;
  explorer.AddThread("exchanges", [&] {
    int expected = 0;
    return x.compare_exchange_strong(expected, 2, kRelaxed, kRelaxed);
  });
  explorer.AddThread("stores", [&] {
    x.store(1, kRelaxed);
    return 0;
  });
  explorer.AddThread("reader", [&] {
    int seen = x.load(kRelaxed);
    for (int i = 0; i < 2; ++i) seen = seen * 10 + x.load(kRelaxed);
    return seen;
  });
  const Outcomes outcomes = OutcomesOf(explorer);
  EXPECT_TRUE(outcomes.contains({1, 0, 21}));
  EXPECT_TRUE(outcomes.contains({0, 0, 1}));
  EXPECT_FALSE(outcomes.contains({1, 0, 12}));
}

// The reader acquires what `between` left, not the writer's own store.
Outcomes ReleaseSequence(bool by_exchange, std::memory_order between) {
  Explorer explorer;
  Cell<int> data, flag;
  explorer.AddThread("writer", [&] {
    data.store(1, kRelaxed);
    flag.store(1, kRelease);
    return 0;
  });
  explorer.AddThread("between", [&, by_exchange, between] {
    int expected = 1;
    if (by_exchange) return int{flag.compare_exchange_strong(expected, 2, between, kRelaxed)};
    if (flag.load(kRelaxed) == 1) {
      flag.store(2, kRelaxed);
      return 1;
    }
    return 0;
  });
  explorer.AddThread("reader", [&] { return flag.load(kAcquire) == 2 ? data.load(kRelaxed) : 3; });
  return OutcomesOf(explorer);
}

TEST(Litmus, AReleaseSequenceGoesThroughACompareExchangeOfAnyOrder) {
  for (const auto between : {kRelaxed, kAcquire, kRelease, kAcqRel}) {
    EXPECT_EQ(ReleaseSequence(true, between), (Outcomes{{0, 0, 3}, {0, 1, 3}, {0, 1, 1}}));
  }
}

TEST(Litmus, AReleaseSequenceDoesNotGoThroughAPlainStore) {
  EXPECT_TRUE(ReleaseSequence(false, kRelaxed).contains({0, 1, 0}));
}

TEST(Litmus, AReleaseSequenceDoesNotGoThroughAPlainStoreOfTheSameThread) {
  Explorer explorer;
  Cell<int> data, flag;
  explorer.AddThread("writer", [&] {
    data.store(1, kRelaxed);
    flag.store(1, kRelease);
    flag.store(2, kRelaxed);
    return 0;
  });
  explorer.AddThread("reader", [&] { return flag.load(kAcquire) == 2 ? data.load(kRelaxed) : 3; });
  EXPECT_TRUE(OutcomesOf(explorer).contains({0, 0}));
}

TEST(Litmus, AnAcquiringCompareExchangeSeesWhatItsPartnerReleased) {
  for (const auto success : {kAcquire, kRelaxed}) {
    Explorer explorer;
    Cell<int> data, lock;
    explorer.AddThread("writer", [&] {
      data.store(1, kRelaxed);
      lock.store(2, kRelease);
      return 0;
    });
    explorer.AddThread("next", [&, success] {
      int expected = 2;
      if (!lock.compare_exchange_strong(expected, 3, success, kRelaxed)) return 3;
      return data.load(kRelaxed);
    });
    EXPECT_EQ(OutcomesOf(explorer).contains({0, 0}), success == kRelaxed);
  }
}

TEST(Litmus, AFailedCompareExchangeIsALoadOfItsOwnOrder) {
  for (const auto failure : {kAcquire, kRelaxed}) {
    Explorer explorer;
    Cell<int> data, flag;
    explorer.AddThread("writer", [&] {
      data.store(1, kRelaxed);
      flag.store(1, kRelease);
      return 0;
    });
    explorer.AddThread("reader", [&, failure] {
      int expected = 7;
      flag.compare_exchange_strong(expected, 8, kAcquire, failure);
      return expected == 1 ? data.load(kRelaxed) : 3;
    });
    EXPECT_EQ(OutcomesOf(explorer).contains({0, 0}), failure == kRelaxed);
  }
}

// Load buffering is C++ but not in the model: a load would read what its own thread has yet to do. The model
// must say so here, so that nobody takes it for complete; docs/memory-ordering.md says why the slot does not
// need it.
TEST(Litmus, LoadBufferingIsNotGenerated) {
  Explorer explorer;
  Cell<int> x, y;
  explorer.AddThread("left", [&] {
    const int seen = x.load(kRelaxed);
    y.store(1, kRelaxed);
    return seen;
  });
  explorer.AddThread("right", [&] {
    const int seen = y.load(kRelaxed);
    x.store(1, kRelaxed);
    return seen;
  });
  EXPECT_EQ(OutcomesOf(explorer), (Outcomes{{0, 0}, {0, 1}, {1, 0}}));
}

TEST(Explorer, WeakensTheOperationsThatItIsToldTo) {
  const auto violation = [](std::optional<Weakening> weakening) {
    Explorer explorer({.weakening = weakening});
    Cell<uint64_t> data;
    Cell<uint32_t> flag;
    explorer.AddThread("writer", [&] {
      data.store(1, kRelaxed);
      flag.store(1, kRelease);
      return uint64_t{0};
    });
    explorer.AddThread("reader",
                       [&] { return flag.load(kAcquire) == 1 && data.load(kRelaxed) == 0 ? kViolation : 0; });
    return explorer.Run().violation;
  };
  EXPECT_EQ(violation(std::nullopt), "");
  EXPECT_EQ(violation(Weakening{Role::kWord, Operation::kStore, kRelease, kRelaxed}), "");
  EXPECT_EQ(violation(Weakening{Role::kSequence, Operation::kStore, kRelease, kRelaxed}),
            "writer: stores word #0 1, relaxed, 2 of 2\n"
            "writer: stores sequence #1 1, relaxed, 2 of 2\n"
            "reader: loads sequence #1 1, acquire, 2 of 2\n"
            "reader: loads word #0 0, relaxed, 1 of 2\n");
  EXPECT_NE(violation(Weakening{Role::kSequence, Operation::kLoad, kAcquire, kRelaxed}), "");
}

// What makes two states one, and what is forgotten, must not lose an execution: the same outcomes without
// either.
TEST(Explorer, MergingStatesLosesNoOutcome) {
  const auto run = [](bool merge) {
    Explorer explorer({.merge = merge});
    Cell<int> x, y, lock;
    explorer.AddThread("left", [&] {
      int expected = 0;
      if (!lock.compare_exchange_strong(expected, 1, kAcquire, kRelaxed)) return 100 + expected;
      x.store(1, kRelaxed);
      y.store(1, kRelease);
      lock.store(2, kRelease);
      return y.load(kRelaxed);
    });
    explorer.AddThread("middle", [&] {
      int expected = 2;
      if (!lock.compare_exchange_strong(expected, 3, kRelaxed, kRelaxed)) return 100 + expected;
      y.store(2, kRelease);
      return x.load(kRelaxed) * 10 + y.load(kRelaxed);
    });
    explorer.AddThread("right", [&] {
      int seen = y.load(kAcquire);
      seen = seen * 10 + x.load(kRelaxed);
      x.store(2, kRelaxed);
      seen = seen * 10 + lock.load(kAcquire);
      return seen * 10 + x.load(kRelaxed);
    });
    return explorer.Run();
  };
  const Result merged = run(true);
  const Result all = run(false);
  EXPECT_TRUE(merged.exhausted && all.exhausted);
  EXPECT_EQ(merged.outcomes, all.outcomes);
  EXPECT_GT(merged.outcomes.size(), 50u);
  EXPECT_LT(merged.states * 10, all.states);
}

TEST(Explorer, SaysWhenItDidNotSeeEverything) {
  Explorer explorer({.states_max = 5});
  Cell<int> x;
  for (int i = 0; i < 2; ++i) {
    explorer.AddThread("writer", [&] {
      x.store(1, kRelaxed);
      return x.load(kRelaxed);
    });
  }
  EXPECT_FALSE(explorer.Run().exhausted);
}

}  // namespace
}  // namespace tollgate::model
