#include "tools/cli/policy_table.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>

#include "policy/caller.h"
#include "policy/interpreter.h"
#include "policy_file/duration.h"
#include "policy_file/text.h"

namespace tollgate::cli {
namespace {

using policy_file::FormatDuration;
using policy_file::InOneLine;

constexpr PrincipalKind kKinds[] = {PrincipalKind::kUser, PrincipalKind::kService, PrincipalKind::kAgent};

Word Name(std::string_view text) { return {.text = InOneLine(text), .is_name = true}; }

// Add adds names to a cell, with words of ours between them.
void Add(const std::vector<std::string>& names, std::string_view between, Cell* cell) {
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) cell->push_back({std::string(between)});
    cell->push_back(Name(names[i]));
  }
}

Cell Names(const std::vector<std::string>& names) {
  Cell cell;
  Add(names, ", ", &cell);
  return cell;
}

template <typename Enum>
Cell Kinds(const std::vector<Enum>& kinds) {
  if (kinds.empty()) return {{"all"}};
  std::string text;
  for (const Enum kind : kinds) text += (text.empty() ? "" : ", ") + std::string(NameOf(kind));
  return {{text}};
}

template <typename T>
bool Contains(const std::vector<T>& values, const T& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

// RoleReach is what the holder of one role, and of nothing else, has.
struct RoleReach {
  const RoleRule* role = nullptr;
  std::vector<std::string> scopes{};  // Sorted.
};

std::vector<std::string> ScopesFrom(const Policy& policy, const std::vector<std::string>& given) {
  const std::vector<std::string_view> scopes(given.begin(), given.end());
  // What a role gives, patterns too, is what a token would have of an issuer with wildcards.
  const policy::Held held = policy::HeldBy(policy, {.scopes = scopes, .scope_wildcards = true});
  std::vector<std::string> names;
  for (const policy::Holding& holding : held.scopes) names.push_back(holding.name);
  return names;
}

std::vector<RoleReach> Reaches(const Policy& policy) {
  std::vector<RoleReach> reaches;
  for (const RoleRule& role : policy.roles())
    reaches.push_back({.role = &role, .scopes = ScopesFrom(policy, role.scopes)});
  return reaches;
}

const SensitivityClass& ClassOf(const Policy& policy, const AccessRule& rule) {
  return *std::find_if(policy.classes().begin(), policy.classes().end(),
                       [&](const SensitivityClass& candidate) { return candidate.name == rule.sensitivity; });
}

// Callers are the kinds of principals that both the rule and its class are for.
std::vector<PrincipalKind> Callers(const Policy& policy, const AccessRule& rule) {
  const std::vector<PrincipalKind>& of_class = ClassOf(policy, rule).principals;
  if (rule.principals.empty() || of_class.empty())
    return rule.principals.empty() ? of_class : rule.principals;
  std::vector<PrincipalKind> both;
  for (const PrincipalKind kind : rule.principals) {
    if (Contains(of_class, kind)) both.push_back(kind);
  }
  return both;
}

Cell CallersCell(const Policy& policy, const AccessRule& rule) {
  const std::vector<PrincipalKind> callers = Callers(policy, rule);
  const bool nobody =
      callers.empty() && !(rule.principals.empty() && ClassOf(policy, rule).principals.empty());
  return nobody ? Cell{{"nobody"}} : Kinds(callers);
}

void AddPredicate(const Predicate& predicate, Cell* cell) {
  cell->push_back(Name(predicate.claim));
  cell->push_back({" " + std::string(NameOf(predicate.operation))});
  if (predicate.values.empty()) return;
  cell->push_back({" "});
  Add(predicate.values, ", ", cell);
}

Cell Needs(const AccessRule& rule) {
  if (rule.any_valid_token && rule.predicates.empty()) return {{"any valid token"}};
  Cell cell;
  const auto next = [&cell](std::string words) {
    words = (cell.empty() ? "" : "; ") + std::move(words);
    if (!words.empty()) cell.push_back({std::move(words)});
  };
  if (rule.any_valid_token) next("any valid token");
  if (!rule.scopes.empty()) {
    next("");
    Add(rule.scopes, " and ", &cell);
  }
  if (!rule.roles.empty()) {
    next("role ");
    Add(rule.roles, " or ", &cell);
  }
  for (const Predicate& predicate : rule.predicates) {
    next("");
    AddPredicate(predicate, &cell);
  }
  return cell;
}

// RolesThatSuffice names the roles by which alone a caller has the scopes and the role that `rule` needs.
// Where that is so of some of its callers only, they stand behind it.
Cell RolesThatSuffice(const Policy& policy, const AccessRule& rule, const std::vector<RoleReach>& reaches) {
  Cell cell;
  if (rule.any_valid_token) return cell;
  const std::vector<PrincipalKind> callers = Callers(policy, rule);
  for (const RoleReach& reach : reaches) {
    if (!rule.roles.empty() && !Contains(rule.roles, reach.role->role)) continue;
    const bool has_scopes =
        std::all_of(rule.scopes.begin(), rule.scopes.end(), [&](const std::string& scope) {
          return std::binary_search(reach.scopes.begin(), reach.scopes.end(), scope);
        });
    if (!has_scopes) continue;
    std::vector<PrincipalKind> kinds;
    for (const PrincipalKind kind : kKinds) {
      if (!callers.empty() && !Contains(callers, kind)) continue;
      if (rule.scopes.empty() || Contains(reach.role->principals, kind)) kinds.push_back(kind);
    }
    if (kinds.empty()) continue;
    if (!cell.empty()) cell.push_back({", "});
    cell.push_back(Name(reach.role->role));
    if (kinds.size() < (callers.empty() ? std::size(kKinds) : callers.size()))
      cell.push_back({" (" + Kinds(kinds).front().text + ")"});
  }
  return cell;
}

// MethodName is a method as people know it: the one without a name is an answer (policy.h, AddProtocol).
Word MethodName(const AccessRule& rule) { return rule.name.empty() ? Word{"(answers)"} : Name(rule.name); }

Table ServerTable(const Policy& policy, const std::string& server, const std::vector<RoleReach>& reaches) {
  Table table{.title = server.empty() ? Word{"Every server"} : Name(server),
              .head = {"Kind", "Name", "Needs", "Class", "Callers", "Roles that suffice", "Systems"}};
  const AccessRule* protocol = nullptr;  // The first method that anybody may use: all are one row.
  size_t protocol_row = 0;
  for (const McpObject object :
       {McpObject::kMethod, McpObject::kTool, McpObject::kPrompt, McpObject::kResource}) {
    for (const AccessRule& rule : policy.rules()) {
      if (rule.server != server || rule.object != object) continue;
      const bool is_protocol = object == McpObject::kMethod && rule.any_valid_token &&
                               rule.predicates.empty() && rule.principals.empty() && rule.systems.empty() &&
                               (protocol == nullptr || protocol->sensitivity == rule.sensitivity);
      if (is_protocol && protocol != nullptr) {
        Cell& names = table.rows[protocol_row][1];
        names.push_back({", "});
        names.push_back(MethodName(rule));
        continue;
      }
      if (is_protocol) {
        protocol = &rule;
        protocol_row = table.rows.size();
      }
      table.rows.push_back({{{std::string(NameOf(object))}},
                            {object == McpObject::kMethod ? MethodName(rule) : Name(rule.name)},
                            Needs(rule),
                            {Name(rule.sensitivity)},
                            CallersCell(policy, rule),
                            RolesThatSuffice(policy, rule, reaches),
                            Names(rule.systems)});
    }
  }
  return table;
}

Cell Bound(int64_t seconds) { return seconds == 0 ? Cell{} : Cell{{FormatDuration(seconds)}}; }

Table ClassTable(const Policy& policy) {
  Table table{.title = {"Classes"},
              .head = {"Class", "Validation", "Token lifetime", "Token age", "Answer age", "Outage", "acr",
                       "amr", "Callers", "Credentials", "Audit"}};
  for (const SensitivityClass& sensitivity : policy.classes()) {
    const bool used = std::any_of(policy.rules().begin(), policy.rules().end(), [&](const AccessRule& rule) {
      return rule.sensitivity == sensitivity.name;
    });
    if (!used) continue;
    Cell outage = {{std::string(NameOf(sensitivity.introspection_outage))}};
    if (sensitivity.introspection_outage == IntrospectionOutage::kLastKnown)
      outage.push_back({" " + FormatDuration(sensitivity.last_known_age_max_s)});
    if (sensitivity.mode != ValidationMode::kIntrospect) outage.clear();
    Cell credentials = Kinds(sensitivity.credentials);
    if (sensitivity.sender_constraint) credentials.push_back({", bound to a key"});
    Cell acr, amr;
    Add(sensitivity.acr_values, " or ", &acr);
    Add(sensitivity.amr_values, " and ", &amr);
    table.rows.push_back({{Name(sensitivity.name)},
                          {{std::string(NameOf(sensitivity.mode))}},
                          Bound(sensitivity.token_lifetime_max_s),
                          Bound(sensitivity.token_age_max_s),
                          Bound(sensitivity.introspection_age_max_s),
                          std::move(outage),
                          std::move(acr),
                          std::move(amr),
                          Kinds(sensitivity.principals),
                          std::move(credentials),
                          {{std::string(NameOf(sensitivity.audit))}}});
  }
  return table;
}

Table RoleTable(const std::vector<RoleReach>& reaches) {
  Table table{.title = {"Roles"}, .head = {"Role", "In tokens", "Scopes, with all that they imply", "For"}};
  for (const RoleReach& reach : reaches) {
    Cell from;
    for (const RoleRule::Source& source : reach.role->from) {
      if (!from.empty()) from.push_back({", "});
      from.push_back(Name(source.value));
      if (source.issuer.empty()) continue;
      from.push_back({" of "});
      from.push_back(Name(source.issuer));
    }
    if (from.empty()) from.push_back(Name(reach.role->role));
    Cell kinds = Kinds(reach.role->principals);
    if (reach.role->principals.empty() || reach.scopes.empty()) kinds.clear();
    table.rows.push_back({{Name(reach.role->role)}, std::move(from), Names(reach.scopes), std::move(kinds)});
  }
  return table;
}

Table ScopeTable(const Policy& policy) {
  Table table{.title = {"Scopes"}, .head = {"Scope", "Implies"}};
  for (const ScopeRule& rule : policy.scopes()) {
    std::vector<std::string> given = rule.implies;
    given.push_back(rule.scope);  // It may be a pattern.
    std::vector<std::string> implied = ScopesFrom(policy, given);
    implied.erase(std::remove(implied.begin(), implied.end(), rule.scope), implied.end());
    table.rows.push_back({{Name(rule.scope)}, Names(implied)});
  }
  return table;
}

// Width is how many characters a terminal shows: text is UTF-8.
size_t Width(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

// Wrapped is a cell in lines of a terminal, which break in front of names alone.
std::vector<std::string> Wrapped(const Cell& cell) {
  constexpr size_t kWidthMax = 40;
  std::vector<std::string> lines(1);
  for (const Word& word : cell) {
    if (word.is_name && !lines.back().empty() && Width(lines.back()) + Width(word.text) > kWidthMax) {
      if (lines.back().ends_with(' ')) lines.back().pop_back();
      lines.emplace_back();
    }
    lines.back() += word.text;
  }
  if (cell.empty()) lines.back() = "-";
  return lines;
}

std::string ForTerminal(const Table& table) {
  std::vector<std::vector<std::string>> lines = {table.head};
  for (const std::vector<Cell>& row : table.rows) {
    const size_t first = lines.size();
    for (size_t column = 0; column < row.size(); ++column) {
      const std::vector<std::string> wrapped = Wrapped(row[column]);
      if (lines.size() < first + wrapped.size())
        lines.resize(first + wrapped.size(), std::vector<std::string>(row.size()));
      for (size_t i = 0; i < wrapped.size(); ++i) lines[first + i][column] = wrapped[i];
    }
  }
  std::vector<size_t> widths(table.head.size());
  for (const std::vector<std::string>& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], Width(line[i]));
  }
  std::string out = table.title.text + "\n";
  for (const std::vector<std::string>& line : lines) {
    std::string text;
    for (size_t i = 0; i < line.size(); ++i) {
      text += "  " + line[i];
      text.append(widths[i] - Width(line[i]), ' ');
    }
    text.resize(text.find_last_not_of(' ') + 1);
    out += text + '\n';
  }
  return out;
}

// MarkdownWord is a word of a GitHub-flavoured table: names are code, in which only the bar needs a backslash
// (its section 4.10), but a name with a backtick would end that.
std::string MarkdownWord(const Word& word) {
  if (!word.is_name) return word.text;
  const bool is_code = word.text.find_first_of("`\\") == word.text.npos;
  std::string out = is_code ? "`" : "";
  for (const char c : word.text) {
    const bool is_mark = c >= '!' && c <= '~' &&
                         std::string_view("`\\*_{}[]<>()#+-.!|&~:/@").find(c) != std::string_view::npos;
    if (is_code ? c == '|' : is_mark) out += '\\';
    out += c;
  }
  return out + (is_code ? "`" : "");
}

std::string ForMarkdown(const Table& table) {
  std::string out = "## " + MarkdownWord(table.title) + "\n\n|";
  for (const std::string& name : table.head) out += " " + name + " |";
  out += "\n|";
  for (size_t i = 0; i < table.head.size(); ++i) out += "---|";
  out += "\n";
  for (const std::vector<Cell>& row : table.rows) {
    out += "|";
    for (const Cell& cell : row) {
      out += " ";
      for (const Word& word : cell) out += MarkdownWord(word);
      out += cell.empty() ? "|" : " |";
    }
    out += "\n";
  }
  return out;
}

std::string HtmlText(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else {
      out += c;
    }
  }
  return out;
}

std::string HtmlWord(const Word& word) {
  return word.is_name ? "<code>" + HtmlText(word.text) + "</code>" : HtmlText(word.text);
}

std::string ForHtml(const Table& table) {
  std::string out = "<h2>" + HtmlWord(table.title) + "</h2>\n<table>\n<tr>";
  for (const std::string& name : table.head) out += "<th>" + HtmlText(name) + "</th>";
  out += "</tr>\n";
  for (const std::vector<Cell>& row : table.rows) {
    out += "<tr>";
    for (const Cell& cell : row) {
      out += "<td>";
      for (const Word& word : cell) out += HtmlWord(word);
      out += "</td>";
    }
    out += "</tr>\n";
  }
  return out + "</table>\n";
}

constexpr std::string_view kHtmlBegin = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Policy</title>
<style>
body { font: 15px/1.4 system-ui, sans-serif; margin: 2em; }
table { border-collapse: collapse; }
th, td { border: 1px solid #ccc; padding: 4px 8px; text-align: left; vertical-align: top; }
th { background: #f3f3f3; }
</style>
</head>
<body>
)";

}  // namespace

std::optional<TableFormat> TableFormatFromName(std::string_view name) {
  if (name == "terminal") return TableFormat::kTerminal;
  if (name == "markdown") return TableFormat::kMarkdown;
  if (name == "html") return TableFormat::kHtml;
  return std::nullopt;
}

std::vector<Table> TablesOf(const Policy& policy) {
  const std::vector<RoleReach> reaches = Reaches(policy);
  std::vector<Table> tables;
  std::vector<std::string> servers;  // In the order of their first rules.
  for (const AccessRule& rule : policy.rules()) {
    if (Contains(servers, rule.server)) continue;
    servers.push_back(rule.server);
    tables.push_back(ServerTable(policy, rule.server, reaches));
  }
  tables.push_back(ClassTable(policy));
  if (!policy.roles().empty()) tables.push_back(RoleTable(reaches));
  if (!policy.scopes().empty()) tables.push_back(ScopeTable(policy));
  return tables;
}

std::string FormatTables(const std::vector<Table>& tables, TableFormat format) {
  std::string out = format == TableFormat::kHtml ? std::string(kHtmlBegin) : "";
  for (size_t i = 0; i < tables.size(); ++i) {
    if (i > 0 && format != TableFormat::kHtml) out += '\n';
    out += format == TableFormat::kTerminal   ? ForTerminal(tables[i])
           : format == TableFormat::kMarkdown ? ForMarkdown(tables[i])
                                              : ForHtml(tables[i]);
  }
  return out + (format == TableFormat::kHtml ? "</body>\n</html>\n" : "");
}

}  // namespace tollgate::cli
