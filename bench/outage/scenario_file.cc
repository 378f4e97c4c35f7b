#include "bench/outage/scenario_file.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <utility>

#include "absl/status/status.h"
#include "tollgate/config.h"

namespace tollgate::bench {
namespace {

constexpr std::pair<TokenKind, std::string_view> kTokenKinds[] = {
    {TokenKind::kKnown, "known"},
    {TokenKind::kNew, "new"},
    {TokenKind::kExpiring, "expiring"},
    {TokenKind::kYoung, "young"},
    {TokenKind::kCompromised, "compromised"},
    {TokenKind::kRotated, "rotated"},
    {TokenKind::kForgedKid, "forged-kid"},
    {TokenKind::kForgedRs256, "forged-rs256"},
    {TokenKind::kForgedEs512, "forged-es512"},
    {TokenKind::kForgedUnsigned, "forged-unsigned"},
    {TokenKind::kOpaque, "opaque"},
    {TokenKind::kBehind, "behind"},
    {TokenKind::kLastKnown, "last-known"},
    {TokenKind::kPrivileged, "privileged"},
    {TokenKind::kOpaqueActive, "opaque-active"},
    {TokenKind::kRevoked, "revoked"},
    {TokenKind::kTenant, "tenant"},
};

constexpr std::pair<FaultKind, std::string_view> kFaultKinds[] = {
    {FaultKind::kNone, "none"},   {FaultKind::kDown, "down"},           {FaultKind::kSlow, "slow"},
    {FaultKind::kError, "error"}, {FaultKind::kBlackhole, "blackhole"}, {FaultKind::kGarbage, "garbage"},
    {FaultKind::kEmpty, "empty"}, {FaultKind::kEmptySet, "empty-set"},  {FaultKind::kNoDns, "no-dns"},
};

constexpr std::pair<Start, std::string_view> kStarts[] = {
    {Start::kWarm, "warm"}, {Start::kCold, "cold"}, {Start::kSnapshot, "snapshot"}};

constexpr std::pair<bool Scenario::*, std::string_view> kExpectations[] = {
    {&Scenario::expect_degraded, "degraded"},
    {&Scenario::expect_unavailable, "unavailable"},
    {&Scenario::expect_fresh_after_fault, "fresh-after-fault"},
    {&Scenario::expect_removed_key_refused, "removed-key-refused"},
    {&Scenario::expect_new_key_accepted, "new-key-accepted"},
    {&Scenario::expect_steady_requests, "steady-requests"},
    {&Scenario::expect_last_known, "last-known"},
    {&Scenario::expect_revoked_refused, "revoked-refused"},
    {&Scenario::expect_bounded_questions, "bounded-questions"},
    {&Scenario::expect_host_bucket, "host-bucket"},
    {&Scenario::expect_bounded_memory, "bounded-memory"},
};

constexpr std::pair<bool Phase::*, std::string_view> kPhaseExpectations[] = {
    {&Phase::expect_service_time, "service-time"},
    {&Phase::expect_one_request_per_cooldown, "one-request-per-cooldown"},
};

constexpr std::pair<bool Phase::*, std::string_view> kOnce[] = {
    {&Phase::add_key, "add-key"}, {&Phase::remove_key, "remove-key"}, {&Phase::revoke, "revoke"}};

template <typename Table>
auto Find(const Table& table, std::string_view word) {
  const auto found =
      std::find_if(std::begin(table), std::end(table), [&](const auto& row) { return row.second == word; });
  return found == std::end(table) ? std::nullopt : std::optional(found->first);
}

template <typename Table, typename Value>
std::string_view NameOf(const Table& table, Value value) {
  return std::find_if(std::begin(table), std::end(table), [&](const auto& row) { return row.first == value; })
      ->second;
}

// A number ≥ 0 with nothing behind it.
std::optional<double> Number(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !(number >= 0 && number <= 1e9))
    return std::nullopt;
  return number;
}

std::optional<double> Seconds(std::string_view text) {
  constexpr std::pair<std::string_view, double> kUnits[] = {
      {"ms", 1e-3}, {"min", 60}, {"s", 1}, {"h", 3600}};  // "ms" before "s".
  for (const auto& [unit, seconds] : kUnits) {
    if (!text.ends_with(unit)) continue;
    const std::optional<double> number = Number(text.substr(0, text.size() - unit.size()));
    return number ? std::optional(*number * seconds) : std::nullopt;
  }
  return std::nullopt;
}

// Parser takes in one line after the other. Each function returns what is wrong with its line, or nothing.
class Parser {
 public:
  std::string Line(std::string_view line) {
    std::istringstream in{std::string(line)};
    const std::vector<std::string> words{std::istream_iterator<std::string>(in), {}};
    if (words.empty() || words[0].starts_with('#')) return "";
    const std::string& word = words[0];
    const bool one = words.size() == 2;
    if (word == "about" && words.size() > 1) return About(line.substr(line.find("about") + 5));
    if (word == "phase" && words.size() > 2) return BeginPhase(words);
    if (word == "fault" && words.size() > 1) return SetFault(words);
    if (word == "load" && words.size() == 3) return AddLoad(words);
    if (word == "scenario" && one) return Name(words[1]);
    if (word == "start" && one) return SetStart(words[1]);
    if (word == "expect" && one) return Expect(words[1]);
    if (word == "permit" && one) return Permit(words[1]);
    if (word == "clock" && one) return StepClock(words[1]);
    if (word == "issuers" && one) return SetIssuers(words[1]);
    if (word == "unscaled" && words.size() == 1) return SetUnscaled();
    if (const auto once = Find(kOnce, word); once && words.size() == 1) return HappenOnce(word, *once);
    for (const std::string_view known :
         {"about", "phase", "fault", "load", "scenario", "start", "expect", "permit", "clock", "issuers",
          "unscaled", "add-key", "remove-key", "revoke"}) {
      if (word == known) return "`" + word + "` does not have so many words";
    }
    return "unknown word `" + word + "`";
  }

  // Whole returns what the scenario as a whole lacks.
  std::string Whole() const {
    if (scenario_.name.empty()) return "names no scenario";
    if (scenario_.about.empty()) return "has no `about`";
    if (scenario_.phases.empty()) return "has no phase";
    const auto in_all = std::find_if(scenario_.loads.begin(), scenario_.loads.end(),
                                     [](const Load& load) { return load.kind == TokenKind::kKnown; });
    if (in_all == scenario_.loads.end()) return "offers no known tokens before the first phase";
    if (scenario_.Offers(TokenKind::kCompromised) != Any(&Phase::remove_key))
      return "`remove-key` and `load compromised` need each other";
    if (scenario_.Offers(TokenKind::kRotated) != Any(&Phase::add_key))
      return "`add-key` and `load rotated` need each other";
    if (scenario_.expect_removed_key_refused && !Any(&Phase::remove_key)) return "no key is removed";
    if (scenario_.expect_new_key_accepted && !Any(&Phase::add_key)) return "no key is added";
    if ((scenario_.expect_steady_requests || scenario_.expect_fresh_after_fault) && !Recovers())
      return "expects a recovery, but no phase without a fault follows one with a fault";
    for (const Phase& phase : scenario_.phases) {
      if (phase.expect_service_time && phase.fault.none()) return "expects a service time without a fault";
      const bool flood = std::any_of(phase.loads.begin(), phase.loads.end(),
                                     [](const Load& load) { return load.kind == TokenKind::kForgedKid; });
      if (phase.expect_one_request_per_cooldown && !flood) return "expects one request without forged-kid";
    }
    if (const std::string wrong = WholeIntrospection(); !wrong.empty()) return wrong;
    if (const std::string wrong = WholeIssuers(); !wrong.empty()) return wrong;
    if (!scenario_.phases.front().fault.none() || scenario_.start == Start::kWarm) return "";
    return "starts cold, but with nothing wrong";
  }

  Scenario Take() { return std::move(scenario_); }

 private:
  bool Any(bool Phase::*what) const {
    return std::any_of(scenario_.phases.begin(), scenario_.phases.end(),
                       [what](const Phase& phase) { return phase.*what; });
  }
  std::string WholeIntrospection() const {
    bool faulty = false, nobody_answers = false;
    for (const Phase& phase : scenario_.phases) {
      faulty |= phase.fault.introspection;
      nobody_answers |= phase.fault.NobodyIsAnswered();
    }
    const bool asks = scenario_.AsksAboutTokens();
    if (faulty && !asks) return "`fault introspection` without tokens that are asked about";
    if (asks && scenario_.start != Start::kWarm) return "tokens that are asked about need a warm start";
    // Then their issuer is asked about them, too, and what they are denied for is another thing.
    if (asks && scenario_.Offers(TokenKind::kOpaque))
      return "`load opaque` beside tokens that are asked about";
    if (scenario_.Offers(TokenKind::kRevoked) != Any(&Phase::revoke))
      return "`revoke` and `load revoked` need each other";
    if (scenario_.expect_last_known && !(nobody_answers && scenario_.Offers(TokenKind::kLastKnown)))
      return "expects last-known without such tokens, or without a fault in which nobody is answered";
    if (scenario_.expect_bounded_questions && !nobody_answers)
      return "expects bounded-questions without a fault in which nobody is answered";
    const auto revocation = [](const Phase& phase) { return phase.revoke && phase.fault.introspection; };
    const auto at = std::find_if(scenario_.phases.begin(), scenario_.phases.end(), revocation);
    const bool recovers =
        at != scenario_.phases.end() &&
        std::any_of(at, scenario_.phases.end(), [](const Phase& p) { return p.fault.none(); });
    if (scenario_.expect_revoked_refused && !recovers)
      return "expects revoked-refused, but nothing is revoked under a `fault introspection` that ends";
    return "";
  }

  std::string WholeIssuers() const {
    const bool many = scenario_.num_issuers > 0;
    if (scenario_.Offers(TokenKind::kTenant) != many) return "`issuers` and `load tenant` need each other";
    if ((scenario_.expect_host_bucket || scenario_.expect_bounded_memory) && !many)
      return "expects something of many issuers without `issuers`";
    if (!many) return "";
    if (scenario_.start != Start::kWarm) return "`issuers` need a warm start";
    // Their keys are accounted for without an age, and no refresh may stand in their line.
    if (!scenario_.unscaled ||
        scenario_.DurationS() * 1000 > static_cast<double>(Timing().refresh_max_ms) / 2)
      return "`issuers` need an `unscaled` scenario that is over long before keys are refreshed";
    return "";
  }

  // Of its keys.
  bool Recovers() const {
    const auto recovery = [](const Phase& before, const Phase& after) {
      return !before.fault.none() && !before.fault.introspection && after.fault.none();
    };
    return std::adjacent_find(scenario_.phases.begin(), scenario_.phases.end(), recovery) !=
           scenario_.phases.end();
  }
  Phase* Current() { return scenario_.phases.empty() ? nullptr : &scenario_.phases.back(); }

  std::string Name(const std::string& name) {
    if (!scenario_.name.empty()) return "a second `scenario`";
    const bool good = std::all_of(name.begin(), name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    });
    if (!good) return "a name has a to z, 0 to 9 and - alone";
    scenario_.name = name;
    return "";
  }

  std::string About(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    if (!scenario_.about.empty()) scenario_.about += ' ';
    scenario_.about += text;
    return "";
  }

  std::string SetStart(const std::string& word) {
    const auto start = Find(kStarts, word);
    if (!start) return "no start `" + word + "`";
    scenario_.start = *start;
    return "";
  }

  std::string BeginPhase(const std::vector<std::string>& words) {
    const std::optional<double> seconds = Seconds(words[1]);
    if (!seconds || *seconds <= 0) return "no duration `" + words[1] + "` (20min, 5s, 1h)";
    Phase phase;
    for (size_t i = 2; i < words.size(); ++i) phase.name += (i == 2 ? "" : " ") + words[i];
    phase.duration_s = *seconds;
    scenario_.phases.push_back(std::move(phase));
    return "";
  }

  std::string SetFault(std::vector<std::string> words) {
    Phase* const phase = Current();
    if (phase == nullptr) return "`fault` before the first phase";
    if (!phase->fault.none()) return "a second fault in one phase";
    const bool introspection = words[1] == "introspection" && words.size() > 2;
    if (introspection) words.erase(words.begin() + 1);
    const auto kind = Find(kFaultKinds, words[1]);
    if (!kind || *kind == FaultKind::kNone) return "no fault `" + words[1] + "`";
    if (introspection && (*kind == FaultKind::kNoDns || *kind == FaultKind::kEmptySet))
      return "no fault `" + words[1] + "` of introspection";
    Fault fault{.kind = *kind, .introspection = introspection};
    const size_t wanted = *kind == FaultKind::kSlow ? 4 : *kind == FaultKind::kError ? 3 : 2;
    if (words.size() != wanted) return "fault " + words[1] + " does not have so many words";
    if (*kind == FaultKind::kSlow) {
      const std::optional<double> least = Seconds(words[2]), most = Seconds(words[3]);
      if (!least || !most || *least > *most) return "slow needs the least and the most delay (0s 10s)";
      fault.delay_min_s = *least;
      fault.delay_max_s = *most;
    } else if (*kind == FaultKind::kError) {
      const std::optional<double> status = Number(words[2]);
      if (!status || *status < 400 || *status > 599) return "no status `" + words[2] + "` (400 to 599)";
      fault.status = static_cast<int>(*status);
    }
    phase->fault = fault;
    return "";
  }

  std::string AddLoad(const std::vector<std::string>& words) {
    const auto kind = Find(kTokenKinds, words[1]);
    if (!kind) return "no tokens `" + words[1] + "`";
    Load load{.kind = *kind};
    std::string_view amount = words[2];
    const bool rate = amount.ends_with("/s");
    if (rate) amount.remove_suffix(2);
    const std::optional<double> number = Number(amount);
    if (!number || *number <= 0) return "no load `" + words[2] + "` (5000/s, or 1000000 in the whole phase)";
    Phase* const phase = Current();
    if (!rate && phase == nullptr) return "a load without /s before the first phase";
    if (rate) load.rate_hz = *number;
    if (!rate) load.count = static_cast<uint64_t>(*number);
    std::vector<Load>& loads = phase == nullptr ? scenario_.loads : phase->loads;
    const auto offered = [&](const std::vector<Load>& in) {
      return std::any_of(in.begin(), in.end(), [&](const Load& l) { return l.kind == *kind; });
    };
    if (offered(loads) || offered(scenario_.loads)) return "`load " + words[1] + "` twice at a time";
    loads.push_back(load);
    return "";
  }

  std::string Expect(const std::string& word) {
    if (const auto member = Find(kExpectations, word)) {
      if (Current() != nullptr) return "`expect " + word + "` belongs before the first phase";
      scenario_.** member = true;
      return "";
    }
    const auto member = Find(kPhaseExpectations, word);
    if (!member) return "no expectation `" + word + "`";
    Phase* const phase = Current();
    if (phase == nullptr) return "`expect " + word + "` belongs into a phase";
    phase->** member = true;
    return "";
  }

  std::string Permit(const std::string& word) {
    if (word != "overloaded") return "nothing to permit called `" + word + "`";
    scenario_.permit_overloaded = true;
    return "";
  }

  std::string StepClock(std::string_view step) {
    Phase* const phase = Current();
    if (phase == nullptr) return "`clock` before the first phase";
    const std::optional<double> seconds = Seconds(step.substr(1));
    if (!seconds || *seconds == 0 || *seconds != std::floor(*seconds) || (step[0] != '+' && step[0] != '-'))
      return "no step `" + std::string(step) + "` (+1h, -1h)";
    phase->clock_step_s = step[0] == '+' ? *seconds : -*seconds;
    return "";
  }

  std::string SetIssuers(const std::string& word) {
    // One more is there for all other tokens.
    const std::optional<double> number = Number(word);
    if (!number || *number < 1 || *number > 131'071 || *number != std::floor(*number))
      return "no number of issuers `" + word + "` (1 to 131071)";
    if (Current() != nullptr) return "`issuers` belongs before the first phase";
    scenario_.num_issuers = static_cast<size_t>(*number);
    return "";
  }

  std::string SetUnscaled() {
    if (Current() != nullptr) return "`unscaled` belongs before the first phase";
    scenario_.unscaled = true;
    return "";
  }

  std::string HappenOnce(const std::string& word, bool Phase::*member) {
    Phase* const phase = Current();
    if (phase == nullptr) return "`" + word + "` before the first phase";
    if (Any(member)) return "a second `" + word + "`";
    phase->*member = true;
    return "";
  }

  Scenario scenario_;
};

}  // namespace

std::string_view TokenKindName(TokenKind kind) { return NameOf(kTokenKinds, kind); }
std::string_view FaultKindName(FaultKind kind) { return NameOf(kFaultKinds, kind); }

bool IsKnown(TokenKind kind) {
  return kind == TokenKind::kKnown || kind == TokenKind::kExpiring || kind == TokenKind::kYoung ||
         kind == TokenKind::kCompromised || kind == TokenKind::kTenant;
}

bool IsAskedAbout(TokenKind kind) {
  return kind == TokenKind::kBehind || kind == TokenKind::kLastKnown || kind == TokenKind::kPrivileged ||
         kind == TokenKind::kOpaqueActive || kind == TokenKind::kRevoked;
}

bool IsGood(TokenKind kind) {
  return IsKnown(kind) || IsAskedAbout(kind) || kind == TokenKind::kNew || kind == TokenKind::kRotated;
}

double Scenario::DurationS() const {
  double sum = 0;
  for (const Phase& phase : phases) sum += phase.duration_s;
  return sum;
}

bool Scenario::Offers(TokenKind kind) const {
  const auto is_it = [kind](const Load& load) { return load.kind == kind; };
  return std::any_of(loads.begin(), loads.end(), is_it) ||
         std::any_of(phases.begin(), phases.end(), [&](const Phase& phase) {
           return std::any_of(phase.loads.begin(), phase.loads.end(), is_it);
         });
}

bool Fault::NobodyIsAnswered() const {
  return introspection && (kind == FaultKind::kDown || kind == FaultKind::kBlackhole ||
                           (kind == FaultKind::kError && status >= 500));
}

bool Scenario::AsksAboutTokens() const {
  return std::any_of(std::begin(kTokenKinds), std::end(kTokenKinds),
                     [this](const auto& row) { return IsAskedAbout(row.first) && Offers(row.first); });
}

absl::StatusOr<Scenario> ParseScenario(std::string_view text, std::string_view file) {
  Parser parser;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    if (const std::string wrong = parser.Line(text.substr(0, end)); !wrong.empty()) {
      return absl::InvalidArgumentError(std::string(file) + ":" + std::to_string(number) + ": " + wrong);
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (const std::string wrong = parser.Whole(); !wrong.empty())
    return absl::InvalidArgumentError(std::string(file) + ": " + wrong);
  return parser.Take();
}

absl::StatusOr<Scenario> ReadScenario(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return absl::NotFoundError(path + ": cannot be read");
  return ParseScenario(std::string(std::istreambuf_iterator<char>(in), {}), path);
}

}  // namespace tollgate::bench
