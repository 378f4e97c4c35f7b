#include "json/document.h"

#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

#include "base/limits.h"

namespace tollgate::json {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

// Objects of up to this many members have their names compared pair by pair, larger ones are sorted.
constexpr uint32_t kPairwiseMembersMax = 24;
// simdjson counts neither scalars nor empty containers as a level. Its own bound is one looser than ours, and
// exists so that its stack is bounded; the walk counts exactly.
constexpr size_t kSimdjsonDepth = limits::kJsonDepthMax + 1;

Reason FromSimdjson(simdjson::error_code error) {
  switch (error) {
    case simdjson::SUCCESS:
      return Reason::kNone;
    case simdjson::DEPTH_ERROR:
      return Reason::kTooDeep;
    case simdjson::UTF8_ERROR:
      return Reason::kBadUtf8;
    case simdjson::MEMALLOC:
      return Reason::kOverloaded;
    default:
      return Reason::kBadJson;
  }
}

// WordOf is NameWord of a name that simdjson has unescaped: behind its buffer are bytes enough to read eight.
uint64_t WordOf(std::string_view name) {
  static_assert(simdjson::SIMDJSON_PADDING >= 8);
  if (name.data() == nullptr) return 0;
  if constexpr (std::endian::native != std::endian::little) return NameWord(name);
  uint64_t word;
  std::memcpy(&word, name.data(), sizeof word);
  return name.size() >= 8 ? word : word & ((uint64_t{1} << 8 * name.size()) - 1);
}

// Walk turns simdjson's answer into nodes. Recursion is bounded by limits::kJsonDepthMax.
class Walk {
 public:
  Walk(std::vector<Node>* nodes, std::vector<std::string_view>* names) : nodes_(*nodes), names_(*names) {}

  Reason Append(element value, std::string_view name, size_t depth) {
    const auto position = static_cast<uint32_t>(nodes_.size());
    Node& node = nodes_.emplace_back();
    node.name = name;
    node.name_word = WordOf(name);
    node.end = position + 1;
    switch (value.type()) {
      case element_type::STRING: {
        const std::string_view text = value.get_string().value_unsafe();
        node.type = Type::kString;
        node.text = {text.data(), text.size()};
        return Reason::kNone;
      }
      case element_type::INT64:
        node.type = Type::kInt64;
        node.int64 = value.get_int64().value_unsafe();
        return Reason::kNone;
      case element_type::UINT64:
        node.type = Type::kUint64;
        node.uint64 = value.get_uint64().value_unsafe();
        return Reason::kNone;
      case element_type::DOUBLE:
        node.type = Type::kDouble;
        node.number = value.get_double().value_unsafe();
        return Reason::kNone;
      case element_type::BOOL:
        node.type = Type::kBool;
        node.boolean = value.get_bool().value_unsafe();
        return Reason::kNone;
      case element_type::NULL_VALUE:
        return Reason::kNone;
      case element_type::ARRAY:
        node.type = Type::kArray;
        return AppendArray(value.get_array().value_unsafe(), position, depth + 1);
      case element_type::OBJECT:
        node.type = Type::kObject;
        return AppendObject(value.get_object().value_unsafe(), position, depth + 1);
    }
    return Reason::kBadJson;
  }

 private:
  Reason AppendArray(simdjson::dom::array array, uint32_t position, size_t depth) {
    if (depth > limits::kJsonDepthMax) return Reason::kTooDeep;
    for (const element child : array) {
      if (const Reason reason = Append(child, {}, depth); reason != Reason::kNone) return reason;
    }
    nodes_[position].end = static_cast<uint32_t>(nodes_.size());
    return Reason::kNone;
  }

  Reason AppendObject(simdjson::dom::object object, uint32_t position, size_t depth) {
    if (depth > limits::kJsonDepthMax) return Reason::kTooDeep;
    uint64_t filter = 0;
    uint32_t count = 0;
    for (const auto member : object) {
      const uint64_t bit = NameBit(member.key);
      if ((filter & bit) != 0 && count < kPairwiseMembersMax && HasMember(position, member.key)) {
        return Reason::kDuplicateMember;
      }
      filter |= bit;
      ++count;
      if (const Reason reason = Append(member.value, member.key, depth); reason != Reason::kNone)
        return reason;
    }
    nodes_[position].end = static_cast<uint32_t>(nodes_.size());
    nodes_[position].name_bits = filter;
    if (count > kPairwiseMembersMax && HasDuplicate(position)) return Reason::kDuplicateMember;
    return Reason::kNone;
  }

  // HasMember looks through the members that the object at `position` has so far.
  bool HasMember(uint32_t position, std::string_view name) const {
    for (uint32_t i = position + 1; i < nodes_.size(); i = nodes_[i].end) {
      if (nodes_[i].name == name) return true;
    }
    return false;
  }

  // HasDuplicate sorts the names: O(n log n) comparisons whatever an attacker writes.
  bool HasDuplicate(uint32_t position) {
    names_.clear();
    for (uint32_t i = position + 1; i < nodes_[position].end; i = nodes_[i].end)
      names_.push_back(nodes_[i].name);
    std::sort(names_.begin(), names_.end());
    return std::adjacent_find(names_.begin(), names_.end()) != names_.end();
  }

  std::vector<Node>& nodes_;
  std::vector<std::string_view>& names_;
};

// NameEquals compares a member's name with one reference token of a JSON pointer, where ~1 stands for / and
// ~0 for ~ (RFC 6901 section 4). A token with any other ~ names nothing.
bool NameEquals(std::string_view name, std::string_view token) {
  size_t n = 0;
  for (size_t i = 0; i < token.size(); ++i, ++n) {
    char c = token[i];
    if (c == '~') {
      if (++i == token.size() || (token[i] != '0' && token[i] != '1')) return false;
      c = token[i] == '0' ? '~' : '/';
    }
    if (n == name.size() || name[n] != c) return false;
  }
  return n == name.size();
}

}  // namespace

struct Document::Parser {
  explicit Parser(size_t size)
      : bytes_max(size), buffer(std::make_unique<char[]>(size + simdjson::SIMDJSON_PADDING)) {
    const size_t capacity = std::max(size, simdjson::dom::MINIMAL_DOCUMENT_CAPACITY);
    ready = simdjson.allocate(capacity, kSimdjsonDepth) == simdjson::SUCCESS &&
            simdjson.doc.allocate(capacity) == simdjson::SUCCESS;
  }

  const size_t bytes_max;
  const std::unique_ptr<char[]> buffer;
  simdjson::dom::parser simdjson;
  bool ready = false;                   // simdjson reports a failed allocation and does not throw.
  std::vector<std::string_view> names;  // Scratch of Walk.
};

Document::Document(size_t bytes_max) : parser_(std::make_unique<Parser>(bytes_max)) {}
Document::~Document() = default;

char* Document::Buffer() { return parser_->buffer.get(); }

Reason Document::Parse(std::string_view text) {
  nodes_.clear();
  if (text.size() > parser_->bytes_max) return Reason::kTokenTooLong;
  if (!text.empty()) std::memcpy(Buffer(), text.data(), text.size());
  return ParseBuffer(text.size());
}

Reason Document::ParseBuffer(size_t size) {
  nodes_.clear();
  if (size > parser_->bytes_max) return Reason::kTokenTooLong;
  if (!parser_->ready) return Reason::kOverloaded;
  const std::string_view text(Buffer(), size);
  // RFC 8259 section 8.1 forbids a byte order mark; newer simdjson skips it.
  if (text.starts_with("\xEF\xBB\xBF")) return Reason::kBadJson;
  element root;
  const simdjson::error_code error = parser_->simdjson.parse(text.data(), text.size(), false).get(root);
  if (error != simdjson::SUCCESS) return FromSimdjson(error);
  const Reason reason = Walk(&nodes_, &parser_->names).Append(root, {}, 0);
  if (reason != Reason::kNone) nodes_.clear();
  return reason;
}

std::optional<std::string_view> Value::string() const {
  if (!present() || node_->type != Type::kString) return std::nullopt;
  return std::string_view(node_->text.data, node_->text.size);
}

std::optional<bool> Value::boolean() const {
  if (!present() || node_->type != Type::kBool) return std::nullopt;
  return node_->boolean;
}

std::optional<double> Value::number() const {
  if (!present()) return std::nullopt;
  switch (node_->type) {
    case Type::kInt64:
      return static_cast<double>(node_->int64);
    case Type::kUint64:
      return static_cast<double>(node_->uint64);
    case Type::kDouble:
      return node_->number;
    default:
      return std::nullopt;
  }
}

std::optional<int64_t> Value::int64() const {
  if (!present() || node_->type != Type::kInt64) return std::nullopt;
  return node_->int64;
}

Value Value::FirstChild() const {
  if (!is_object() && !is_array()) return Value();
  const Node* first = node_ + 1;
  return first == base_ + node_->end ? Value() : Value(base_, first);
}

Value Value::NextChild(Value child) const {
  const Node* next = base_ + child.node_->end;
  return next == base_ + node_->end ? Value() : Value(base_, next);
}

Value Value::Member(std::string_view name) const {
  // Most names that are asked for and are not there need no look at the members.
  if (!is_object() || (node_->name_bits & NameBit(name)) == 0) return Value();
  const uint64_t word = NameWord(name);
  const Node* const end = base_ + node_->end;
  for (const Node* node = node_ + 1; node != end; node = base_ + node->end) {
    if (node->name_word != word || node->name.size() != name.size()) continue;
    if (name.size() <= 8 || node->name == name) return Value(base_, node);
  }
  return Value();
}

Value Value::Pointer(std::string_view pointer) const {
  if (!pointer.empty() && pointer.front() != '/') return Member(pointer);
  Value value = *this;
  while (!pointer.empty() && value.present()) {
    pointer.remove_prefix(1);
    const std::string_view token = pointer.substr(0, pointer.find('/'));
    pointer.remove_prefix(token.size());
    Value found;
    if (value.is_object()) {
      for (Value child = value.FirstChild(); child.present(); child = value.NextChild(child)) {
        if (NameEquals(child.name(), token)) {
          found = child;
          break;
        }
      }
    }
    value = found;
  }
  return value;
}

}  // namespace tollgate::json
