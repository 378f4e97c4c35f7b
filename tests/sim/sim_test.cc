// Lives through many seeds and says which one is not as it should be.
//
//   sim_test --seed N        one seed, and all that happens in it
//   sim_test --seeds A-B     these; --all: and demands that they have seen every fault and every answer
//   sim_test --soak SECONDS  new ones for as long as that
//
// Exit 0: all was well; 1: not; 2: it was not called like this.

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>

#include "tests/sim/simulation.h"

namespace tollgate::sim {
namespace {

// Each so many seeds, the life of an engine without a cache is held beside.
constexpr uint64_t kTwiceEvery = 8;

// The answers that a script may lead to.
constexpr Reason kReasons[] = {
    Reason::kNone,
    Reason::kNotCompactJws,
    Reason::kIssuerUnknown,
    Reason::kIssuerNotAllowedHere,
    Reason::kAlgorithmNotAllowed,
    Reason::kKeyUnknown,
    Reason::kKeyAmbiguous,
    Reason::kKeyAlgorithmMismatch,
    Reason::kBadSignature,
    Reason::kExpired,
    Reason::kNotYetValid,
    Reason::kTooOld,
    Reason::kLifetimeTooLong,
    Reason::kAudienceMismatch,
    Reason::kSenderConstrained,
    Reason::kKeyRevoked,
    Reason::kSubjectRevoked,
    Reason::kTokenRevoked,
    Reason::kUnknownTool,
    Reason::kInsufficientScope,
    Reason::kTokenInactive,
    Reason::kKeysNeverFetched,
    Reason::kKeysTooStale,
    Reason::kKeyPending,
    Reason::kIntrospectionUnavailable,
    Reason::kOverloaded,
    Reason::kIntrospectionPending,
};

bool Live(const char* program, uint64_t seed, bool log, Counts* counts) {
  const Options options{.seed = seed, .log = log};
  const Result result = seed % kTwiceEvery == 0 ? SimulateTwice(options) : Simulate(options);
  counts->Add(result.counts);
  if (result.complaint.empty()) return true;
  std::printf("seed %" PRIu64 ": %s\nreplay: %s --seed %" PRIu64 "\n", seed, result.complaint.c_str(),
              program, seed);
  return false;
}

// HasSeenAll: a simulation in which something never happens says nothing about it.
bool HasSeenAll(const Counts& counts) {
  bool all = true;
  for (const Reason reason : kReasons) {
    if (counts.reasons.contains(reason)) continue;
    std::printf("no answer was %s\n", std::string(ReasonName(reason)).c_str());
    all = false;
  }
  for (size_t fault = 0; fault < counts.faults.size(); ++fault) {
    if (counts.faults[fault] != 0) continue;
    std::printf("no exchange met the fault: %s\n", FaultName(static_cast<Fault>(fault)));
    all = false;
  }
  for (size_t fault = 0; fault < counts.ask_faults.size(); ++fault) {
    if (counts.ask_faults[fault] != 0) continue;
    std::printf("no question met the fault: %s\n", AskFaultName(static_cast<AskFault>(fault)));
    all = false;
  }
  const auto demand = [&all](uint64_t count, const char* what) {
    if (count == 0) std::printf("%s\n", what), all = false;
  };
  demand(counts.restored, "no restart found keys in a snapshot");
  demand(counts.in_line, "no fetch waited for its host");
  demand(counts.stood_in, "nothing stood in for an answer");
  demand(counts.asyncs_waited, "no CheckAsync waited");
  demand(counts.asyncs_out_of_time, "no CheckAsync ran out of time");
  demand(counts.asyncs_at_the_end, "no CheckAsync waited at the end of its engine");
  return all;
}

void Print(uint64_t num_seeds, const Counts& counts) {
  std::printf(
      "%" PRIu64 " seeds, %.1f years: %" PRIu64 " checks (%" PRIu64 " from the cache), %" PRIu64
      " fetches (%" PRIu64 " failed), %" PRIu64 " restarts (%" PRIu64 " issuers from a snapshot), %" PRIu64
      " steps of the wall clock, %" PRIu64 " hits by a key that has become ambiguous, %" PRIu64
      " requests that waited for their host, %" PRIu64 " questions about tokens (%" PRIu64
      " failed), %" PRIu64 " stand-ins, %" PRIu64 " asynchronous checks (%" PRIu64 " waited, %" PRIu64
      " ran out of time, %" PRIu64 " ended with their engine)\n",
      num_seeds, static_cast<double>(counts.virtual_ms) / 1000 / 86'400 / 365, counts.checks, counts.hits,
      counts.fetches, counts.failed_fetches, counts.restarts, counts.restored, counts.wall_steps,
      counts.ambiguous_hits, counts.in_line, counts.questions, counts.failed_questions, counts.stood_in,
      counts.asyncs, counts.asyncs_waited, counts.asyncs_out_of_time, counts.asyncs_at_the_end);
  for (const auto& [reason, count] : counts.reasons)
    std::printf("%10" PRIu64 " %s\n", count, std::string(ReasonName(reason)).c_str());
}

int RunSeeds(const char* program, uint64_t from, uint64_t to, bool all) {
  Counts counts;
  for (uint64_t seed = from; seed <= to; ++seed) {
    if (!Live(program, seed, false, &counts)) return 1;
  }
  Print(to - from + 1, counts);
  return all && !HasSeenAll(counts) ? 1 : 0;
}

int Soak(const char* program, int64_t seconds) {
  Counts counts;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  const uint64_t first = uint64_t{std::random_device()()} << 16;
  uint64_t seed = first;
  for (; std::chrono::steady_clock::now() < end; ++seed) {
    if (!Live(program, seed, false, &counts)) return 1;
  }
  Print(seed - first, counts);
  return 0;
}

int Main(int argc, char** argv) {
  const std::string mode = argc >= 3 ? argv[1] : "";
  uint64_t from = 0, to = 0;
  int used = 0;
  if (mode == "--seed" && argc == 3 && std::sscanf(argv[2], "%" SCNu64 "%n", &from, &used) == 1 &&
      argv[2][used] == '\0') {
    Counts counts;
    return Live(argv[0], from, true, &counts) ? 0 : 1;
  }
  const bool all = argc == 4 && std::strcmp(argv[3], "--all") == 0;
  if (mode == "--seeds" && (argc == 3 || all) &&
      std::sscanf(argv[2], "%" SCNu64 "-%" SCNu64 "%n", &from, &to, &used) == 2 && argv[2][used] == '\0' &&
      from <= to) {
    return RunSeeds(argv[0], from, to, all);
  }
  if (mode == "--soak" && argc == 3 && std::atoll(argv[2]) > 0) return Soak(argv[0], std::atoll(argv[2]));
  std::fprintf(stderr, "usage: sim_test --seed N | --seeds A-B [--all] | --soak SECONDS\n");
  return 2;
}

}  // namespace
}  // namespace tollgate::sim

int main(int argc, char** argv) { return tollgate::sim::Main(argc, argv); }
