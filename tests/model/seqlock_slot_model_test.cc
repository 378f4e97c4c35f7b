// Every execution of small cases of sync::SeqlockSlot, the engine's own code: may a reader ever get facts
// that are not those of one moment of the token that it asked for? And is each memory order, and each step of
// the protocol, needed for that: does a case fail without it?
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sync/seqlock_slot.h"
#include "tests/model/explorer.h"

namespace tollgate::model {
namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__) || !defined(__OPTIMIZE__)
#define TOLLGATE_MODEL_SMOKE 1  // Slow: look at some of the executions only.
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define TOLLGATE_MODEL_SMOKE 1
#endif
#endif
#if defined(TOLLGATE_MODEL_SMOKE)
constexpr bool kSmoke = true;
constexpr uint64_t kStatesMax = 20'000;
#else
constexpr bool kSmoke = false;
constexpr uint64_t kStatesMax = UINT64_MAX;
#endif

using Slot = sync::SeqlockSlot<2, Atomics>;

// The words of an entry.
constexpr size_t kTag = 0;
constexpr size_t kFacts = 1;

// A slot with one cold word.
struct Place {
  Slot slot;
  Slot::Word cold;
  Place() { cold.SetRole(Role::kCold); }
};

// What is stored of a token follows from its tag and a version, so that a reader can tell what belongs
// together. The facts may also have a stamp, and, where a mutation keeps the mark among them, a mark.
constexpr uint64_t kX = 1, kY = 2, kZ = 3;
constexpr uint64_t kStamp = 8, kMark = 1024;
constexpr uint64_t Of(uint64_t tag, uint64_t version) { return tag * 16 + version; }

// What a thread returns: this, or the facts that it found.
constexpr uint64_t kMiss = 0, kDone = 1;

// Mutation is a mistake that a caller of the slot could make.
enum class Mutation : uint8_t {
  kNone,
  kNoValidate,            // Readers believe what they loaded.
  kMoverNoValidate,       // A relocation copies what it loaded.
  kOddIsOpen,             // Readers do not ask whether the sequence is even.
  kClaimIgnored,          // Writers write although another one has the words.
  kStampUnclaimed,        // The stamp is stored without a claim.
  kStampElsewhere,        // It is stored under a claim, but whatever entry is there by then.
  kMarkAmongFacts,        // The mark is a bit of a word.
  kGenerationAfterwards,  // The generation is read after the verification.
  kExtentFirst,           // A bucket is in use before what belongs there is.
  kEmptiedFirst,          // An entry is gone from its old place before the bucket of its new one is in use.
};

void Write(Place& place, uint32_t seq, uint64_t tag, uint64_t facts, uint64_t cold) {
  place.slot.Store(kTag, tag);
  place.slot.Store(kFacts, facts);
  Slot::StoreCold(place.cold, cold);
  place.slot.Publish(seq);
}

uint64_t Insert(Place& place, uint64_t tag, uint64_t version, Mutation mutation = Mutation::kNone) {
  uint32_t seq = 0;
  if (!place.slot.TryClaim(&seq)) {
    if (mutation != Mutation::kClaimIgnored) return kMiss;
    seq &= ~uint32_t{1};
  }
  Write(place, seq, tag, Of(tag, version), Of(tag, version));
  return kDone;
}

struct Found {
  uint64_t answer = kMiss;  // kMiss, kViolation, or the facts.
  uint32_t seq = 0;
  uint64_t facts = 0;
  uint64_t cold = 0;
  bool hit() const { return answer != kMiss && answer != kViolation; }
};

Found Find(const Place& place, uint64_t tag, Mutation mutation = Mutation::kNone) {
  Found found;
  found.seq = place.slot.Begin();
  if (!Slot::Open(found.seq) && mutation != Mutation::kOddIsOpen) return found;
  if (place.slot.Load(kTag) != tag) return found;
  found.facts = place.slot.Load(kFacts);
  found.cold = Slot::LoadCold(place.cold);
  if (mutation != Mutation::kNoValidate && !place.slot.Validate(found.seq)) return found;
  const bool belongs = found.facts / 16 % 16 == tag && (found.facts & ~(kStamp | kMark)) == found.cold;
  found.answer = belongs ? found.facts : kViolation;
  return found;
}

// The initial state: `tag` in version 0, as if it had always been there.
void Start(Place& place, uint64_t tag) { Write(place, 0, tag, Of(tag, 0), Of(tag, 0)); }

// Two tokens, one slot.
Result TwoTokens(const Options& options, Mutation mutation) {
  Explorer explorer(options);
  Place place;
  explorer.AddThread("writer", [&, mutation] {
    return Insert(place, kX, 1, mutation) * 2 + Insert(place, kY, 1, mutation);
  });
  explorer.AddThread("writer of x", [&, mutation] { return Insert(place, kX, 2, mutation); });
  explorer.AddThread("reader of x", [&, mutation] { return Find(place, kX, mutation).answer; });
  explorer.AddThread("reader of y", [&, mutation] { return Find(place, kY, mutation).answer; });
  return explorer.Run();
}

// One token verified again and again: the tag does not tell which version a word is of. The reader comes
// back.
Result TwoVersions(const Options& options, Mutation mutation) {
  Explorer explorer(options);
  Place place;
  Start(place, kX);
  for (uint64_t version = 1; version <= 2; ++version) {
    explorer.AddThread("writer", [&, mutation, version] {
      return Insert(place, kX, version, mutation) * 2 + Insert(place, kX, version + 2, mutation);
    });
  }
  explorer.AddThread("reader", [&, mutation] {
    const uint64_t first = Find(place, kX, mutation).answer;
    return first == kViolation ? first : std::max(first, Find(place, kX, mutation).answer);
  });
  return explorer.Run();
}

// Many writers: what a reader gets hangs on claims that it has not seen.
Result ThreeWriters(const Options& options, Mutation mutation) {
  Explorer explorer(options);
  Place place;
  Start(place, kX);
  explorer.AddThread("writer of y", [&, mutation] { return Insert(place, kY, 1, mutation); });
  explorer.AddThread("writer of x 1", [&, mutation] { return Insert(place, kX, 1, mutation); });
  explorer.AddThread("writer of x 2", [&, mutation] { return Insert(place, kX, 2, mutation); });
  explorer.AddThread("reader of x", [&, mutation] { return Find(place, kX, mutation).answer; });
  explorer.AddThread("reader of y", [&, mutation] { return Find(place, kY, mutation).answer; });
  return explorer.Run();
}

// What the header says of happens-before, by notes that writers leave ahead of their claims: a claim sees the
// notes of all that published before, and so does who begins at what they published.
Result HappensBefore(const Options& options, Mutation) {
  Explorer explorer(options);
  Place place;
  Cell<uint32_t> first, second, third;
  const std::array<Cell<uint32_t>*, 3> notes = {&first, &second, &third};
  for (Cell<uint32_t>* note : notes) note->SetRole(Role::kOther);
  const auto all_there = [notes](uint64_t num_expected) {
    uint64_t num = 0;
    for (const Cell<uint32_t>* note : notes) num += note->load(std::memory_order_relaxed);
    return num >= num_expected;
  };
  for (size_t i = 0; i < notes.size(); ++i) {
    explorer.AddThread("writer", [&, all_there, i] {
      notes[i]->store(1, std::memory_order_relaxed);
      uint32_t seq = 0;
      if (!place.slot.TryClaim(&seq)) return kMiss;
      const bool kept = all_there(seq / 2 + 1);
      place.slot.Publish(seq);
      return kept ? kDone : kViolation;
    });
  }
  explorer.AddThread("reader", [&, all_there]() -> uint64_t {
    const uint32_t seq = place.slot.Begin();
    if (!Slot::Open(seq)) return kMiss;
    return all_there(seq / 2) ? seq : kViolation;
  });
  return explorer.Run();
}

// The sequence comes round, under readers and writers.
Result Wrap(const Options& options, Mutation mutation) {
  Explorer explorer(options);
  Place place;
  Start(place, kX);
  place.slot.Publish(UINT32_MAX - 3);
  explorer.AddThread("writer of x", [&, mutation] { return Insert(place, kX, 1, mutation); });
  explorer.AddThread("writer of y", [&, mutation] { return Insert(place, kY, 1, mutation); });
  explorer.AddThread("reader of x", [&, mutation] { return Find(place, kX, mutation).answer; });
  return explorer.Run();
}

// MoveX copies x from one place to another one and overwrites it where it was.
uint64_t MoveX(Place& from, Place& to, Mutation mutation) {
  const Found found =
      Find(from, kX, mutation == Mutation::kMoverNoValidate ? Mutation::kNoValidate : Mutation::kNone);
  // What was not validated is stored as it is: a mover does not know what belongs together.
  if (found.answer == kMiss) return kMiss;
  uint32_t seq = 0;
  if (!to.slot.TryClaim(&seq)) return kMiss;
  Write(to, seq, kX, found.facts, found.cold);
  if (!from.slot.TryClaimAt(found.seq)) return kMiss;
  Write(from, found.seq, kZ, Of(kZ, 1), Of(kZ, 1));
  return kDone;
}

// Says of an answer that it was found where the entry was moved to.
constexpr uint64_t kMoved = 4096;

uint64_t FindInBoth(const Place& from, const Place& to, uint64_t tag, Mutation mutation) {
  const uint64_t answer = Find(from, tag, mutation).answer;
  if (answer != kMiss) return answer;
  const Found found = Find(to, tag, mutation);
  return found.hit() ? found.answer | kMoved : found.answer;
}

// An entry goes from one slot to another, and readers look in this order; others overwrite the one slot or
// the other.
Result Relocation(const Options& options, Mutation mutation, bool overwrite_target) {
  Explorer explorer(options);
  Place from, to;
  Start(from, kX);
  explorer.AddThread("mover", [&, mutation] { return MoveX(from, to, mutation); });
  explorer.AddThread("writer of x", [&, mutation] { return Insert(from, kX, 1, mutation); });
  explorer.AddThread("writer of y",
                     [&, mutation] { return Insert(overwrite_target ? to : from, kY, 1, mutation); });
  explorer.AddThread("reader of x", [&, mutation] { return FindInBoth(from, to, kX, mutation); });
  return explorer.Run();
}

Result RelocationFromContended(const Options& options, Mutation mutation) {
  return Relocation(options, mutation, false);
}
Result RelocationToContended(const Options& options, Mutation mutation) {
  return Relocation(options, mutation, true);
}

// The table grows by the bucket where x belongs from then on, as VerdictCache::Writer::Split has it.
constexpr uint32_t kSmall = 1, kGrown = 2;

struct Table {
  Place old_place, new_place;
  Cell<uint32_t> extent;
  Table() {
    Start(old_place, kX);
    extent.SetRole(Role::kExtent);
    extent.store(kSmall, std::memory_order_relaxed);
  }
  Place& Of(uint32_t seen) { return seen == kSmall ? old_place : new_place; }
};

uint64_t Grow(Table& table, Mutation mutation) {
  Place& from = table.old_place;
  Place& to = table.new_place;
  const auto publish = [&] { table.extent.store(kGrown, std::memory_order_release); };
  if (mutation == Mutation::kExtentFirst) publish();
  const Found found = Find(from, kX);
  if (found.answer == kViolation) return kViolation;
  uint32_t seq = 0;
  const bool moved = found.hit() && to.slot.TryClaim(&seq);
  if (moved) Write(to, seq, kX, found.facts, found.cold);
  if (mutation != Mutation::kExtentFirst && mutation != Mutation::kEmptiedFirst) publish();
  if (moved && from.slot.TryClaimAt(found.seq)) Write(from, found.seq, 0, 0, 0);
  if (mutation == Mutation::kEmptiedFirst) publish();
  return moved ? kDone : kMiss;
}

// Nobody but the one who grows it writes: then x is where the extent says, and whoever finds it gone from its
// old place sees the extent that has the new one.
Result GrowthAlone(const Options& options, Mutation mutation) {
  Explorer explorer(options);
  Table table;
  explorer.AddThread("grower", [&, mutation] { return Grow(table, mutation); });
  explorer.AddThread("reader of x", [&]() -> uint64_t {
    const uint32_t seen = table.extent.load(std::memory_order_acquire);
    const Found found = Find(table.Of(seen), kX);
    if (seen == kGrown) return found.hit() ? found.answer | kMoved : kViolation;
    return found.answer;
  });
  explorer.AddThread("late reader of x", [&]() -> uint64_t {
    if (table.old_place.slot.Load(kTag) == kX) return kMiss;
    const uint32_t seen = table.extent.load(std::memory_order_acquire);
    const Found found = Find(table.Of(seen), kX);
    return found.hit() ? found.answer | kMoved : kViolation;
  });
  return explorer.Run();
}

// Meanwhile x is verified anew, and y put where x was or comes to be.
Result Growth(const Options& options, Mutation mutation) {
  Explorer explorer(options);
  Table table;
  const auto place = [&]() -> Place& { return table.Of(table.extent.load(std::memory_order_acquire)); };
  explorer.AddThread("grower", [&, mutation] { return Grow(table, mutation); });
  explorer.AddThread("writer of x", [&, place] { return Insert(place(), kX, 1); });
  explorer.AddThread("writer of y", [&, place] { return Insert(place(), kY, 1); });
  explorer.AddThread("reader of x", [&, place] { return Find(place(), kX).answer; });
  return explorer.Run();
}

// A key goes while facts that it verified are on their way into the cache.
Result KeyRemoval(const Options& options, Mutation mutation) {
  constexpr uint32_t kWithKey = 2, kWithout = 3;
  Explorer explorer(options);
  Slot slot;
  Cell<uint32_t> key, generation, known;
  key.SetRole(Role::kOther);
  generation.SetRole(Role::kGeneration);
  known.SetRole(Role::kOther);
  key.store(1, std::memory_order_relaxed);
  generation.store(kWithKey, std::memory_order_relaxed);
  const auto insert = [&](uint64_t tag, uint64_t facts) {
    uint32_t seq = 0;
    if (!slot.TryClaim(&seq)) return kMiss;
    slot.Store(kTag, tag);
    slot.Store(kFacts, facts);
    slot.Publish(seq);
    return kDone;
  };
  const auto verify = [&, mutation] {
    uint32_t stamped = 0;
    if (mutation != Mutation::kGenerationAfterwards) stamped = generation.load(std::memory_order_acquire);
    if (key.load(std::memory_order_acquire) == 0) return kMiss;  // No key, no verification.
    if (mutation == Mutation::kGenerationAfterwards) stamped = generation.load(std::memory_order_acquire);
    return insert(kX, stamped);
  };
  explorer.AddThread("verifier", verify);
  explorer.AddThread("verifier too", verify);
  explorer.AddThread("remover", [&] {
    key.store(0, std::memory_order_release);
    generation.store(kWithout, std::memory_order_release);
    known.store(1, std::memory_order_release);
    return kDone;
  });
  explorer.AddThread("writer of y", [&] { return insert(kY, kWithKey); });
  explorer.AddThread("reader of x", [&, mutation] {
    const bool removed = known.load(std::memory_order_acquire) == 1;
    const uint32_t seq = slot.Begin();
    if (!Slot::Open(seq) || slot.Load(kTag) != kX) return kMiss;
    const uint64_t stamped = slot.Load(kFacts);
    if (mutation != Mutation::kNoValidate && !slot.Validate(seq)) return kMiss;
    if (stamped != generation.load(std::memory_order_acquire)) return kMiss;
    return removed ? kViolation : kDone;
  });
  return explorer.Run();
}

// StampX sets the stamp of x, if it is still there.
uint64_t StampX(Place& place, Mutation mutation) {
  const Found found = Find(place, kX);
  if (!found.hit()) return found.answer;
  uint32_t seq = found.seq;
  if (mutation == Mutation::kStampElsewhere) {
    if (!place.slot.TryClaim(&seq)) return kMiss;
  } else if (mutation != Mutation::kStampUnclaimed && !place.slot.TryClaimAt(seq)) {
    return kMiss;
  }
  place.slot.Store(kFacts, found.answer | kStamp);
  if (mutation != Mutation::kStampUnclaimed) place.slot.Publish(seq);
  return kDone;
}

// StampXUnderClaim looks at the entry under its claim, where it is alone.
uint64_t StampXUnderClaim(Place& place) {
  uint32_t seq = 0;
  if (!place.slot.TryClaim(&seq)) return kMiss;
  const bool mine = place.slot.Load(kTag) == kX;
  if (mine) place.slot.Store(kFacts, place.slot.Load(kFacts) | kStamp);
  place.slot.Publish(seq);
  return mine ? kDone : kMiss;
}

// One writer sets the stamp of x, others put y, or x verified again, into its place.
Result Restamp(const Options& options, Mutation mutation, bool under_claim) {
  Explorer explorer(options);
  Place place;
  Start(place, kX);
  explorer.AddThread("stamper of x", [&, mutation, under_claim] {
    return under_claim ? StampXUnderClaim(place) : StampX(place, mutation);
  });
  explorer.AddThread("writer of y", [&, mutation] { return Insert(place, kY, 1, mutation); });
  explorer.AddThread("writer of x", [&, mutation] { return Insert(place, kX, 1, mutation); });
  explorer.AddThread("reader of x", [&, mutation] { return Find(place, kX, mutation).answer; });
  explorer.AddThread("reader of y", [&, mutation] {
    const Found found = Find(place, kY, mutation);
    return found.hit() && (found.answer & kStamp) != 0 ? kViolation : found.answer;
  });
  return explorer.Run();
}

Result RestampAsRead(const Options& options, Mutation mutation) { return Restamp(options, mutation, false); }
Result RestampUnderClaim(const Options& options, Mutation mutation) {
  return Restamp(options, mutation, true);
}

// An entry is stamped while it is moved.
Result RelocationAndRestamp(const Options& options, Mutation mutation) {
  Explorer explorer(options);
  Place from, to;
  Start(from, kX);
  explorer.AddThread("mover", [&, mutation] { return MoveX(from, to, mutation); });
  explorer.AddThread("stamper of x", [&, mutation] { return StampX(from, mutation); });
  explorer.AddThread("writer of y", [&, mutation] { return Insert(to, kY, 1, mutation); });
  explorer.AddThread("reader of x", [&, mutation] { return FindInBoth(from, to, kX, mutation); });
  return explorer.Run();
}

// A reader marks what it hit, however late; the writer spares what is marked, once.
Result LateMark(const Options& options, Mutation mutation) {
  Explorer explorer(options);
  Place place;
  Start(place, kX);
  explorer.AddThread("marker of x", [&] {
    const Found found = Find(place, kX, mutation);
    if (!found.hit()) return found.answer;
    if (mutation == Mutation::kMarkAmongFacts) {
      place.slot.Store(kFacts, found.facts | kMark);
    } else {
      place.slot.MarkUsed();
    }
    return found.answer;
  });
  explorer.AddThread("writer of y", [&] {
    if (place.slot.used()) {
      place.slot.ClearUsed();
      return kMiss;
    }
    return Insert(place, kY, 1, mutation);
  });
  explorer.AddThread("reader of y", [&] {
    const Found found = Find(place, kY, mutation);
    if (found.hit()) place.slot.MarkUsed();
    return found.answer;
  });
  explorer.AddThread("reader of x", [&, mutation] { return Find(place, kX, mutation).answer; });
  return explorer.Run();
}

using Run = Result(const Options&, Mutation);

struct Scenario {
  const char* name;
  Run* run;
  // For some threads, what they must be able to return: a case in which nobody ever hits proves nothing.
  struct Reached {
    size_t thread;
    uint64_t answer;
  };
  std::vector<Reached> reached;
};

const std::vector<Scenario>& Scenarios() {
  static const auto* const scenarios = new std::vector<Scenario>{
      {"TwoTokens",
       TwoTokens,
       {{0, 0}, {0, 1}, {0, 2}, {0, 3}, {2, Of(kX, 1)}, {2, Of(kX, 2)}, {3, Of(kY, 1)}}},
      {"TwoVersions", TwoVersions, {{0, 3}, {2, Of(kX, 0)}, {2, Of(kX, 1)}, {2, Of(kX, 4)}, {2, kMiss}}},
      {"ThreeWriters",
       ThreeWriters,
       {{3, Of(kX, 0)}, {3, Of(kX, 1)}, {3, Of(kX, 2)}, {3, kMiss}, {4, Of(kY, 1)}}},
      {"HappensBefore", HappensBefore, {{0, kDone}, {0, kMiss}, {1, kDone}, {3, 2}, {3, 4}, {3, 6}}},
      {"Wrap", Wrap, {{0, kDone}, {1, kDone}, {2, Of(kX, 0)}, {2, Of(kX, 1)}}},
      {"RelocationFromContended",
       RelocationFromContended,
       {{0, kDone},
        {0, kMiss},
        {2, kDone},
        {3, Of(kX, 1)},
        {3, Of(kX, 0) | kMoved},
        {3, Of(kX, 1) | kMoved}}},
      {"RelocationToContended",
       RelocationToContended,
       {{0, kDone},
        {0, kMiss},
        {2, kDone},
        {3, Of(kX, 1)},
        {3, Of(kX, 0) | kMoved},
        {3, Of(kX, 1) | kMoved}}},
      {"GrowthAlone",
       GrowthAlone,
       {{0, kDone}, {1, Of(kX, 0)}, {1, Of(kX, 0) | kMoved}, {1, kMiss}, {2, Of(kX, 0) | kMoved}}},
      {"Growth", Growth, {{0, kDone}, {0, kMiss}, {1, kDone}, {2, kDone}, {3, Of(kX, 0)}, {3, Of(kX, 1)}}},
      {"KeyRemoval", KeyRemoval, {{0, kDone}, {0, kMiss}, {4, kDone}, {4, kMiss}}},
      {"RestampAsRead",
       RestampAsRead,
       {{0, kDone}, {3, Of(kX, 0) | kStamp}, {3, Of(kX, 1)}, {3, Of(kX, 1) | kStamp}, {4, Of(kY, 1)}}},
      {"RestampUnderClaim",
       RestampUnderClaim,
       {{0, kDone}, {3, Of(kX, 0) | kStamp}, {3, Of(kX, 1)}, {3, Of(kX, 1) | kStamp}, {4, Of(kY, 1)}}},
      {"RelocationAndRestamp",
       RelocationAndRestamp,
       {{0, kDone}, {1, kDone}, {3, Of(kX, 0) | kMoved}, {3, Of(kX, 0) | kStamp | kMoved}}},
      {"LateMark", LateMark, {{0, Of(kX, 0)}, {1, kDone}, {1, kMiss}, {2, Of(kY, 1)}, {3, Of(kX, 0)}}},
  };
  return *scenarios;
}

std::string Name(Run* run) {
  for (const Scenario& scenario : Scenarios()) {
    if (scenario.run == run) return scenario.name;
  }
  return "?";
}

class SeqlockSlotScenario : public ::testing::TestWithParam<Scenario> {};
INSTANTIATE_TEST_SUITE_P(All, SeqlockSlotScenario, ::testing::ValuesIn(Scenarios()),
                         [](const auto& scenario) { return std::string(scenario.param.name); });

TEST_P(SeqlockSlotScenario, NoExecutionGivesAReaderWhatItDidNotAskFor) {
  const Result result = GetParam().run({.states_max = kStatesMax}, Mutation::kNone);
  RecordProperty("states", std::to_string(result.states));
  EXPECT_EQ(result.violation, "");
  if (kSmoke) return;
  EXPECT_TRUE(result.exhausted);
  for (const Scenario::Reached& reached : GetParam().reached) {
    EXPECT_TRUE(std::any_of(result.outcomes.begin(), result.outcomes.end(),
                            [&](const auto& outcome) { return outcome[reached.thread] == reached.answer; }))
        << "thread " << reached.thread << " never returned " << reached.answer;
  }
}

// What makes two states one loses nothing here either.
TEST(SeqlockSlotModel, MergingStatesLosesNoOutcome) {
  const Result merged = Wrap({.states_max = kStatesMax}, Mutation::kNone);
  const Result all = Wrap({.states_max = kStatesMax, .merge = false}, Mutation::kNone);
  EXPECT_EQ(all.violation, "");
  RecordProperty("states", std::to_string(merged.states) + " of " + std::to_string(all.states));
  if (kSmoke) return;
  EXPECT_TRUE(merged.exhausted && all.exhausted);
  EXPECT_EQ(merged.outcomes, all.outcomes);
}

// A Control is a mistake, and the scenarios that each have an execution in which it does harm.
struct Control {
  const char* name;
  std::optional<Weakening> weakening;
  Mutation mutation;
  std::vector<Run*> fail;
};

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;

Control Weaker(const char* name, Role role, Operation operation, std::memory_order from) {
  Control control{name, Weakening{role, operation, from, kRelaxed}, Mutation::kNone, {}};
  if (role == Role::kGeneration) {
    control.fail = {KeyRemoval};
  } else if (role == Role::kExtent) {
    control.fail = {GrowthAlone};
  } else {
    control.fail = {TwoTokens,
                    TwoVersions,
                    ThreeWriters,
                    Wrap,
                    RelocationFromContended,
                    RelocationToContended,
                    RestampAsRead,
                    RestampUnderClaim,
                    RelocationAndRestamp};
    if (role == Role::kSequence) control.fail.push_back(HappensBefore);
  }
  return control;
}

Control Without(const char* name, Mutation mutation, std::vector<Run*> fail) {
  return {name, std::nullopt, mutation, std::move(fail)};
}

std::vector<Control> Controls() {
  return {
      Weaker("ClaimRelaxed", Role::kSequence, Operation::kCompareExchange, kAcquire),
      Weaker("PublishRelaxed", Role::kSequence, Operation::kStore, kRelease),
      Weaker("BeginRelaxed", Role::kSequence, Operation::kLoad, kAcquire),
      Weaker("StoreRelaxed", Role::kWord, Operation::kStore, kRelease),
      Weaker("LoadRelaxed", Role::kWord, Operation::kLoad, kAcquire),
      Weaker("StoreColdRelaxed", Role::kCold, Operation::kStore, kRelease),
      Weaker("LoadColdRelaxed", Role::kCold, Operation::kLoad, kAcquire),
      Weaker("GenerationBumpRelaxed", Role::kGeneration, Operation::kStore, kRelease),
      Weaker("GenerationLoadRelaxed", Role::kGeneration, Operation::kLoad, kAcquire),
      Weaker("ExtentStoreRelaxed", Role::kExtent, Operation::kStore, kRelease),
      Weaker("ExtentLoadRelaxed", Role::kExtent, Operation::kLoad, kAcquire),
      Without("NoValidate", Mutation::kNoValidate,
              {TwoTokens, TwoVersions, RelocationToContended, RestampAsRead}),
      Without("MoverNoValidate", Mutation::kMoverNoValidate,
              {RelocationFromContended, RelocationToContended}),
      Without("OddIsOpen", Mutation::kOddIsOpen, {TwoTokens, TwoVersions, ThreeWriters, LateMark}),
      Without("ClaimIgnored", Mutation::kClaimIgnored, {TwoTokens, TwoVersions, ThreeWriters, Wrap}),
      Without("StampUnclaimed", Mutation::kStampUnclaimed, {RestampAsRead}),
      Without("StampElsewhere", Mutation::kStampElsewhere, {RestampAsRead}),
      Without("MarkAmongFacts", Mutation::kMarkAmongFacts, {LateMark}),
      Without("GenerationAfterwards", Mutation::kGenerationAfterwards, {KeyRemoval}),
      Without("ExtentFirst", Mutation::kExtentFirst, {GrowthAlone}),
      Without("EmptiedFirst", Mutation::kEmptiedFirst, {GrowthAlone}),
  };
}

// Each memory order, weakened, and each step of the protocol, left out, does harm: none is there for show.
class SeqlockSlotControl : public ::testing::TestWithParam<Control> {};
INSTANTIATE_TEST_SUITE_P(All, SeqlockSlotControl, ::testing::ValuesIn(Controls()),
                         [](const auto& control) { return std::string(control.param.name); });

TEST_P(SeqlockSlotControl, DoesHarm) {
  for (const auto run : GetParam().fail) {
    const Result result = run({.weakening = GetParam().weakening}, GetParam().mutation);
    EXPECT_NE(result.violation, "") << Name(run);
  }
}

}  // namespace
}  // namespace tollgate::model
