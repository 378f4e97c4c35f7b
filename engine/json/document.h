#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/marks.h"
#include "tollgate/reason.h"

namespace tollgate::json {

enum class Type : uint8_t { kNull, kBool, kInt64, kUint64, kDouble, kString, kArray, kObject };

// Node is one value of a parsed document. Nodes stand in document order; a container's members follow it
// directly, and `end` is the position behind its last descendant (of a scalar: behind itself).
struct Node {
  struct Text {
    const char* data;
    size_t size;
  };
  struct Members {
    uint64_t name_bits;     // NameBit of every direct member.
    const uint32_t* first;  // By NameNumber, where the first such member stands; null except for the root.
  };
  Node() {}  // Not defaulted: whoever adds one fills it.
  Type type;
  uint32_t end;
  std::string_view name;  // The member's name, unescaped, in an object; empty elsewhere.
  uint64_t name_word;     // NameWord of it.
  union {
    int64_t int64;
    Text text;        // kString: unescaped.
    uint64_t uint64;  // Only for integers beyond INT64_MAX; all others are kInt64.
    double number;
    bool boolean;
    Members members;  // kObject.
  };
};

// NameNumber spreads names over 64 numbers: two names of different numbers differ.
inline uint32_t NameNumber(std::string_view name) {
  if (name.empty()) return 0;
  const auto first = static_cast<uint8_t>(name.front());
  const auto last = static_cast<uint8_t>(name.back());
  return (static_cast<uint32_t>(name.size()) * 5 + first * 3u + last * 17u) & 63;
}

inline uint64_t NameBit(std::string_view name) { return uint64_t{1} << NameNumber(name); }

// NameWord is the first eight bytes of a name: most names that differ differ there, and short ones nowhere
// else.
inline uint64_t NameWord(std::string_view name) {
  const char* const data = name.data();
  const size_t size = name.size();
  uint64_t word = 0;
  if (size >= sizeof word) {
    std::memcpy(&word, data, sizeof word);
  } else if (std::endian::native != std::endian::little) {
    if (size != 0) std::memcpy(&word, data, size);
  } else if (size >= 4) {  // In two parts that overlap: a copy of a few bytes would be a call.
    uint32_t front, back;
    std::memcpy(&front, data, sizeof front);
    std::memcpy(&back, data + size - sizeof back, sizeof back);
    word = front | uint64_t{back} << 8 * (size - sizeof back);
  } else if (size > 0) {
    for (const size_t i : {size_t{0}, size / 2, size - 1})
      word |= uint64_t{static_cast<uint8_t>(data[i])} << 8 * i;
  }
  return word;
}

// Value is a view of one value of a Document: two words, valid until the Document parses again or is
// destroyed. All accessors of an absent Value (a member that was not found) answer as if it had no such type.
// Thread-compatible.
class Value {
 public:
  Value() = default;
  bool present() const { return node_ != nullptr; }
  Type type() const { return node_->type; }  // Present values only.
  bool is_object() const { return present() && node_->type == Type::kObject; }
  bool is_array() const { return present() && node_->type == Type::kArray; }
  std::string_view name() const { return node_->name; }

  // Exactly this JSON type, else nullopt. There is no conversion.
  std::optional<std::string_view> string() const {
    if (!present() || node_->type != Type::kString) return std::nullopt;
    return std::string_view(node_->text.data, node_->text.size);
  }
  std::optional<bool> boolean() const {
    if (!present() || node_->type != Type::kBool) return std::nullopt;
    return node_->boolean;
  }
  std::optional<double> number() const;   // Any JSON number; integers beyond 2^53 are rounded.
  std::optional<int64_t> int64() const {  // A number written as an integer, in range.
    if (!present() || node_->type != Type::kInt64) return std::nullopt;
    return node_->int64;
  }

  // Member returns the member of this name of an object. Linear in the number of direct members, but for a
  // usual root; most names that are not there need no look at the members.
  Value Member(std::string_view name) const {
    if (!is_object()) return Value();
    const uint32_t number = NameNumber(name);
    if ((node_->members.name_bits >> number & 1) == 0) return Value();
    return name.size() <= sizeof(uint64_t) ? FindShort(name.size(), NameWord(name), number)
                                           : FindLong(name, number);
  }
  // Pointer resolves an RFC 6901 JSON pointer through objects ("/a/b"); "" is this value itself. A string
  // that does not begin with "/" is taken as the name of a direct member.
  Value Pointer(std::string_view pointer) const;

  // Children of an array or object, in order: for (Value v = c.FirstChild(); v.present(); v =
  // c.NextChild(v)).
  Value FirstChild() const {
    if (!is_object() && !is_array()) return Value();
    return ChildAt(node_ + 1);
  }
  Value NextChild(Value child) const { return ChildAt(base_ + child.node_->end); }

 private:
  friend class Document;
  Value(const Node* base, const Node* node) : base_(base), node_(node) {}
  Value ChildAt(const Node* node) const { return node == base_ + node_->end ? Value() : Value(base_, node); }
  // The first direct member that may have a name of this number. Such a one there is, unless this is not the
  // root.
  const Node* FirstOf(uint32_t number) const {
    const uint32_t* const first = node_->members.first;
    return first == nullptr ? node_ + 1 : base_ + first[number];
  }
  Value FindShort(size_t size, uint64_t word, uint32_t number) const;
  Value FindLong(std::string_view name, uint32_t number) const;
  const Node* base_ = nullptr;
  const Node* node_ = nullptr;
};

// Document reads one JSON text strictly: RFC 8259 in UTF-8, no byte order mark, no duplicate member names
// (compared after unescaping) in any object, no lone surrogates, at most limits::kJsonDepthMax levels,
// integers within 64 bits, finite doubles, nothing but white space behind the value. Every value is walked
// and checked, wanted or not. Buffers are kept for the next text, so that a reused Document allocates nothing
// once it has seen a text of similar size. Owner thread only.
class Document {
 public:
  // `bytes_max` bounds every text that this document accepts. Allocates about 15 times as much at once, which
  // texts of nothing but tiny values can make 70 times.
  explicit Document(size_t bytes_max);
  ~Document();
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;

  // Parse reads `text`, of which nothing is kept. kNone, or kBadJson (lone surrogates too), kBadUtf8,
  // kDuplicateMember, kTooDeep, kTokenTooLong (longer than bytes_max), kOverloaded (the constructor found no
  // memory). After a failure root() is absent.
  Reason Parse(std::string_view text);

  // Buffer returns room for bytes_max bytes into which the caller writes (e.g. decodes base64url) before
  // ParseBuffer.
  char* Buffer() TOLLGATE_LIFETIME;
  // ParseBuffer is Parse of the first `size` bytes of Buffer(), without a copy.
  Reason ParseBuffer(size_t size);
  // ParseBufferSlowly is what ParseBuffer does with a text that its quick reader does not take; for tests to
  // hold them together.
  Reason ParseBufferSlowly(size_t size);

  Value root() const TOLLGATE_LIFETIME {
    return num_nodes_ == 0 ? Value() : Value(nodes_.data(), nodes_.data());
  }

 private:
  enum class Reader : uint8_t { kEither, kSimdjson };
  struct Parser;
  Reason ParseBufferBy(Reader reader, size_t size);

  std::unique_ptr<Parser> parser_;
  std::vector<Node> nodes_;  // Room for them, of which the first num_nodes_ are the text's.
  uint32_t num_nodes_ = 0;
  std::array<uint32_t, 64> root_first_;  // What the root's Members::first points to.
};

}  // namespace tollgate::json
