#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "policy_file/blank.h"
#include "policy_file/duration.h"
#include "policy_file/text.h"
#include "tollgate/policy_file.h"

namespace tollgate {
namespace {

using policy_file::AppendDoubleQuoted;
using policy_file::Blank;
using policy_file::FormatDuration;

// yaml-cpp takes no longer name for one that stands in front of a colon.
constexpr size_t kNameBytesMax = 1000;

// IsPlain tells whether `text` needs no quotation marks, neither for us nor for those who read YAML 1.1.
bool IsPlain(std::string_view text) {
  static constexpr std::string_view kOther[] = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"};
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto may_stand = [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') ||
           std::string_view("_-./:+@").find(c) != std::string_view::npos;
  };
  if (text.empty() || text.size() > kNameBytesMax || text.back() == ':') return false;
  if (!is_letter(text.front()) && text.front() != '/' && text.front() != '_') return false;
  if (!std::all_of(text.begin(), text.end(), may_stand)) return false;
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return std::find(std::begin(kOther), std::end(kOther), lower) == std::end(kOther);
}

std::string Scalar(std::string_view text) {
  if (IsPlain(text)) return std::string(text);
  std::string quoted;
  AppendDoubleQuoted(text, &quoted);
  return quoted;
}

std::string List(const std::vector<std::string>& texts) {
  std::string list = "[";
  for (const std::string& text : texts) list += (list.size() > 1 ? ", " : "") + Scalar(text);
  return list + "]";
}

template <typename Enum>
std::string List(const std::vector<Enum>& values) {
  std::string list = "[";
  for (const Enum value : values) list += (list.size() > 1 ? ", " : "") + std::string(NameOf(value));
  return list + "]";
}

// Line is one name of a map, and its value, which may go on in lines below.
std::string Line(int indent, std::string_view name, std::string_view value) {
  const std::string blanks(static_cast<size_t>(indent), ' ');
  const std::string scalar = Scalar(name);
  const char* const blank = value.starts_with('\n') ? "" : " ";
  if (scalar.size() <= kNameBytesMax) return blanks + scalar + ":" + blank + std::string(value) + "\n";
  return blanks + "? " + scalar + "\n" + blanks + ":" + blank + std::string(value) + "\n";
}

// Below is a value in lines below its name: what Line made, without the last line end.
std::string Below(std::string lines) {
  lines.pop_back();
  return "\n" + std::move(lines);
}

std::string Bound(int64_t seconds) { return seconds == 0 ? "none" : FormatDuration(seconds); }

// ClassLines has what is not as in `base`.
std::string ClassLines(const SensitivityClass& sensitivity, const SensitivityClass& base) {
  std::string lines;
  const auto add = [&lines](std::string_view name, const std::string& value, const std::string& usual) {
    if (value != usual) lines += Line(4, name, value);
  };
  const auto outage = [](const SensitivityClass& of) {
    const std::string name(NameOf(of.introspection_outage));
    return of.introspection_outage == IntrospectionOutage::kLastKnown
               ? "{" + name + ": " + FormatDuration(of.last_known_age_max_s) + "}"
               : name;
  };
  const auto name_of = [](auto value) { return std::string(NameOf(value)); };
  const auto flag = [](bool value) { return std::string(value ? "true" : "false"); };
  add("mode", name_of(sensitivity.mode), name_of(base.mode));
  add("token_age_max", Bound(sensitivity.token_age_max_s), Bound(base.token_age_max_s));
  add("token_lifetime_max", Bound(sensitivity.token_lifetime_max_s), Bound(base.token_lifetime_max_s));
  add("introspection_age_max", Bound(sensitivity.introspection_age_max_s),
      Bound(base.introspection_age_max_s));
  add("outage", outage(sensitivity), outage(base));
  add("acr", List(sensitivity.acr_values), List(base.acr_values));
  add("amr", List(sensitivity.amr_values), List(base.amr_values));
  add("principals", List(sensitivity.principals), List(base.principals));
  add("credentials", List(sensitivity.credentials), List(base.credentials));
  add("sender_constraint", flag(sensitivity.sender_constraint), flag(base.sender_constraint));
  add("audit", name_of(sensitivity.audit), name_of(base.audit));
  return lines;
}

std::string Classes(const Policy& policy) {
  std::string lines;
  for (size_t i = 0; i < policy.classes().size(); ++i) {
    const SensitivityClass& sensitivity = policy.classes()[i];
    const bool is_built_in = i < Blank().classes().size();
    const std::string said = ClassLines(sensitivity, is_built_in ? Blank().classes()[i] : SensitivityClass{});
    if (!said.empty()) {
      lines += Line(2, sensitivity.name, Below(said));
    } else if (!is_built_in) {
      lines += Line(2, sensitivity.name, "{}");
    }
  }
  return lines;
}

std::string Roles(const Policy& policy) {
  const std::string usual = List(RoleRule{}.principals);
  std::string lines;
  for (const RoleRule& role : policy.roles()) {
    if (List(role.principals) == usual && role.from.empty()) {
      lines += Line(2, role.role, List(role.scopes));
      continue;
    }
    std::string said;
    if (!role.scopes.empty()) said += Line(4, "scopes", List(role.scopes));
    if (List(role.principals) != usual) said += Line(4, "principals", List(role.principals));
    std::string from;
    for (const RoleRule::Source& source : role.from) {
      const std::string issuer = source.issuer.empty() ? "" : "issuer: " + Scalar(source.issuer) + ", ";
      from += "      - {" + issuer + "value: " + Scalar(source.value) + "}\n";
    }
    if (!from.empty()) said += Line(4, "from", Below(from));
    lines += Line(2, role.role, Below(said));
  }
  return lines;
}

std::string Condition(const Predicate& predicate) {
  std::string value = "true";
  if (predicate.operation == Predicate::Operator::kEquals) {
    value = Scalar(predicate.values.front());
  } else if (predicate.operation != Predicate::Operator::kPresent) {
    value = List(predicate.values);
  }
  return "{claim: " + Scalar(predicate.claim) + ", " + std::string(NameOf(predicate.operation)) + ": " +
         value + "}";
}

std::string RuleLine(const AccessRule& rule) {
  std::string said;
  if (!rule.roles.empty()) said += Line(8, "roles", List(rule.roles));
  if (rule.any_valid_token) said += Line(8, "any_valid_token", "true");
  if (rule.sensitivity != AccessRule{}.sensitivity) said += Line(8, "class", Scalar(rule.sensitivity));
  if (!rule.principals.empty()) said += Line(8, "principals", List(rule.principals));
  std::string conditions;
  for (const Predicate& predicate : rule.predicates)
    conditions += "          - " + Condition(predicate) + "\n";
  if (!conditions.empty()) said += Line(8, "when", Below(conditions));
  if (!rule.systems.empty()) said += Line(8, "systems", List(rule.systems));
  if (!said.empty() && !rule.scopes.empty()) said = Line(8, "scopes", List(rule.scopes)) + said;
  if (!said.empty()) return Line(6, rule.name, Below(said));
  // ParsePolicy takes this name, alone, for a slip.
  const bool is_short = rule.scopes.size() == 1 && rule.scopes.front() != "any_valid_token";
  return Line(6, rule.name, is_short ? Scalar(rule.scopes.front()) : List(rule.scopes));
}

struct Section {
  McpObject object;
  std::string_view name;
};
constexpr Section kSections[] = {{McpObject::kMethod, "methods"},
                                 {McpObject::kTool, "tools"},
                                 {McpObject::kPrompt, "prompts"},
                                 {McpObject::kResource, "resources"}};

std::string Server(const std::string& server, const std::vector<const AccessRule*>& rules) {
  // "any_valid_token" means all of AddProtocol's methods, but for those of which something else is said.
  const auto is_method = [](const AccessRule* rule, const std::string& name) {
    return rule->object == McpObject::kMethod && rule->name == name;
  };
  const bool has_protocol =
      std::all_of(Blank().rules().begin(), Blank().rules().end(), [&](const AccessRule& method) {
        return std::any_of(rules.begin(), rules.end(),
                           [&](const AccessRule* rule) { return is_method(rule, method.name); });
      });
  const auto goes_without_saying = [&](const AccessRule* rule) {
    return has_protocol &&
           std::any_of(Blank().rules().begin(), Blank().rules().end(), [&](const AccessRule& method) {
             return is_method(rule, method.name) && RuleLine(*rule) == RuleLine(method);
           });
  };
  std::string lines = Line(4, "uri", server.empty() ? "\"*\"" : Scalar(server)) +
                      Line(4, "protocol", has_protocol ? "any_valid_token" : "deny");
  lines.replace(0, 4, "  - ");
  for (const Section& section : kSections) {
    std::string said;
    for (const AccessRule* rule : rules) {
      if (rule->object == section.object && !goes_without_saying(rule)) said += RuleLine(*rule);
    }
    if (!said.empty()) lines += Line(4, section.name, Below(said));
  }
  return lines;
}

}  // namespace

std::string FormatPolicy(const Policy& policy) {
  std::string file = "version: 1\n";
  if (const std::string lines = Classes(policy); !lines.empty()) file += Line(0, "classes", Below(lines));
  std::string scopes;
  for (const ScopeRule& rule : policy.scopes()) scopes += Line(2, rule.scope, List(rule.implies));
  if (!scopes.empty()) file += Line(0, "scopes", Below(scopes));
  if (const std::string lines = Roles(policy); !lines.empty()) file += Line(0, "roles", Below(lines));
  std::vector<std::string> servers;  // In the order of their first rules.
  for (const AccessRule& rule : policy.rules()) {
    if (std::find(servers.begin(), servers.end(), rule.server) == servers.end())
      servers.push_back(rule.server);
  }
  std::string lines;
  for (const std::string& server : servers) {
    std::vector<const AccessRule*> rules;
    for (const AccessRule& rule : policy.rules()) {
      if (rule.server == server) rules.push_back(&rule);
    }
    lines += Server(server, rules);
  }
  return file + Line(0, "servers", Below(lines));
}

}  // namespace tollgate
