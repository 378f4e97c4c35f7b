#include "json/document.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstring>

#include "base/limits.h"
#include "json/simdjson_error.h"

namespace tollgate::json {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

// Objects of up to this many members have their names compared pair by pair, larger ones are sorted.
constexpr uint32_t kPairwiseMembersMax = 24;
// simdjson counts neither scalars nor empty containers as a level. Its own bound is one looser than ours, and
// exists so that its stack is bounded; the walk counts exactly.
constexpr size_t kSimdjsonDepth = limits::kJsonDepthMax + 1;

// WordOf is NameWord of a name that simdjson has unescaped: behind its buffer are bytes enough to read eight.
uint64_t WordOf(std::string_view name) {
  static_assert(simdjson::SIMDJSON_PADDING >= 8);
  if (name.data() == nullptr) return 0;
  if constexpr (std::endian::native != std::endian::little) return NameWord(name);
  uint64_t word;
  std::memcpy(&word, name.data(), sizeof word);
  return name.size() >= 8 ? word : word & ((uint64_t{1} << 8 * name.size()) - 1);
}

// EightDigits reads as many, unless one of them is none: first pairs of them are put together, then pairs of
// pairs.
TOLLGATE_INLINE bool EightDigits(const char* text, int64_t* value) {
  if constexpr (std::endian::native != std::endian::little) return false;
  uint64_t word;
  std::memcpy(&word, text, sizeof word);
  constexpr uint64_t kHigh = 0xF0F0F0F0F0F0F0F0, kSix = 0x0606060606060606, kZeros = 0x3030303030303030;
  if ((word & kHigh) != kZeros || ((word + kSix) & kHigh) != kZeros) return false;
  word -= kZeros;
  word = (word * 10 + (word >> 8)) & 0x00FF00FF00FF00FF;
  word = (word * 100 + (word >> 16)) & 0x0000FFFF0000FFFF;
  *value = static_cast<int64_t>((word * 10'000 + (word >> 32)) & 0xFFFFFFFF);
  return true;
}

// Nodes is where a walk writes what it finds.
class Nodes {
 public:
  Nodes(std::vector<Node>* nodes, std::array<uint32_t, 64>* root_first, std::vector<std::string_view>* names)
      : nodes_(*nodes), root_first_(*root_first), names_(*names) {}

  uint32_t size() const { return static_cast<uint32_t>(nodes_.size()); }

  // Add appends a node, whose value the caller writes; valid until the next one.
  Node& Add(std::string_view name, uint64_t name_word, Type type) {
    Node& node = nodes_.emplace_back();
    node.type = type;
    node.name = name;
    node.name_word = name_word;
    node.end = size();
    return node;
  }

  // CloseArray notes that the array at `position` has ended.
  void CloseArray(uint32_t position) { nodes_[position].end = size(); }

  // Object is an object whose members are being added.
  struct Object {
    uint32_t position;
    uint64_t name_bits = 0;
    uint32_t count = 0;
  };

  // BeginMember is called ahead of a member; false if it has the name of an earlier one.
  bool BeginMember(Object* object, std::string_view name) {
    const uint32_t number = NameNumber(name);
    const uint64_t bit = uint64_t{1} << number;
    if ((object->name_bits & bit) == 0) {
      if (object->position == 0) root_first_[number] = size();
    } else if (object->count < kPairwiseMembersMax && HasMember(object->position, name)) {
      return false;
    }
    object->name_bits |= bit;
    ++object->count;
    return true;
  }

  // CloseObject notes that `object` has ended; false if two of its members have the same name.
  bool CloseObject(const Object& object) {
    Node& node = nodes_[object.position];
    node.end = size();
    node.members = {.name_bits = object.name_bits,
                    .first = object.position == 0 ? root_first_.data() : nullptr};
    return object.count <= kPairwiseMembersMax || !HasDuplicate(object.position);
  }

 private:
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
  std::array<uint32_t, 64>& root_first_;
  std::vector<std::string_view>& names_;
};

// PlainWalk reads what access tokens are nearly always made of straight from simdjson's first stage, which
// has checked UTF-8 and control characters and says where each token begins: no escapes, no number but short
// non-negative integers. It refuses nothing: a text that it does not take, for whatever reason, is read by
// simdjson's second stage and by Walk, which know why.
class PlainWalk {
 public:
  // `text` holds no backslash and ends with a NUL at text[size]; `starts` are where its tokens begin, and
  // `size` twice behind them. Names and strings stay where they are in `text`.
  PlainWalk(const char* text, const uint32_t* starts, Nodes* nodes)
      : text_(text), next_(starts), nodes_(*nodes) {}

  // Root reads one value; true if it is all that there is up to `end`, the end of the starts.
  bool Root(const uint32_t* end) { return Value({}, 0, 0) && next_ == end; }

 private:
  static bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

  // Value reads one value; what most are, a string, on the spot.
  TOLLGATE_INLINE bool Value(std::string_view name, uint64_t name_word, size_t depth) {
    const uint32_t start = *next_++;
    if (text_[start] != '"') return Other(start, name, name_word, depth);
    std::string_view string;
    if (!String(start, &string)) return false;
    nodes_.Add(name, name_word, Type::kString).text = {string.data(), string.size()};
    return true;
  }

  [[gnu::noinline]] bool Other(uint32_t start, std::string_view name, uint64_t name_word, size_t depth) {
    switch (text_[start]) {
      case '{':
        return depth < limits::kJsonDepthMax && Object(name, name_word, depth + 1);
      case '[':
        return depth < limits::kJsonDepthMax && Array(name, name_word, depth + 1);
      case 't':
        nodes_.Add(name, name_word, Type::kBool).boolean = true;
        return Is(start, "true");
      case 'f':
        nodes_.Add(name, name_word, Type::kBool).boolean = false;
        return Is(start, "false");
      case 'n':
        nodes_.Add(name, name_word, Type::kNull);
        return Is(start, "null");
      default:
        return Integer(start, name, name_word);
    }
  }

  // EndsAt: a token that does not reach the next one is followed by space and nothing else.
  bool EndsAt(uint32_t end) const { return end == *next_ || IsSpace(text_[end]); }

  bool Is(uint32_t start, std::string_view word) const {
    return std::memcmp(text_ + start, word.data(), word.size()) == 0 &&
           EndsAt(start + static_cast<uint32_t>(word.size()));
  }

  // String finds the end of a string by where the next token begins.
  bool String(uint32_t start, std::string_view* string) const {
    uint32_t last = *next_ - 1;
    while (IsSpace(text_[last])) --last;
    *string = {text_ + start + 1, last - start - 1};
    return last > start && text_[last] == '"';
  }

  bool Integer(uint32_t start, std::string_view name, uint64_t name_word) {
    constexpr uint32_t kDigitsMax = 18;
    int64_t value = 0;
    uint32_t at = start;
    // Behind the text are bytes enough to read eight. Most integers are seconds, which have ten.
    if (EightDigits(text_ + at, &value)) at += 8;
    for (; text_[at] >= '0' && text_[at] <= '9'; ++at) {
      if (at - start == kDigitsMax) return false;
      value = value * 10 + (text_[at] - '0');
    }
    if (at == start || (text_[start] == '0' && at - start > 1)) return false;
    nodes_.Add(name, name_word, Type::kInt64).int64 = value;
    return EndsAt(at);
  }

  bool Array(std::string_view name, uint64_t name_word, size_t depth) {
    const uint32_t position = nodes_.size();
    nodes_.Add(name, name_word, Type::kArray);
    if (text_[*next_] == ']') {
      ++next_;
      return true;
    }
    while (true) {
      if (!Value({}, 0, depth)) return false;
      const char c = text_[*next_++];
      if (c == ']') break;
      if (c != ',') return false;
    }
    nodes_.CloseArray(position);
    return true;
  }

  bool Object(std::string_view name, uint64_t name_word, size_t depth) {
    Nodes::Object object{.position = nodes_.size()};
    nodes_.Add(name, name_word, Type::kObject);
    if (text_[*next_] == '}') {
      ++next_;
      return nodes_.CloseObject(object);
    }
    while (true) {
      const uint32_t start = *next_++;
      std::string_view member;
      if (text_[start] != '"' || !String(start, &member) || text_[*next_++] != ':') return false;
      if (!nodes_.BeginMember(&object, member) || !Value(member, WordOf(member), depth)) return false;
      const char c = text_[*next_++];
      if (c == '}') break;
      if (c != ',') return false;
    }
    return nodes_.CloseObject(object);
  }

  const char* const text_;
  const uint32_t* next_;
  Nodes& nodes_;
};

// Walk turns simdjson's answer into nodes. Recursion is bounded by limits::kJsonDepthMax.
class Walk {
 public:
  explicit Walk(Nodes* nodes) : nodes_(*nodes) {}

  Reason Append(element value, std::string_view name, size_t depth) {
    const auto add = [&](Type type) -> Node& { return nodes_.Add(name, WordOf(name), type); };
    switch (value.type()) {
      case element_type::STRING: {
        const std::string_view text = value.get_string().value_unsafe();
        add(Type::kString).text = {text.data(), text.size()};
        return Reason::kNone;
      }
      case element_type::INT64:
        add(Type::kInt64).int64 = value.get_int64().value_unsafe();
        return Reason::kNone;
      case element_type::UINT64:
        add(Type::kUint64).uint64 = value.get_uint64().value_unsafe();
        return Reason::kNone;
      case element_type::DOUBLE:
        add(Type::kDouble).number = value.get_double().value_unsafe();
        return Reason::kNone;
      case element_type::BOOL:
        add(Type::kBool).boolean = value.get_bool().value_unsafe();
        return Reason::kNone;
      case element_type::NULL_VALUE:
        add(Type::kNull);
        return Reason::kNone;
      case element_type::ARRAY:
        add(Type::kArray);
        return AppendArray(value.get_array().value_unsafe(), depth + 1);
      case element_type::OBJECT:
        add(Type::kObject);
        return AppendObject(value.get_object().value_unsafe(), depth + 1);
    }
    return Reason::kBadJson;
  }

 private:
  Reason AppendArray(simdjson::dom::array array, size_t depth) {
    if (depth > limits::kJsonDepthMax) return Reason::kTooDeep;
    const uint32_t position = nodes_.size() - 1;
    for (const element child : array) {
      if (const Reason reason = Append(child, {}, depth); reason != Reason::kNone) return reason;
    }
    nodes_.CloseArray(position);
    return Reason::kNone;
  }

  Reason AppendObject(simdjson::dom::object members, size_t depth) {
    if (depth > limits::kJsonDepthMax) return Reason::kTooDeep;
    Nodes::Object object{.position = nodes_.size() - 1};
    for (const auto member : members) {
      if (!nodes_.BeginMember(&object, member.key)) return Reason::kDuplicateMember;
      if (const Reason reason = Append(member.value, member.key, depth); reason != Reason::kNone)
        return reason;
    }
    return nodes_.CloseObject(object) ? Reason::kNone : Reason::kDuplicateMember;
  }

  Nodes& nodes_;
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

  // IsPlain reads `text` if it is as plain as PlainWalk wants it.
  bool IsPlain(std::string_view text, Nodes* nodes) {
    if (text.empty() || text.find('\\') != text.npos) return false;
    simdjson::internal::dom_parser_implementation& stages = *simdjson.implementation;
    const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
    if (stages.stage1(bytes, text.size(), simdjson::stage1_mode::regular) != simdjson::SUCCESS) return false;
    const uint32_t* const starts = stages.structural_indexes.get();
    return PlainWalk(text.data(), starts, nodes).Root(starts + stages.n_structural_indexes);
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
  Buffer()[size] = '\0';
  const std::string_view text(Buffer(), size);
  if (text.starts_with(kByteOrderMark)) return Reason::kBadJson;
  Nodes nodes(&nodes_, &root_first_, &parser_->names);
  if (parser_->IsPlain(text, &nodes)) return Reason::kNone;
  nodes_.clear();
  element root;
  const simdjson::error_code error = parser_->simdjson.parse(text.data(), text.size(), false).get(root);
  if (error != simdjson::SUCCESS) return FromSimdjson(error);
  const Reason reason = Walk(&nodes).Append(root, {}, 0);
  if (reason != Reason::kNone) nodes_.clear();
  return reason;
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

// A name that its word holds whole.
Value Value::FindShort(size_t size, uint64_t word, uint32_t number) const {
  const Node* const end = base_ + node_->end;
  for (const Node* node = FirstOf(number); node != end; node = base_ + node->end) {
    if (node->name_word == word && node->name.size() == size) return Value(base_, node);
  }
  return Value();
}

Value Value::FindLong(std::string_view name, uint32_t number) const {
  const uint64_t word = NameWord(name);
  const Node* const end = base_ + node_->end;
  for (const Node* node = FirstOf(number); node != end; node = base_ + node->end) {
    if (node->name_word == word && node->name == name) return Value(base_, node);
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
