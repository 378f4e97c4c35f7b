#include "policy_file/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <istream>
#include <sstream>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "base/limits.h"
#include "policy_file/text.h"

namespace tollgate::policy_file {
namespace {

PolicyFileFinding ErrorAt(Place place, std::string message) {
  return {.is_error = true, .line = place.line, .column = place.column, .message = std::move(message)};
}

Place PlaceOf(const YAML::Mark& mark) {
  // An exception may have no place: then it is all ones.
  return {static_cast<size_t>(std::max(mark.line, 0)) + 1, static_cast<size_t>(std::max(mark.column, 0)) + 1};
}

// CheckText refuses what yaml-cpp would take for something else than other readers and people do (U+0004 ends
// its input, NUL bytes make it UTF-16), and what would cost it memory out of proportion: until a flow
// collection at the top has ended, all its tokens are kept, at 200 bytes for a bracket.
std::optional<PolicyFileFinding> CheckText(std::string_view text) {
  if (text.size() > limits::kPolicyFileBytesMax) {
    return ErrorAt({}, "the file has more than " + std::to_string(limits::kPolicyFileBytesMax) + " bytes");
  }
  Place place;
  size_t num_flow_marks = 0;
  while (!text.empty()) {
    if (place.column == 1 && text.front() == '%') return ErrorAt(place, "directives are not allowed");
    if (text.starts_with("\r\n")) text.remove_prefix(1);
    const size_t size = text.size();
    uint32_t character;
    if (!NextCharacter(&text, &character)) return ErrorAt(place, "this is not UTF-8");
    if (!IsVisible(character)) {
      return ErrorAt(place, "a character that cannot be seen; within double quotes it may be escaped");
    }
    if (character == '[' || character == '{' || character == ',') ++num_flow_marks;
    if (num_flow_marks > limits::kPolicyFileFlowMarksMax) {
      return ErrorAt(place, "more than " + std::to_string(limits::kPolicyFileFlowMarksMax) +
                                " of [ { , in one file: write lists and maps on lines of their own");
    }
    place.column += size - text.size();
    if (character == '\n') place = {place.line + 1, 1};
  }
  return std::nullopt;
}

// TreeBuilder makes a tree out of yaml-cpp's events. After a failure it ignores what comes: yaml-cpp cannot
// be stopped but by an exception, and stops by itself at a depth of 500.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view text, std::vector<PolicyFileFinding>* errors)
      : text_(text), errors_(*errors) {}

  bool failed() const { return failed_; }
  std::optional<Node> TakeRoot() { return std::move(root_); }

  void Fail(Place place, std::string message) {
    if (!failed_) errors_.push_back(ErrorAt(place, std::move(message)));
    failed_ = true;
    open_.clear();
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++num_documents_ > 1) Fail(PlaceOf(mark), "a second document begins here: a file has one");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (Begin(mark, "?", anchor)) Add({.place = PlaceOf(mark)});
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    Fail(PlaceOf(mark), "aliases are not allowed: a text that begins with * is quoted");
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    // What has quotation marks and what has the tag "!" look alike, but for where they begin.
    const char first =
        static_cast<size_t>(mark.pos) < text_.size() ? text_[static_cast<size_t>(mark.pos)] : '!';
    if (Begin(mark, tag == "!" && first != '!' ? "?" : tag, anchor)) {
      Add({.kind = Node::Kind::kText, .is_plain = tag == "?", .place = PlaceOf(mark), .text = value});
    }
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    if (Begin(mark, tag, anchor)) Open(Node::Kind::kList, PlaceOf(mark));
  }
  void OnSequenceEnd() override { Close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    if (Begin(mark, tag, anchor)) Open(Node::Kind::kMap, PlaceOf(mark));
  }
  void OnMapEnd() override { Close(); }

 private:
  struct Collection {
    Node node{};
    absl::flat_hash_set<std::string> names{};  // Of a map.
  };

  // Begin says whether a value may begin here.
  bool Begin(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (failed_) return false;
    if (anchor != 0) {
      Fail(PlaceOf(mark), "anchors are not allowed: a text that begins with & is quoted");
    } else if (tag != "?") {
      Fail(PlaceOf(mark), "tags are not allowed: a text that begins with ! is quoted");
    } else if (++num_nodes_ > limits::kPolicyFileNodesMax) {
      Fail(PlaceOf(mark), "more than " + std::to_string(limits::kPolicyFileNodesMax) + " values in one file");
    }
    return !failed_;
  }

  void Open(Node::Kind kind, Place place) {
    if (IsName()) return Fail(place, "a name has to be a text");
    if (open_.size() == limits::kPolicyFileDepthMax) {
      return Fail(place, "nested more than " + std::to_string(limits::kPolicyFileDepthMax) + " deep");
    }
    open_.push_back({.node = {.kind = kind, .place = place}});
  }

  void Close() {
    if (failed_) return;
    Node node = std::move(open_.back().node);
    open_.pop_back();
    Add(std::move(node));
  }

  // IsName tells whether the next value is a name in a map.
  bool IsName() const {
    return !open_.empty() && open_.back().node.kind == Node::Kind::kMap &&
           open_.back().node.items.size() % 2 == 0;
  }

  void Add(Node node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    if (IsName()) {
      if (node.kind != Node::Kind::kText) return Fail(node.place, "a name has to be a text");
      if (node.is_plain && node.text == "<<") return Fail(node.place, "merge keys are not allowed");
      if (!open_.back().names.insert(node.text).second) {
        errors_.push_back(ErrorAt(node.place, Quoted(node.text) + " is there twice"));
      }
    }
    open_.back().node.items.push_back(std::move(node));
  }

  const std::string_view text_;
  std::vector<PolicyFileFinding>& errors_;
  std::vector<Collection> open_;
  std::optional<Node> root_;
  size_t num_nodes_ = 0;
  size_t num_documents_ = 0;
  bool failed_ = false;
};

// Hint helps with characters that begin a plain scalar in people's minds, but not in YAML's.
std::string Hint(std::string_view text, const YAML::Mark& mark) {
  if (mark.pos < 0 || static_cast<size_t>(mark.pos) > text.size()) return "";
  const size_t begin = mark.pos > 0 ? static_cast<size_t>(mark.pos) - 1 : 0;
  const std::string_view around = text.substr(begin, 2);
  const size_t found = around.find_first_of("*&!%@`");
  if (found == around.npos) return "";
  return std::string("; a text that begins with ") + around[found] + " is quoted";
}

}  // namespace

std::optional<Node> ReadYaml(std::string_view text, std::vector<PolicyFileFinding>* errors) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (std::optional<PolicyFileFinding> error = CheckText(text)) {
    errors->push_back(*std::move(error));
    return std::nullopt;
  }
  TreeBuilder builder(text, errors);
  // yaml-cpp takes a quotation mark that is still open when the last line ends for one that was closed: there
  // must be something more, in a line without an end.
  std::istringstream stream(std::string(text) + (text.ends_with('\n') ? "#" : "\n#"));
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder) && !builder.failed()) {
    }
  } catch (const YAML::Exception& exception) {
    // Its message may have half a character of the file in it.
    builder.Fail(PlaceOf(exception.mark),
                 "no YAML: " + InOneLine(exception.msg) + Hint(text, exception.mark));
  }
  if (builder.failed()) return std::nullopt;
  std::optional<Node> root = builder.TakeRoot();
  if (!root) errors->push_back(ErrorAt({}, "the file is empty"));
  return root;
}

}  // namespace tollgate::policy_file
