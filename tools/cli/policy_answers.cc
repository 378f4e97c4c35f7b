#include "tools/cli/policy_answers.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "tools/cli/joined.h"

namespace tollgate::cli {
namespace {

using nlohmann::ordered_json;
using Texts = std::vector<std::string>;

std::string Dump(const ordered_json& json) {
  return json.dump(-1, ' ', /*ensure_ascii=*/true, ordered_json::error_handler_t::replace);
}

Texts NamesOf(const std::vector<PrincipalKind>& kinds) {
  Texts names;
  for (const PrincipalKind kind : kinds) names.emplace_back(NameOf(kind));
  return names;
}

// Page is a text that grows by lines.
class Page {
 public:
  explicit Page(Form form) : terminal_(form == Form::kTerminal) {}

  void Line(std::string_view text) { text_ += SafeText(text) + "\n"; }

  // Mark puts a mark in front, of which there is one for terminals.
  void Mark(bool good, std::string_view plain, std::string_view pretty, std::string_view text) {
    const std::string mark = terminal_ ? Paint(good ? "32" : "31", pretty) : std::string(plain);
    text_ += "  " + mark + " " + SafeText(text) + "\n";
  }

  void Verdict(bool good, std::string_view verdict, std::string_view text) {
    text_ += terminal_ ? Paint(good ? "1;32" : "1;31", verdict) : std::string(verdict);
    text_ += SafeText(text) + "\n";
  }

  std::string Take() { return std::move(text_); }

 private:
  static std::string Paint(std::string_view code, std::string_view text) {
    return "\033[" + std::string(code) + "m" + std::string(text) + "\033[0m";
  }

  const bool terminal_;
  std::string text_;
};

std::string At(std::string_view server) { return server.empty() ? "" : " at " + std::string(server); }

std::string ObjectText(McpObject object, std::string_view name) {
  // An answer to a request of the server's.
  if (object == McpObject::kMethod && name.empty()) return "method of an answer";
  return std::string(NameOf(object)) + " " + std::string(name);
}

ordered_json ServerJson(std::string_view server) {
  return server.empty() ? ordered_json() : ordered_json(std::string(server));
}

ordered_json HeldJson(const std::vector<policy::Holding>& holdings) {
  ordered_json json = ordered_json::array();
  for (const policy::Holding& holding : holdings)
    json.push_back({{"name", holding.name}, {"through", holding.through}});
  return json;
}

void PrintHeld(const policy::Held& held, Page* page) {
  for (const policy::Holding& role : held.roles) page->Line("  role " + role.name + ", by " + role.through);
  for (const policy::Holding& scope : held.scopes)
    page->Line("  scope " + scope.name + ", by " + scope.through);
  if (held.roles.empty() && held.scopes.empty()) page->Line("  no role and no scope of the policy");
}

std::string CallerText(const policy::Caller& caller) {
  const auto list = [](std::span<const std::string_view> texts) {
    return texts.empty() ? std::string("none") : Joined(texts);
  };
  std::string text = caller.kind == PrincipalKind::kAgent ? "an " : "a ";
  text += std::string(NameOf(caller.kind)) + " of " +
          (caller.issuer.empty() ? "no issuer" : std::string(caller.issuer));
  return text + ", read by the profile " + std::string(caller.profile) + "; scopes: " + list(caller.scopes) +
         "; roles: " + list(caller.roles);
}

ordered_json CallerJson(const policy::Caller& caller) {
  return {{"issuer", std::string(caller.issuer)},
          {"profile", std::string(caller.profile)},
          {"principal", NameOf(caller.kind)},
          {"credential", NameOf(caller.credential)},
          {"scopes", Texts(caller.scopes.begin(), caller.scopes.end())},
          {"roles", Texts(caller.roles.begin(), caller.roles.end())}};
}

std::string_view NameOfChange(Change change) {
  switch (change) {
    case Change::kStronger:
      return "stronger";
    case Change::kWeaker:
      return "weaker";
    case Change::kOther:
      break;
  }
  return "other";
}

ordered_json DemandsJson(const std::vector<DemandChange>& demands) {
  ordered_json json = ordered_json::array();
  for (const DemandChange& demand : demands) {
    json.push_back({{"change", NameOfChange(demand.change)},
                    {"member", demand.member},
                    {"before", demand.before},
                    {"after", demand.after}});
  }
  return json;
}

ordered_json HoldersJson(const std::vector<Holders>& all) {
  ordered_json json = ordered_json::array();
  for (const Holders& holders : all) {
    json.push_back(
        {{"principals", NamesOf(holders.kinds)}, {"roles", holders.roles}, {"scopes", holders.scopes}});
  }
  return json;
}

ordered_json PartsJson(const std::vector<PartDiff>& parts) {
  ordered_json json = ordered_json::array();
  for (const PartDiff& part : parts)
    json.push_back({{"name", part.name}, {"demands", DemandsJson(part.demands)}});
  return json;
}

ordered_json JsonOf(const PolicyDiff& diff) {
  ordered_json objects = ordered_json::array();
  for (const ObjectDiff& object : diff.objects) {
    objects.push_back({{"object", NameOf(object.object)},
                       {"name", object.name},
                       {"server", ServerJson(object.server)},
                       {"before", object.before},
                       {"after", object.after},
                       {"gains", HoldersJson(object.gains)},
                       {"loses", HoldersJson(object.loses)},
                       {"demands", DemandsJson(object.demands)}});
  }
  return {{"objects", objects}, {"classes", PartsJson(diff.classes)}, {"roles", PartsJson(diff.roles)}};
}

std::string HoldersText(const Holders& holders) {
  Texts has;
  for (const std::string& role : holders.roles) has.push_back("role " + role);
  for (const std::string& scope : holders.scopes) has.push_back("scope " + scope);
  const std::string text = has.empty() ? "any token" : Joined(has, " and ");
  return holders.kinds.size() == 3 ? text : text + " (" + Joined(NamesOf(holders.kinds), ", ") + ")";
}

void PrintDemands(const std::vector<DemandChange>& demands, Page* page) {
  for (const DemandChange& demand : demands) {
    page->Line("  " + std::string(NameOfChange(demand.change)) + ": " + demand.member + " " + demand.before +
               " -> " + demand.after);
  }
}

// About says how something is reached, and what is behind it.
std::string About(const Reached& reached) {
  std::string text = reached.rule->sensitivity;
  if (!reached.conditions.empty()) text += ", if: " + Joined(reached.conditions, "; ");
  if (!reached.except.empty()) text += ", but for " + Joined(reached.except);
  if (!reached.rule->systems.empty()) text += " -> " + Joined(reached.rule->systems);
  return text;
}

ordered_json JsonOf(const Policy& policy, const Reach& reach) {
  ordered_json objects = ordered_json::array();
  for (const Reached& reached : reach.objects) {
    objects.push_back({{"object", NameOf(reached.rule->object)},
                       {"name", reached.rule->name},
                       {"server", ServerJson(reached.rule->server)},
                       {"except_servers", reached.except},
                       {"class", reached.rule->sensitivity},
                       {"conditions", reached.conditions},
                       {"systems", reached.rule->systems}});
  }
  ordered_json systems = ordered_json::array();
  for (const auto& [system, num_objects] : reach.systems)
    systems.push_back({{"name", system}, {"objects", num_objects}});
  return {{"reached", reach.objects.size()},
          {"of", policy.rules().size()},
          {"roles", HeldJson(reach.held.roles)},
          {"scopes", HeldJson(reach.held.scopes)},
          {"objects", objects},
          {"systems", systems}};
}

}  // namespace

std::string SafeText(std::string_view text) {
  const std::string quoted = Dump(std::string(text));
  std::string safe;
  for (size_t i = 1; i + 1 < quoted.size(); ++i) {
    if (quoted[i] == '\\' && quoted[++i] != '"') safe += '\\';
    safe += quoted[i];
  }
  return safe;
}

std::string Explanation(const Policy& policy, const policy::Caller& caller, const policy::Target& target,
                        Form form, bool* allowed) {
  const policy::Interpretation answer = policy::Interpret(policy, caller, target);
  const policy::Held held = policy::HeldBy(policy, caller);
  *allowed = answer.reason == Reason::kNone;
  const std::string hint = answer.rule == nullptr ? Hint(policy, target) : "";
  const Texts moments = answer.rule == nullptr ? Texts() : ConditionsOf(policy, *answer.rule, true);
  if (form == Form::kJson) {
    ordered_json steps = ordered_json::array();
    for (const policy::Step& step : answer.steps) {
      steps.push_back(
          {{"ok", step.reason == Reason::kNone}, {"reason", ReasonName(step.reason)}, {"text", step.text}});
    }
    return Dump({{"verdict", *allowed ? "allow" : "deny"},
                 {"reason", ReasonName(answer.reason)},
                 {"object", NameOf(target.object)},
                 {"name", std::string(target.name)},
                 {"server", ServerJson(target.server)},
                 {"caller", CallerJson(caller)},
                 {"steps", steps},
                 {"roles", HeldJson(held.roles)},
                 {"scopes", HeldJson(held.scopes)},
                 {"when_called", moments},
                 {"hint", hint.empty() ? ordered_json() : ordered_json(hint)}}) +
           "\n";
  }
  Page page(form);
  page.Line(CallerText(caller));
  page.Line("held:");
  PrintHeld(held, &page);
  page.Line(ObjectText(target.object, target.name) + At(target.server) + ":");
  for (const policy::Step& step : answer.steps)
    page.Mark(step.reason == Reason::kNone, step.reason == Reason::kNone ? "ok" : "NO",
              step.reason == Reason::kNone ? "✓" : "✗", step.text);
  if (!hint.empty()) page.Line("  " + hint);
  std::string why = moments.empty() ? "" : ", if: " + Joined(moments, "; ");
  if (!*allowed) why = "  " + std::string(ReasonName(answer.reason));
  page.Verdict(*allowed, *allowed ? "allow" : "deny", why);
  return page.Take();
}

std::string TextOf(const PolicyDiff& diff, Form form) {
  if (form == Form::kJson) return Dump(JsonOf(diff)) + "\n";
  Page page(form);
  for (const ObjectDiff& object : diff.objects) {
    page.Line(ObjectText(object.object, object.name) + At(object.server) +
              (!object.before  ? ": new"
               : !object.after ? ": gone"
                               : ":"));
    for (const Holders& holders : object.gains) page.Mark(true, "+", "+", HoldersText(holders));
    for (const Holders& holders : object.loses) page.Mark(false, "-", "-", HoldersText(holders));
    PrintDemands(object.demands, &page);
  }
  for (const PartDiff& part : diff.classes) {
    page.Line("class " + part.name + ":");
    PrintDemands(part.demands, &page);
  }
  for (const PartDiff& part : diff.roles) {
    page.Line("role " + part.name + ":");
    PrintDemands(part.demands, &page);
  }
  if (diff.empty()) page.Line("no difference");
  return page.Take();
}

std::string TextOf(const Policy& policy, const Reach& reach, Form form) {
  if (form == Form::kJson) return Dump(JsonOf(policy, reach)) + "\n";
  Page page(form);
  page.Line("held:");
  PrintHeld(reach.held, &page);
  std::vector<const Reached*> objects;
  for (const Reached& reached : reach.objects) objects.push_back(&reached);
  std::stable_sort(objects.begin(), objects.end(),
                   [](const Reached* a, const Reached* b) { return a->rule->server < b->rule->server; });
  for (size_t i = 0; i < objects.size(); ++i) {
    const AccessRule& rule = *objects[i]->rule;
    if (i == 0 || rule.server != objects[i - 1]->rule->server)
      page.Line(rule.server.empty() ? "at every server:" : "at " + rule.server + ":");
    const std::string about = About(*objects[i]);
    std::string line = "  " + ObjectText(rule.object, rule.name);
    // Methods are many, and alike.
    const auto is_alike = [&](const Reached& next) {
      return rule.object == McpObject::kMethod && next.rule->object == rule.object &&
             next.rule->server == rule.server && About(next) == about;
    };
    for (; i + 1 < objects.size() && is_alike(*objects[i + 1]); ++i)
      line += ", " + objects[i + 1]->rule->name;
    page.Line(line + ": " + about);
  }
  for (const auto& [system, num_objects] : reach.systems)
    page.Line("system " + system + ": behind " + std::to_string(num_objects));
  page.Line("reaches " + std::to_string(reach.objects.size()) + " of " +
            std::to_string(policy.rules().size()) + " rules");
  return page.Take();
}

}  // namespace tollgate::cli
