#include "json/document.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstring>

#include "base/limits.h"
#include "json/plain_size.h"
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
  Nodes(std::vector<Node>* room, std::array<uint32_t, 64>* root_first, std::vector<std::string_view>* names)
      : room_(*room), root_first_(*root_first), names_(*names) {
    Clear();
  }

  uint32_t size() const { return size_; }

  void Clear() {
    size_ = 0;
    Begin();
  }

  // Add appends a node, whose type and value the caller writes; valid until the next one.
  TOLLGATE_INLINE Node& Add(std::string_view name, uint64_t name_word) {
    if (next_ == end_) [[unlikely]]
      Grow();
    Node& node = *next_++;
    node.name = name;
    node.name_word = name_word;
    node.end = ++size_;
    return node;
  }

  // CloseArray notes that the array at `position` has ended.
  void CloseArray(uint32_t position) { room_[position].end = size_; }

  // Object is an object whose members are being added.
  struct Object {
    uint32_t position;
    uint64_t name_bits = 0;
    uint32_t count = 0;
  };

  // BeginMember is called ahead of a member; false if it has the name of an earlier one.
  TOLLGATE_INLINE bool BeginMember(Object* object, std::string_view name) {
    const uint32_t number = NameNumber(name);
    const uint64_t bit = uint64_t{1} << number;
    if ((object->name_bits & bit) == 0) {
      if (object->position == 0) root_first_[number] = size_;
    } else if (object->count < kPairwiseMembersMax && HasMember(object->position, name)) {
      return false;
    }
    object->name_bits |= bit;
    ++object->count;
    return true;
  }

  // CloseObject notes that `object` has ended; false if two of its members have the same name.
  bool CloseObject(const Object& object) {
    Node& node = room_[object.position];
    node.end = size_;
    node.members = {.name_bits = object.name_bits,
                    .first = object.position == 0 ? root_first_.data() : nullptr};
    return object.count <= kPairwiseMembersMax || !HasDuplicate(object.position);
  }

 private:
  TOLLGATE_SLOW void Grow() {
    room_.resize(std::max<size_t>(64, room_.size() * 2));
    Begin();
  }

  void Begin() {
    next_ = room_.data() + size_;
    end_ = room_.data() + room_.size();
  }

  // HasMember looks through the members that the object at `position` has so far.
  [[gnu::noinline]] bool HasMember(uint32_t position, std::string_view name) const {
    for (uint32_t i = position + 1; i < size_; i = room_[i].end) {
      if (room_[i].name == name) return true;
    }
    return false;
  }

  // HasDuplicate sorts the names: O(n log n) comparisons whatever an attacker writes.
  TOLLGATE_SLOW bool HasDuplicate(uint32_t position) {
    names_.clear();
    for (uint32_t i = position + 1; i < room_[position].end; i = room_[i].end)
      names_.push_back(room_[i].name);
    std::sort(names_.begin(), names_.end());
    return std::adjacent_find(names_.begin(), names_.end()) != names_.end();
  }

  std::vector<Node>& room_;
  uint32_t size_;
  Node* next_;  // In room_, behind the first size_.
  Node* end_;   // Of room_.
  std::array<uint32_t, 64>& root_first_;
  std::vector<std::string_view>& names_;
};

// PlainWalk reads what access tokens are nearly always made of: strings without escapes, no number but short
// non-negative integers. Whether it is UTF-8, its caller sees. It refuses nothing: a text that it does not
// take, for whatever reason, is read by simdjson and by Walk, which know why.
//
// Its functions take where they begin and return where they have ended, or null. The text ends with a NUL,
// which none of them takes for a part of a value; so none begins behind it, and what they read ahead, at
// most kReadsAhead bytes, is padding.
class PlainWalk {
 public:
  static constexpr size_t kReadsAhead = kPlainSizeReads;

  explicit PlainWalk(Nodes* nodes) : nodes_(*nodes) {}

  // Root reads one value; true if it is all that there is from `text` to `end`, where the NUL is. Names and
  // strings stay where they are.
  bool Root(const char* text, const char* end) {
    const char* const at = Value(text, &nodes_.Add({}, 0), 0);
    return at != nullptr && SkipSpace(at) == end;
  }

 private:
  static const char* SkipSpace(const char* at) {
    while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t') ++at;
    return at;
  }

  // Reach goes to `wanted`, if there is nothing but space ahead of it.
  static TOLLGATE_INLINE bool Reach(char wanted, const char** at) {
    if (**at != wanted) *at = SkipSpace(*at);
    return **at == wanted;
  }

  // Value reads one value, and space ahead of it, into `node`, which is the last one; what most are, a
  // string, on the spot.
  TOLLGATE_INLINE const char* Value(const char* at, Node* node, size_t depth) {
    return *at == '"' ? String(at + 1, node) : Other(at, node, depth);
  }

  [[gnu::noinline]] const char* Other(const char* at, Node* node, size_t depth) {
    at = SkipSpace(at);
    switch (*at) {
      case '"':
        return String(at + 1, node);
      case '{':
        return depth < limits::kJsonDepthMax ? Object(at + 1, node, depth + 1) : nullptr;
      case '[':
        return depth < limits::kJsonDepthMax ? Array(at + 1, node, depth + 1) : nullptr;
      case 't':
        node->type = Type::kBool;
        node->boolean = true;
        return Word(at, "true");
      case 'f':
        node->type = Type::kBool;
        node->boolean = false;
        return Word(at, "false");
      case 'n':
        node->type = Type::kNull;
        return Word(at, "null");
      default:
        return Integer(at, node);
    }
  }

  static TOLLGATE_INLINE const char* String(const char* at, Node* node) {
    const size_t size = PlainSize(at);
    if (at[size] != '"') return nullptr;
    node->type = Type::kString;
    node->text = {at, size};
    return at + size + 1;
  }

  // What comes behind a word or an integer, their callers see: nothing but space, a comma or an end does.
  static const char* Word(const char* at, std::string_view word) {
    return std::memcmp(at, word.data(), word.size()) == 0 ? at + word.size() : nullptr;
  }

  static const char* Integer(const char* at, Node* node) {
    constexpr ptrdiff_t kDigitsMax = 18;
    const char* const start = at;
    int64_t value = 0;
    // Most integers are seconds, which have ten digits.
    if (EightDigits(at, &value)) at += 8;
    for (; *at >= '0' && *at <= '9'; ++at) {
      if (at - start == kDigitsMax) return nullptr;
      value = value * 10 + (*at - '0');
    }
    if (at == start || (*start == '0' && at - start > 1)) return nullptr;
    node->type = Type::kInt64;
    node->int64 = value;
    return at;
  }

  [[gnu::noinline]] const char* Array(const char* at, Node* node, size_t depth) {
    const uint32_t position = nodes_.size() - 1;
    node->type = Type::kArray;
    at = SkipSpace(at);
    if (*at == ']') return at + 1;
    while (true) {
      at = Value(at, &nodes_.Add({}, 0), depth);
      if (at == nullptr) return nullptr;
      if (!Reach(',', &at)) break;
      ++at;
    }
    nodes_.CloseArray(position);
    return *at == ']' ? at + 1 : nullptr;
  }

  [[gnu::noinline]] const char* Object(const char* at, Node* node, size_t depth) {
    Nodes::Object object{.position = nodes_.size() - 1};
    node->type = Type::kObject;
    while (Reach('"', &at)) {
      const std::string_view name(at + 1, PlainSize(at + 1));
      at = name.data() + name.size();
      if (*at != '"' || !Reach(':', &++at) || !nodes_.BeginMember(&object, name)) return nullptr;
      at = Value(at + 1, &nodes_.Add(name, WordOf(name)), depth);
      if (at == nullptr) return nullptr;
      if (!Reach(',', &at)) return *at == '}' && nodes_.CloseObject(object) ? at + 1 : nullptr;
      ++at;
    }
    // No member, which is well where none is announced.
    return object.count == 0 && *at == '}' && nodes_.CloseObject(object) ? at + 1 : nullptr;
  }

  Nodes& nodes_;
};

// Walk turns simdjson's answer into nodes. Recursion is bounded by limits::kJsonDepthMax.
class Walk {
 public:
  explicit Walk(Nodes* nodes) : nodes_(*nodes) {}

  Reason Append(element value, std::string_view name, size_t depth) {
    const auto add = [&](Type type) -> Node& {
      Node& node = nodes_.Add(name, WordOf(name));
      node.type = type;
      return node;
    };
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
  num_nodes_ = 0;
  if (text.size() > parser_->bytes_max) return Reason::kTokenTooLong;
  if (!text.empty()) std::memcpy(Buffer(), text.data(), text.size());
  return ParseBuffer(text.size());
}

Reason Document::ParseBuffer(size_t size) { return ParseBufferBy(Reader::kEither, size); }

Reason Document::ParseBufferSlowly(size_t size) { return ParseBufferBy(Reader::kSimdjson, size); }

Reason Document::ParseBufferBy(Reader reader, size_t size) {
  static_assert(simdjson::SIMDJSON_PADDING >= PlainWalk::kReadsAhead);
  num_nodes_ = 0;
  if (size > parser_->bytes_max) return Reason::kTokenTooLong;
  if (!parser_->ready) return Reason::kOverloaded;
  char* const text = Buffer();
  text[size] = '\0';
  Nodes nodes(&nodes_, &root_first_, &parser_->names);
  if (reader == Reader::kEither && PlainWalk(&nodes).Root(text, text + size) &&
      simdjson::validate_utf8(text, size)) {
    num_nodes_ = nodes.size();
    return Reason::kNone;
  }
  nodes.Clear();
  if (std::string_view(text, size).starts_with(kByteOrderMark)) return Reason::kBadJson;
  element root;
  const simdjson::error_code error = parser_->simdjson.parse(text, size, false).get(root);
  if (error != simdjson::SUCCESS) return FromSimdjson(error);
  const Reason reason = Walk(&nodes).Append(root, {}, 0);
  if (reason == Reason::kNone) num_nodes_ = nodes.size();
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
