#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "policy_file/yaml_tree.h"
#include "tollgate/policy_file.h"

namespace tollgate::policy_file {

// NodeReader takes values out of a tree, and notes what is wrong with them and where. It never repeats a
// value: that may be a secret in the wrong place. Owner thread only.
class NodeReader {
 public:
  // A file with more errors is of another kind, and nobody reads on.
  static constexpr size_t kErrorsMax = 100;

  explicit NodeReader(std::vector<PolicyFileFinding>* findings) : findings_(*findings) {}

  void Error(Place place, std::string message);
  // Missing complains of what a map lacks, unless there are complaints already: it may be there, misspelt.
  void Missing(const Node& map, std::string message);
  // Unknown complains of a name that a map may not have; `what` it is that has none.
  void Unknown(const Node& name, std::string_view what, std::span<const std::string_view> names);

  // EachEntry calls `read` with every name of a map and its value.
  void EachEntry(const Node& map, const std::function<void(const Node& name, const Node& value)>& read);
  // EachItem calls `read` with every item of a list, or with what stands there instead of a list of one.
  void EachItem(const Node& value, const std::function<void(const Node& item)>& read);

  void ReadText(const Node& value, std::string* text);
  void ReadTexts(const Node& value, std::vector<std::string>* texts);
  void ReadBool(const Node& value, bool* flag);
  // ReadOneOf returns which of `names` a text is.
  std::optional<size_t> ReadOneOf(const Node& value, std::span<const std::string_view> names);

 protected:
  std::vector<PolicyFileFinding>& findings_;
};

// InOrder sorts findings by their places and returns the first error as InvalidArgument, OK if there is none.
absl::Status InOrder(std::vector<PolicyFileFinding>* findings);

}  // namespace tollgate::policy_file
