#pragma once

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace tollgate::fuzz {

// Tree is a JSON text with all its members, repeated ones too.
struct Tree {
  nlohmann::json::value_t type = nlohmann::json::value_t::null;
  std::string text;  // Of a string, a number, a boolean.
  std::vector<std::pair<std::string, Tree>> children;
  bool operator==(const Tree&) const = default;
};

class TreeBuilder : public nlohmann::json_sax<nlohmann::json> {
 public:
  Tree root;

  bool null() override { return Add({}); }
  bool boolean(bool value) override {
    return Add({nlohmann::json::value_t::boolean, value ? "true" : "false", {}});
  }
  bool number_integer(int64_t value) override {
    return Add({nlohmann::json::value_t::number_integer, std::to_string(value), {}});
  }
  bool number_unsigned(uint64_t value) override {
    return Add({nlohmann::json::value_t::number_unsigned, std::to_string(value), {}});
  }
  bool number_float(double, const std::string& text) override {
    return Add({nlohmann::json::value_t::number_float, text, {}});
  }
  bool string(std::string& text) override { return Add({nlohmann::json::value_t::string, text, {}}); }
  bool binary(nlohmann::json::binary_t&) override { return false; }
  bool start_object(size_t) override { return Open(nlohmann::json::value_t::object); }
  bool start_array(size_t) override { return Open(nlohmann::json::value_t::array); }
  bool key(std::string& name) override {
    key_ = name;
    return true;
  }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  bool Add(Tree tree) {
    if (open_.empty()) {
      root = std::move(tree);
    } else {
      open_.back().second.children.emplace_back(key_, std::move(tree));
    }
    key_.clear();
    return true;
  }
  bool Open(nlohmann::json::value_t type) {
    open_.push_back({key_, {type, {}, {}}});
    key_.clear();
    return true;
  }
  bool Close() {
    auto [name, tree] = std::move(open_.back());
    open_.pop_back();
    key_ = name;
    return Add(std::move(tree));
  }

  std::string key_;
  std::vector<std::pair<std::string, Tree>> open_;
};

// Folded returns a name as one sees it who minds no case.
inline std::string Folded(std::string text) {
  for (const auto& [sign, letter] : {std::pair("\u017f", "s"), std::pair("\u212a", "k")}) {
    for (size_t at = text.find(sign); at != std::string::npos; at = text.find(sign))
      text.replace(at, std::string(sign).size(), letter);
  }
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

}  // namespace tollgate::fuzz
