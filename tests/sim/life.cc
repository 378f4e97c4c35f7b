#include "tests/sim/life.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

namespace tollgate::sim {
namespace {

constexpr int kRegularActions = 120;
constexpr int kClients = 20;
constexpr int kTurnsMax = 1000;
constexpr int64_t kRevokedUntilS = kWallStart + 30 * 86'400;
constexpr int64_t kSnapshotSlackMs = 3000;  // Of ages that are kept in whole seconds of a clock.
constexpr size_t kCacheBytes = 1 << 20;     // More than all tokens of one seed twice.

const char* MeaningName(Served::Meaning meaning) {
  constexpr std::array<const char*, 8> kNames = {"failed",       "not there", "metadata", "a set",
                                                 "not modified", "active",    "inactive", "says nothing"};
  return kNames[static_cast<size_t>(meaning)];
}

std::string DescribeNumber(uint64_t token) {
  const TokenSpec* const spec = SpecOf(token);
  return spec == nullptr ? "nobody's token" : Describe(*spec);
}

}  // namespace

Life::Life(const Options& options)
    : options_(options),
      script_(options.seed),
      timing_(script_.config.timing),
      random_({options.seed, 3}),
      clock_(now_ms_, script_.wall_phase_ms),
      network_(script_, now_ms_, *this),
      disk_([this] { return SnapshotContent(); }),
      hosts_(script_),
      oracle_(script_, watches_, asks_) {
  script_.config.verdict_cache_bytes = options.cached ? kCacheBytes : 0;
  if (script_.snapshot) script_.config.snapshot = {.path = kSnapshotPath, .key = std::string(32, 'k')};
  for (int i = 0; i < kClients; ++i) clients_.push_back(AnyToken());
}

void Life::OnBegin(const Exchange& exchange) {
  const Place& place = exchange.place;
  if (place.asked) {
    Log([&] {
      return "issuer " + std::to_string(place.issuer) + ": is asked about " + DescribeNumber(exchange.token) +
             ", network: " + AskFaultName(At(idp(place.issuer).ask_faults, now_ms_).value);
    });
    return asks(place.issuer).OnBegin(exchange, now_ms_);
  }
  Log([&] {
    return "issuer " + std::to_string(place.issuer) + ": asks for " + (place.keys ? "keys " : "metadata ") +
           std::to_string(place.number) +
           ", network: " + FaultName(At(idp(place.issuer).faults, now_ms_).value);
  });
  if (watch(place.issuer).WaitedInLine(now_ms_)) ++result_.counts.in_line;
  watch(place.issuer).OnBegin(exchange, now_ms_);
  // Every issuer has one at the most, and all of them together are fewer than the engine allows itself.
  if (network_.num_fetches() >= script_.idps.size()) Complain("too many exchanges at a time");
}

void Life::OnEnd(const Exchange& exchange, const Served& served) {
  const int issuer = exchange.place.issuer;
  if (exchange.place.asked) {
    Log([&] {
      return "issuer " + std::to_string(issuer) + ": " + MeaningName(served.meaning) + ", " +
             DescribeNumber(exchange.token);
    });
    ++result_.counts.ask_faults[static_cast<size_t>(served.ask_fault)];
    ++result_.counts.questions;
    if (served.meaning == Served::Meaning::kFailed || served.meaning == Served::Meaning::kSaysNothing)
      ++result_.counts.failed_questions;
    answered_ = true;
    return asks(issuer).OnEnd(exchange, served, now_ms_);
  }
  ++result_.counts.faults[static_cast<size_t>(served.fault)];
  watch(issuer).OnEnd(exchange, served, now_ms_);
  Log([&] {
    return "issuer " + std::to_string(issuer) + ": " + MeaningName(served.meaning) + ", keys " +
           std::to_string(served.keys) + (watch(issuer).in_flight() ? ", goes on" : "");
  });
  if (!watch(issuer).in_flight()) ended_.push_back({issuer, served.meaning == Served::Meaning::kSet});
}

// --- The engine and its time ---

void Life::Open() {
  ++incarnation_;
  opened_ms_ = now_ms_;
  Environment environment;
  environment.clock = &clock_;
  environment.transport = network_.Connect();
  environment.own_thread = false;
  environment.jitter_seed = Random({options_.seed, 4, incarnation_}).Next() | 1;
  environment.files = &disk_;
  if (options_.make_subject) {
    subject_ = options_.make_subject(script_.config, std::move(environment));
  } else {
    auto engine = Engine::Create(script_.config, std::move(environment));
    if (!engine.ok()) return Complain("no engine: " + std::string(engine.status().message()));
    subject_ = std::make_unique<Subject>(*std::move(engine));
  }
  oracle_.Restart();
  verified_.clear();
  watches_.clear();
  asks_.clear();
  num_settled_ = 0;
  hosts_ = HostWatch(script_);
  disk_.SetFault(disk_full_, disk_read_only_, false);
  const std::vector<IssuerHealth> health = subject_->ReadHealth();
  for (int issuer = 0; issuer < num_issuers(); ++issuer) {
    const FetchWatch::Known restored = TakeRestored(issuer, health[static_cast<size_t>(issuer)]);
    watches_.emplace_back(issuer, script_, now_ms_, restored, hosts_, complaint_);
    asks_.emplace_back(issuer, script_, complaint_);
  }
  Turn();
}

// TakeRestored returns what an engine that begins has of an issuer, which is what the file said, with an age
// that is never less than the truth by the wall clock.
FetchWatch::Known Life::TakeRestored(int issuer, const IssuerHealth& health) {
  if (is_inline(issuer)) return {};
  const Disk::Content& file = disk_.seen();
  const auto found = file.find(issuer);
  if (!script_.snapshot || unreadable_ || found == file.end()) {
    if (health.from_snapshot) Complain("keys from a snapshot that has none of them");
    return {};
  }
  const Kept& kept = found->second;
  const int64_t age_ms = kept.age_ms + clock_.wall_ms() - kept.wall_ms;
  const int64_t least_ms = std::max<int64_t>(age_ms, 0);
  // From the future by more than two clocks may differ, ten seconds: refused.
  const bool may = age_ms >= -12'000 && least_ms <= timing_.staleness_bound_ms;
  const bool must = age_ms >= -9'000 && least_ms + kSnapshotSlackMs <= timing_.staleness_bound_ms;
  Log([&] {
    return "issuer " + std::to_string(issuer) + (health.from_snapshot ? ": restored" : ": not restored") +
           ", age " + std::to_string(health.keys_age_ms) + " ms";
  });
  if (health.from_snapshot ? !may : must) {
    Complain("issuer " + std::to_string(issuer) + ": wrongly " + (may ? "not " : "") +
             "restored, age by the wall clock " + std::to_string(age_ms));
  }
  if (!health.from_snapshot) return {};
  ++result_.counts.restored;
  if (health.keys_age_ms < least_ms || health.keys_age_ms > least_ms + kSnapshotSlackMs) {
    Complain("restored with an age of " + std::to_string(health.keys_age_ms) + " instead of " +
             std::to_string(least_ms));
  }
  FetchWatch::Known known = kept.known;
  known.last_good_ms = now_ms_ - health.keys_age_ms;
  return known;
}

Disk::Content Life::SnapshotContent() const {
  Disk::Content content;
  for (size_t issuer = 0; issuer < watches_.size(); ++issuer) {
    const FetchWatch::Known& kept = watches_[issuer].kept();
    if (!kept.any) continue;
    content[static_cast<int>(issuer)] = {
        .known = kept, .age_ms = now_ms_ - kept.last_good_ms, .wall_ms = clock_.wall_ms()};
  }
  return content;
}

// Close is the end of an engine: each CheckAsync is called with its answer so far, no other callback is.
void Life::Close() {
  JudgeMetrics();
  subject_.reset();
  for (const Async& async : asyncs_) {
    ++result_.counts.asyncs_at_the_end;
    if (async.called->times != 1) {
      Complain("CheckAsync was called back " + std::to_string(async.called->times) + " times at the end");
      break;
    }
    const std::string how =
        Differs(async.question, async.answer, async.called->decision, &async.called->principal);
    if (!how.empty()) Complain(Describe(async.question) + ": CheckAsync, at the end: " + how);
  }
  for (const Waiting& one : waiting_) {
    if (*one.calls != 0) Complain("a callback was called by an engine that ends");
  }
  asyncs_.clear();
  waiting_.clear();
}

void Life::Restart() {
  ++result_.counts.restarts;
  Close();
  const bool power_failed = random_.OneIn(2);
  disk_.Restart(power_failed);
  const int64_t bound_ms = timing_.staleness_bound_ms;
  now_ms_ += random_.Pick<int64_t>({1, 1'000, bound_ms / 20, bound_ms / 4, bound_ms});
  clock_.mono_begin_ms = random_.Between(-1'000'000'000, 1'000'000'000);
  Log([&] { return std::string(power_failed ? "restart, the power failed" : "restart"); });
  SetDisk();
  if (random_.OneIn(10)) disk_.Spoil(random_);
  // What cannot be read now is still there the next time.
  unreadable_ = random_.OneIn(10);
  disk_.SetFault(disk_full_, disk_read_only_, unreadable_);
  Open();
}

void Life::SetDisk() {
  while (disk_part_ < script_.disk_faults.size() && script_.disk_faults[disk_part_].from_ms <= now_ms_) {
    const bool fails = script_.disk_faults[disk_part_++].value;
    disk_read_only_ = fails && random_.OneIn(2);
    disk_full_ = fails;
    disk_.SetFault(disk_full_, disk_read_only_, false);
  }
}

// Turn lets the engine do all that it has to do at this moment.
void Life::Turn() {
  int turns = 0;
  do {
    if (++turns > kTurnsMax) return Complain("the engine never comes to rest");
    ended_.clear();
    answered_ = false;
    const int64_t rest_ms = subject_->RunBackgroundMs();
    engine_due_ms_ = rest_ms > INT64_MAX - now_ms_ ? INT64_MAX : now_ms_ + rest_ms;
    AfterRun();
    if (disk_.killed()) return Restart();
    for (const Ended& ended : ended_) AfterEnd(ended.issuer, ended.whole_set);
  } while (!complaint_.any() &&
           (network_.TakeWake() || network_.NextEndMs() <= now_ms_ || engine_due_ms_ <= now_ms_));
  AfterTurn();
}

// AfterTurn: nothing is left undone.
void Life::AfterTurn() {
  for (FetchWatch& each : watches_) each.AfterTurn(now_ms_);
  for (AskWatch& each : asks_) each.AfterTurn(now_ms_);
  for (const Async& async : asyncs_) {
    if (async.deadline_ms <= now_ms_)
      Complain(Describe(async.question) + ": CheckAsync is not called back in time");
  }
}

// AfterRun is for when the engine has called whoever waited.
void Life::AfterRun() {
  if (answered_) AfterAnswers();
  uint64_t num_settled = 0;
  for (AskWatch& each : asks_) {
    each.GiveUp(now_ms_);
    num_settled += each.num_settled();
  }
  const bool any_settled = std::exchange(num_settled_, num_settled) != num_settled;
  for (const Waiting& one : waiting_) {
    const bool ended = LastEnd(one.what) != one.what.last_end;
    if (*one.calls > 1 || (ended && *one.calls != 1))
      Complain("a callback was called " + std::to_string(*one.calls) + " times");
    if (*one.calls == 1 && !ended && (one.what.fetch || !any_settled))
      Complain("a callback was called before its time");
    if (*one.calls == 1) ++result_.counts.callbacks;
  }
  std::erase_if(waiting_, [](const Waiting& one) { return *one.calls != 0; });

  LookAgain(any_settled);
}

// LookAgain is for what has waited in CheckAsync, in the order in which the engine looks: what waits for a
// fetch, and then what waits for an answer; of each, that for which it has ended, in the order of the ends,
// and then that whose time is over.
void Life::LookAgain(bool any_settled) {
  std::vector<Async> asyncs = std::exchange(asyncs_, {});
  const auto turn = [this](const Async& one) {
    const uint64_t end = LastEnd(one.what);
    const bool ended = end != one.what.last_end;
    const int64_t else_ms = one.deadline_ms <= now_ms_ ? one.deadline_ms : INT64_MAX;  // Or not at all.
    return std::tuple(!one.what.fetch, !ended, ended ? static_cast<int64_t>(end) : else_ms);
  };
  std::stable_sort(asyncs.begin(), asyncs.end(),
                   [&](const Async& one, const Async& other) { return turn(one) < turn(other); });
  for (Async& async : asyncs) {
    const bool out_of_time = async.deadline_ms <= now_ms_;
    if (out_of_time || LastEnd(async.what) != async.what.last_end) {
      if (out_of_time) ++result_.counts.asyncs_out_of_time;
      if (!Look(&async)) asyncs_.push_back(std::move(async));
      continue;
    }
    const bool perhaps = !async.what.fetch && any_settled;
    if (perhaps) ++perhaps_unseen_;
    if (async.called->times != 0) {
      if (!perhaps) Complain(Describe(async.question) + ": CheckAsync is called back for nothing");
      // Another token's question has ended, and this one's answer has become another one meanwhile.
      if (Look(&async)) continue;
    }
    asyncs_.push_back(std::move(async));
  }
}

// AfterAnswers is for when questions have ended: a breaker may have opened.
void Life::AfterAnswers() {
  const std::vector<IssuerHealth> health = subject_->ReadHealth();
  for (int issuer = 0; issuer < num_issuers(); ++issuer)
    asks(issuer).OnPause(health[static_cast<size_t>(issuer)].introspection_paused_for_ms, now_ms_);
}

// AfterEnd is for when a fetch has ended, and the engine has done with it what it does.
void Life::AfterEnd(int issuer, bool whole_set) {
  ++result_.counts.fetches;
  if (watch(issuer).failures() > 0) ++result_.counts.failed_fetches;
  const IssuerHealth health = subject_->ReadHealth()[static_cast<size_t>(issuer)];
  AuditIssuer(issuer, health);
  watch(issuer).OnPlan(now_ms_ + health.next_fetch_in_ms);
  if (script_.snapshot && whole_set) CheckFileAfterEnd(issuer);
  const int seldom = watch(issuer).failures() == 0 ? 3 : 32;
  if (random_.OneIn(seldom)) probes_.emplace(now_ms_, Probe{issuer, std::nullopt});
  if (watch(issuer).failures() == 1 && watch(issuer).known().any) {
    const int64_t stale_ms = watch(issuer).known().last_good_ms + timing_.staleness_bound_ms;
    for (int64_t later_ms = 0; later_ms <= 1; ++later_ms)
      probes_.emplace(stale_ms + later_ms, Probe{issuer, std::nullopt});
  }
}

// A key that was seen to end is in no file, so that no restart brings it back, unless nothing on the disk can
// be changed.
void Life::CheckFileAfterEnd(int issuer) {
  if (disk_read_only_) return;
  for (const Disk::Content* content : {&disk_.seen(), &disk_.durable()}) {
    const auto entry = content->find(issuer);
    if (entry != content->end() && (entry->second.known.keys & ~watch(issuer).known().keys) != 0)
      Complain("a removed key stays in the snapshot");
  }
}

// --- What is done ---

void Life::PlanProbes() {
  for (int issuer = 0; issuer < num_issuers(); ++issuer) {
    for (const Since<KeyMask>& change : idp(issuer).keys)
      probes_.emplace(change.from_ms + random_.Between(0, 2000), Probe{issuer, std::nullopt});
    for (const Since<Fault>& change : idp(issuer).faults)
      probes_.emplace(change.from_ms + random_.Between(0, 2000), Probe{issuer, std::nullopt});
  }
}

void Life::DoProbe(const Probe& probe) {
  if (probe.question) return random_.OneIn(6) ? AskAsync(*probe.question) : Ask(*probe.question);
  Ask(AnyQuestion(probe.issuer));
  Ask(AnyQuestion(probe.issuer));
}

void Life::Act() {
  const int dice = random_.Below(100);
  if (dice < 60) return CheckSome();
  if (dice < 70) return CheckMany();
  if (dice < 76) return script_.introspection && random_.OneIn(2) ? FloodOpaque() : Flood();
  if (dice < 81) return StepWall();
  if (dice < 83) return Revoke();
  if (dice < 85) {
    // With somebody who waits.
    for (int n = random_.Below(4); n > 0; --n) AskAsync(AnyQuestion(random_.Below(num_issuers())));
    return Restart();
  }
  if (dice < 87 && script_.snapshot) return disk_.KillBefore(static_cast<uint64_t>(random_.Between(1, 8)));
  Audit();
}

TokenSpec Life::AnyToken() {
  TokenSpec token;
  token.issuer = static_cast<uint8_t>(random_.OneIn(30) ? kStranger : random_.Below(num_issuers()));
  token.key = static_cast<uint8_t>(random_.Below(kKeys));
  if (token.issuer != kStranger && !random_.OneIn(4)) {
    // One that is published at some time.
    const std::vector<Since<KeyMask>>& sets = idp(token.issuer).keys;
    const KeyMask keys = sets[static_cast<size_t>(random_.Below(static_cast<int>(sets.size())))].value;
    while ((keys >> token.key & 1) == 0) token.key = static_cast<uint8_t>((token.key + 1) % kKeys);
  }
  token.times = static_cast<uint8_t>(random_.OneIn(3) ? random_.Below(kTimes) : 0);
  token.scope = static_cast<uint8_t>(random_.Below(kScopes));
  token.audience = static_cast<uint8_t>(random_.OneIn(6) ? random_.Below(kAudiences) : 0);
  token.subject = static_cast<uint8_t>(random_.Below(kSubjects));
  if (random_.OneIn(6)) {
    token.form =
        random_.Pick({Form::kNoKid, Form::kForged, Form::kOtherAlgorithm, Form::kBound, Form::kGarbage});
  } else if (script_.introspection && random_.OneIn(5)) {
    token.form = Form::kOpaque;
  }
  // One issuer is asked about opaque ones.
  if (token.opaque()) token.issuer = token.key = 0;
  if (token.form == Form::kGarbage) return {.form = Form::kGarbage};
  return token;
}

// AnyQuestion asks about a token of this issuer, if there is one.
Question Life::AnyQuestion(int issuer) {
  Question question;
  const KeyMask keys = is_inline(issuer) ? idp(issuer).keys.front().value : watch(issuer).known().keys;
  const bool with_key = !random_.OneIn(4);  // Most often one whose key is there.
  for (int tries = 0; tries < 16; ++tries) {
    question.token = clients_[static_cast<size_t>(random_.Below(kClients))];
    if (question.token.issuer == issuer && (!with_key || (keys >> question.token.key & 1) != 0)) break;
  }
  question.tool = random_.OneIn(2) ? 2 : random_.Below(kPlainTools);
  // A hit may answer where a token that is new would be ambiguous: then two engines ask differently.
  if (script_.introspection && (question.token.opaque() || !question.token.may_be_ambiguous()) &&
      random_.OneIn(2)) {
    question.tool = static_cast<int>(random_.Between(kPlainTools, kTools - 1));
  }
  question.resource = random_.OneIn(6) ? random_.Below(2) : question.token.audience % 2;
  return question;
}

void Life::CheckSome() {
  const int issuer = random_.Below(num_issuers());
  for (int n = 1 + random_.Below(3); n > 0; --n) {
    if (random_.OneIn(3)) {
      AskAsync(AnyQuestion(issuer));
    } else {
      Ask(AnyQuestion(issuer));
    }
  }
}

void Life::CheckMany() {
  std::vector<Question> questions;
  std::vector<Request> requests;
  for (int n = 1 + random_.Below(8); n > 0; --n) {
    questions.push_back(AnyQuestion(random_.Below(num_issuers())));
    requests.push_back({.authorization = TokenOf(questions.back().token).authorization,
                        .tool = ToolOf(questions.back().tool).tool,
                        .resource = static_cast<ResourceId>(questions.back().resource)});
  }
  std::vector<Decision> decisions(requests.size());
  subject_->CheckBatch(requests, decisions);
  for (size_t i = 0; i < questions.size(); ++i)
    Judge(questions[i], oracle_.Ask(questions[i], now_ms_, clock_.wall_s()), decisions[i], nullptr);
}

void Life::Flood() {
  const int issuer = random_.Below(num_issuers());
  const int count = random_.OneIn(80) ? 2 * static_cast<int>(FetchWatch::kAbsentMax) : random_.Below(20);
  for (int n = 0; n < count && !complaint_.any(); ++n) {
    std::string kid = "flood-" + std::to_string(unknown_kids_.size());
    if (!unknown_kids_.empty() && random_.OneIn(3)) {
      kid = unknown_kids_[static_cast<size_t>(random_.Below(static_cast<int>(unknown_kids_.size())))];
    } else {
      unknown_kids_.push_back(kid);
    }
    const std::string authorization = UnknownKidAuthorization(issuer, kid);
    Question question;
    question.token.issuer = static_cast<uint8_t>(issuer);
    Decision decision;
    Principal principal;
    subject_->Check({.authorization = authorization, .tool = ToolOf(0).tool}, &decision, &principal);
    Judge(question, oracle_.AskUnknownKid(issuer, "kid " + kid, now_ms_), decision, &principal);
  }
}

// FloodOpaque presents tokens that nobody has issued.
void Life::FloodOpaque() {
  for (int n = random_.Below(20); n > 0 && !complaint_.any(); --n) {
    const bool again = num_nobodys_ > 0 && random_.OneIn(3);
    const uint64_t number =
        again ? static_cast<uint64_t>(random_.Below(static_cast<int>(num_nobodys_))) : num_nobodys_++;
    const std::string authorization = NobodysAuthorization(number);
    const Question question{.token = {.form = Form::kGarbage}, .tool = 2, .nobodys = NobodysNumber(number)};
    Decision decision;
    Principal principal;
    subject_->Check({.authorization = authorization, .tool = ToolOf(2).tool}, &decision, &principal);
    Judge(question, oracle_.Ask(question, now_ms_, clock_.wall_s()), decision, &principal);
  }
}

// StepWall sets the wall clock, most often to where some token's time begins or ends, to the second.
void Life::StepWall() {
  const Question question = AnyQuestion(random_.Below(num_issuers()));
  const TokenTimes times = TimesOf(question.token.times);
  const int64_t leeway_s =
      question.token.issuer == kStranger ? 0 : script_.config.issuers[question.token.issuer].leeway_s;
  int64_t wall_s = clock_.wall_s();
  switch (random_.Below(8)) {
    case 0:
    case 1:
    case 2:
      wall_s = kWallStart + now_ms_ / 1000;  // What is right.
      break;
    case 3:
      wall_s += random_.Pick<int64_t>({-1, 1, -30, 61, -600, 4'000, -4'000});
      break;
    case 4:
      wall_s = (times.not_before == INT64_MIN ? times.issued_at : times.not_before) - leeway_s;
      break;
    case 5:
      wall_s = times.issued_at + random_.Pick<int64_t>({7'200, 10'800 + leeway_s, 86'400 + leeway_s});
      break;
    default:
      wall_s = times.expires_at + leeway_s;
  }
  wall_s = std::clamp(wall_s + random_.Between(-1, 1), kWallStart - 7'200, kWallStart + 100'000);
  ++result_.counts.wall_steps;
  for (auto& [number, verified] : verified_)
    if (clock_.wall_s() >= verified.valid_until_s) verified.may_be_gone = true;
  clock_.SetWall(wall_s * 1000 + random_.Between(0, 999));
  Log([&] {
    return "the wall clock is set to " + std::to_string(wall_s - kWallStart) + " s after its begin";
  });
  Ask(question);
}

void Life::Revoke() {
  const TokenSpec& token = clients_[static_cast<size_t>(random_.Below(kClients))];
  if (token.issuer == kStranger || token.form == Form::kGarbage) return;
  Engine& engine = subject_->engine();
  const std::string_view issuer = IssuerName(token.issuer);
  absl::Status status;
  switch (random_.Below(4)) {
    case 0:
      status = engine.RevokeKey(issuer, KeyId(token.key), kRevokedUntilS);
      oracle_.RevokeKid(token.issuer, token.key);
      break;
    case 1:
      status = engine.RevokeKey(issuer, KeyThumbprint(token.issuer, token.key), kRevokedUntilS);
      oracle_.RevokeThumbprint(token.issuer, token.key);
      break;
    case 2:
      status = engine.RevokeSubject(issuer, SubjectName(token.subject), kRevokedUntilS);
      oracle_.RevokeSubject(token.issuer, token.subject, clock_.wall_s());
      break;
    default:
      status = engine.RevokeToken(issuer, TokenOf(token).jwt_id, kRevokedUntilS);
      oracle_.RevokeToken(token);
  }
  Log([&] { return "revocation of or around " + Describe(token); });
  if (!status.ok()) Complain("a revocation failed: " + std::string(status.message()));
}

Result Life::Run() {
  PlanProbes();
  Open();
  const int64_t pace_ms = std::max<int64_t>(script_.duration_ms / kRegularActions, 1);
  int64_t act_ms = random_.Between(0, pace_ms);
  while (!complaint_.any()) {
    const int64_t probe_ms = probes_.empty() ? INT64_MAX : probes_.begin()->first;
    const int64_t next_ms = std::min({act_ms, probe_ms, network_.NextEndMs(), engine_due_ms_});
    if (std::max(next_ms, now_ms_) >= script_.duration_ms) break;
    now_ms_ = std::max(next_ms, now_ms_);
    SetDisk();
    if (std::min(network_.NextEndMs(), engine_due_ms_) <= now_ms_) Turn();
    AfterTurn();
    if (complaint_.any()) break;
    if (probe_ms <= now_ms_) {
      const Probe probe = std::move(probes_.begin()->second);
      probes_.erase(probes_.begin());
      DoProbe(probe);
    } else if (act_ms <= now_ms_) {
      act_ms = now_ms_ + random_.Between(1, 2 * pace_ms);
      Act();
    }
    if (!complaint_.any() && network_.TakeWake()) Turn();
  }
  Close();
  result_.counts.virtual_ms = static_cast<uint64_t>(now_ms_);
  result_.complaint = complaint_.text();
  return std::move(result_);
}

}  // namespace tollgate::sim
