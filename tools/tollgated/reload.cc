#include "tools/tollgated/reload.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/limits.h"
#include "policy_file/text.h"
#include "tools/tollgated/settings_file.h"
#include "tools/tollgated/settings_keys.h"
#include "tools/tollgated/settings_rules.h"

namespace tollgate::tollgated {

using policy_file::InOneLine;
using policy_file::WatchedFile;
using Outcome = PolicyFileWatch::Outcome;

namespace {

using Issuers = std::map<std::string_view, const IssuerConfig*>;

Issuers ByName(const Settings& settings) {
  Issuers issuers;
  for (const IssuerConfig& issuer : settings.engine.issuers) issuers.emplace(issuer.issuer, &issuer);
  return issuers;
}

bool IsSame(const IssuerConfig& a, const IssuerConfig& b) {
  std::vector<std::string> differences;
  Compare(IssuerKeys(), a, b, "", &differences);
  return differences.empty();
}

// Join writes a list for people.
std::string Join(const std::vector<std::string>& texts) {
  std::string joined;
  for (const std::string& text : texts) joined += (joined.empty() ? "" : ", ") + text;
  return joined;
}

std::string Describe(const Action& action) {
  switch (action.kind) {
    case Action::Kind::kRemoveIssuer:
      return "issuer \"" + action.what + "\" removed";
    case Action::Kind::kChangeIssuer:
      return "issuer \"" + action.what + "\" changed";
    case Action::Kind::kAddIssuer:
      return "issuer \"" + action.what + "\" added";
    case Action::Kind::kReadPolicy:
      return "policy from " + action.what;
    case Action::Kind::kReadShadowPolicy:
      return "shadow policy from " + action.what;
    case Action::Kind::kEndShadowPolicy:
      return "no shadow policy";
    case Action::Kind::kRestart:
      break;
  }
  return action.what;
}

}  // namespace

std::vector<Action> PlanReload(const Settings& running, const Settings& next) {
  using Kind = Action::Kind;
  std::vector<Action> plan;
  const Issuers before = ByName(running), after = ByName(next);
  for (const auto& [name, issuer] : before) {
    const auto found = after.find(name);
    if (found == after.end()) {
      plan.push_back({Kind::kRemoveIssuer, issuer->issuer});
    } else if (!IsSame(*issuer, *found->second)) {
      plan.push_back({Kind::kChangeIssuer, issuer->issuer});
    }
  }
  for (const auto& [name, issuer] : after) {
    if (!before.contains(name)) plan.push_back({Kind::kAddIssuer, issuer->issuer});
  }
  if (running.policy_file != next.policy_file) plan.push_back({Kind::kReadPolicy, next.policy_file});
  if (running.shadow_policy_file != next.shadow_policy_file) {
    const bool ends = next.shadow_policy_file.empty();
    plan.push_back({ends ? Kind::kEndShadowPolicy : Kind::kReadShadowPolicy, next.shadow_policy_file});
  }
  std::vector<std::string> differences;
  Compare(SettingsKeys(), running, next, "", &differences);
  for (std::string& path : differences) {
    if (path != "policy_file" && path != "shadow_policy_file")
      plan.push_back({Kind::kRestart, std::move(path)});
  }
  std::stable_sort(plan.begin(), plan.end(),
                   [](const Action& a, const Action& b) { return a.kind < b.kind; });
  return plan;
}

Reloader::Reloader(std::string path, Settings settings, Engine& engine, FileSystem* files,
                   std::function<void(const Policy&)> on_policy)
    : engine_(engine),
      files_(files == nullptr ? SystemFiles() : *files),
      on_policy_(std::move(on_policy)),
      running_(std::move(settings)),
      file_(std::move(path), files_, limits::kPolicyFileBytesMax),
      policy_(Watch(running_.policy_file)) {
  if (!running_.shadow_policy_file.empty()) shadow_ = WatchShadow(running_.shadow_policy_file);
}

std::unique_ptr<PolicyFileWatch> Reloader::Watch(const std::string& path) {
  return std::make_unique<PolicyFileWatch>(
      path, [this](const Policy& policy) { return SetPolicy(policy); }, &files_);
}

std::unique_ptr<PolicyFileWatch> Reloader::WatchShadow(const std::string& path) {
  return std::make_unique<PolicyFileWatch>(
      path, [this](const Policy& policy) { return engine_.SetShadowPolicy(policy); }, &files_);
}

absl::Status Reloader::SetPolicy(const Policy& policy) {
  // At the servers that there are, whatever the file says by now.
  if (const std::optional<Misfit> misfit = FindMisfit(running_, policy)) {
    return absl::InvalidArgumentError("server \"" + running_.servers[misfit->server].name +
                                      "\": " + misfit->message);
  }
  absl::Status status = engine_.SetPolicy(policy);
  if (status.ok() && on_policy_) on_policy_(policy);
  return status;
}

std::vector<std::string> Reloader::Poll() {
  Lines lines;
  const WatchedFile::Seen seen = file_.Look();
  if (seen == WatchedFile::Seen::kUnreadable) Complain(Line(file_.error()), &lines);
  // What was refused may be right by now: a policy or a secret that it names has come.
  bool is_due = seen == WatchedFile::Seen::kChanged || !refusal_.empty();
  for (auto& [path, secret] : secrets_) {
    const WatchedFile::Seen secret_seen = secret.Look();
    is_due |= secret_seen == WatchedFile::Seen::kChanged;
    if (secret_seen == WatchedFile::Seen::kUnreadable)
      Complain(InOneLine(path + ": " + secret.error()), &lines);
  }
  if (is_due) Take(false, &lines);
  const PolicyFileWatch::Report policy = policy_->Poll();
  Say(policy, &lines);
  if (policy.outcome == Outcome::kApplied && !refusal_.empty()) Take(false, &lines);
  if (shadow_ != nullptr) Say(shadow_->Poll(), &lines);
  UpdateReport();
  return lines;
}

std::vector<std::string> Reloader::Reload() {
  Lines lines;
  file_.Forget();
  refusal_.clear();  // It is said again.
  if (file_.Look() == WatchedFile::Seen::kUnreadable) {
    Complain(Line(file_.error()), &lines);
  } else {
    Take(true, &lines);
  }
  UpdateReport();
  return lines;
}

ReloadReport Reloader::Report() const {
  const std::lock_guard lock(mutex_);
  return report_;
}

void Reloader::Take(bool is_asked, Lines* lines) {
  const absl::StatusOr<Settings> next = CheckSettings(file_.bytes(), DirectoryOf(file_.path()), files_);
  if (!next.ok()) {
    return Refuse(std::string(next.status().message()), lines);
  }
  for (const std::string& path : next->secret_files) {
    secrets_.try_emplace(path, path, files_, SettingsReader::kSecretBytesMax);
  }
  std::erase_if(secrets_, [&](const auto& secret) {
    const std::vector<std::string>& used = next->secret_files;
    return std::find(used.begin(), used.end(), secret.first) == used.end();
  });
  Apply(*next, is_asked, lines);
}

void Reloader::Apply(const Settings& next, bool is_asked, Lines* lines) {
  std::vector<Action> pending = PlanReload(running_, next);
  std::vector<std::string> needs_restart, done;
  std::erase_if(pending, [&](const Action& action) {
    if (action.kind == Action::Kind::kRestart) needs_restart.push_back(action.what);
    return action.kind == Action::Kind::kRestart;
  });
  // An issuer may lose its introspection only once no policy demands it, and a policy demand it only once all
  // issuers have it: what fails is tried once more behind the rest.
  const PolicyFileWatch* const policy = policy_.get();
  std::string why = DoAll(next, &pending, &done);
  if (policy == policy_.get() && (is_asked || !policy->error().empty())) Say(policy_->Reread(), lines);
  if (!pending.empty()) why = DoAll(next, &pending, &done);
  if (is_asked && shadow_ != nullptr)
    Say(shadow_->error().empty() ? shadow_->Poll() : shadow_->Reread(), lines);

  if (!done.empty()) {
    ++state_.applied;
    lines->push_back(Line("in force: " + Join(done)));
  } else if (is_asked && pending.empty() && needs_restart.empty()) {
    lines->push_back(Line("says what is in force already"));
  }
  if (!needs_restart.empty() && (is_asked || needs_restart != state_.needs_restart))
    lines->push_back(Line("needs a restart: " + Join(needs_restart)));
  state_.needs_restart = std::move(needs_restart);
  Refuse(std::move(why), lines);
}

std::string Reloader::DoAll(const Settings& next, std::vector<Action>* pending, Lines* done) {
  const Issuers issuers = ByName(next);
  const IssuerConfig none;
  std::string why;
  std::erase_if(*pending, [&](const Action& action) {
    const auto wanted = issuers.find(action.what);
    const absl::Status status = Do(action, wanted == issuers.end() ? none : *wanted->second);
    if (status.ok()) {
      done->push_back(Describe(action));
    } else {
      why += (why.empty() ? "" : "; ") + std::string(status.message());
    }
    return status.ok();
  });
  return why;
}

absl::Status Reloader::Do(const Action& action, const IssuerConfig& wanted) {
  const auto find = [&](std::vector<IssuerConfig>& issuers) {
    return std::find_if(issuers.begin(), issuers.end(),
                        [&](const IssuerConfig& issuer) { return issuer.issuer == action.what; });
  };
  std::vector<IssuerConfig>& issuers = running_.engine.issuers;
  absl::Status status;
  switch (action.kind) {
    case Action::Kind::kRemoveIssuer:
      status = engine_.RemoveIssuer(action.what);
      if (status.ok()) issuers.erase(find(issuers));
      return status;
    case Action::Kind::kChangeIssuer:
      status = engine_.ChangeIssuer(wanted);
      if (status.ok()) *find(issuers) = wanted;
      return status;
    case Action::Kind::kAddIssuer:
      status = engine_.AddIssuer(wanted);
      if (status.ok()) issuers.push_back(wanted);
      return status;
    case Action::Kind::kReadPolicy: {
      std::unique_ptr<PolicyFileWatch> watch = Watch(action.what);
      if (watch->Poll().outcome != Outcome::kApplied) return absl::InvalidArgumentError(watch->error());
      policy_ = std::move(watch);
      running_.policy_file = action.what;
      return status;
    }
    case Action::Kind::kReadShadowPolicy: {
      std::unique_ptr<PolicyFileWatch> watch = WatchShadow(action.what);
      if (watch->Poll().outcome != Outcome::kApplied) return absl::InvalidArgumentError(watch->error());
      shadow_ = std::move(watch);
      running_.shadow_policy_file = action.what;
      return status;
    }
    case Action::Kind::kEndShadowPolicy:
      engine_.EndShadowPolicy();
      shadow_ = nullptr;
      running_.shadow_policy_file.clear();
      return status;
    case Action::Kind::kRestart:
      break;
  }
  return status;
}

std::string Reloader::Line(std::string_view what) const {
  return InOneLine(file_.path() + ": " + std::string(what));
}

void Reloader::Complain(std::string line, Lines* lines) {
  ++state_.refused;
  lines->push_back(std::move(line));
}

void Reloader::Refuse(std::string why, Lines* lines) {
  if (!why.empty() && why != refusal_) Complain(Line(why + "; what was before stays in force"), lines);
  refusal_ = std::move(why);
}

void Reloader::Say(const PolicyFileWatch::Report& report, Lines* lines) {
  if (report.message.empty()) return;
  if (report.outcome != Outcome::kApplied) return Complain(report.message, lines);
  ++state_.applied;
  lines->push_back(report.message);
}

void Reloader::UpdateReport() {
  const std::string& error = file_.error().empty() ? refusal_ : file_.error();
  state_.settings_error = error.empty() ? "" : Line(error);
  state_.policy_error = policy_->error();
  state_.shadow_policy_error = shadow_ == nullptr ? "" : shadow_->error();
  const std::lock_guard lock(mutex_);
  report_ = state_;
}

}  // namespace tollgate::tollgated
