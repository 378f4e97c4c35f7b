// What does go from core to core goes with events, and costs each of them so much for each reader of what it
// writes, however many hits lie between two of them.

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/scaling/world.h"
#include "verdicts/verdict_cache.h"

namespace tollgate::scaling {
namespace {

constexpr size_t kThreadsMax = 128;
constexpr size_t kLineBytes = 64;
// The events come on two cores more, in turn.
constexpr size_t kMakers = 2;
constexpr size_t kWarm = 4;
constexpr size_t kEvents = 8;
// Beside what an event writes there may lie, on the heap, what all read.
constexpr size_t kNeighbours = 4;
// What an event may fetch and store on its own core alone: the new token, and the verification's memory. A
// fetch and all that there is to know of a source of keys is twice or three times as much, 400 and 550 at the
// most.
constexpr uint64_t kOwnMax = 250;
// Of a cache that has no more than what is in use at first.
constexpr size_t kAllInUse = 512 * verdicts::VerdictCache::kSlotBytes;

struct Event {
  const char* name;
  size_t hot = 8;    // Every thread asks for so many tokens, the same ones, and for nothing else.
  size_t lines = 0;  // How many lines that hits read it writes, at most; 0: nothing happens.
  uint64_t own = kOwnMax;
  int64_t after_s = 0;  // How far the clock has moved on. Not recorded: the clock is not the engine's.
  World::Options options{};
  // `number` is another one each time, from 1 on.
  std::function<void(World& world, size_t number)> prepare = [](World&, size_t) {};
  // `fresh` is a token that the engine has not seen.
  std::function<void(World& world, size_t number, const std::string& fresh)> happen;

  // What may be sent because of it. By the event, which takes lines from all who have them, and by those: all
  // lose a line and fetch it, and once more if the first of them writes there that it is in use.
  uint64_t ThereMax(size_t threads) const { return lines == 0 ? 0 : own + (lines + kNeighbours) * threads; }
  uint64_t ElsewhereMax(size_t threads) const { return lines == 0 ? 0 : 3 * (lines + kNeighbours) * threads; }
};

void Nothing(World&, size_t, const std::string&) {}
void SeeFresh(World& world, size_t, const std::string& fresh) { world.See(fresh); }
void SeeHot(World& world, size_t, const std::string&) { world.See(world.authorizations()[0]); }
void Revoke(World& world, size_t number, const std::string&) {
  const std::string nobody = "nobody-" + std::to_string(number);
  EXPECT_TRUE(world.engine().RevokeSubject(World::IssuerName(0), nobody, 2 * kStart).ok());
}
void Refresh(World& world, size_t, const std::string&) { world.RunDue(); }
void ChangeKeys(World& world, size_t number) { world.SetKeys(0, number); }

const Event kEventList[] = {
    {.name = "nothing", .happen = Nothing},
    // The slot and its two cold lines, those of two tokens that are moved, and marks that are cleared.
    {.name = "insertion of a new token",
     .lines = 9,
     .options = {.num_tokens = 128, .cache_bytes = kAllInUse},
     .happen = SeeFresh},
    // Some of them divide 128 buckets: their slots and details are looked at, a part of them is moved, and
    // the hot tokens may be among those.
    {.name = "the same, growing table", .lines = 9 + 8 * 3 + 1, .own = kOwnMax + 1000, .happen = SeeFresh},
    {.name = "the same, full table",
     .lines = 13,
     .options = {.num_tokens = 2048, .cache_bytes = size_t{1} << 18},
     .happen = SeeFresh},
    {.name = "insertion of a hot token anew",
     .hot = 1,
     .lines = 3,
     .after_s = 601,
     .options = {.verdict_age_max_s = 600},
     .happen = SeeHot},
    // The epoch; and by the hits that look again, the list's lock and each token's slot.
    {.name = "revocation, 8 hot tokens", .hot = 8, .lines = 8 + 4, .happen = Revoke},
    {.name = "revocation, 32 hot tokens", .hot = 32, .lines = 32 + 4, .happen = Revoke},
    // How long they are fresh; and two locks of the background's that lie beside what a hit reads.
    {.name = "refresh of an issuer's keys",
     .lines = 3,
     .own = 2 * kOwnMax,
     .after_s = 400,
     .options = {.num_issuers = 1, .fetched = true},
     .happen = Refresh},
    // And the generations of the key that goes and of the one that comes; each thread's block is looked at.
    {.name = "the same, other keys",
     .lines = 3 + 2 + 1,
     .own = 3 * kOwnMax,
     .after_s = 400,
     .options = {.num_issuers = 1, .fetched = true},
     .prepare = ChangeKeys,
     .happen = Refresh},
};

// Sent is what all of kEvents caused: on the core of the event, and on those that go on with their hits.
struct Sent {
  size_t hits = 0;  // After one event, by all threads.
  Traffic there;
  Traffic elsewhere;
  uint64_t most_there = 0, most_elsewhere = 0;  // By one event.
  size_t misses = 0;
};

// Measure lets `threads` threads go on after each event, each for `rounds` times the hot tokens.
Sent Measure(World& world, const Event& event, size_t threads, size_t rounds,
             Beside beside = scaling::Nothing) {
  static size_t number = 0;
  std::vector<Session> sessions;
  for (size_t i = 0; i < threads; ++i) sessions.push_back(world.SessionOf(0, event.hot, rounds, i));
  Directory directory(kLineBytes);
  Sent sent;
  sent.hits = threads * rounds * event.hot;
  for (size_t i = 0; i < kWarm + kEvents; ++i) {
    const std::string fresh = world.NewAuthorization();
    event.prepare(world, ++number);
    world.Advance(event.after_s);
    const size_t maker = kThreadsMax + i % kMakers;
    std::vector<Access> made;
    world.crew().On(maker, [&] { made = Record([&] { event.happen(world, number, fresh); }); });
    size_t misses = 0;
    const auto traces = world.RecordAll(sessions, Form::kCheckWithPrincipal, &misses, beside);
    const Traffic there = directory.ReplayAlone(maker, made);
    const Traffic elsewhere = directory.Replay(Views(traces, threads));
    if (i < kWarm) continue;
    sent.there += there;
    sent.elsewhere += elsewhere;
    sent.most_there = std::max(sent.most_there, there.all());
    sent.most_elsewhere = std::max(sent.most_elsewhere, elsewhere.all());
    sent.misses += misses;
  }
  return sent;
}

void PrintHead() {
  std::printf("%-30s %11s | %-31s | %-31s |\n", "", "hits after",
              "there, per event:", "elsewhere, per event:");
  std::printf("%-30s %5s %5s | %7s %7s %7s %7s | %7s %7s %7s %7s | %6s %6s\n", "", "cores", "it", "fetch",

              "modif.", "upgrade", "inval.", "fetch", "modif.", "upgrade", "inval.", "most", "most");
}

void Print(const Event& event, size_t threads, const Sent& sent) {
  const auto mean = [](uint64_t all) { return static_cast<double>(all) / kEvents; };
  std::printf("%-30s %5zu %5zu |", event.name, threads, sent.hits);
  for (const Traffic& traffic : {sent.there, sent.elsewhere}) {
    std::printf(" %7.1f %7.1f %7.1f %7.1f |", mean(traffic.fetches), mean(traffic.fetches_modified),
                mean(traffic.upgrades), mean(traffic.invalidations));
  }
  std::printf(" %6llu %6llu\n", static_cast<unsigned long long>(sent.most_there),
              static_cast<unsigned long long>(sent.most_elsewhere));
}

World::Options OptionsOf(const Event& event) {
  World::Options options = event.options;
  options.num_threads = kThreadsMax + kMakers;
  return options;
}

TEST(EventsTest, AnEventSendsByTheNumberOfItsReadersAndNotOfHits) {
  PrintHead();
  for (const Event& event : kEventList) {
    SCOPED_TRACE(event.name);
    World world(OptionsOf(event));
    // Marked as used, so that insertions into a full table take others. From one that is full already the hot
    // tokens may have gone, and come back first.
    for (int i = 0; i < 3; ++i) {
      for (size_t k = 0; k < event.hot; ++k) world.See(world.authorizations()[k]);
    }
    const size_t rounds_of_eight = 128 / event.hot;
    const std::pair<size_t, size_t> cases[] = {{2, 512 / event.hot},
                                               {8, rounds_of_eight},
                                               {8, 4 * rounds_of_eight},
                                               {32, std::max<size_t>(1, 32 / event.hot)},
                                               {kThreadsMax, std::max<size_t>(1, 8 / event.hot)}};
    for (const auto& [threads, rounds] : cases) {
      const Sent sent = Measure(world, event, threads, rounds);
      Print(event, threads, sent);
      EXPECT_LE(sent.most_there, event.ThereMax(threads)) << threads << " cores";
      EXPECT_LE(sent.most_elsewhere, event.ElsewhereMax(threads)) << threads << " cores";
      EXPECT_EQ(sent.misses, 0u);
    }
  }
}

// A control: what grows with the hits passes every bound.
TEST(EventsTest, ACounterBesideTheHitsIsSeen) {
  World world(OptionsOf(kEventList[0]));
  std::atomic<uint64_t> counter{0};
  const auto count = [&counter] {
    counter.fetch_add(1, std::memory_order_relaxed);  // Ordering: relaxed; a statistic.
  };
  const Sent sent = Measure(world, kEventList[0], 8, 64, count);
  for (const Event& event : kEventList) EXPECT_GT(sent.most_elsewhere, event.ElsewhereMax(8)) << event.name;
}

}  // namespace
}  // namespace tollgate::scaling
