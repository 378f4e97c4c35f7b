#include "bench/outage/answer_book.h"

#include <functional>

namespace tollgate::bench {

Permitted PermittedBy(Expected expected) {
  switch (expected) {
    case Expected::kAllow:
      return {.allow = true};
    case Expected::kUnavailable:
      return {.unavailable = true};
    case Expected::kEither:
      return {.allow = true, .unavailable = true};
    case Expected::kDeny:
      return {.deny = true};
    case Expected::kNotAllow:
      return {.deny = true, .unavailable = true};
    case Expected::kAny:
      break;
  }
  return {.allow = true, .deny = true, .unavailable = true};
}

Expected ExpectedOf(Permitted permitted) {
  for (const Expected expected :
       {Expected::kAllow, Expected::kUnavailable, Expected::kEither, Expected::kDeny, Expected::kNotAllow}) {
    if (PermittedBy(expected) == permitted) return expected;
  }
  return Expected::kAny;
}

void AnswerBook::Add(std::string token, uint32_t number) {
  const std::lock_guard lock(mutex_);
  if (number >= states_.size()) states_.resize(number + 1);
  numbers_.emplace(std::move(token), number);
}

std::optional<uint32_t> AnswerBook::Find(std::string_view token) const {
  const std::lock_guard lock(mutex_);
  const auto found = numbers_.find(token);
  return found == numbers_.end() ? std::nullopt : std::optional(found->second);
}

void AnswerBook::Arrived(uint32_t number, const Answer& answer) {
  const std::lock_guard lock(mutex_);
  State& state = states_[number];
  failing_pending_ = false;
  ++num_answers_;
  ++state.version;
  // Two at a time: the question of one had been given up.
  if (state.pending && state.pending->latest_ns > answer.latest_ns) return;
  state.pending = answer;
  pending_.push_back(number);
}

void AnswerBook::Failed() {
  const std::lock_guard lock(mutex_);
  failing_pending_ = true;
}

void AnswerBook::TakenIn() {
  const std::lock_guard lock(mutex_);
  failing_ = failing_pending_.value_or(failing_);
  failing_pending_.reset();
  for (const uint32_t number : pending_) {
    State& state = states_[number];
    if (!state.pending) continue;
    // One that was asked for before the one in hand changes nothing.
    const bool newer = !state.taken || state.pending->latest_ns >= state.taken->latest_ns;
    state = {.version = state.version + 1, .taken = newer ? state.pending : state.taken};
  }
  pending_.clear();
}

AnswerBook::State AnswerBook::Read(uint32_t number) const {
  const std::lock_guard lock(mutex_);
  State state = states_[number];
  state.failing = failing_ && failing_pending_.value_or(true);
  state.num_answers = num_answers_;
  return state;
}

Permitted AnswerBook::PermittedWith(const std::optional<Answer>& answer, int64_t begin_ns, int64_t end_ns,
                                    Demand demand) const {
  const auto within = [&](int64_t bound_ns) {
    return end_ns - answer->earliest_ns < bound_ns - bounds_.slack_ns;
  };
  const auto beyond = [&](int64_t bound_ns) {
    return begin_ns - answer->latest_ns > bound_ns + bounds_.slack_ns;
  };
  if (!answer) return demand == Demand::kBehind ? Permitted{.allow = true} : Permitted{.unavailable = true};
  if (!answer->active) {
    // A signature that is good vouches for the token's being the one that was asked about.
    if (demand != Demand::kOpaque || within(bounds_.inactive_age_ns)) return {.deny = true};
    return {.deny = !beyond(bounds_.inactive_age_ns), .unavailable = true};
  }
  if (demand == Demand::kBehind || within(bounds_.active_age_ns)) return {.allow = true};
  // Whether the last known one will do depends on whether a question is under way.
  const int64_t allowed_ns = demand == Demand::kLastKnown ? bounds_.last_known_age_ns : bounds_.active_age_ns;
  return {.allow = !beyond(allowed_ns), .unavailable = true};
}

Permitted AnswerBook::Judge(const State& before, const State& after, int64_t begin_ns, int64_t end_ns,
                            Demand demand) const {
  Permitted permitted = PermittedWith(before.taken, begin_ns, end_ns, demand);
  if (before.version == after.version && !before.pending) return permitted;
  // A thread that was held up may have missed some.
  if (after.version - before.version > 2) return PermittedBy(Expected::kAny);
  permitted = permitted.Or(PermittedWith(after.taken, begin_ns, end_ns, demand));
  for (const State* state : {&before, &after}) {
    if (state->pending) permitted = permitted.Or(PermittedWith(state->pending, begin_ns, end_ns, demand));
  }
  return permitted;
}

bool AnswerBook::IsLastKnown(const State& before, const State& after, int64_t begin_ns,
                             int64_t end_ns) const {
  if (before.version != after.version || before.pending || !before.taken || !before.taken->active)
    return false;
  return begin_ns - before.taken->latest_ns > bounds_.active_age_ns + bounds_.slack_ns &&
         end_ns - before.taken->earliest_ns < bounds_.last_known_age_ns - bounds_.slack_ns;
}

bool AnswerBook::IsTooOld(const State& before, const State& after, int64_t begin_ns) const {
  if (before.version != after.version || before.pending || !before.taken || !before.taken->active)
    return false;
  return begin_ns - before.taken->latest_ns > bounds_.last_known_age_ns + bounds_.slack_ns;
}

bool AnswerBook::IsFailing(const State& before, const State& after) {
  return before.failing && after.failing && before.num_answers == after.num_answers;
}

}  // namespace tollgate::bench
