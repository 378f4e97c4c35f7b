#include "keys/key_fetcher.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/saturating.h"
#include "jose/jwk.h"
#include "keys/issuer_family.h"
#include "keys/key_adoption.h"
#include "transport/url.h"

namespace tollgate::keys {
namespace {

// Of FetchRequest::id, for the position; the rest counts.
constexpr int kPositionBits = 18;
static_assert(limits::kIssuersMax + IssuerTable::kSpare <= size_t{1} << kPositionBits);

}  // namespace

KeyFetcher::KeyFetcher(const Timing& timing, uint64_t jitter_seed, sync::ThreadBlocks& blocks,
                       KeyGenerations& generations, IssuerTable& issuers, SnapshotBook& book,
                       std::function<void(uint32_t issuer)> on_settled, FileSystem& files, const Clock& clock)
    : timing_(timing),
      file_timing_(FileTiming(timing, 0)),
      blocks_(blocks),
      generations_(generations),
      issuers_(issuers),
      book_(book),
      on_settled_(std::move(on_settled)),
      files_(files),
      clock_(clock),
      jitter_(jitter_seed),
      gate_(timing) {}

// SplitMix64 (Steele, Lea, Flood 2014), for jitter alone.
uint64_t KeyFetcher::NextJitter() {
  uint64_t z = jitter_ += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

void KeyFetcher::Begin(Issuer& issuer) {
  const bool file = issuer.source->begins_with_file();
  {
    const std::lock_guard lock(issuer.mutex);
    issuer.planned_by = file ? &file_timing_ : &timing_;
  }
  if (!file) {
    Plan(issuer);
    return;
  }
  ++num_files_;
  LineUp(issuer, false, clock_.Read().mono_ms);
}

void KeyFetcher::Forget(const Issuer& issuer) {
  if (issuer.source && issuer.source->begins_with_file()) --num_files_;
  gate_.Forget(issuer.position);
}

// Plan takes over when the issuer's schedule says that it is due.
void KeyFetcher::Plan(Issuer& issuer) {
  const std::lock_guard lock(issuer.mutex);
  int64_t due_ms = NextFetchMs(issuer.schedule, *issuer.planned_by);
  if (held_ && issuer.InSnapshot()) {
    if (!std::exchange(issuer.held, true)) issuer.held_ms = clock_.Read().mono_ms;
    awaited_ |= issuer.schedule.forced;
    if (!issuer.alone) {
      due_ms = AloneMs(issuer.schedule, timing_, std::max(issuer.schedule.last_good_ms, issuer.followed_ms),
                       issuer.held_ms, NextJitter());
    }
  }
  gate_.Plan(issuer.position, due_ms);
}

void KeyFetcher::Hold() {
  held_ = true;
  issuers_.ForEach([this](Issuer& issuer) {
    if (issuer.InSnapshot()) Follow(issuer);
  });
}

void KeyFetcher::Follow(Issuer& issuer) {
  gate_.Forget(issuer.position);
  issuer.alone = false;
  {
    const std::lock_guard lock(issuer.mutex);
    issuer.request = 0;  // An answer that is on its way comes to nothing.
    issuer.schedule.in_flight = false;
    issuer.turn_ms = ScheduleState::kNever;
    issuer.planned_by = &timing_;
    issuer.Mirror(timing_);
  }
  issuer.MirrorToTenants();
  Plan(issuer);
}

void KeyFetcher::Release(bool has_followed) {
  held_ = false;
  issuers_.ForEach([&](Issuer& issuer) {
    if (!issuer.InSnapshot()) return;
    {
      const std::lock_guard lock(issuer.mutex);
      ScheduleState& schedule = issuer.schedule;
      const int64_t last_good_ms = schedule.last_good_ms;
      const bool forced = schedule.forced;
      if (last_good_ms != ScheduleState::kNever && !schedule.in_flight) {
        // A restart asks at once, and so does who has not found in the file what it knows; who goes on for
        // another, when that one would have.
        const bool goes_on = has_followed && issuer.recorded != nullptr && !issuer.recorded->jwks.empty();
        schedule = goes_on ? OnGood(schedule, timing_, last_good_ms, issuer.max_age_s, NextJitter())
                           : OnRestored(last_good_ms);
      }
      schedule.forced = forced;
      issuer.held = issuer.alone = false;
      issuer.planned_by = &timing_;
      issuer.Mirror(timing_);
    }
    issuer.MirrorToTenants();
    Plan(issuer);
  });
}

void KeyFetcher::Hasten(uint32_t position) {
  const std::lock_guard lock(hastened_mutex_);
  hastened_.push_back(position);
}

void KeyFetcher::TakeInHastened() {
  std::vector<uint32_t> hastened;
  {
    const std::lock_guard lock(hastened_mutex_);
    hastened.swap(hastened_);
  }
  // One that is in flight by now is never due, and planned again at its end.
  for (const uint32_t position : hastened) {
    if (Issuer* const issuer = issuers_.Own(position)) Plan(*issuer);
  }
}

// Share gives each of the places that are still to be asked over the network an equal part of the time, so
// that one that does not answer leaves some for the others.
void KeyFetcher::Share(Issuer& issuer, int64_t time_ms) {
  issuer.left_ms = time_ms / std::max<int64_t>(issuer.source->num_urls_left(), 1);
  issuer.later_ms = time_ms - issuer.left_ms;
}

// BeginFetch begins the fetch that has come to its first request, unless it is under way. Under the lock.
void KeyFetcher::BeginFetch(Issuer& issuer, int64_t now_ms) {
  if (issuer.schedule.in_flight) return;
  issuer.schedule = OnBegin(issuer.schedule, now_ms);
  if (issuer.held) issuer.looked_ms = now_ms;  // What was asked for before is settled by this fetch, or none.
  ++issuer.fetches;
  issuer.over_network = false;
  issuer.why.clear();
  Share(issuer, timing_.fetch_timeout_ms);
}

// LineUp puts an issuer that is due, or whose fetch goes on, into the line of the host that it has to ask, or
// reads its file. Where a fetch begins is settled here, so that the line is the right one.
void KeyFetcher::LineUp(Issuer& issuer, bool goes_on, int64_t now_ms) {
  KeySource& source = *issuer.source;
  if (!goes_on) source.Begin(now_ms);
  issuer.alone = held_ && issuer.InSnapshot();
  if (!source.file().empty()) {
    ReadFile(issuer, now_ms);
    return;
  }
  const uint32_t requests = source.asks_for_keys() ? 1 : 2;  // The metadata's are seldom more.
  const int64_t turn_ms =
      gate_.Enter(issuer.position, transport::AuthorityOf(source.url()), goes_on, requests, now_ms);
  const std::lock_guard lock(issuer.mutex);
  issuer.turn_ms = turn_ms;
  issuer.Mirror(*issuer.planned_by);
}

// Ask sends the request whose turn has come: the first of a fetch, which begins with it, or a further one.
// What is left of its place's time is this request's. The time in the line is not the host's, and not
// counted.
void KeyFetcher::Ask(Issuer& issuer, int64_t now_ms, Transport& transport) {
  {
    const std::lock_guard lock(issuer.mutex);
    BeginFetch(issuer, now_ms);
    issuer.turn_ms = ScheduleState::kNever;
    issuer.Mirror(*issuer.planned_by);
  }
  issuer.MirrorToTenants();
  issuer.over_network = true;
  issuer.deadline_ms = saturating::Plus(now_ms, issuer.left_ms);
  FetchRequest request = issuer.source->Next();
  issuer.request = ++requests_;
  request.id = issuer.request << kPositionBits | issuer.position;
  under_way_.insert(request.id);
  request.timeout_ms = static_cast<uint32_t>(std::clamp<int64_t>(issuer.left_ms, 1, UINT32_MAX / 2));
  request.reach = issuer.reach;
  transport.Start(std::move(request));
}

// ReadFile reads the file that a fetch has come to. It takes no turn, and of the fetch's time nothing.
void KeyFetcher::ReadFile(Issuer& issuer, int64_t now_ms) {
  {
    // Nobody sees that a fetch is under way that ends at once.
    const std::lock_guard lock(issuer.mutex);
    BeginFetch(issuer, now_ms);
  }
  issuer.deadline_ms = saturating::Plus(now_ms, issuer.left_ms);
  const absl::StatusOr<FetchResult> result = ReadKeyFile(*issuer.source, files_);
  bool changed = false;
  const absl::Status outcome =
      result.ok() ? TakeInKeys(issuer, *result, now_ms, &changed)
                  : absl::UnavailableError(absl::StrCat("the file: ", result.status().message()));
  EndPlace(issuer, outcome, -1, changed, now_ms);
}

int64_t KeyFetcher::RunDue(int64_t now_ms, Transport& transport) {
  TakeInHastened();
  while (const auto due = gate_.TakeDue(now_ms)) LineUp(*issuers_.Own(*due), false, now_ms);
  while (const auto next = gate_.Next(now_ms)) Ask(*issuers_.Own(*next), now_ms, transport);
  return gate_.NextMs();
}

// TakeInSet publishes the keys of a 200 answer and retires those that are gone. An error says why the answer
// is no good, and then nothing has changed.
absl::Status KeyFetcher::TakeInSet(Issuer& issuer, const FetchResult& result, int64_t now_ms, bool* changed) {
  const absl::StatusOr<SignedSet> set = issuer.source->ReadSet(result.body, clock_.Read().wall_s);
  if (!set.ok()) return set.status();
  auto parsed = jose::ParseJwkSet(set->jwks);
  if (!parsed.ok()) return parsed.status();
  if (issuer.is_template) SkipForeign(issuer.KeyIssuer(), &*parsed);
  const size_t listed = parsed->keys.size();
  if (absl::Status dropped = issuer.source->DropEnded(&*parsed); !dropped.ok()) return dropped;
  const bool is_whole = parsed->keys.size() == listed;
  const KeySet* old_set = nullptr;
  {
    // Only this thread replaces the set, so the old one outlives the scope, up to Replace below.
    const sync::ReadScope scope(blocks_);
    old_set = issuer.set.Load(scope);
  }
  uint32_t skipped = 0;
  const size_t unusable = parsed->skipped.size();
  auto keys = AdoptKeys(issuer.position, old_set, *std::move(parsed), generations_, &skipped);
  if (!keys) return absl::InvalidArgumentError(absl::StrCat("no usable key, ", skipped, " skipped"));
  const auto num_keys = static_cast<uint32_t>(keys->size());
  *changed = !SameKeys(KeysOf(old_set), *keys);
  const std::vector<KeyRef> gone = NamesGone(KeysOf(old_set), *keys);
  // Keys that found no free slot must come again: no "not modified" for those.
  issuer.source->OnSet(*set, IsEtag(result.etag) && skipped == unusable ? result.etag : "", KeysOf(old_set),
                       *keys);
  issuer.max_age_s = result.max_age_s;
  // A restart would take the text without knowing what has ended.
  if (!book_.OnSet(issuer,
                   {.jwks = is_whole ? std::string_view(set->jwks) : std::string_view(),
                    .changed = *changed,
                    .removes = !gone.empty(),
                    .has_more = skipped != unusable},
                   now_ms)) {
    for (const KeyRef ref : NamesGone(*keys, KeysOf(old_set))) generations_.Retire(ref);
    issuer.source->set_etag("");  // Nobody has that set.
    *changed = false;
    return absl::AbortedError("another engine has the shared snapshot by now");
  }
  issuer.followed_text.reset();
  if (*changed) {
    issuer.set.Replace(std::make_unique<KeySet>(*std::move(keys)), blocks_);
    for (const KeyRef ref : gone) generations_.Retire(ref);
  }
  const std::lock_guard lock(issuer.mutex);
  issuer.num_keys = num_keys;
  issuer.num_keys_skipped = skipped;
  return absl::OkStatus();
}

// TakeInKeys takes the answer to a request for keys.
absl::Status KeyFetcher::TakeInKeys(Issuer& issuer, const FetchResult& result, int64_t now_ms,
                                    bool* changed) {
  if (result.outcome == FetchOutcome::kAnswered && result.http_status == 200) {
    absl::Status outcome = TakeInSet(issuer, result, now_ms, changed);
    issuer.source->OnKeys(outcome.ok());
    return outcome;
  }
  // A 304 is the answer to our own If-None-Match: the set in hand is the issuer's still.
  const bool same = result.outcome == FetchOutcome::kAnswered && result.http_status == 304 &&
                    !issuer.source->if_none_match().empty();
  issuer.source->OnKeys(same);
  if (!same) return absl::UnavailableError(WhyFailed(result));
  if (issuer.source->SetEndsInS(clock_.Read().wall_s) == 0)
    return absl::UnavailableError("signed JWK Set: has not changed, and its exp is over");
  book_.OnSame(issuer, now_ms);
  return absl::OkStatus();
}

void KeyFetcher::TellMetadata(const Issuer& issuer) const {
  if (on_metadata_ && issuer.source && issuer.source->introspection_endpoint())
    on_metadata_(issuer.position, *issuer.source->introspection_endpoint());
}

void KeyFetcher::TakeIn(FetchResult result, int64_t now_ms) {
  if (under_way_.erase(result.id) == 0) return;
  gate_.Done();
  const auto position = static_cast<uint32_t>(result.id & ((uint64_t{1} << kPositionBits) - 1));
  Issuer* const asked = issuers_.Own(position);
  // The position may be somebody else's by now, or nobody's.
  if (asked == nullptr || result.id >> kPositionBits != asked->request) return;
  Issuer& issuer = *asked;
  absl::Status outcome;
  bool changed = false;
  if (issuer.source->asks_for_keys()) {
    // It was there in time, though a process that was stopped may look at it long afterwards.
    outcome = TakeInKeys(issuer, result, std::min(now_ms, issuer.deadline_ms), &changed);
  } else {
    outcome = issuer.source->OnMetadata(result, now_ms);
    if (outcome.ok()) TellMetadata(issuer);
    if (outcome.ok() && now_ms < issuer.deadline_ms) {
      issuer.left_ms = saturating::Minus(issuer.deadline_ms, now_ms);
      LineUp(issuer, true, now_ms);
      return;
    }
    if (outcome.ok())
      outcome = absl::DeadlineExceededError("metadata: no complete answer in time for the keys");
  }
  EndPlace(issuer, outcome, result.max_age_s, changed, now_ms);
}

// EndPlace ends the requests at one place: the fetch goes on at the next one, or has ended.
void KeyFetcher::EndPlace(Issuer& issuer, const absl::Status& outcome, int64_t max_age_s, bool changed,
                          int64_t now_ms) {
  KeySource& source = *issuer.source;
  if (!outcome.ok()) {
    if (source.place() > 0) absl::StrAppend(&issuer.why, "; fallbacks[", source.place() - 1, "]: ");
    absl::StrAppend(&issuer.why, outcome.message());
    if (source.NextPlace()) {
      Share(issuer, saturating::Plus(saturating::Between(now_ms, issuer.deadline_ms), issuer.later_ms));
      LineUp(issuer, true, now_ms);
      return;
    }
  }
  const int64_t good_ms = std::min(now_ms, issuer.deadline_ms);
  // Before anybody counts the keys' age from this answer.
  if (issuer.is_template && outcome.ok() && (changed || issuer.num_keys_lacking != 0))
    ShareOut(issuer, generations_, blocks_);
  {
    const std::lock_guard lock(issuer.mutex);
    issuer.planned_by = issuer.over_network ? &timing_ : &file_timing_;
    const Timing timing = issuer.over_network ? timing_ : FileTiming(timing_, num_files_);
    if (!outcome.ok()) {
      issuer.schedule = OnFailure(issuer.schedule, timing, now_ms, NextJitter());
      ++issuer.fetch_failures;
    } else if (source.place() > 0) {
      issuer.schedule = OnFallback(issuer.schedule, timing, good_ms, NextJitter());
    } else {
      if (max_age_s < 0) max_age_s = issuer.max_age_s;
      const int64_t ends_in_s = source.SetEndsInS(clock_.Read().wall_s);
      if (ends_in_s != INT64_MAX) max_age_s = max_age_s < 0 ? ends_in_s : std::min(max_age_s, ends_in_s);
      issuer.schedule = OnGood(issuer.schedule, timing, good_ms, max_age_s, NextJitter());
      if (issuer.absent != nullptr) issuer.absent->OnGood(issuer.fetches, changed);
    }
    if (outcome.ok()) {
      issuer.from_snapshot = false;
      issuer.key_place = source.place();
    }
    issuer.last_error = issuer.why;
    issuer.Mirror(*issuer.planned_by);
    gate_.Plan(issuer.position, NextFetchMs(issuer.schedule, *issuer.planned_by));
  }
  issuer.MirrorToTenants();
  if (!on_settled_) return;
  on_settled_(issuer.position);
  for (const Issuer* tenant : issuer.tenants) on_settled_(tenant->position);
}

}  // namespace tollgate::keys
