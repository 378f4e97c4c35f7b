#include "tests/sim/script.h"

#include <algorithm>
#include <array>
#include <utility>

#include "tests/sim/random.h"

namespace tollgate::sim {
namespace {

// A part of the staleness bound, which is the measure of everything that lasts.
int64_t PartOf(int64_t bound_ms, int64_t thousandths, Random& random) {
  return std::max<int64_t>(bound_ms / 1000 * thousandths * random.Between(50, 150) / 100, 1);
}

Timing RandomTiming(Random& random) {
  Timing timing;
  timing.refresh_min_ms = random.Between(1'000, 120'000);
  timing.refresh_max_ms = timing.refresh_min_ms + random.Between(0, 1'200'000);
  timing.cooldown_ms = random.Between(500, 240'000);
  timing.backoff_min_ms = random.Between(100, 5'000);
  timing.backoff_cap_ms = timing.backoff_min_ms + random.Between(0, 240'000);
  timing.verdict_age_max_ms = random.Between(10'000, 2'000'000);
  timing.fetch_timeout_ms = random.Between(200, 20'000);
  timing.metadata_age_max_ms = random.Between(10'000, 4'000'000);
  timing.introspection_timeout_ms = random.Between(50, 5'000);
  timing.active_age_max_ms = timing.introspection_timeout_ms + random.Between(0, 120'000);
  timing.inactive_age_max_ms = random.Between(100, 60'000);
  timing.jitter_percent = static_cast<int32_t>(random.Between(0, 50));
  timing.staleness_bound_ms =
      timing.refresh_max_ms * 2 + timing.fetch_timeout_ms + random.Between(0, 2'000'000);
  return timing;
}

Timing AnyTiming(Random& random) {
  Timing timing;
  const int kind = random.Below(4);
  if (kind == 0) timing = timing.Scaled(0.05);
  if (kind == 1) timing = RandomTiming(random);
  // Short beside a backoff: fetches that fail must not come round before a line has been served.
  if (random.OneIn(2)) {
    timing.host_interval_ms = random.Between(1, std::max<int64_t>(timing.backoff_min_ms / 4, 1));
    timing.host_burst = static_cast<int32_t>(random.Between(1, 6));
  }
  return timing;
}

// A class for each tool: the policy is a table.
Policy ThePolicy(const Script& script) {
  PolicyBuilder builder;
  for (int number = 0; number < (script.introspection ? kTools : kPlainTools); ++number) {
    if (number == kUnknownTool) continue;
    const ToolClass& of = ToolOf(number);
    builder.AddClass({.name = of.tool,
                      .mode = of.mode,
                      .token_age_max_s = of.age_max_s,
                      .introspection_age_max_s = of.bounds_answers ? script.answer_age_max_s : 0,
                      .introspection_outage = of.outage,
                      .last_known_age_max_s =
                          of.outage == IntrospectionOutage::kLastKnown ? script.last_known_age_max_s : 0});
    AccessRule rule{.name = of.tool, .any_valid_token = of.scope == 0, .sensitivity = of.tool};
    if (of.scope > 0) rule.scopes.emplace_back("files:read");
    if (of.scope > 1) rule.scopes.emplace_back("files:write");
    builder.AddRule(std::move(rule));
  }
  return builder.Build().value();
}

std::vector<Since<KeyMask>> RotatingKeys(int64_t bound_ms, int64_t duration_ms, Random& random) {
  KeyMask mask = 0;
  while (mask == 0) mask = static_cast<KeyMask>(random.Next() & random.Next()) & kAllKeys;
  std::vector<Since<KeyMask>> timeline = {{0, mask}};
  const int64_t pace = random.Pick<int64_t>({20, 100, 400, 1500});
  for (int64_t at = PartOf(bound_ms, pace, random); at < duration_ms; at += PartOf(bound_ms, pace, random)) {
    const KeyMask key = 1u << random.Below(kKeys);
    KeyMask next = mask ^ key;                                                 // One comes or goes.
    if (random.OneIn(4)) next = (mask << 1 | mask >> (kKeys - 1)) & kAllKeys;  // All change.
    if (next == 0) next = key << 1 <= kAllKeys ? key << 1 : 1;
    timeline.push_back({at, mask = next});
  }
  return timeline;
}

std::vector<Since<Fault>> ComingAndGoingFaults(SourceKind kind, int64_t bound_ms, int64_t duration_ms,
                                               Random& random) {
  const auto any = [&] {
    for (;;) {
      const auto fault = static_cast<Fault>(1 + random.Below(static_cast<int>(Fault::kCount) - 1));
      if (fault != Fault::kWrongMetadata || kind == SourceKind::kDiscovery) return fault;
    }
  };
  std::vector<Since<Fault>> timeline = {{0, random.OneIn(5) ? any() : Fault::kNone}};
  const int64_t calm = random.Pick<int64_t>({200, 700, 3000});
  for (int64_t at = PartOf(bound_ms, calm, random); at < duration_ms;) {
    timeline.push_back({at, any()});
    at += PartOf(bound_ms, random.Pick<int64_t>({1, 10, 50, 200, 500, 1050, 1500}), random);
    if (random.OneIn(4)) continue;  // From one fault to the next.
    timeline.push_back({at, Fault::kNone});
    at += PartOf(bound_ms, calm, random);
  }
  return timeline;
}

std::vector<Since<AskFault>> ComingAndGoingAskFaults(int64_t bound_ms, int64_t duration_ms, Random& random) {
  const auto any = [&] {
    return static_cast<AskFault>(1 + random.Below(static_cast<int>(AskFault::kCount) - 1));
  };
  std::vector<Since<AskFault>> timeline = {{0, random.OneIn(5) ? any() : AskFault::kNone}};
  for (int64_t at = PartOf(bound_ms, 200, random); at < duration_ms; at += PartOf(bound_ms, 300, random)) {
    timeline.push_back({at, any()});
    at += PartOf(bound_ms, random.Pick<int64_t>({1, 10, 50, 200}), random);
    if (!random.OneIn(4)) timeline.push_back({at, AskFault::kNone});
  }
  return timeline;
}

// Accounts are closed, and some opened again.
std::vector<Since<uint32_t>> ChangingAccounts(int64_t bound_ms, int64_t duration_ms, Random& random) {
  constexpr uint32_t kAll = (1u << kAccounts) - 1;
  std::vector<Since<uint32_t>> timeline = {{0, kAll & ~(1u << random.Below(2 * kAccounts))}};
  for (int64_t at = PartOf(bound_ms, 100, random); at < duration_ms; at += PartOf(bound_ms, 100, random)) {
    const uint32_t account = 1u << random.Below(kAccounts);
    timeline.push_back(
        {at, random.OneIn(2) ? timeline.back().value | account : timeline.back().value ^ account});
  }
  return timeline;
}

IdpScript AnyIdp(int issuer, int64_t bound_ms, int64_t duration_ms, Random& random) {
  IdpScript idp;
  const int kind = random.Below(10);
  idp.kind = kind < 5 ? SourceKind::kJwksUri : kind < 9 ? SourceKind::kDiscovery : SourceKind::kInline;
  if (issuer == 0 && idp.kind == SourceKind::kInline) idp.kind = SourceKind::kDiscovery;
  idp.keys = RotatingKeys(bound_ms, duration_ms, random);
  idp.faults = ComingAndGoingFaults(idp.kind, bound_ms, duration_ms, random);
  idp.paths = {{0, idp.kind == SourceKind::kDiscovery && random.OneIn(3) ? 2 : 0}};
  if (idp.kind == SourceKind::kDiscovery && random.OneIn(3)) {
    idp.paths.push_back({PartOf(bound_ms, 800, random), 1});
    idp.paths.push_back({idp.paths.back().from_ms + PartOf(bound_ms, 1200, random), 2});
  }
  idp.metadata_place = random.Below(static_cast<int>(MetadataUrls(issuer).size()));
  idp.max_age_s = random.Pick<int64_t>({-1, 0, 20, 300, 3'600, INT64_MAX});
  idp.etags = random.OneIn(2);
  idp.odd_key = random.OneIn(4);
  idp.active = ChangingAccounts(bound_ms, duration_ms, random);
  idp.ask_faults = ComingAndGoingAskFaults(bound_ms, duration_ms, random);
  if (random.OneIn(4)) idp.exp_early_s = 300;
  return idp;
}

IntrospectionConfig IntrospectionOf(int issuer, Random& random) {
  return {.endpoint = AskUrl(issuer),
          .client_id = kClientId,
          .client_secret = kClientSecret,
          .in_flight_max = static_cast<uint32_t>(random.Between(1, 6)),
          .waiting_max = static_cast<uint32_t>(random.Between(0, 6))};
}

IssuerConfig ConfigOf(int issuer, const IdpScript& idp, Random& random) {
  IssuerConfig config;
  config.issuer = IssuerName(issuer);
  switch (idp.kind) {
    case SourceKind::kJwksUri:
      config.jwks_uri = KeysUrl(issuer, 0);
      break;
    case SourceKind::kDiscovery:
      config.discovery = true;
      config.discovery_hosts = {"keys.example"};
      break;
    case SourceKind::kInline:
      config.jwks = JwksText(issuer, idp.keys.front().value, idp.odd_key);
      break;
  }
  if (random.OneIn(6)) config.algorithms = AlgorithmSet(Algorithm::kEs256, Algorithm::kRs256);
  config.leeway_s = random.Pick<int64_t>({0, 60, 60, 300});
  if (random.OneIn(4)) config.token_age_max_s = random.Pick<int64_t>({3'600, 10'800});
  return config;
}

// The last moment up to `at_ms` at which the value was another one; −1: it always was this.
template <typename T, typename Same>
int64_t SinceWhen(const std::vector<Since<T>>& timeline, int64_t at_ms, Same same) {
  int64_t since = -1;
  for (const Since<T>& part : timeline) {
    if (part.from_ms > at_ms) break;
    if (!same(part.value)) {
      since = -1;
    } else if (since < 0) {
      since = part.from_ms;
    }
  }
  return since;
}

}  // namespace

const char* FaultName(Fault fault) {
  constexpr std::array<const char*, static_cast<size_t>(Fault::kCount)> kNames = {
      "none",      "loss",  "delay",        "blackhole",      "reset",   "no DNS",    "slow body",
      "truncated", "cut",   "TLS",          "status",         "garbage", "empty set", "unusable keys",
      "too large", "stale", "not modified", "wrong metadata", "flaky"};
  return kNames[static_cast<size_t>(fault)];
}

const char* AskFaultName(AskFault fault) {
  constexpr std::array<const char*, static_cast<size_t>(AskFault::kCount)> kNames = {
      "none",        "down",        "loss",    "slow",  "flaky",       "status",
      "bad request", "unsupported", "garbage", "empty", "wrong issuer"};
  return kNames[static_cast<size_t>(fault)];
}

const ToolClass& ToolOf(int tool) {
  using enum ValidationMode;
  using enum IntrospectionOutage;
  static constexpr std::array<ToolClass, kTools> kOf = {{
      {.tool = "search", .scope = 1},
      {.tool = "delete", .scope = 2},
      {.tool = "ping", .scope = 0},
      {.tool = "pay", .scope = 1, .age_max_s = 7'200},
      {.tool = "format-disk", .scope = 0},
      {.tool = "audit", .scope = 0, .mode = kIntrospect},
      {.tool = "export", .scope = 1, .mode = kIntrospect, .outage = kLastKnown, .bounds_answers = true},
      {.tool = "report", .scope = 0, .mode = kIntrospect, .outage = kLocalSignature, .bounds_answers = true},
      {.tool = "watch", .scope = 0, .mode = kIntrospectBehind},
  }};
  return kOf[static_cast<size_t>(tool)];
}

bool IsTotal(Fault fault) {
  switch (fault) {
    case Fault::kBlackhole:
    case Fault::kReset:
    case Fault::kNoDns:
    case Fault::kTruncated:
    case Fault::kCutOff:
    case Fault::kTls:
    case Fault::kErrorStatus:
    case Fault::kGarbage:
    case Fault::kEmptySet:
    case Fault::kUnusableKeys:
    case Fault::kTooLarge:
      return true;
    default:
      return false;
  }
}

int64_t IdpScript::QuietSince(int64_t at_ms) const {
  const int64_t since = SinceWhen(faults, at_ms, [](Fault fault) { return fault == Fault::kNone; });
  return since < 0 ? -1 : std::max(since, At(paths, at_ms).from_ms);
}

int64_t IdpScript::InactiveSince(int account, int64_t at_ms) const {
  return SinceWhen(active, at_ms, [&](uint32_t accounts) { return (accounts >> account & 1) == 0; });
}

int64_t IdpScript::DeadSince(int64_t at_ms) const { return SinceWhen(faults, at_ms, IsTotal); }

Script::Script(uint64_t seed_in) : seed(seed_in) {
  Random random({seed, 1});
  config.timing = AnyTiming(random);
  introspection = !random.OneIn(3);
  // An answer must be good for longer than its question takes.
  answer_age_max_s = random.Pick<int64_t>({0, 5, 20});
  last_known_age_max_s = random.Pick<int64_t>({5, 120, 1'800});
  const int64_t bound_ms = config.timing.staleness_bound_ms;
  duration_ms = bound_ms * random.Between(2, 5);
  const int num_issuers = 1 + random.Below(kIssuersMax);
  ResourceConfig first{.uri = kResourceA};
  ResourceConfig second{.uri = kResourceB};
  if (random.OneIn(2)) second.issuers = {std::string(IssuerName(0))};
  for (int issuer = 0; issuer < num_issuers; ++issuer) {
    idps.push_back(AnyIdp(issuer, bound_ms, duration_ms, random));
    config.issuers.push_back(ConfigOf(issuer, idps.back(), random));
    if (introspection) config.issuers.back().introspection = IntrospectionOf(issuer, random);
  }
  if (introspection) {
    first.opaque_token_issuer = IssuerName(0);
    if (random.OneIn(2)) second.opaque_token_issuer = IssuerName(0);
  }
  config.resources = {std::move(first), std::move(second)};
  config.policy = ThePolicy(*this);
  snapshot = random.OneIn(2);
  disk_faults = {{0, false}};
  if (random.OneIn(3)) {
    for (int64_t at = PartOf(bound_ms, 500, random); at < duration_ms; at += PartOf(bound_ms, 300, random))
      disk_faults.push_back({at, !disk_faults.back().value});
  }
  wall_phase_ms = random.Between(0, 999);
}

std::string AskUrl(int issuer) { return std::string(IssuerName(issuer)) + "/introspect"; }

std::string KeysUrl(int issuer, int path) {
  if (path == kPaths - 1) return "https://keys.example/" + std::to_string(issuer);
  return std::string(IssuerName(issuer)) + "/keys-" + std::to_string(path);
}

// RFC 8414 section 3.1, the same place for OpenID Connect, and OpenID Connect Discovery 1.0 section 4.
std::vector<std::string> MetadataUrls(int issuer) {
  const std::string name(IssuerName(issuer));
  const size_t slash = name.find('/', std::string_view("https://").size());
  const std::string host = name.substr(0, slash);
  const std::string path = slash == name.npos ? "" : name.substr(slash);
  std::vector<std::string> urls = {host + "/.well-known/oauth-authorization-server" + path,
                                   host + "/.well-known/openid-configuration" + path};
  if (!path.empty()) urls.push_back(name + "/.well-known/openid-configuration");
  return urls;
}

}  // namespace tollgate::sim
