#include "bench/latency/disturbance.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "bench/lib/recorded_verify.h"

namespace tollgate::bench {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace

std::string_view ConditionName(Condition condition) {
  switch (condition) {
    case Condition::kQuiet:
      return "quiet";
    case Condition::kNeighbour:
      return "neighbour";
    case Condition::kRefresh:
      return "refresh";
    case Condition::kInserts:
      return "inserts";
    case Condition::kForged:
      return "forged";
  }
  return "";
}

KeySource::KeySource(const Workload& workload, uint64_t* answers) : workload_(workload), answers_(answers) {
  for (size_t issuer = 0; issuer < Workload::kNumIssuers; ++issuer)
    issuers_.emplace(Workload::JwksUri(issuer), issuer);
}

void KeySource::Poll(int timeout_ms, std::vector<FetchResult>* done) {
  if (requests_.empty()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(timeout_ms));
    return;
  }
  for (const FetchRequest& request : requests_) {
    FetchResult result;
    result.id = request.id;
    const auto issuer = issuers_.find(request.url);
    result.outcome = issuer == issuers_.end() ? FetchOutcome::kNotAllowed : FetchOutcome::kAnswered;
    result.http_status = 200;
    if (issuer != issuers_.end()) result.body = workload_.Jwks(issuer->second, ++*answers_);
    result.content_type = "application/jwk-set+json";
    done->push_back(std::move(result));
  }
  requests_.clear();
}

Disturber::Disturber(Engine& engine, Workload& workload, size_t first, const uint64_t& answers)
    : engine_(engine), workload_(workload), first_(first), answers_(answers), next_(first) {}

bool Disturber::DecideNext(bool forged) {
  workload_.MakeNew(next_);
  Decision decision;
  engine_.Check(workload_.requests()[next_], &decision);
  if (++next_ == workload_.requests().size()) next_ = first_;
  return decision.allowed() != forged && !decision.from_cache;
}

std::optional<uint64_t> Disturber::Disturb(Condition condition, const std::atomic<bool>& stop) {
  // Ordering: relaxed, here and below; an end to the work, which publishes nothing. What the thread wrote is
  // read after join.
  const auto go_on = [&stop] { return !stop.load(std::memory_order_relaxed); };
  uint64_t done = 0;
  bool good = true;
  switch (condition) {
    case Condition::kQuiet:
      break;
    case Condition::kNeighbour:
      for (uint64_t x = 1; go_on();) {
        for (int i = 0; i < 4096; ++i) {
          x ^= x << 13, x ^= x >> 7, x ^= x << 17;
          asm volatile("" : "+r"(x));
        }
      }
      break;
    case Condition::kRefresh: {
      const uint64_t before = answers_;
      while (go_on()) engine_.RunBackground(std::chrono::milliseconds(1));
      done = answers_ - before;
      break;
    }
    case Condition::kInserts: {
      SetVerifyMode(VerifyMode::kRecordedGood);
      const Clock::time_point begin = Clock::now();
      while (go_on()) {
        const auto due = static_cast<uint64_t>(SecondsSince(begin) * kInsertsPerSecond);
        if (done >= due) std::this_thread::sleep_for(std::chrono::microseconds(100));
        // A thread that was held up does not make up for more than a moment: that would be another load.
        for (uint64_t behind = std::min<uint64_t>(due > done ? due - done : 0, 100); behind > 0; --behind) {
          good &= DecideNext(false);
          ++done;
        }
      }
      break;
    }
    case Condition::kForged:
      SetVerifyMode(VerifyMode::kReal);
      while (go_on()) {
        good &= DecideNext(true);
        ++done;
      }
      break;
  }
  return good ? std::optional<uint64_t>(done) : std::nullopt;
}

double Disturber::Run(Condition condition, const std::function<void()>& measure) {
  if (condition == Condition::kQuiet) {
    measure();
    return 0;
  }
  std::atomic<bool> stop{false};
  std::optional<uint64_t> done;
  const Clock::time_point begin = Clock::now();
  std::thread other([&] { done = Disturb(condition, stop); });
  measure();
  stop.store(true, std::memory_order_relaxed);
  other.join();
  return done.has_value() ? static_cast<double>(*done) / SecondsSince(begin) : -1;
}

}  // namespace tollgate::bench
