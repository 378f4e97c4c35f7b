#include "json/large_document.h"

#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "json/reserve.h"
#include "json/simdjson_error.h"

namespace tollgate::json {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

struct View {
  const void* document;
  size_t position;
};

// simdjson's view has no public parts; it is as large as its two, and copied as bytes. Only a view that
// simdjson made is ever made into one again.
element ElementOf(View view) { return std::bit_cast<element>(view); }
View ViewOf(element value) { return std::bit_cast<View>(value); }

Type TypeOf(element value) {
  switch (value.type()) {
    case element_type::STRING:
      return Type::kString;
    case element_type::INT64:
      return Type::kInt64;
    case element_type::UINT64:
      return Type::kUint64;
    case element_type::DOUBLE:
      return Type::kDouble;
    case element_type::BOOL:
      return Type::kBool;
    case element_type::NULL_VALUE:
      return Type::kNull;
    case element_type::ARRAY:
      return Type::kArray;
    case element_type::OBJECT:
      return Type::kObject;
  }
  return Type::kNull;
}

}  // namespace

struct LargeDocument::Parser {
  Parser(size_t size, size_t depth_max)
      : bytes_max(size), simdjson(std::max(size, simdjson::dom::MINIMAL_DOCUMENT_CAPACITY)) {
    // What it grows to later is as deep.
    ready = simdjson.allocate(simdjson::dom::MINIMAL_DOCUMENT_CAPACITY, depth_max) == simdjson::SUCCESS;
  }

  const size_t bytes_max;
  std::unique_ptr<char[]> buffer;
  size_t buffer_size = 0;
  simdjson::dom::parser simdjson;
  bool ready = false;
};

LargeDocument::LargeDocument(size_t bytes_max, size_t depth_max)
    : parser_(std::make_unique<Parser>(bytes_max, depth_max)) {}
LargeDocument::~LargeDocument() = default;

Reason LargeDocument::Parse(std::string_view text) {
  root_ = Value();
  Parser& parser = *parser_;
  if (text.size() > parser.bytes_max) return Reason::kTokenTooLong;
  if (!parser.ready) return Reason::kOverloaded;
  if (text.starts_with(kByteOrderMark)) return Reason::kBadJson;
  if (!Reserve(text.size() + simdjson::SIMDJSON_PADDING, &parser.buffer, &parser.buffer_size))
    return Reason::kOverloaded;
  if (!text.empty()) std::memcpy(parser.buffer.get(), text.data(), text.size());
  std::memset(parser.buffer.get() + text.size(), 0, simdjson::SIMDJSON_PADDING);
  element root;
  const simdjson::error_code error = parser.simdjson.parse(parser.buffer.get(), text.size(), false).get(root);
  if (error != simdjson::SUCCESS) return FromSimdjson(error);
  root_.document_ = ViewOf(root).document;
  root_.position_ = ViewOf(root).position;
  return Reason::kNone;
}

Type LargeDocument::Value::type() const { return TypeOf(ElementOf({document_, position_})); }

std::optional<std::string_view> LargeDocument::Value::string() const {
  if (!present() || type() != Type::kString) return std::nullopt;
  return ElementOf({document_, position_}).get_string().value_unsafe();
}

std::optional<int64_t> LargeDocument::Value::int64() const {
  if (!present() || type() != Type::kInt64) return std::nullopt;
  return ElementOf({document_, position_}).get_int64().value_unsafe();
}

bool LargeDocument::Value::ForEachMember(absl::FunctionRef<bool(std::string_view, Value)> visit) const {
  if (!is_object()) return true;
  const simdjson::dom::object members = ElementOf({document_, position_}).get_object().value_unsafe();
  for (const auto member : members) {
    Value value;
    value.document_ = ViewOf(member.value).document;
    value.position_ = ViewOf(member.value).position;
    if (!visit(member.key, value)) return false;
  }
  return true;
}

bool LargeDocument::Value::ForEachElement(absl::FunctionRef<bool(Value)> visit) const {
  if (!is_array()) return true;
  const simdjson::dom::array children = ElementOf({document_, position_}).get_array().value_unsafe();
  for (const element child : children) {
    Value value;
    value.document_ = ViewOf(child).document;
    value.position_ = ViewOf(child).position;
    if (!visit(value)) return false;
  }
  return true;
}

}  // namespace tollgate::json
