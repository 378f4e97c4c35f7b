#include "tests/sim/simulation.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <iterator>
#include <optional>
#include <utility>

#include "tests/sim/disk.h"
#include "tests/sim/fetch_watch.h"
#include "tests/sim/network.h"
#include "tests/sim/oracle.h"
#include "tests/sim/random.h"

namespace tollgate::sim {
namespace {

constexpr int kRegularActions = 120;
constexpr int kClients = 20;
constexpr int kTurnsMax = 1000;
constexpr int64_t kRevokedUntilS = kWallStart + 30 * 86'400;
constexpr int64_t kSnapshotSlackMs = 3000;  // Of ages that are kept in whole seconds of a clock.
constexpr size_t kCacheBytes = 1 << 20;     // More than all tokens of one seed twice.

const char* MeaningName(Served::Meaning meaning) {
  constexpr std::array<const char*, 5> kNames = {"failed", "not there", "metadata", "a set", "not modified"};
  return kNames[static_cast<size_t>(meaning)];
}

// Both clocks, as the engine reads them: each with a begin of its own, and the wall clock can be set.
class VirtualClock : public Clock {
 public:
  VirtualClock(const int64_t& now_ms, int64_t wall_phase_ms)
      : now_ms_(now_ms), wall_begin_ms_(kWallStart * 1000 + wall_phase_ms) {}
  Now Read() const override { return {.wall_s = wall_ms() / 1000, .mono_ms = mono_begin_ms + now_ms_}; }
  int64_t wall_ms() const { return wall_begin_ms_ + now_ms_; }
  int64_t wall_s() const { return wall_ms() / 1000; }
  void SetWall(int64_t wall_ms) { wall_begin_ms_ = wall_ms - now_ms_; }
  int64_t mono_begin_ms = 0;

 private:
  const int64_t& now_ms_;
  int64_t wall_begin_ms_;
};

class Simulation : public Observer {
 public:
  explicit Simulation(const Options& options);
  Result Run();

  void OnBegin(const Exchange& exchange) override;
  void OnEnd(const Exchange& exchange, const Served& served) override;
  void OnNonsense(const std::string& what) override { Complain(what); }

 private:
  struct Verified {
    int64_t at_ms;
    int key;
  };
  struct Waiting {
    int issuer;
    std::shared_ptr<int> calls;
  };
  struct Probe {
    int issuer;
    std::optional<Question> question;
  };

  // The engine and its time.
  void Open();
  void Restart();
  FetchWatch::Known TakeRestored(int issuer, const IssuerHealth& health);
  Disk::Content SnapshotContent() const;
  void Turn();
  void AfterEnd(int issuer, bool whole_set);
  void SetDisk();
  void CheckFileAfterEnd(int issuer);

  // What is done.
  void Act();
  void DoProbe(const Probe& probe);
  void PlanProbes();
  void CheckSome();
  void CheckMany();
  void Flood();
  void StepWall();
  void Revoke();
  void Audit();
  void AuditIssuer(int issuer, const IssuerHealth& health);
  void AuditRecovery(int issuer, const IssuerHealth& health);
  void AuditFile(int issuer);

  // Questions and their answers.
  TokenSpec AnyToken();
  Question AnyQuestion(int issuer);
  void Ask(const Question& question);
  void Judge(const Question& question, const Answer& answer, const Decision& decision,
             const Principal* principal);
  void JudgeCache(const Question& question, const Answer& answer, const Decision& decision);
  void JudgeAllow(const Question& question, const Answer& answer);
  void JudgeRetryAfter(const Question& question, const Decision& decision);
  void MayWait(const Decision& decision);
  void JudgeMetrics();

  IdpScript& idp(int issuer) { return script_.idps[static_cast<size_t>(issuer)]; }
  FetchWatch& watch(int issuer) { return watches_[static_cast<size_t>(issuer)]; }
  int num_issuers() const { return static_cast<int>(script_.idps.size()); }
  bool is_inline(int issuer) { return idp(issuer).kind == SourceKind::kInline; }
  int64_t LongestRefreshMs() const {
    return timing_.refresh_max_ms * (100 + timing_.jitter_percent) / 100 + 2 * timing_.fetch_timeout_ms +
           timing_.backoff_cap_ms + 2;
  }
  void Complain(const std::string& what) { complaint_.Add("at " + std::to_string(now_ms_) + " ms: " + what); }
  // Log tells what happens; `what` makes the text, only if somebody listens.
  template <typename What>
  void Log(What what) const {
    if (options_.log) std::printf("%10lld ms  %s\n", static_cast<long long>(now_ms_), what().c_str());
  }

  const Options options_;
  Script script_;
  const Timing timing_;
  Random random_;
  int64_t now_ms_ = 0;
  VirtualClock clock_;
  Complaint complaint_;
  Network network_;
  Disk disk_;
  std::vector<FetchWatch> watches_;
  Oracle oracle_;
  std::unique_ptr<Subject> subject_;
  int64_t opened_ms_ = 0;
  int64_t engine_due_ms_ = 0;
  uint64_t incarnation_ = 0;
  size_t disk_part_ = 0;  // Of the script's disk faults: what comes next.
  bool disk_read_only_ = false;
  struct Ended {
    int issuer;
    bool whole_set;  // With a set, and not with a failure or a 304.
  };
  std::vector<Ended> ended_;  // Fetches, in this turn.
  std::multimap<int64_t, Probe> probes_;
  std::vector<TokenSpec> clients_;
  std::vector<std::string> unknown_kids_;
  std::map<uint64_t, Verified> verified_;  // By token.
  std::vector<Waiting> waiting_;
  size_t seen_before_ = 0;  // By earlier engines.
  Result result_;
};

Simulation::Simulation(const Options& options)
    : options_(options),
      script_(options.seed),
      timing_(script_.config.timing),
      random_({options.seed, 3}),
      clock_(now_ms_, script_.wall_phase_ms),
      network_(script_, now_ms_, *this),
      disk_([this] { return SnapshotContent(); }),
      oracle_(script_, watches_) {
  script_.config.verdict_cache_bytes = options.cached ? kCacheBytes : 0;
  if (script_.snapshot) script_.config.snapshot = {.path = kSnapshotPath, .key = std::string(32, 'k')};
  for (int i = 0; i < kClients; ++i) clients_.push_back(AnyToken());
}

void Simulation::OnBegin(const Exchange& exchange) {
  const Place& place = exchange.place;
  Log([&] {
    return "issuer " + std::to_string(place.issuer) + ": asks for " + (place.keys ? "keys " : "metadata ") +
           std::to_string(place.number) +
           ", network: " + FaultName(At(idp(place.issuer).faults, now_ms_).value);
  });
  watch(place.issuer).OnBegin(exchange, now_ms_);
  // Every issuer has one at the most, and all of them together are fewer than the engine allows itself.
  if (network_.in_flight() >= script_.idps.size()) Complain("too many exchanges at a time");
}

void Simulation::OnEnd(const Exchange& exchange, const Served& served) {
  const int issuer = exchange.place.issuer;
  ++result_.counts.faults[static_cast<size_t>(served.fault)];
  watch(issuer).OnEnd(exchange, served, now_ms_);
  Log([&] {
    return "issuer " + std::to_string(issuer) + ": " + MeaningName(served.meaning) + ", keys " +
           std::to_string(served.keys) + (watch(issuer).in_flight() ? ", goes on" : "");
  });
  if (!watch(issuer).in_flight()) ended_.push_back({issuer, served.meaning == Served::Meaning::kSet});
}

// --- The engine and its time ---

void Simulation::Open() {
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
  const std::vector<IssuerHealth> health = subject_->ReadHealth();
  for (int issuer = 0; issuer < num_issuers(); ++issuer) {
    const FetchWatch::Known restored = TakeRestored(issuer, health[static_cast<size_t>(issuer)]);
    watches_.emplace_back(issuer, script_, now_ms_, restored, complaint_);
  }
  Turn();
}

// TakeRestored returns what an engine that begins has of an issuer, which is what the file said, with an age
// that is never less than the truth by the wall clock.
FetchWatch::Known Simulation::TakeRestored(int issuer, const IssuerHealth& health) {
  if (is_inline(issuer)) return {};
  const Disk::Content& file = disk_.seen();
  const auto found = file.find(issuer);
  if (!script_.snapshot || found == file.end()) {
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

Disk::Content Simulation::SnapshotContent() const {
  Disk::Content content;
  for (size_t issuer = 0; issuer < watches_.size(); ++issuer) {
    const FetchWatch::Known& kept = watches_[issuer].kept();
    if (!kept.any) continue;
    content[static_cast<int>(issuer)] = {
        .known = kept, .age_ms = now_ms_ - kept.last_good_ms, .wall_ms = clock_.wall_ms()};
  }
  return content;
}

void Simulation::Restart() {
  ++result_.counts.restarts;
  JudgeMetrics();
  subject_.reset();
  waiting_.clear();
  const bool power_failed = random_.OneIn(2);
  disk_.Restart(power_failed);
  const int64_t bound_ms = timing_.staleness_bound_ms;
  now_ms_ += random_.Pick<int64_t>({1, 1'000, bound_ms / 20, bound_ms / 4, bound_ms});
  clock_.mono_begin_ms = random_.Between(-1'000'000'000, 1'000'000'000);
  Log([&] { return std::string(power_failed ? "restart, the power failed" : "restart"); });
  SetDisk();
  Open();
}

void Simulation::SetDisk() {
  while (disk_part_ < script_.disk_faults.size() && script_.disk_faults[disk_part_].from_ms <= now_ms_) {
    const bool fails = script_.disk_faults[disk_part_++].value;
    disk_read_only_ = fails && random_.OneIn(2);
    disk_.SetFault(fails, disk_read_only_);
  }
}

// Turn lets the engine do all that it has to do at this moment.
void Simulation::Turn() {
  int turns = 0;
  do {
    if (++turns > kTurnsMax) return Complain("the engine never comes to rest");
    ended_.clear();
    const int64_t rest_ms = subject_->RunBackgroundMs();
    engine_due_ms_ = rest_ms > INT64_MAX - now_ms_ ? INT64_MAX : now_ms_ + rest_ms;
    if (disk_.killed()) return Restart();
    for (const Ended& ended : ended_) AfterEnd(ended.issuer, ended.whole_set);
  } while (!complaint_.any() &&
           (network_.TakeWake() || network_.NextEndMs() <= now_ms_ || engine_due_ms_ <= now_ms_));
  for (FetchWatch& each : watches_) each.AfterTurn(now_ms_);
}

// AfterEnd is for when a fetch has ended, and the engine has done with it what it does.
void Simulation::AfterEnd(int issuer, bool whole_set) {
  ++result_.counts.fetches;
  if (watch(issuer).failures() > 0) ++result_.counts.failed_fetches;
  const IssuerHealth health = subject_->ReadHealth()[static_cast<size_t>(issuer)];
  AuditIssuer(issuer, health);
  watch(issuer).OnPlan(now_ms_ + health.next_fetch_in_ms);
  for (const Waiting& one : waiting_) {
    if (one.issuer != issuer) continue;
    ++result_.counts.callbacks;
    if (*one.calls != 1) Complain("a callback was called " + std::to_string(*one.calls) + " times");
  }
  std::erase_if(waiting_, [&](const Waiting& one) { return one.issuer == issuer; });
  for (const Waiting& one : waiting_) {
    if (*one.calls != 0) Complain("a callback was called before its time");
  }
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
void Simulation::CheckFileAfterEnd(int issuer) {
  const auto entry = disk_.seen().find(issuer);
  if (entry == disk_.seen().end()) return;
  if ((entry->second.known.keys & ~watch(issuer).known().keys) != 0 && !disk_read_only_)
    Complain("a removed key stays in the snapshot");
}

// --- What is done ---

void Simulation::PlanProbes() {
  for (int issuer = 0; issuer < num_issuers(); ++issuer) {
    for (const Since<KeyMask>& change : idp(issuer).keys)
      probes_.emplace(change.from_ms + random_.Between(0, 2000), Probe{issuer, std::nullopt});
    for (const Since<Fault>& change : idp(issuer).faults)
      probes_.emplace(change.from_ms + random_.Between(0, 2000), Probe{issuer, std::nullopt});
  }
}

void Simulation::DoProbe(const Probe& probe) {
  if (probe.question) return Ask(*probe.question);
  Ask(AnyQuestion(probe.issuer));
  Ask(AnyQuestion(probe.issuer));
}

void Simulation::Act() {
  const int dice = random_.Below(100);
  if (dice < 60) return CheckSome();
  if (dice < 70) return CheckMany();
  if (dice < 76) return Flood();
  if (dice < 81) return StepWall();
  if (dice < 83) return Revoke();
  if (dice < 85) return Restart();
  if (dice < 87 && script_.snapshot) return disk_.KillBefore(static_cast<uint64_t>(random_.Between(1, 8)));
  Audit();
}

TokenSpec Simulation::AnyToken() {
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
  }
  return token;
}

// AnyQuestion asks about a token of this issuer, if there is one.
Question Simulation::AnyQuestion(int issuer) {
  Question question;
  const KeyMask keys = is_inline(issuer) ? idp(issuer).keys.front().value : watch(issuer).known().keys;
  const bool with_key = !random_.OneIn(4);  // Most often one whose key is there.
  for (int tries = 0; tries < 16; ++tries) {
    question.token = clients_[static_cast<size_t>(random_.Below(kClients))];
    if (question.token.issuer == issuer && (!with_key || (keys >> question.token.key & 1) != 0)) break;
  }
  question.tool = random_.OneIn(2) ? 2 : random_.Below(kTools);
  question.resource = random_.OneIn(6) ? random_.Below(2) : question.token.audience % 2;
  return question;
}

void Simulation::CheckSome() {
  const int issuer = random_.Below(num_issuers());
  for (int n = 1 + random_.Below(3); n > 0; --n) Ask(AnyQuestion(issuer));
}

void Simulation::CheckMany() {
  std::vector<Question> questions;
  std::vector<Request> requests;
  for (int n = 1 + random_.Below(8); n > 0; --n) {
    questions.push_back(AnyQuestion(random_.Below(num_issuers())));
    requests.push_back({.authorization = TokenOf(questions.back().token).authorization,
                        .tool = ToolName(questions.back().tool),
                        .resource = static_cast<ResourceId>(questions.back().resource)});
  }
  std::vector<Decision> decisions(requests.size());
  subject_->CheckBatch(requests, decisions);
  for (size_t i = 0; i < questions.size(); ++i)
    Judge(questions[i], oracle_.Ask(questions[i], now_ms_, clock_.wall_s()), decisions[i], nullptr);
}

void Simulation::Flood() {
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
    subject_->Check({.authorization = authorization, .tool = ToolName(0)}, &decision, &principal);
    Judge(question, oracle_.AskUnknownKid(issuer, "kid " + kid, now_ms_), decision, &principal);
  }
}

// StepWall sets the wall clock, most often to where some token's time begins or ends, to the second.
void Simulation::StepWall() {
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
  clock_.SetWall(wall_s * 1000 + random_.Between(0, 999));
  Log([&] {
    return "the wall clock is set to " + std::to_string(wall_s - kWallStart) + " s after its begin";
  });
  Ask(question);
}

void Simulation::Revoke() {
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

// --- Questions and their answers ---

void Simulation::Ask(const Question& question) {
  const Token& token = TokenOf(question.token);
  Decision decision;
  Principal principal;
  subject_->Check({.authorization = token.authorization,
                   .tool = ToolName(question.tool),
                   .resource = static_cast<ResourceId>(question.resource)},
                  &decision, &principal);
  const Answer answer = oracle_.Ask(question, now_ms_, clock_.wall_s());
  Judge(question, answer, decision, &principal);
  if (answer.keys_seen && answer.key < 0 && random_.OneIn(8)) {
    // Absent kids may be asked for again soon, and are forgotten after a while.
    const int64_t again_ms = random_.OneIn(2) ? timing_.staleness_bound_ms : timing_.cooldown_ms;
    probes_.emplace(now_ms_ + again_ms + random_.Between(0, 1), Probe{0, question});
  }
}

void Simulation::Judge(const Question& question, const Answer& answer, const Decision& decision,
                       const Principal* principal) {
  Counts& counts = result_.counts;
  ++counts.checks;
  ++counts.reasons[decision.reason];
  if (decision.from_cache) ++counts.hits;
  result_.seen.push_back({.now_ms = now_ms_,
                          .verdict = decision.verdict,
                          .reason = decision.reason,
                          .freshness = decision.freshness,
                          .keys_age_ms = decision.keys_age_ms,
                          .valid_until_s = decision.valid_until_s,
                          .retry_after_s = decision.retry_after_s,
                          .ambiguous_hit = answer.reason == Reason::kKeyAmbiguous && decision.from_cache});
  Log([&] {
    return Describe(question) + ": " + std::string(ReasonName(decision.reason)) +
           (decision.from_cache ? ", cached" : "");
  });
  // A hit does not look whether a second key has come by which its token, were it new, would be ambiguous:
  // the key that it was verified with is its issuer's still.
  const bool ambiguous_hit = result_.seen.back().ambiguous_hit;
  if (ambiguous_hit) ++counts.ambiguous_hits;
  const Answer demanded = ambiguous_hit ? oracle_.AskByItsKey(question, now_ms_, clock_.wall_s()) : answer;
  if (const std::string how = Differs(question, demanded, decision, principal); !how.empty())
    Complain(Describe(question) + ": " + how);
  JudgeCache(question, answer, decision);
  if (decision.allowed()) JudgeAllow(question, demanded);
  if (decision.verdict == Verdict::kUnavailable) {
    JudgeRetryAfter(question, decision);
    MayWait(decision);
  }
}

// JudgeCache: what was verified is verified again after a while, or when its key has left meanwhile, and not
// before. An engine without a cache has the same probes, so that its life is the same.
void Simulation::JudgeCache(const Question& question, const Answer& answer, const Decision& decision) {
  const auto found = verified_.find(question.token.number());
  const bool may_hit = found != verified_.end() &&
                       now_ms_ - found->second.at_ms <= timing_.verdict_age_max_ms &&
                       watch(question.token.issuer).KeySince(found->second.key) <= found->second.at_ms;
  if (decision.from_cache && !may_hit) Complain(Describe(question) + ": from the cache for too long");
  if (!decision.from_cache && may_hit && decision.allowed() && options_.cached)
    Complain(Describe(question) + ": verified again");
  if (!answer.token_is_good || may_hit) return;
  if (options_.cached && !decision.was_cached) Complain(Describe(question) + ": not cached");
  verified_[question.token.number()] = {now_ms_, answer.key};
  if (random_.OneIn(8))
    probes_.emplace(now_ms_ + timing_.verdict_age_max_ms + random_.Between(0, 1), Probe{0, question});
}

// JudgeAllow holds an allow against the script alone, whatever was fetched.
void Simulation::JudgeAllow(const Question& question, const Answer& answer) {
  const int issuer = question.token.issuer;
  if (answer.key < 0 || is_inline(issuer)) return;
  const IdpScript& script = idp(issuer);
  const int64_t dead_ms = script.DeadSince(now_ms_);
  if (dead_ms >= 0 && !watch(issuer).from_snapshot() &&
      now_ms_ - dead_ms > timing_.staleness_bound_ms + timing_.fetch_timeout_ms) {
    Complain(Describe(question) + ": allowed beyond the staleness bound of an outage");
  }
  const int64_t quiet_ms = script.QuietSince(now_ms_);
  if (quiet_ms < 0) return;
  int64_t removed_ms = -1;
  for (const Since<KeyMask>& set : script.keys) {
    if (set.from_ms > now_ms_) break;
    if ((set.value >> answer.key & 1) != 0) {
      removed_ms = -1;
    } else if (removed_ms < 0) {
      removed_ms = set.from_ms;
    }
  }
  if (removed_ms >= 0 && now_ms_ - std::max({removed_ms, quiet_ms, opened_ms_}) > LongestRefreshMs())
    Complain(Describe(question) + ": allowed by a key that was removed more than a refresh ago");
}

// Nobody is sent away for longer than until the next fetch may begin, or may end if it is under way.
void Simulation::JudgeRetryAfter(const Question& question, const Decision& decision) {
  const FetchWatch& seen = watch(question.token.issuer);
  const int64_t until_ms = seen.in_flight() ? timing_.fetch_timeout_ms : seen.LatestBeginMs() - now_ms_;
  if (decision.retry_after_s > std::max<int64_t>((until_ms + 999) / 1000, 1))
    Complain(Describe(question) + ": Retry-After is " + std::to_string(decision.retry_after_s) + " s");
}

// JudgeMetrics is for the end of an engine.
void Simulation::JudgeMetrics() {
  if (subject_ == nullptr) return;
  const Metrics metrics = subject_->engine().ReadMetrics();
  const auto expect = [&](const char* what, uint64_t is, uint64_t should) {
    if (is != should)
      Complain(std::string("metrics: ") + what + " is " + std::to_string(is) + ", should be " +
               std::to_string(should));
  };
  const std::span<const Seen> seen = std::span(result_.seen).subspan(seen_before_);
  const auto count = [&](Verdict verdict) {
    return static_cast<uint64_t>(
        std::count_if(seen.begin(), seen.end(), [&](const Seen& one) { return one.verdict == verdict; }));
  };
  expect("checks", metrics.checks, seen.size());
  expect("allowed", metrics.allowed, count(Verdict::kAllow));
  expect("denied", metrics.denied, count(Verdict::kDeny));
  expect("unavailable", metrics.unavailable, count(Verdict::kUnavailable));
  seen_before_ = result_.seen.size();
}

void Simulation::MayWait(const Decision& decision) {
  if (decision.issuer >= script_.idps.size() || !random_.OneIn(4)) return;
  const int issuer = static_cast<int>(decision.issuer);
  auto calls = std::make_shared<int>(0);
  if (!subject_->NotifyWhenSettled(decision, [calls] { ++*calls; })) return Complain("nothing to wait for");
  waiting_.push_back({issuer, calls});
}

// --- What health says ---

void Simulation::Audit() {
  const std::vector<IssuerHealth> health = subject_->ReadHealth();
  for (int issuer = 0; issuer < num_issuers(); ++issuer) {
    AuditIssuer(issuer, health[static_cast<size_t>(issuer)]);
    if (is_inline(issuer)) continue;
    AuditRecovery(issuer, health[static_cast<size_t>(issuer)]);
    if (script_.snapshot) AuditFile(issuer);
  }
}

void Simulation::AuditIssuer(int issuer, const IssuerHealth& health) {
  if (is_inline(issuer)) return;
  const FetchWatch& seen = watch(issuer);
  const auto expect = [&](const char* what, int64_t is, int64_t should) {
    if (is == should) return;
    Complain("issuer " + std::to_string(issuer) + ": health says that " + what + " is " + std::to_string(is) +
             ", should be " + std::to_string(should));
  };
  expect("freshness", static_cast<int>(health.freshness), static_cast<int>(seen.FreshnessAt(now_ms_)));
  expect("keys_age_ms", health.keys_age_ms, seen.known().any ? seen.AgeMs(now_ms_) : -1);
  expect("num_keys", health.num_keys, std::popcount(seen.known().keys));
  expect("fetches", static_cast<int64_t>(health.fetches), static_cast<int64_t>(seen.num_begun()));
  expect("fetch_failures", static_cast<int64_t>(health.fetch_failures),
         static_cast<int64_t>(seen.num_failed()));
  expect("consecutive_failures", health.consecutive_failures, seen.failures());
  expect("from_snapshot", health.from_snapshot, seen.from_snapshot());
}

// After an outage all is fresh within one jittered interval.
void Simulation::AuditRecovery(int issuer, const IssuerHealth& health) {
  const int64_t quiet_ms = idp(issuer).QuietSince(now_ms_);
  if (quiet_ms < 0 || now_ms_ - std::max(quiet_ms, opened_ms_) <= LongestRefreshMs()) return;
  if (health.freshness != Freshness::kFresh && health.freshness != Freshness::kStale)
    Complain("issuer " + std::to_string(issuer) + ": not fresh though all has been well for long");
}

// How far the file may lag behind good answers that change no set.
void Simulation::AuditFile(int issuer) {
  const FetchWatch::Known& kept = watch(issuer).kept();
  if (!kept.any || watch(issuer).from_snapshot()) return;
  const int64_t lag_ms = timing_.staleness_bound_ms / 12 + 1000;
  const Since<bool>& disk = At(script_.disk_faults, now_ms_);
  if (disk.value || now_ms_ - std::max(disk.from_ms, opened_ms_) <= 2 * lag_ms) return;
  if (now_ms_ - kept.last_good_ms <= lag_ms) return;
  const auto entry = disk_.seen().find(issuer);
  if (entry == disk_.seen().end() || entry->second.known.last_good_ms != kept.last_good_ms ||
      entry->second.known.keys != kept.keys) {
    Complain("issuer " + std::to_string(issuer) + ": the snapshot lags behind");
  }
}

Result Simulation::Run() {
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
    for (FetchWatch& each : watches_) each.AfterTurn(now_ms_);
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
  JudgeMetrics();
  result_.counts.virtual_ms = static_cast<uint64_t>(now_ms_);
  result_.complaint = complaint_.text();
  return std::move(result_);
}

}  // namespace

void Counts::Add(const Counts& other) {
  checks += other.checks;
  hits += other.hits;
  fetches += other.fetches;
  failed_fetches += other.failed_fetches;
  restarts += other.restarts;
  restored += other.restored;
  ambiguous_hits += other.ambiguous_hits;
  callbacks += other.callbacks;
  wall_steps += other.wall_steps;
  virtual_ms += other.virtual_ms;
  for (const auto& [reason, count] : other.reasons) reasons[reason] += count;
  for (size_t i = 0; i < faults.size(); ++i) faults[i] += other.faults[i];
}

Result Simulate(const Options& options) { return Simulation(options).Run(); }

Result SimulateTwice(const Options& options) {
  Result cached = Simulate(options);
  if (!cached.complaint.empty()) return cached;
  Options without = options;
  without.cached = false;
  const Result uncached = Simulate(without);
  if (!uncached.complaint.empty()) return uncached;
  const auto same = [](const Seen& hit, const Seen& miss) {
    return hit == miss || (hit.ambiguous_hit && miss.reason == Reason::kKeyAmbiguous);
  };
  const auto [one, other] =
      std::mismatch(cached.seen.begin(), cached.seen.end(), uncached.seen.begin(), uncached.seen.end(), same);
  if (one == cached.seen.end() && other == uncached.seen.end()) return cached;
  cached.complaint =
      "without a cache, answer " + std::to_string(one - cached.seen.begin()) + " is another one";
  if (one != cached.seen.end() && other != uncached.seen.end()) {
    cached.complaint += ": at " + std::to_string(one->now_ms) + " and " + std::to_string(other->now_ms) +
                        " ms, " + std::string(ReasonName(one->reason)) + " and " +
                        std::string(ReasonName(other->reason));
  }
  return cached;
}

}  // namespace tollgate::sim
