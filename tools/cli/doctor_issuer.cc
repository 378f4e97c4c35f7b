#include "tools/cli/doctor_issuer.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <map>
#include <set>
#include <utility>

#include "base/tenants.h"
#include "jose/base64url.h"
#include "keys/issuer_family.h"
#include "keys/key_source.h"
#include "keys/refresh_schedule.h"
#include "keys/snapshot_keeper.h"
#include "policy_file/duration.h"
#include "tools/cli/examine.h"
#include "tools/cli/joined.h"
#include "transport/url.h"

namespace tollgate::cli {
namespace {

using nlohmann::ordered_json;
using policy_file::FormatDurationMs;

std::string Message(const absl::Status& status) { return {status.message().data(), status.message().size()}; }

// SecondsText writes milliseconds as seconds with one digit behind the point.
std::string SecondsText(int64_t ms) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", static_cast<double>(ms) / 1000);
  return text;
}

// AgeText is an age to the second; FormatDurationMs would write 61 seconds as such.
std::string AgeText(int64_t ms) {
  return ms < 60'000 ? FormatDurationMs(ms / 1000 * 1000) : FormatDurationMs(ms / 60'000 * 60'000);
}

std::vector<std::string_view> NamesOf(AlgorithmSet algorithms) {
  std::vector<std::string_view> names;
  for (int a = 0; a < kAlgorithmCount; ++a) {
    const auto algorithm = static_cast<Algorithm>(a);
    if (algorithms.Contains(algorithm)) names.push_back(AlgorithmName(algorithm));
  }
  return names;
}

std::string KeyName(const jose::Jwk& key) {
  return key.has_key_id ? "kid " + Printable(key.key_id)
                        : "thumbprint " + jose::Base64UrlEncode(key.thumbprint);
}

// ReadOnlyFiles are the system's, of which nothing is changed.
class ReadOnlyFiles final : public FileSystem {
 public:
  absl::StatusOr<FileContent> Read(const std::string& path, size_t bytes_max) override {
    return SystemFiles().Read(path, bytes_max);
  }
  absl::Status Create(const std::string&, std::string_view) override { return Refused(); }
  absl::Status Replace(const std::string&, const std::string&) override { return Refused(); }
  absl::Status Link(const std::string&, const std::string&) override { return Refused(); }
  absl::Status Remove(const std::string&) override { return Refused(); }
  absl::Status SyncDirectory(const std::string&) override { return Refused(); }

 private:
  static absl::Status Refused() { return absl::PermissionDeniedError("is not there, and is not made here"); }
};

class IssuerDoctor {
 public:
  IssuerDoctor(const Config& config, const IssuerConfig& issuer, const SnapshotOnDisk& snapshot,
               Prober& prober, Part* part)
      : timing_(config.timing),
        issuer_(issuer),
        rules_{.reach = issuer.private_network ? Reach::kPrivate : Reach::kPublic,
               .loopback = config.dangerous.dangerous_allow_http_on_loopback},
        snapshot_(snapshot),
        prober_(prober),
        part_(*part) {}

  IssuerDiagnosis Run();

 private:
  void AskAll(keys::KeySource& source);
  bool AskPlace(keys::KeySource& source);
  bool AskMetadata(keys::KeySource& source);
  bool AskFile(keys::KeySource& source);
  bool TakeKeys(keys::KeySource& source, const FetchResult& result, ordered_json facts, std::string text);
  Exchange Fetch(const keys::KeySource& source);
  std::string WhatItSays(const Exchange& exchange) const;
  void TellTls(const Exchange& exchange);
  void TellClock();
  void TellKeys();
  void TellRefresh(const keys::KeySource& source);
  void TellIntrospection(const keys::KeySource* source);
  void TellOutage(const keys::KeySource& source);
  void TellRestart(const keys::KeySource& source);
  void TellRotation();
  std::optional<jose::JwkSet> SnapshotSet() const;

  const Timing& timing_;
  const IssuerConfig& issuer_;
  const transport::FetchRules rules_;
  const SnapshotOnDisk& snapshot_;
  Prober& prober_;
  Part& part_;
  IssuerDiagnosis found_;
  jose::JwkSet set_;  // Of found_.jwks.
  uint32_t serving_place_ = 0;
  int64_t max_age_s_ = -1;
  int64_t good_at_s_ = 0;
  int64_t took_ms_ = 0;  // All exchanges up to the serving place's last.
  std::optional<ClockOffset> clock_;
  int64_t certificate_ends_s_ = -1;
};

IssuerDiagnosis IssuerDoctor::Run() {
  if (!issuer_.jwks.empty()) {
    found_.jwks = issuer_.jwks;
    found_.restart_serves = true;
    if (auto set = UsableSet(issuer_.jwks, issuer_, issuer_.issuer); set.ok()) set_ = *std::move(set);
    part_.Say(Level::kNote, "keys",
              "are configured: they never age, and a rotation needs a new configuration");
    TellKeys();
    TellIntrospection(nullptr);
    return std::move(found_);
  }
  absl::StatusOr<keys::KeySource> source =
      keys::KeySource::Make(issuer_, rules_, timing_.metadata_age_max_ms);
  if (!source.ok()) {
    part_.Say(Level::kProblem, "keys", Message(source.status()));
    return std::move(found_);
  }
  AskAll(*source);
  TellClock();
  if (!found_.jwks.empty()) {
    TellKeys();
    TellRefresh(*source);
    TellRotation();
  }
  TellIntrospection(&*source);
  TellOutage(*source);
  return std::move(found_);
}

// AskAll asks every place, also those that would not be asked while an earlier one is good.
void IssuerDoctor::AskAll(keys::KeySource& source) {
  source.Begin(0);
  do {
    const bool first = found_.jwks.empty();
    if (AskPlace(source) && first) serving_place_ = source.place();
  } while (source.NextPlace());
  if (found_.jwks.empty()) {
    part_.Say(Level::kProblem, "keys", "none: without a snapshot its callers get 503 (keys_never_fetched)");
    return;
  }
  if (serving_place_ != 0) {
    part_.Say(Level::kWarning, "keys",
              "come from fallbacks[" + std::to_string(serving_place_ - 1) + "]: the issuer is degraded");
  }
}

bool IssuerDoctor::AskPlace(keys::KeySource& source) {
  if (!source.file().empty()) return AskFile(source);
  while (!source.asks_for_keys())
    if (!AskMetadata(source)) return false;
  const Exchange exchange = Fetch(source);
  ordered_json facts = {{"url", exchange.url}, {"took_ms", exchange.seen.took_ms}};
  if (!exchange.answered(200)) {
    part_.Say(Level::kWarning, "keys", keys::WhyFailed(exchange.result) + WhatItSays(exchange),
              std::move(facts));
    return false;
  }
  facts.update({{"status", 200},
                {"bytes", exchange.result.body.size()},
                {"content_type", exchange.result.content_type},
                {"cache_control", exchange.seen.cache_control},
                {"etag", !exchange.result.etag.empty()}});
  std::string text =
      "200, " + std::to_string(exchange.result.body.size()) + " bytes in " +
      std::to_string(exchange.seen.took_ms) + " ms, " +
      (exchange.seen.cache_control.empty() ? "no Cache-Control"
                                           : "Cache-Control " + Printable(exchange.seen.cache_control)) +
      (exchange.result.etag.empty() ? "" : ", ETag") + ", from " + Printable(exchange.url);
  return TakeKeys(source, exchange.result, std::move(facts), std::move(text));
}

bool IssuerDoctor::AskMetadata(keys::KeySource& source) {
  const Exchange exchange = Fetch(source);
  const absl::Status status = source.OnMetadata(exchange.result, 0);
  ordered_json facts = {{"url", exchange.url}, {"took_ms", exchange.seen.took_ms}};
  if (exchange.result.outcome == FetchOutcome::kAnswered) facts["status"] = exchange.result.http_status;
  if (!status.ok()) {
    part_.Say(Level::kWarning, "metadata", Message(status) + WhatItSays(exchange), std::move(facts));
    return false;
  }
  if (!source.asks_for_keys()) {  // There is another place for it.
    part_.Say(Level::kNote, "metadata", keys::WhyFailed(exchange.result) + WhatItSays(exchange),
              std::move(facts));
    return true;
  }
  facts["bytes"] = exchange.result.body.size();
  part_.Say(Level::kGood, "metadata",
            "200, " + std::to_string(exchange.result.body.size()) + " bytes in " +
                std::to_string(exchange.seen.took_ms) + " ms, from " + Printable(exchange.url),
            std::move(facts));
  return true;
}

bool IssuerDoctor::AskFile(keys::KeySource& source) {
  ordered_json facts = {{"file", source.file()}};
  const absl::StatusOr<FetchResult> file = keys::ReadKeyFile(source, SystemFiles());
  if (!file.ok()) {
    part_.Say(Level::kWarning, "keys", Printable(source.file()) + ": " + Message(file.status()),
              std::move(facts));
    return false;
  }
  facts["bytes"] = file->body.size();
  return TakeKeys(source, *file, std::move(facts),
                  std::to_string(file->body.size()) + " bytes of the file " + Printable(source.file()));
}

// TakeKeys is what KeyFetcher::TakeInSet does with an answer, but for its effects.
bool IssuerDoctor::TakeKeys(keys::KeySource& source, const FetchResult& result, ordered_json facts,
                            std::string text) {
  const auto refuse = [&](const std::string& why) {
    part_.Say(Level::kWarning, "keys", why + ": " + text, std::move(facts));
    return false;
  };
  const int64_t now_s = WallMs() / 1000;
  const absl::StatusOr<keys::SignedSet> read = source.ReadSet(result.body, now_s);
  if (!read.ok()) return refuse(Message(read.status()));
  absl::StatusOr<jose::JwkSet> set = UsableSet(read->jwks, issuer_, issuer_.issuer);
  if (!set.ok()) return refuse(Message(set.status()));
  facts["usable_keys"] = set->keys.size();
  if (set->keys.empty()) return refuse("no usable key, " + std::to_string(set->skipped.size()) + " skipped");
  part_.Say(Level::kGood, "keys", std::move(text), std::move(facts));
  if (!found_.jwks.empty()) return true;
  found_.jwks = read->jwks;
  set_ = *std::move(set);
  max_age_s_ = result.max_age_s;
  good_at_s_ = now_s;
  return true;
}

Exchange IssuerDoctor::Fetch(const keys::KeySource& source) {
  FetchRequest request = source.Next();
  request.timeout_ms = static_cast<uint32_t>(std::min<int64_t>(timing_.fetch_timeout_ms, UINT32_MAX));
  request.reach = rules_.reach;
  Exchange exchange = prober_.Fetch(std::move(request));
  if (found_.jwks.empty()) took_ms_ += exchange.seen.took_ms;
  if (exchange.result.outcome == FetchOutcome::kAnswered) TellTls(exchange);
  // Of the issuer alone: a fallback is somebody else.
  if (const std::optional<ClockOffset> offset = OffsetOf(exchange); offset && source.place() == 0)
    clock_ = clock_ ? Narrower(*clock_, *offset) : *offset;
  return exchange;
}

// WhatItSays is what people need beside the engine's own word, which repeats nothing of an answer.
std::string IssuerDoctor::WhatItSays(const Exchange& exchange) const {
  if (exchange.result.outcome != FetchOutcome::kAnswered) return ", at " + Printable(exchange.url);
  if (!exchange.seen.location.empty())
    return ", at " + Printable(exchange.url) + ": it redirects to " + Printable(exchange.seen.location) +
           ", and nobody follows redirects: configure the place itself";
  const ordered_json document =
      ordered_json::parse(exchange.result.body, nullptr, /*allow_exceptions=*/false);
  if (exchange.result.http_status != 200 || !document.is_object()) return ", at " + Printable(exchange.url);
  const auto says = document.find("issuer");
  if (says == document.end() || !says->is_string() || says->get<std::string>() == issuer_.issuer)
    return ", at " + Printable(exchange.url);
  const auto name = says->get<std::string>();
  const bool by_a_slash = name + "/" == issuer_.issuer || name == issuer_.issuer + "/";
  return ", at " + Printable(exchange.url) + ": it says " + Printable(name) +
         (by_a_slash ? ", a slash apart: configure it as the issuer writes it" : "");
}

// TellTls says it once: one certificate serves all of an issuer's places, as a rule.
void IssuerDoctor::TellTls(const Exchange& exchange) {
  constexpr int64_t kSoonDays = 14, kDayS = 86'400;
  const auto said = [this](std::string_view text) {
    return std::any_of(part_.lines.begin(), part_.lines.end(),
                       [&](const Line& line) { return line.about == "tls" && line.text == text; });
  };
  if (!exchange.url.starts_with("https:")) {
    constexpr char kPlain[] = "none: plain http on loopback, for tests and demos";
    if (!said(kPlain)) part_.Say(Level::kWarning, "tls", kPlain);
    return;
  }
  const int64_t ends_s = exchange.seen.certificate_ends_s;
  if (ends_s < 0 || ends_s == certificate_ends_s_) return;
  certificate_ends_s_ = ends_s;
  const int64_t days = (ends_s - exchange.ended_ms / 1000) / kDayS;
  part_.Say(
      days < kSoonDays ? Level::kWarning : Level::kGood, "tls",
      "the certificate is believed, and ends in " + std::to_string(days) + " days, at " + TimeText(ends_s),
      {{"certificate_ends", ends_s}});
}

void IssuerDoctor::TellClock() {
  if (!clock_) return;
  const int64_t leeway_ms = issuer_.leeway_s * 1000;
  const std::string granted = "; " + FormatDurationMs(leeway_ms) + " are granted";
  const ordered_json facts = {{"ahead_ms", clock_->middle_ms()},
                              {"uncertainty_ms", clock_->uncertainty_ms()},
                              {"leeway_ms", leeway_ms}};
  const std::string give_or_take = ", give or take " + SecondsText(clock_->uncertainty_ms()) + granted;
  if (clock_->least_ms > leeway_ms) {
    part_.Say(Level::kProblem, "clock",
              SecondsText(clock_->middle_ms()) + " ahead of ours" + give_or_take +
                  ": its new tokens are refused (not_yet_valid)",
              facts);
  } else if (clock_->most_ms < -leeway_ms) {
    part_.Say(Level::kProblem, "clock",
              SecondsText(-clock_->middle_ms()) + " behind ours" + give_or_take +
                  ": its tokens are refused (expired) before it lets them end",
              facts);
  } else if (clock_->least_ms <= 0 && clock_->most_ms >= 0) {
    part_.Say(Level::kGood, "clock",
              "agrees with ours within " + SecondsText(clock_->uncertainty_ms()) + granted, facts);
  } else {
    const bool half = clock_->least_ms > leeway_ms / 2 || clock_->most_ms < -leeway_ms / 2;
    part_.Say(half ? Level::kWarning : Level::kNote, "clock",
              SecondsText(std::abs(clock_->middle_ms())) + (clock_->least_ms > 0 ? " ahead of" : " behind") +
                  " ours" + give_or_take,
              facts);
  }
}

void IssuerDoctor::TellKeys() {
  const keys::KeySet all = KeySetOf(UsableSet(found_.jwks, issuer_, issuer_.issuer).value());
  for (const jose::Jwk& key : set_.keys) {
    const AlgorithmSet allowed = key.algorithms.Intersect(issuer_.algorithms);
    const std::vector<std::string_view> names = NamesOf(allowed);
    bool ambiguous = false;
    const keys::IssuerKey* unused = nullptr;
    for (int a = 0; a < kAlgorithmCount; ++a) {
      const auto algorithm = static_cast<Algorithm>(a);
      ambiguous |= !IsTemplate(issuer_.issuer) && key.has_key_id && allowed.Contains(algorithm) &&
                   all.Select(true, key.key_id, algorithm, &unused) == Reason::kKeyAmbiguous;
    }
    std::string text = KeyName(key) + " for " + (names.empty() ? "nothing" : Joined(names));
    if (!key.issuer.empty()) text += ", of " + Printable(key.issuer);
    if (ambiguous) text += ": other keys have this kid, so that its tokens are refused (key_ambiguous)";
    if (names.empty())
      text += ": its algorithms are not among the issuer's (" + Joined(NamesOf(key.algorithms)) + ")";
    if (!key.has_key_id) text += ": without a kid it serves tokens without one, and those alone";
    part_.Say(ambiguous                          ? Level::kProblem
              : names.empty() || !key.has_key_id ? Level::kWarning
                                                 : Level::kGood,
              "key", std::move(text),
              {{"key_id", key.has_key_id ? ordered_json(key.key_id) : ordered_json()},
               {"thumbprint", jose::Base64UrlEncode(key.thumbprint)},
               {"algorithms", names},
               {"usable", !ambiguous && !names.empty()}});
  }
  for (const jose::SkippedJwk& skipped : set_.skipped)
    part_.Say(Level::kNote, "key", "not used: " + skipped.why, {{"usable", false}, {"why", skipped.why}});
}

void IssuerDoctor::TellRefresh(const keys::KeySource& source) {
  Timing even = source.begins_with_file() ? keys::FileTiming(timing_, 1) : timing_;
  even.jitter_percent = 0;
  const keys::ScheduleState next =
      serving_place_ == 0 ? keys::OnGood({}, even, 0, max_age_s_, 0) : keys::OnFallback({}, even, 0, 0);
  part_.Say(
      Level::kNote, "refresh",
      "in " + FormatDurationMs(next.due_ms) + ", " + std::to_string(timing_.jitter_percent) +
          " % more or less" +
          (serving_place_ != 0                ? ", to find out whether the first place is back"
           : source.begins_with_file()        ? ""
           : max_age_s_ < 0                   ? ": its answer has no max-age"
           : max_age_s_ * 1000 != next.due_ms ? ": its max-age is " + FormatDurationMs(max_age_s_ * 1000)
                                              : ""),
      {{"in_ms", next.due_ms}, {"max_age_s", max_age_s_}});
  if (2 * took_ms_ > timing_.fetch_timeout_ms) {
    part_.Say(Level::kWarning, "slow",
              "this fetch took " + SecondsText(took_ms_) + " of the " +
                  FormatDurationMs(timing_.fetch_timeout_ms) + " that one may take (timing.fetch_timeout)",
              {{"took_ms", took_ms_}});
  }
}

void IssuerDoctor::TellIntrospection(const keys::KeySource* source) {
  const IntrospectionConfig& introspection = issuer_.introspection;
  if (!introspection.endpoint.empty())
    part_.Say(Level::kNote, "introspection", "is asked at " + Printable(introspection.endpoint));
  if (!introspection.discovery || source == nullptr) return;
  const auto& endpoint = source->introspection_endpoint();
  if (endpoint && endpoint->ok()) {
    part_.Say(Level::kGood, "introspection", "is asked at " + Printable(**endpoint));
  } else {
    part_.Say(Level::kProblem, "introspection",
              (endpoint ? Message(endpoint->status()) : "no metadata was read") +
                  std::string(": tokens that must be asked about get 503 (introspection_unavailable)"));
  }
}

// TellOutage says what would hold if the issuer failed from now on.
void IssuerDoctor::TellOutage(const keys::KeySource& source) {
  if (!found_.jwks.empty()) {
    const int64_t until_s = good_at_s_ + timing_.staleness_bound_ms / 1000;
    part_.Say(Level::kNote, "outage",
              "if it failed from now on, who knows these keys would serve until " + TimeText(until_s) + " (" +
                  FormatDurationMs(timing_.staleness_bound_ms) + "), then answer 503",
              {{"serves_until", until_s}});
  }
  TellRestart(source);
}

void IssuerDoctor::TellRestart(const keys::KeySource& source) {
  constexpr char kNone[] = "a restart in an outage of this issuer has no keys, and answers 503: ";
  const auto warn = [&](const std::string& why) { part_.Say(Level::kWarning, "restart", kNone + why); };
  if (source.begins_with_file()) {
    found_.restart_serves = true;
    return part_.Say(Level::kNote, "restart", "reads the file");
  }
  switch (snapshot_.health.read) {
    case SnapshotRead::kNotConfigured:
      return warn("no snapshot is kept (snapshot.path)");
    case SnapshotRead::kAbsent:
      return warn("there is no snapshot yet");
    case SnapshotRead::kAccepted:
      break;
    default:
      return warn(snapshot_.health.read_error);
  }
  const auto entry =
      std::find_if(snapshot_.entries.begin(), snapshot_.entries.end(),
                   [this](const keys::SnapshotEntry& other) { return other.issuer == issuer_.issuer; });
  if (entry == snapshot_.entries.end()) return warn("the snapshot does not have it");
  const std::optional<int64_t> age_ms = keys::SnapshotAgeMs(entry->last_good_wall_s, WallMs() / 1000);
  if (!age_ms) return warn("the snapshot is of the future");
  if (*age_ms > timing_.staleness_bound_ms)
    return warn("the snapshot's keys are " + AgeText(*age_ms) + " old, and " +
                FormatDurationMs(timing_.staleness_bound_ms) + " count (timing.staleness_bound)");
  absl::StatusOr<keys::KeySource> anew = keys::KeySource::Make(issuer_, rules_, timing_.metadata_age_max_ms);
  if (!anew.ok() || !anew->Resume(entry->discovered, entry->jwks_uri))
    return warn("the snapshot's keys are from another place");
  const std::optional<jose::JwkSet> set = SnapshotSet();
  if (!set || set->keys.empty()) return warn("no key of the snapshot is usable");
  found_.restart_serves = true;
  const int64_t until_s = entry->last_good_wall_s + timing_.staleness_bound_ms / 1000;
  part_.Say(Level::kGood, "restart",
            "in an outage would go on with the snapshot's keys, " + AgeText(*age_ms) + " old, until " +
                TimeText(until_s),
            {{"age_ms", *age_ms}, {"serves_until", until_s}});
}

std::optional<jose::JwkSet> IssuerDoctor::SnapshotSet() const {
  for (const keys::SnapshotEntry& entry : snapshot_.entries) {
    if (entry.issuer != issuer_.issuer) continue;
    absl::StatusOr<jose::JwkSet> set = UsableSet(entry.jwks, issuer_, issuer_.issuer);
    if (set.ok()) return *std::move(set);
  }
  return std::nullopt;
}

// TellRotation says whether a next key is known ahead, and what has changed since the snapshot.
void IssuerDoctor::TellRotation() {
  std::map<std::string_view, size_t> num_keys;  // By algorithm.
  size_t most = 0;
  for (const jose::Jwk& key : set_.keys) {
    for (const std::string_view name : NamesOf(key.algorithms.Intersect(issuer_.algorithms)))
      most = std::max(most, ++num_keys[name]);
  }
  if (most == 1) {
    part_.Say(
        Level::kNote, "rotation",
        "one key for each algorithm: unless the next one is published ahead, its first tokens wait for one "
        "fetch, of which there is one in " +
            FormatDurationMs(timing_.cooldown_ms) + " at most (timing.cooldown)");
  } else if (most > 1) {
    part_.Say(Level::kGood, "rotation",
              "several keys for an algorithm: the next one is announced ahead, or the last one stays for its "
              "tokens");
  }
  const std::optional<jose::JwkSet> before = SnapshotSet();
  if (!before) return;
  const auto missing_in = [](const jose::JwkSet& set, const jose::Jwk& key) {
    return std::none_of(set.keys.begin(), set.keys.end(),
                        [&](const jose::Jwk& other) { return other.thumbprint == key.thumbprint; });
  };
  for (const jose::Jwk& key : set_.keys)
    if (missing_in(*before, key))
      part_.Say(Level::kNote, "rotation", "new since the snapshot: " + KeyName(key));
  for (const jose::Jwk& key : before->keys)
    if (missing_in(set_, key))
      part_.Say(Level::kNote, "rotation", "gone since the snapshot: " + KeyName(key));
}

}  // namespace

std::string TimeText(int64_t wall_s) {
  const std::time_t time = wall_s;
  std::tm parts = {};
  char text[64];
  if (gmtime_r(&time, &parts) == nullptr ||
      std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
    return std::to_string(wall_s);
  return text;
}

absl::StatusOr<jose::JwkSet> UsableSet(std::string_view jwks, const IssuerConfig& issuer,
                                       std::string_view name) {
  absl::StatusOr<jose::JwkSet> set = jose::ParseJwkSet(jwks);
  if (!set.ok() || !IsTemplate(issuer.issuer)) return set;
  const std::string family = issuer.profile.key_issuer.empty() ? issuer.issuer : issuer.profile.key_issuer;
  keys::SkipForeign(family, &*set);
  if (name == issuer.issuer) return set;
  for (const std::string& tenant : issuer.tenants) {
    if (ForTenant(issuer.issuer, tenant) != name) continue;
    std::erase_if(set->keys, [&](const jose::Jwk& key) {
      return !keys::IsForTenant(key, ForTenant(family, tenant), family);
    });
  }
  return set;
}

SnapshotOnDisk::SnapshotOnDisk(const SnapshotConfig& config) {
  if (config.path.empty()) return;
  ReadOnlyFiles files;
  keys::SnapshotKeeper keeper(config, files, SystemClock());
  bool absent = false;
  keeper.Load(&bytes, &entries, &absent);
  health = keeper.Health(SystemClock().Read().mono_ms);
}

IssuerDiagnosis DiagnoseIssuer(const Config& config, const IssuerConfig& issuer,
                               const SnapshotOnDisk& snapshot, Prober& prober, Part* part) {
  return IssuerDoctor(config, issuer, snapshot, prober, part).Run();
}

}  // namespace tollgate::cli
