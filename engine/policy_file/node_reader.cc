#include "policy_file/node_reader.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "policy/near_miss.h"
#include "policy_file/text.h"

namespace tollgate::policy_file {

void NodeReader::Error(Place place, std::string message) {
  if (findings_.size() < kErrorsMax) {
    findings_.push_back({true, place.line, place.column, std::move(message)});
  }
}

void NodeReader::Missing(const Node& map, std::string message) {
  if (findings_.empty()) Error(map.place, std::move(message));
}

void NodeReader::Unknown(const Node& name, std::string_view what, std::span<const std::string_view> names) {
  Error(name.place,
        std::string(what) + " has no " + Quoted(name.text) + policy::DidYouMean(name.text, names));
}

void NodeReader::EachEntry(const Node& map,
                           const std::function<void(const Node& name, const Node& value)>& read) {
  if (map.kind != Node::Kind::kMap) return Error(map.place, "a map is expected here");
  for (size_t i = 0; i + 1 < map.items.size(); i += 2) {
    const Node& name = map.items[i];
    const Node& value = map.items[i + 1];
    if (value.kind == Node::Kind::kNull) {
      Error(name.place, Quoted(name.text) + " has no value");
    } else {
      read(name, value);
    }
  }
}

void NodeReader::EachItem(const Node& value, const std::function<void(const Node& item)>& read) {
  if (value.kind != Node::Kind::kList) return read(value);
  for (const Node& item : value.items) read(item);
}

void NodeReader::ReadText(const Node& value, std::string* text) {
  if (value.kind != Node::Kind::kText) return Error(value.place, "a text is expected here");
  *text = value.text;
}

void NodeReader::ReadTexts(const Node& value, std::vector<std::string>* texts) {
  texts->clear();
  EachItem(value, [&](const Node& item) { ReadText(item, &texts->emplace_back()); });
}

void NodeReader::ReadBool(const Node& value, bool* flag) {
  if (!value.is_plain || (value.text != "true" && value.text != "false")) {
    return Error(value.place, "true or false is expected here");
  }
  *flag = value.text == "true";
}

std::optional<size_t> NodeReader::ReadOneOf(const Node& value, std::span<const std::string_view> names) {
  const auto found = std::find(names.begin(), names.end(), value.text);
  if (value.kind == Node::Kind::kText && found != names.end())
    return static_cast<size_t>(found - names.begin());
  std::string all;
  for (const std::string_view name : names) all += (all.empty() ? "" : ", ") + std::string(name);
  Error(value.place, "one of " + all + " is expected here" + policy::DidYouMean(value.text, names));
  return std::nullopt;
}

absl::Status InOrder(std::vector<PolicyFileFinding>* findings) {
  std::stable_sort(findings->begin(), findings->end(),
                   [](const PolicyFileFinding& a, const PolicyFileFinding& b) {
                     return std::tie(a.line, a.column) < std::tie(b.line, b.column);
                   });
  const auto error = std::find_if(findings->begin(), findings->end(),
                                  [](const PolicyFileFinding& finding) { return finding.is_error; });
  if (error == findings->end()) return absl::OkStatus();
  return absl::InvalidArgumentError("line " + std::to_string(error->line) + ", column " +
                                    std::to_string(error->column) + ": " + error->message);
}

}  // namespace tollgate::policy_file
