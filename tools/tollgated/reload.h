#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "policy_file/watched_file.h"
#include "tollgate/engine.h"
#include "tollgate/policy_file.h"
#include "tools/tollgated/settings.h"

namespace tollgate::tollgated {

// Action is one step from one configuration to another.
struct Action {
  enum class Kind : uint8_t {
    kRemoveIssuer,
    kReadPolicy,  // From another file than before.
    kChangeIssuer,
    kAddIssuer,
    kReadShadowPolicy,
    kEndShadowPolicy,
    kRestart,  // Only a new process can do it.
  };
  Kind kind;
  std::string what{};  // The issuer, the file, or the path of the key ("servers[0].proxy").

  friend bool operator==(const Action&, const Action&) = default;
};

// PlanReload returns what leads from `running` to `next`, in the order of Kind: what goes before what comes.
std::vector<Action> PlanReload(const Settings& running, const Settings& next);

// ReloadReport is what has come of changes to files, for a status page.
struct ReloadReport {
  uint64_t applied = 0;  // Times that something came into force.
  uint64_t refused = 0;  // Times that something new was wrong.
  // Why what the files say is not in force, each one line with file, line and column; empty if it is.
  std::string settings_error{};
  std::string policy_error{};
  std::string shadow_policy_error{};
  std::vector<std::string> needs_restart{};  // Paths of keys that say something else now.
};

// Reloader keeps an engine at what its configuration file says, its secrets and its policies: what can change
// while it runs, changes; for the rest a restart is asked for. What is read is validated as a whole, and as
// long as something is wrong with it all stays as it was. Poll looks for changes, and believes one once two
// calls have seen it; Reload, for SIGHUP, believes what it reads. Both return lines for the log: what is new,
// nothing else, so that a mistake is said once. Owner thread only, but for Report, which is for any thread.
class Reloader {
 public:
  // `settings` are those that ReadSettings has read at `path`, and that `engine` was made of by MakeEngine.
  // The engine and `files`, null: SystemFiles(), must outlive the object. `on_policy`, if any, is called
  // within Poll and Reload with each policy that is in force from then on, the first time by the first Poll.
  Reloader(std::string path, Settings settings, Engine& engine, FileSystem* files = nullptr,
           std::function<void(const Policy&)> on_policy = nullptr);

  std::vector<std::string> Poll();
  std::vector<std::string> Reload();
  ReloadReport Report() const;

 private:
  using Lines = std::vector<std::string>;

  // Reads the configuration's bytes and the files that it names; `is_asked`: somebody wants an answer.
  void Take(bool is_asked, Lines* lines);
  void Apply(const Settings& next, bool is_asked, Lines* lines);
  // DoAll takes what it has done out of *pending and describes it in *done; returns why the rest failed.
  std::string DoAll(const Settings& next, std::vector<Action>* pending, Lines* done);
  // `wanted` is the issuer that the action is about, if it is about one that is to be.
  absl::Status Do(const Action& action, const IssuerConfig& wanted);
  absl::Status SetPolicy(const Policy& policy);
  std::unique_ptr<PolicyFileWatch> Watch(const std::string& path);
  std::unique_ptr<PolicyFileWatch> WatchShadow(const std::string& path);
  std::string Line(std::string_view what) const;  // About file_.
  void Say(const PolicyFileWatch::Report& report, Lines* lines);
  void Complain(std::string line, Lines* lines);
  // Refuse makes `why` refusal_, and says so if that is new.
  void Refuse(std::string why, Lines* lines);
  void UpdateReport();

  Engine& engine_;
  FileSystem& files_;
  std::function<void(const Policy&)> on_policy_;
  Settings running_;
  policy_file::WatchedFile file_;
  std::map<std::string, policy_file::WatchedFile> secrets_;  // By path.
  std::unique_ptr<PolicyFileWatch> policy_;
  std::unique_ptr<PolicyFileWatch> shadow_;  // Null: none.
  std::string refusal_;                      // Of what file_ says; empty if that is in force.
  ReloadReport state_;                       // The owner's; report_ is a copy for others.
  mutable std::mutex mutex_;
  ReloadReport report_;  // Under mutex_.
};

}  // namespace tollgate::tollgated
