#include "json/array_filter.h"

#include <simdjson.h>

#include <algorithm>
#include <bitset>
#include <cstring>

#include "json/member_name.h"
#include "json/reserve.h"
#include "json/simdjson_error.h"

namespace tollgate::json {
namespace {

namespace ondemand = simdjson::ondemand;

// More lists are nowhere in one text.
constexpr size_t kPathsMax = 8;

}  // namespace

// The text is read twice: by simdjson's whole parser, which refuses whatever is no JSON, and then by its lazy
// one, which tells where a value stands. Its errors cannot happen any more; that they are looked at
// nevertheless keeps a text that the two see differently from being copied.
struct ArrayFilter::Parser {
  explicit Parser(size_t size)
      : bytes_max(size),
        whole(std::max(size, simdjson::dom::MINIMAL_DOCUMENT_CAPACITY)),
        lazy(std::max(size, simdjson::dom::MINIMAL_DOCUMENT_CAPACITY)) {}

  Reason FilterMessage(ondemand::object message, std::span<const Path> paths, Keep keep);
  Reason FilterParent(ondemand::object parent, std::string_view parent_name, std::span<const Path> paths,
                      Keep keep);
  Reason FilterArray(ondemand::array array, size_t path, std::string_view name, Keep keep);

  // CopyUpTo copies what has not been dealt with.
  void CopyUpTo(const char* end) {
    Append({copied, static_cast<size_t>(end - copied)});
    copied = end;
  }
  // Append needs no bound: what is left of a text is no longer than the text, at any time.
  void Append(std::string_view part) {
    std::memcpy(filtered.get() + filtered_size, part.data(), part.size());
    filtered_size += part.size();
  }

  const size_t bytes_max;
  std::unique_ptr<char[]> buffer;
  size_t buffer_size = 0;
  std::unique_ptr<char[]> filtered;
  size_t filtered_capacity = 0;
  size_t filtered_size = 0;
  simdjson::dom::parser whole;
  ondemand::parser lazy;
  const char* copied = nullptr;  // Up to here the text has been dealt with.
};

ArrayFilter::ArrayFilter(size_t bytes_max) : parser_(std::make_unique<Parser>(bytes_max)) {}
ArrayFilter::~ArrayFilter() = default;

Reason ArrayFilter::Copy(std::string_view text, std::span<const Path> paths, Keep keep, std::string* out) {
  Parser& parser = *parser_;
  if (text.size() > parser.bytes_max) return Reason::kTokenTooLong;
  if (text.starts_with(kByteOrderMark) || paths.size() > kPathsMax) return Reason::kBadJson;
  if (!Reserve(text.size() + simdjson::SIMDJSON_PADDING, &parser.buffer, &parser.buffer_size) ||
      !Reserve(text.size(), &parser.filtered, &parser.filtered_capacity)) {
    return Reason::kOverloaded;
  }
  if (!text.empty()) std::memcpy(parser.buffer.get(), text.data(), text.size());
  std::memset(parser.buffer.get() + text.size(), 0, simdjson::SIMDJSON_PADDING);
  const char* const begin = parser.buffer.get();
  simdjson::dom::element checked;
  if (const auto error = parser.whole.parse(begin, text.size(), false).get(checked); error)
    return FromSimdjson(error);

  parser.filtered_size = 0;
  parser.copied = begin;
  ondemand::document document;
  if (const auto error = parser.lazy.iterate(begin, text.size(), parser.buffer_size).get(document); error)
    return FromSimdjson(error);
  if (checked.is_object()) {
    ondemand::object message;
    if (document.get_object().get(message)) return Reason::kBadJson;
    if (const Reason reason = parser.FilterMessage(message, paths, keep); reason != Reason::kNone)
      return reason;
  } else if (checked.is_array()) {
    ondemand::array messages;
    if (document.get_array().get(messages)) return Reason::kBadJson;
    for (auto element : messages) {
      ondemand::value value;
      if (element.get(value)) return Reason::kBadJson;
      ondemand::json_type type;
      if (value.type().get(type)) return Reason::kBadJson;
      if (type == ondemand::json_type::array) return Reason::kDuplicateMember;
      if (type != ondemand::json_type::object) continue;
      ondemand::object message;
      if (value.get_object().get(message)) return Reason::kBadJson;
      if (const Reason reason = parser.FilterMessage(message, paths, keep); reason != Reason::kNone)
        return reason;
    }
  }
  parser.CopyUpTo(begin + text.size());
  out->append(parser.filtered.get(), parser.filtered_size);
  return Reason::kNone;
}

Reason ArrayFilter::Parser::FilterMessage(ondemand::object message, std::span<const Path> paths, Keep keep) {
  std::bitset<kPathsMax> seen;
  for (auto field : message) {
    std::string_view key;
    if (field.unescaped_key().get(key)) return Reason::kBadJson;
    bool entered = false;
    for (size_t i = 0; i < paths.size(); ++i) {
      if (paths[i].parent != key) {
        if (SameButForCase(key, paths[i].parent)) return Reason::kDuplicateMember;
        continue;
      }
      if (seen[i]) return Reason::kDuplicateMember;
      seen[i] = true;
      if (entered) continue;  // FilterParent minds all paths of this parent.
      entered = true;
      ondemand::value value;
      ondemand::json_type type;
      if (field.value().get(value) || value.type().get(type)) return Reason::kBadJson;
      if (type != ondemand::json_type::object) continue;
      ondemand::object parent;
      if (value.get_object().get(parent)) return Reason::kBadJson;
      if (const Reason reason = FilterParent(parent, paths[i].parent, paths, keep); reason != Reason::kNone)
        return reason;
    }
  }
  return Reason::kNone;
}

Reason ArrayFilter::Parser::FilterParent(ondemand::object parent, std::string_view parent_name,
                                         std::span<const Path> paths, Keep keep) {
  std::bitset<kPathsMax> seen;
  for (auto field : parent) {
    std::string_view key;
    if (field.unescaped_key().get(key)) return Reason::kBadJson;
    for (size_t i = 0; i < paths.size(); ++i) {
      if (paths[i].parent != parent_name) continue;
      if (paths[i].array != key) {
        if (SameButForCase(key, paths[i].array)) return Reason::kDuplicateMember;
        continue;
      }
      if (seen[i]) return Reason::kDuplicateMember;
      seen[i] = true;
      ondemand::value value;
      ondemand::json_type type;
      if (field.value().get(value) || value.type().get(type)) return Reason::kBadJson;
      if (type != ondemand::json_type::array) return Reason::kDuplicateMember;
      ondemand::array array;
      if (value.get_array().get(array)) return Reason::kBadJson;
      if (const Reason reason = FilterArray(array, i, paths[i].name, keep); reason != Reason::kNone)
        return reason;
      break;
    }
  }
  return Reason::kNone;
}

Reason ArrayFilter::Parser::FilterArray(ondemand::array array, size_t path, std::string_view name,
                                        Keep keep) {
  std::string_view whole_text;
  bool not_empty = false;
  if (array.raw_json().get(whole_text) || array.reset().get(not_empty)) return Reason::kBadJson;
  // Up to the next token, of which white space is none.
  whole_text = whole_text.substr(0, whole_text.rfind(']') + 1);
  CopyUpTo(whole_text.data() + 1);
  bool first = true;
  if (not_empty) {
    for (auto element : array) {
      ondemand::value value;
      ondemand::json_type type;
      if (element.get(value) || value.type().get(type)) return Reason::kBadJson;
      if (type != ondemand::json_type::object) continue;
      ondemand::object object;
      if (value.get_object().get(object)) return Reason::kBadJson;
      int names = 0;
      bool kept = false;
      for (auto field : object) {
        std::string_view key;
        if (field.unescaped_key().get(key)) return Reason::kBadJson;
        if (key != name) {
          names += SameButForCase(key, name);
          continue;
        }
        ++names;
        ondemand::value named;
        std::string_view text;
        if (field.value().get(named)) return Reason::kBadJson;
        kept = !named.get_string().get(text) && keep(path, text);
      }
      if (!kept || names != 1) continue;
      std::string_view text;
      if (object.reset().error() || object.raw_json().get(text)) return Reason::kBadJson;
      if (!first) Append(",");
      first = false;
      Append(text.substr(0, text.rfind('}') + 1));
    }
  }
  Append("]");
  copied = whole_text.data() + whole_text.size();
  return Reason::kNone;
}

}  // namespace tollgate::json
