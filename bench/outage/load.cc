#include "bench/outage/load.h"

#include <time.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "tools/idp/mint.h"

namespace tollgate::bench {
namespace {

// A thread that waits for its next call looks this often whether the phase has changed.
constexpr int64_t kLookNs = 5'000'000;
// No clock is right to less; an hour's step leads much further.
constexpr int64_t kWallMarginS = 120;

// WaitUntil sleeps as long as sleeping is exact enough and spins for the rest.
int64_t WaitUntil(int64_t when_ns) {
  constexpr int64_t kWakeUpNs = 100'000;
  int64_t now_ns = MonotonicNs();
  if (when_ns - now_ns > 2 * kWakeUpNs) {
    const int64_t until_ns = when_ns - kWakeUpNs;
    const timespec until{.tv_sec = until_ns / 1'000'000'000, .tv_nsec = until_ns % 1'000'000'000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
    now_ns = MonotonicNs();
  }
  while (now_ns < when_ns) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
    now_ns = MonotonicNs();
  }
  return now_ns;
}

KeyBits KeyOf(TokenKind kind) {
  if (kind == TokenKind::kCompromised) return kCompromisedKey;
  return kind == TokenKind::kRotated ? kRotatedKey : kStayingKey;
}

void CountLastKnown(const AnswerBook& book, const Reading& before, const Reading& after, int64_t begin_ns,
                    int64_t end_ns, const Decision& decision, Held* held) {
  if (book.IsLastKnown(before.answer, after.answer, begin_ns, end_ns)) {
    ++held->last_known;
    held->last_known_allowed += decision.allowed();
    // While its own question is under way, it waits.
    held->last_known_refused += AnswerBook::IsFailing(before.answer, after.answer) && !decision.allowed() &&
                                decision.reason != Reason::kIntrospectionPending;
  }
  held->last_known_too_old += book.IsTooOld(before.answer, after.answer, begin_ns);
}

// Offer is one load under way.
struct Offer {
  CallSource* source = nullptr;
  double interval_ns = 0;
  int64_t begin_ns = 0;
  uint64_t calls_max = UINT64_MAX;
  uint64_t n = 0;

  int64_t IntendedNs() const { return begin_ns + static_cast<int64_t>(static_cast<double>(n) * interval_ns); }
};

// Offers are the loads of one thread: the scenario's for good, a phase's as long as it lasts.
class Offers {
 public:
  Offers(const Course& course, bool known, CallSources* sources, Held* held)
      : course_(course), known_(known), sources_(*sources), held_(*held) {
    // A load over the whole scenario has a rate and no count.
    for (const Load& load : course.scenario.loads) Add(load, 0, course.start_ns);
    num_lasting_ = offers_.size();
  }

  void Enter(const Phase& phase) {
    KeepCounts(num_lasting_);
    const int64_t now_ns = std::max(MonotonicNs(), course_.start_ns);
    for (const Load& load : phase.loads) Add(load, phase.duration_s * course_.factor, now_ns);
  }

  // Finish, after the last phase: true as long as something is left of a count.
  bool Finish() {
    KeepCounts(0);
    num_lasting_ = 0;
    return !offers_.empty();
  }

  // Null: nothing is offered at present.
  Offer* Earliest() {
    Offer* earliest = nullptr;
    for (Offer& offer : offers_) {
      if (offer.n >= offer.calls_max) continue;
      if (earliest == nullptr || offer.IntendedNs() < earliest->IntendedNs()) earliest = &offer;
    }
    return earliest;
  }

 private:
  // What is left of a count is made up for, however late; of a rate it is not.
  void KeepCounts(size_t from) {
    const auto over = [](const Offer& offer) {
      return offer.calls_max == UINT64_MAX || offer.n >= offer.calls_max;
    };
    offers_.erase(std::remove_if(offers_.begin() + static_cast<ptrdiff_t>(from), offers_.end(), over),
                  offers_.end());
  }

  void Add(const Load& load, double phase_s, int64_t begin_ns) {
    if ((load.kind == TokenKind::kKnown) != known_) return;
    CallSource& source = sources_.at(load.kind);
    const double rate_hz = RateHz(load, phase_s, course_.rate_max_hz) * source.rate_scale;
    if (rate_hz <= 0) return;
    Offer offer{.source = &source, .interval_ns = 1e9 / rate_hz, .begin_ns = begin_ns};
    if (load.count != 0) {
      offer.calls_max = static_cast<uint64_t>(rate_hz * phase_s + 0.5);
      held_.expected += offer.calls_max;
    }
    offers_.push_back(offer);
  }

  const Course& course_;
  const bool known_;
  CallSources& sources_;
  Held& held_;
  std::vector<Offer> offers_;
  size_t num_lasting_ = 0;
};

// Slicer times checks by turns of the engine in the outage and of its healthy twin, a slice each. Both
// engines decide every call, and the one that is timed comes first: neither finds the token warmer than the
// other.
class Slicer {
 public:
  // `degraded`: hits have to be on degraded keys.
  void Enter(bool measured, bool degraded) {
    measured_ = measured;
    degraded_ = degraded;
    under_way_ = false;
  }
  bool measured() const { return measured_; }

  // Check decides `request` by both and fills `decision` with the answer of the outage's.
  void Check(const Course& course, const Request& request, int64_t intended_ns, Decision* decision,
             std::vector<Slice>* slices) {
    if (!under_way_) end_ns_ = intended_ns;
    if (intended_ns >= end_ns_) {
      if (under_way_) slices->back().whole = true;
      // The first is the healthy engine's.
      slices->push_back({.outage = under_way_ && !slices->back().outage});
      end_ns_ += course.slice_ns;
      under_way_ = true;
    }
    Slice& slice = slices->back();
    Decision other;
    Decision* const timed = slice.outage ? decision : &other;
    Engine& first = slice.outage ? course.engine : *course.twin;
    Engine& second = slice.outage ? *course.twin : course.engine;
    const uint64_t before = Timer::Read();
    first.Check(request, timed);
    const uint64_t after = Timer::Read();
    second.Check(request, slice.outage ? &other : decision);
    if (!timed->allowed() || !timed->from_cache) return;
    slice.service.Record(course.timer.Between(before, after));
    slice.not_degraded += degraded_ && timed->freshness != Freshness::kDegraded;
  }

 private:
  bool measured_ = false;
  bool degraded_ = false;
  bool under_way_ = false;
  int64_t end_ns_ = 0;
};

void CountInto(TokenKind kind, const Decision& decision, int64_t intended_ns, int64_t end_ns, Bin* bin) {
  if (!IsGood(kind)) {
    ++bin->forged;
    return;
  }
  ++bin->offered;
  bin->allow += decision.verdict == Verdict::kAllow;
  bin->deny += decision.verdict == Verdict::kDeny;
  bin->unavailable += decision.verdict == Verdict::kUnavailable;
  if (kind == TokenKind::kKnown) bin->latency.Record(static_cast<uint64_t>(end_ns - intended_ns));
}

}  // namespace

CallSource CallSource::Varied(TokenKind kind, Call call, size_t at, bool digits) {
  CallSource source(kind, Use::kRepeated, {std::move(call)});
  source.varied_at_ = at;
  source.digits_ = digits;
  return source;
}

const Call* CallSource::Next() {
  if (next_ == calls_.size()) {
    if (use_ == Use::kOnce || calls_.empty()) return nullptr;
    next_ = 0;
  }
  Call& call = calls_[next_++];
  if (varied_at_ == 0) return &call;
  const uint64_t number = ++number_;
  if (digits_) {
    std::string text = std::to_string(number % 1'000'000'000);
    text.insert(0, 9 - text.size(), '0');
    call.authorization.replace(varied_at_, 12, idp::Base64Url(text));
  } else {
    static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (size_t i = 0; i < 12; ++i) {
      call.authorization[varied_at_ + i] = kAlphabet[i < 10 ? number >> (6 * i) & 63 : 0];
    }
  }
  return &call;
}

void Wrong::Add(const Wrong& other) {
  allowed += other.allowed;
  denied += other.denied;
  unavailable += other.unavailable;
  without_retry_after += other.without_retry_after;
  allowed_after_removal += other.allowed_after_removal;
}

void Held::Add(TokenKind kind, Expected wanted, const Decision& decision) {
  overloaded += decision.reason == Reason::kOverloaded;
  if (!IsGood(kind)) {
    ++forged;
    return;
  }
  const bool allowed = decision.allowed();
  degraded_allowed += allowed && decision.freshness == Freshness::kDegraded;
  rotated_allowed += allowed && kind == TokenKind::kRotated;
  switch (wanted) {
    case Expected::kAllow:
      ++to_allow;
      tenants_to_allow += kind == TokenKind::kTenant;
      known_to_allow += IsKnown(kind);
      known_allowed += IsKnown(kind) && allowed;
      return;
    case Expected::kUnavailable:
      ++to_unavailable;
      return;
    case Expected::kDeny:
    case Expected::kNotAllow:
      ++to_deny;
      return;
    case Expected::kEither:
    case Expected::kAny:
      ++to_either;
  }
}

void Held::Add(const Held& other) {
  to_allow += other.to_allow;
  to_unavailable += other.to_unavailable;
  to_deny += other.to_deny;
  to_either += other.to_either;
  forged += other.forged;
  known_to_allow += other.known_to_allow;
  known_allowed += other.known_allowed;
  rotated_allowed += other.rotated_allowed;
  degraded_allowed += other.degraded_allowed;
  tenants_to_allow += other.tenants_to_allow;
  last_known += other.last_known;
  last_known_allowed += other.last_known_allowed;
  last_known_refused += other.last_known_refused;
  last_known_too_old += other.last_known_too_old;
  overloaded += other.overloaded;
  expected += other.expected;
  offered += other.offered;
}

Reading ReadBooks(const Books& books, TokenKind kind, const Call& call) {
  Reading reading;
  if (kind == TokenKind::kTenant) {
    reading.tenant = books.tenants.Read(call.number);
  } else {
    reading.keys = books.keys.Read();
    if (call.demand != Demand::kNothing) reading.answer = books.answers.Read(call.number);
  }
  return reading;
}

Expected ExpectedBy(const Books& books, TokenKind kind, const Call& call, const Reading& before,
                    const Reading& after, int64_t begin_ns, int64_t end_ns) {
  if (kind == TokenKind::kTenant) return TenantBook::Judge(before.tenant, after.tenant);
  const Expected by_keys = books.keys.Judge(before.keys, after.keys, begin_ns, end_ns, KeyOf(kind));
  if (call.demand == Demand::kNothing) return by_keys;
  const Permitted answers = books.answers.Judge(before.answer, after.answer, begin_ns, end_ns, call.demand);
  if (call.demand == Demand::kOpaque) return ExpectedOf(answers);
  // The issuer is asked about tokens of a good signature alone.
  Permitted permitted = PermittedBy(by_keys);
  if (!permitted.allow) return by_keys;
  permitted.allow = false;
  return ExpectedOf(permitted.Or(answers));
}

Expected ExpectedWithin(Expected good, const Call& call, int64_t wall_before_s, int64_t wall_after_s) {
  if (call.valid_from_s == INT64_MIN && call.valid_through_s == INT64_MAX) return good;
  const auto inside = [&call](int64_t wall_s) {
    return wall_s > call.valid_from_s + kWallMarginS && wall_s < call.valid_through_s - kWallMarginS;
  };
  const auto outside = [&call](int64_t wall_s) {
    return wall_s < call.valid_from_s - kWallMarginS || wall_s > call.valid_through_s + kWallMarginS;
  };
  if (inside(wall_before_s) && inside(wall_after_s)) return good;
  if (!outside(wall_before_s) || !outside(wall_after_s) || wall_before_s - wall_after_s > kWallMarginS ||
      wall_after_s - wall_before_s > kWallMarginS)
    return Expected::kAny;
  if (good == Expected::kAllow) return Expected::kDeny;
  return good == Expected::kUnavailable ? good : Expected::kNotAllow;
}

void Judge(TokenKind kind, Expected expected, const Decision& decision, bool permit_overloaded,
           Wrong* wrong) {
  const Verdict verdict = decision.verdict;
  const bool unavailable = verdict == Verdict::kUnavailable;
  if (unavailable && decision.retry_after_s == 0) ++wrong->without_retry_after;
  const bool overloaded = permit_overloaded && !IsKnown(kind) && decision.reason == Reason::kOverloaded;
  if (!IsGood(kind)) {
    if (verdict == Verdict::kAllow) ++wrong->allowed;
    const bool by_form = kind == TokenKind::kForgedUnsigned || kind == TokenKind::kOpaque;
    const bool by_key = kind == TokenKind::kForgedRs256 || kind == TokenKind::kForgedEs512;
    const bool must_deny = by_form || (by_key && expected == Expected::kAllow && !overloaded);
    if (unavailable && must_deny) ++wrong->unavailable;
    return;
  }
  const bool may_allow =
      expected == Expected::kAllow || expected == Expected::kEither || expected == Expected::kAny;
  const bool may_deny =
      expected == Expected::kDeny || expected == Expected::kNotAllow || expected == Expected::kAny;
  const bool must_not_wait = expected == Expected::kAllow || expected == Expected::kDeny;
  if (verdict == Verdict::kAllow && !may_allow) {
    ++wrong->allowed;
    if (expected == Expected::kNotAllow && kind == TokenKind::kCompromised) ++wrong->allowed_after_removal;
  }
  if (verdict == Verdict::kDeny && !may_deny) ++wrong->denied;
  if (unavailable && must_not_wait && !overloaded) ++wrong->unavailable;
}

bool KeysDegrade(const Scenario& scenario, const Phase& phase) {
  return !phase.fault.introspection && scenario.num_issuers == 0;
}

double RateHz(const Load& load, double phase_s, double rate_max_hz) {
  const double rate_hz = load.count == 0 ? load.rate_hz
                         : phase_s > 0   ? static_cast<double>(load.count) / phase_s
                                         : 0;
  return rate_max_hz > 0 ? std::min(rate_hz, rate_max_hz) : rate_hz;
}

void RunLoad(const Course& course, bool known, CallSources* sources, LoadResult* result) {
  const std::vector<Phase>& phases = course.scenario.phases;
  Offers offers(course, known, sources, &result->held);
  Slicer slicer;
  Decision decision;
  for (size_t phase = SIZE_MAX;;) {
    // Ordering: relaxed; the number carries no data, and the join that follows orders the results.
    const size_t now = course.phase.load(std::memory_order_relaxed);
    if (now >= phases.size()) {
      if (!offers.Finish()) return;
    } else if (now != phase) {
      phase = now;
      offers.Enter(phases[phase]);
      slicer.Enter(known && course.twin != nullptr && phases[phase].expect_service_time,
                   KeysDegrade(course.scenario, phases[phase]));
    }
    Offer* const offer = offers.Earliest();
    if (offer == nullptr || offer->IntendedNs() - MonotonicNs() > kLookNs) {
      std::this_thread::sleep_for(std::chrono::nanoseconds(kLookNs / 2));
      continue;
    }
    const int64_t intended_ns = offer->IntendedNs();
    const auto bin_index = static_cast<size_t>((intended_ns - course.start_ns) / course.bin_ns);
    if (bin_index >= result->bins.size()) return;
    const Call* const call = offer->source->Next();
    if (call == nullptr) {
      offer->calls_max = 0;
      continue;
    }
    ++offer->n;
    if (offer->calls_max != UINT64_MAX) ++result->held.offered;
    const TokenKind kind = offer->source->kind();
    WaitUntil(intended_ns);
    const Reading before = ReadBooks(course.books, kind, *call);
    const int64_t wall_before_s = course.clock.Read().wall_s;
    const Request request{.authorization = call->authorization, .tool = call->tool};
    const int64_t begin_ns = MonotonicNs();
    if (slicer.measured()) {
      slicer.Check(course, request, intended_ns, &decision, &result->slices);
    } else {
      course.engine.Check(request, &decision);
    }
    const int64_t end_ns = MonotonicNs();
    const Reading after = ReadBooks(course.books, kind, *call);
    const Expected good = ExpectedBy(course.books, kind, *call, before, after, begin_ns, end_ns);
    const Expected expected = ExpectedWithin(good, *call, wall_before_s, course.clock.Read().wall_s);
    Judge(kind, expected, decision, course.scenario.permit_overloaded, &result->wrong);
    result->held.Add(kind, expected, decision);
    if (kind == TokenKind::kCompromised && decision.allowed()) result->compromised_allowed_ns = begin_ns;
    if (kind == TokenKind::kRevoked && decision.allowed()) result->revoked_allowed_ns = begin_ns;
    if (kind == TokenKind::kLastKnown && phase < phases.size() && phases[phase].fault.NobodyIsAnswered()) {
      CountLastKnown(course.books.answers, before, after, begin_ns, end_ns, decision, &result->held);
    }

    Bin& bin = result->bins[bin_index];
    const auto slip_ns = static_cast<uint64_t>(begin_ns - intended_ns);
    bin.slip_ns_max = std::max(bin.slip_ns_max, slip_ns);
    result->slip.Record(slip_ns);
    CountInto(kind, decision, intended_ns, end_ns, &bin);
  }
}

}  // namespace tollgate::bench
