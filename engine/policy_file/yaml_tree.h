#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tollgate/policy_file.h"

namespace tollgate::policy_file {

// Place is a character of a file, from 1.
struct Place {
  size_t line = 1;
  size_t column = 1;
};

// Node is a value of a YAML file. Scalars are texts, whatever YAML's schemas would make of them: `no` is
// "no".
struct Node {
  enum class Kind : uint8_t { kNull, kText, kList, kMap };
  Kind kind = Kind::kNull;
  bool is_plain = false;  // A text without quotation marks, not in block style either.
  Place place{};
  std::string text{};
  std::vector<Node> items{};  // Of a list; of a map, name and value in turn. All names are texts.
};

// ReadYaml reads one document, the small part of YAML that docs/policy.md describes: no anchors, aliases,
// merge keys, tags and directives, no names that are not texts, limits::kPolicyFile…. Returns nullopt, and
// why as the last of *errors, for what is not such a document. A name that stands twice in a map is an error,
// too, but the rest is read.
std::optional<Node> ReadYaml(std::string_view text, std::vector<PolicyFileFinding>* errors);

}  // namespace tollgate::policy_file
