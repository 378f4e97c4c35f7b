#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "policy_file/blank.h"
#include "policy_file/duration.h"
#include "policy_file/node_reader.h"
#include "policy_file/text.h"
#include "policy_file/yaml_tree.h"
#include "tollgate/policy_file.h"

namespace tollgate {
namespace {

using policy_file::Blank;
using policy_file::InOneLine;
using policy_file::Node;
using policy_file::ParseDuration;
using policy_file::Place;

constexpr ValidationMode kModes[] = {ValidationMode::kSignature, ValidationMode::kIntrospect,
                                     ValidationMode::kIntrospectBehind};
constexpr IntrospectionOutage kOutages[] = {IntrospectionOutage::kDenyUnavailable,
                                            IntrospectionOutage::kLastKnown,
                                            IntrospectionOutage::kLocalSignature};
constexpr PrincipalKind kPrincipals[] = {PrincipalKind::kUser, PrincipalKind::kService,
                                         PrincipalKind::kAgent};
constexpr CredentialKind kCredentials[] = {CredentialKind::kJwt, CredentialKind::kOpaque};
constexpr AuditDuty kAudits[] = {AuditDuty::kNone, AuditDuty::kSampled, AuditDuty::kFull,
                                 AuditDuty::kMustRecord};

// PartPlaces says where one part of a policy stands, and its members, by PolicyFinding's names for them.
struct PartPlaces {
  struct Member {
    std::string_view name;
    Place place;
    std::vector<Place> items;
  };
  Place place{};
  std::vector<Member> members{};

  void Add(std::string_view member, const Node& value) {
    members.push_back({.name = member, .place = value.place, .items = {}});
    if (value.kind != Node::Kind::kList) return;
    for (const Node& item : value.items) members.back().items.push_back(item.place);
  }

  Place Find(std::string_view member, size_t item) const {
    const auto found = std::find_if(members.begin(), members.end(),
                                    [&](const Member& candidate) { return candidate.name == member; });
    if (found == members.end()) return place;
    return item < found->items.size() ? found->items[item] : found->place;
  }
};

// Reader hands what a file says to a PolicyBuilder, and remembers where it stood.
class Reader : private policy_file::NodeReader {
 public:
  using NodeReader::NodeReader;

  // Read returns false if the file has another form than a policy's: then the builder has not seen all of it.
  bool Read(const Node& root) {
    for (const SensitivityClass& built_in : Blank().classes()) {
      class_index_.emplace(built_in.name, classes_.size());
      classes_.emplace_back();
    }
    ReadFile(root);
    return findings_.empty();
  }

  absl::StatusOr<Policy> Build() {
    for (PolicyFinding& finding : builder_.Findings()) {
      const Place place = PlaceOf(finding);
      findings_.push_back({finding.is_error, place.line, place.column, InOneLine(finding.message)});
    }
    return builder_.Build();
  }

 private:
  // Member is a name that a map may have, PolicyFinding's name for it, and what reads its value.
  struct Member {
    std::string_view name;
    std::string_view in_part;
    std::function<void(const Node& value)> read;
  };

  Place PlaceOf(const PolicyFinding& finding) const {
    const auto find = [&](const std::vector<PartPlaces>& parts) {
      return finding.index < parts.size() ? parts[finding.index].Find(finding.member, finding.item) : Place{};
    };
    switch (finding.part) {
      case PolicyFinding::Part::kClass:
        return find(classes_);
      case PolicyFinding::Part::kScope:
        return find(scopes_);
      case PolicyFinding::Part::kRole:
        return find(roles_);
      case PolicyFinding::Part::kRule:
        return find(rules_);
      case PolicyFinding::Part::kPolicy:
        break;
    }
    return {};
  }

  // ReadMap reads a map that may have `members` and no others. `what` it is is for errors.
  void ReadMap(const Node& map, std::string_view what, const std::vector<Member>& members,
               PartPlaces* places = nullptr) {
    EachEntry(map, [&](const Node& name, const Node& value) {
      std::vector<std::string_view> names;
      for (const Member& member : members) {
        names.push_back(member.name);
        if (member.name != name.text) continue;
        if (places != nullptr) places->Add(member.in_part, value);
        return member.read(value);
      }
      Unknown(name, what, names);
    });
  }

  template <typename Enum, size_t kSize>
  void ReadEnum(const Node& value, const Enum (&values)[kSize], Enum* read) {
    std::vector<std::string_view> names;
    for (const Enum candidate : values) names.push_back(NameOf(candidate));
    if (const std::optional<size_t> found = ReadOneOf(value, names)) *read = values[*found];
  }

  template <typename Enum, size_t kSize>
  void ReadEnums(const Node& value, const Enum (&values)[kSize], std::vector<Enum>* read) {
    read->clear();
    EachItem(value, [&](const Node& item) { ReadEnum(item, values, &read->emplace_back()); });
  }

  void ReadDuration(const Node& value, int64_t* seconds) {
    const std::optional<int64_t> duration =
        value.kind == Node::Kind::kText ? ParseDuration(value.text) : std::nullopt;
    if (!duration) return Error(value.place, "a duration is expected here, like 90s, 15m, 1h or 7d");
    *seconds = *duration;
  }

  // ReadBound reads a duration, or "none", which is 0.
  void ReadBound(const Node& value, int64_t* seconds) {
    if (value.kind == Node::Kind::kText && value.text == "none") {
      *seconds = 0;
    } else if (value.kind == Node::Kind::kText && ParseDuration(value.text)) {
      *seconds = *ParseDuration(value.text);
    } else {
      Error(value.place, "a duration is expected here, like 90s, 15m, 1h or 7d, or none");
    }
  }

  // Some wraps what reads a list, one of which is to be had: an empty one would let everybody pass, and looks
  // like nobody.
  std::function<void(const Node&)> Some(std::function<void(const Node&)> read) {
    return [this, read = std::move(read)](const Node& value) {
      if (value.kind == Node::Kind::kList && value.items.empty())
        return Error(value.place, "an empty list would let everybody pass: leave it out, if that is meant");
      read(value);
    };
  }

  void ReadFile(const Node& root) {
    const Node *version = nullptr, *servers = nullptr;
    // In this order, whatever the file's: the parts of a policy have numbers of their own.
    const Node *classes = nullptr, *scopes = nullptr, *roles = nullptr;
    const auto keep = [](const Node** node) { return [node](const Node& value) { *node = &value; }; };
    ReadMap(root, "a policy",
            {{"version", "", keep(&version)},
             {"classes", "", keep(&classes)},
             {"scopes", "", keep(&scopes)},
             {"roles", "", keep(&roles)},
             {"servers", "", keep(&servers)}});
    if (root.kind != Node::Kind::kMap) return;
    if (version == nullptr) {
      Missing(root, "\"version: 1\" is missing");
    } else if (version->text != "1") {
      return Error(version->place, "the version is not known: 1 is");
    }
    if (classes != nullptr) EachEntry(*classes, [this](auto& name, auto& value) { ReadClass(name, value); });
    if (scopes != nullptr) EachEntry(*scopes, [this](auto& name, auto& value) { ReadScope(name, value); });
    if (roles != nullptr) EachEntry(*roles, [this](auto& name, auto& value) { ReadRole(name, value); });
    if (servers == nullptr) return Missing(root, "\"servers\" is missing: nothing would be allowed");
    if (servers->kind != Node::Kind::kList)
      return Error(servers->place, "a list of servers is expected here");
    for (const Node& server : servers->items) ReadServer(server);
  }

  void ReadClass(const Node& name, const Node& value) {
    const auto [index, is_new] = class_index_.emplace(name.text, classes_.size());
    if (is_new) classes_.emplace_back();
    SensitivityClass read{.name = name.text};
    // A built-in class keeps what the file does not say anew: nothing gets laxer by a name that is left out.
    if (index->second < Blank().classes().size()) read = Blank().classes()[index->second];
    PartPlaces places{.place = name.place};
    const auto bound = [this](int64_t* seconds) {
      return [this, seconds](const Node& node) { ReadBound(node, seconds); };
    };
    ReadMap(value, "a class",
            {{"mode", "mode", [&](const Node& node) { ReadEnum(node, kModes, &read.mode); }},
             {"token_age_max", "token_age_max_s", bound(&read.token_age_max_s)},
             {"token_lifetime_max", "token_lifetime_max_s", bound(&read.token_lifetime_max_s)},
             {"introspection_age_max", "introspection_age_max_s", bound(&read.introspection_age_max_s)},
             {"outage", "introspection_outage", [&](const Node& node) { ReadOutage(node, &read); }},
             {"acr", "acr_values", Some([&](const Node& node) { ReadTexts(node, &read.acr_values); })},
             {"amr", "amr_values", [&](const Node& node) { ReadTexts(node, &read.amr_values); }},
             {"principals", "principals",
              Some([&](const Node& node) { ReadEnums(node, kPrincipals, &read.principals); })},
             {"credentials", "credentials",
              Some([&](const Node& node) { ReadEnums(node, kCredentials, &read.credentials); })},
             {"sender_constraint", "sender_constraint",
              [&](const Node& node) { ReadBool(node, &read.sender_constraint); }},
             {"audit", "audit", [&](const Node& node) { ReadEnum(node, kAudits, &read.audit); }}},
            &places);
    builder_.AddClass(std::move(read));
    classes_[index->second] = std::move(places);
  }

  void ReadOutage(const Node& value, SensitivityClass* read) {
    read->last_known_age_max_s = 0;
    if (value.kind == Node::Kind::kMap) {
      read->introspection_outage = IntrospectionOutage::kLastKnown;
      ReadMap(
          value, "outage",
          {{"last_known", "", [&](const Node& node) { ReadDuration(node, &read->last_known_age_max_s); }}});
    } else if (value.kind == Node::Kind::kText && value.text == NameOf(IntrospectionOutage::kLastKnown)) {
      Error(value.place, "last_known needs to say how long: {last_known: 5m}");
    } else {
      ReadEnum(value, kOutages, &read->introspection_outage);
    }
  }

  void ReadScope(const Node& name, const Node& value) {
    ScopeRule read{.scope = name.text};
    PartPlaces places{.place = name.place};
    places.Add("implies", value);
    ReadTexts(value, &read.implies);
    builder_.AddScope(std::move(read));
    scopes_.push_back(std::move(places));
  }

  void ReadRole(const Node& name, const Node& value) {
    RoleRule read{.role = name.text};
    PartPlaces places{.place = name.place};
    if (value.kind != Node::Kind::kMap) {
      places.Add("scopes", value);
      ReadTexts(value, &read.scopes);
    } else {
      ReadMap(value, "a role",
              {{"scopes", "scopes", [&](const Node& node) { ReadTexts(node, &read.scopes); }},
               {"principals", "principals",
                [&](const Node& node) { ReadEnums(node, kPrincipals, &read.principals); }},
               {"from", "from", Some([&](const Node& node) {
                  EachItem(node, [&](const Node& item) { ReadSource(item, &read.from.emplace_back()); });
                })}},
              &places);
    }
    builder_.AddRole(std::move(read));
    roles_.push_back(std::move(places));
  }

  void ReadSource(const Node& value, RoleRule::Source* read) {
    if (value.kind == Node::Kind::kText) {
      read->value = value.text;
      return;
    }
    bool has_value = false;
    ReadMap(value, "a role's source",
            {{"issuer", "", [&](const Node& node) { ReadText(node, &read->issuer); }},
             {"value", "", [&](const Node& node) {
                has_value = true;
                ReadText(node, &read->value);
              }}});
    if (!has_value) Missing(value, "\"value\" is missing");
  }

  void ReadServer(const Node& value) {
    enum class Protocol { kAnyValidToken, kDeny } protocol = Protocol::kAnyValidToken;
    const Node *uri = nullptr, *methods = nullptr, *tools = nullptr, *prompts = nullptr, *resources = nullptr;
    Place protocol_place = value.place;
    const auto keep = [](const Node** node) { return [node](const Node& found) { *node = &found; }; };
    ReadMap(value, "a server",
            {{"uri", "", keep(&uri)},
             {"protocol", "",
              [&](const Node& node) {
                protocol_place = node.place;
                if (node.kind == Node::Kind::kText && node.text == "deny") {
                  protocol = Protocol::kDeny;
                } else if (node.kind != Node::Kind::kText || node.text != "any_valid_token") {
                  Error(node.place, "any_valid_token or deny is expected here");
                }
              }},
             {"methods", "", keep(&methods)},
             {"tools", "", keep(&tools)},
             {"prompts", "", keep(&prompts)},
             {"resources", "", keep(&resources)}});
    std::string server;
    if (uri != nullptr) {
      ReadText(*uri, &server);
      if (uri->kind == Node::Kind::kText && server.empty())
        Error(uri->place, "a URI is expected here, or \"*\"");
      if (server == "*") server.clear();
    }
    if (!servers_.insert(server).second) {
      return Error(uri == nullptr ? value.place : uri->place,
                   server.empty() ? "there is one entry for all servers already"
                                  : "there is one entry for this server already");
    }
    if (protocol == Protocol::kAnyValidToken) AddProtocol(server, methods, protocol_place);
    ReadRules(methods, McpObject::kMethod, server);
    ReadRules(tools, McpObject::kTool, server);
    ReadRules(prompts, McpObject::kPrompt, server);
    ReadRules(resources, McpObject::kResource, server);
  }

  // AddProtocol adds the rules of PolicyBuilder::AddProtocol, but for methods of which the file says
  // something else.
  void AddProtocol(const std::string& server, const Node* methods, Place place) {
    absl::flat_hash_set<std::string> said;
    if (methods != nullptr && methods->kind == Node::Kind::kMap) {
      for (size_t i = 0; i < methods->items.size(); i += 2) said.insert(methods->items[i].text);
    }
    for (AccessRule rule : Blank().rules()) {
      if (said.contains(rule.name)) continue;
      rule.server = server;
      builder_.AddRule(std::move(rule));
      rules_.push_back({.place = place});
    }
  }

  void ReadRules(const Node* section, McpObject object, const std::string& server) {
    if (section == nullptr) return;
    EachEntry(*section, [&](const Node& name, const Node& value) {
      AccessRule rule{.name = name.text, .object = object, .server = server};
      PartPlaces places{.place = name.place};
      places.Add("name", name);
      ReadRule(value, &rule, &places);
      builder_.AddRule(std::move(rule));
      rules_.push_back(std::move(places));
    });
  }

  void ReadRule(const Node& value, AccessRule* rule, PartPlaces* places) {
    if (value.kind != Node::Kind::kMap) {
      // What people write when they mean something else than a scope of that name.
      if (value.is_plain &&
          (value.text == "true" || value.text == "false" || value.text == "any_valid_token")) {
        return Error(value.place,
                     "scopes are expected here, or {any_valid_token: true}; a scope of this name is quoted");
      }
      places->Add("scopes", value);
      return ReadTexts(value, &rule->scopes);
    }
    ReadMap(value, "a rule",
            {{"scopes", "scopes", [&](const Node& node) { ReadTexts(node, &rule->scopes); }},
             {"roles", "roles", Some([&](const Node& node) { ReadTexts(node, &rule->roles); })},
             {"any_valid_token", "any_valid_token",
              [&](const Node& node) { ReadBool(node, &rule->any_valid_token); }},
             {"class", "sensitivity", [&](const Node& node) { ReadText(node, &rule->sensitivity); }},
             {"principals", "principals",
              Some([&](const Node& node) { ReadEnums(node, kPrincipals, &rule->principals); })},
             {"when", "predicates",
              [&](const Node& node) {
                EachItem(node,
                         [&](const Node& item) { ReadPredicate(item, &rule->predicates.emplace_back()); });
              }},
             {"systems", "systems", [&](const Node& node) { ReadTexts(node, &rule->systems); }}},
            places);
  }

  void ReadPredicate(const Node& value, Predicate* read) {
    size_t num_operators = 0;
    bool has_claim = false;
    const auto values = [&](Predicate::Operator operation) {
      return [this, read, &num_operators, operation](const Node& node) {
        ++num_operators;
        read->operation = operation;
        if (operation == Predicate::Operator::kEquals) {
          ReadText(node, &read->values.emplace_back());
        } else {
          ReadTexts(node, &read->values);
        }
      };
    };
    ReadMap(value, "a condition",
            {{"claim", "",
              [&](const Node& node) {
                has_claim = true;
                ReadText(node, &read->claim);
              }},
             {"present", "",
              [&](const Node& node) {
                ++num_operators;
                read->operation = Predicate::Operator::kPresent;
                bool present = false;
                ReadBool(node, &present);
                if (node.text == "false") Error(node.place, "a claim cannot be demanded to be absent");
              }},
             {"equals", "", values(Predicate::Operator::kEquals)},
             {"in", "", values(Predicate::Operator::kIn)},
             {"prefix", "", values(Predicate::Operator::kPrefix)},
             {"contains", "", values(Predicate::Operator::kContains)}});
    if (!has_claim) Missing(value, "\"claim\" is missing");
    if (num_operators > 1)
      Error(value.place, "a condition has only one of present, equals, in, prefix, contains");
    if (num_operators == 0) Missing(value, "one of present, equals, in, prefix, contains is missing");
  }

  PolicyBuilder builder_;
  absl::flat_hash_map<std::string, size_t> class_index_;
  absl::flat_hash_set<std::string> servers_;
  // As the builder has them.
  std::vector<PartPlaces> classes_, scopes_, roles_, rules_;
};

}  // namespace

absl::StatusOr<Policy> ParsePolicy(std::string_view yaml, std::vector<PolicyFileFinding>* findings) {
  std::vector<PolicyFileFinding> unwanted;
  if (findings == nullptr) findings = &unwanted;
  findings->clear();
  absl::StatusOr<Policy> policy = absl::InvalidArgumentError("no policy");
  Reader reader(findings);
  if (const std::optional<Node> root = policy_file::ReadYaml(yaml, findings); root && reader.Read(*root)) {
    policy = reader.Build();
  }
  const absl::Status status = policy_file::InOrder(findings);
  return status.ok() ? policy : status;
}

}  // namespace tollgate
