#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "base/marks.h"
#include "json/document.h"
#include "tollgate/reason.h"

namespace tollgate::json {

// LargeDocument reads one JSON text of which a few members matter, such as the body of a request: strict RFC
// 8259 in UTF-8 like Document (no byte order mark, numbers within 64 bits or finite doubles, nothing behind
// the value), but no object's names are compared, for most of them are nobody's concern. Whoever looks into
// an object goes through all its members, and minds those that are repeated. It costs little more than
// simdjson's parse alone. Memory grows to about 15 times the longest text so far. Owner thread only.
class LargeDocument {
 public:
  // Value is a view of one value, valid until the document parses again or is destroyed. Absent until then,
  // and of no type.
  class Value {
   public:
    Value() = default;
    bool present() const { return document_ != nullptr; }
    Type type() const;  // Present values only.
    bool is_object() const { return present() && type() == Type::kObject; }
    bool is_array() const { return present() && type() == Type::kArray; }
    std::optional<std::string_view> string() const;  // Unescaped.
    std::optional<int64_t> int64() const;            // A number written as an integer, in range.

    // ForEachMember calls `visit` with every member of an object, in order and with its name unescaped, until
    // it returns false; and returns false then. ForEachElement is the same for an array.
    bool ForEachMember(absl::FunctionRef<bool(std::string_view name, Value value)> visit) const;
    bool ForEachElement(absl::FunctionRef<bool(Value value)> visit) const;

   private:
    friend class LargeDocument;
    // What simdjson's own view consists of.
    const void* document_ = nullptr;
    size_t position_ = 0;
  };

  // Texts are at most `bytes_max` long, and nested about `depth_max` deep.
  LargeDocument(size_t bytes_max, size_t depth_max);
  ~LargeDocument();
  LargeDocument(const LargeDocument&) = delete;
  LargeDocument& operator=(const LargeDocument&) = delete;

  // Parse reads `text`, of which nothing is kept. kNone, or kBadJson (lone surrogates too), kBadUtf8,
  // kTooDeep, kTokenTooLong (longer than bytes_max), kOverloaded (there is no memory). After a failure root()
  // is absent.
  Reason Parse(std::string_view text);

  Value root() const TOLLGATE_LIFETIME { return root_; }

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
  Value root_;
};

}  // namespace tollgate::json
