// json_oracle: the strict reader accepts exactly what the grammar allows, and reads it right
//
// Functions: json::Document::Parse, ParseBuffer, ParseBufferSlowly, the accessors of json::Value. Property: a
// text is accepted if and only if tests/json/strict_oracle.h accepts it, by both ways into the reader; an
// accepted text has the values that another library reads; with and without the quick reader, reason and
// values are the same.

#include <cstring>
#include <nlohmann/json.hpp>

#include "base/limits.h"
#include "fuzz/fuzz.h"
#include "fuzz/json_mutation.h"
#include "json/document.h"
#include "tests/json/same_values.h"
#include "tests/json/strict_oracle.h"

namespace tollgate::fuzz {
namespace {

constexpr size_t kBytesMax = 4096;

void ExpectSame(json::Value value, const nlohmann::json& other) {
  const char* const same = "both libraries read the same value";
  switch (value.type()) {
    case json::Type::kNull:
      return Expect(other.is_null(), same);
    case json::Type::kBool:
      return Expect(other.is_boolean() && value.boolean() == other.get<bool>(), same);
    case json::Type::kInt64:
      return Expect(other.is_number_integer() && value.int64() == other.get<int64_t>(), same);
    case json::Type::kUint64:
      return Expect(other.is_number_unsigned() && !value.int64().has_value() &&
                        value.number() == static_cast<double>(other.get<uint64_t>()),
                    same);
    case json::Type::kDouble:
      // An integer "-0" is a double to nobody; "-0.0" equals 0.0 to both.
      return Expect(
          other.is_number_float() && !value.int64().has_value() && value.number() == other.get<double>(),
          same);
    case json::Type::kString:
      return Expect(other.is_string() && value.string() == other.get_ref<const std::string&>(), same);
    case json::Type::kArray:
    case json::Type::kObject:
      break;
  }
  Expect(value.is_array() ? other.is_array() : other.is_object(), same);
  size_t count = 0;
  for (json::Value child = value.FirstChild(); child.present(); child = value.NextChild(child), ++count) {
    if (value.is_array()) {
      Expect(count < other.size(), same);
      ExpectSame(child, other[count]);
      continue;
    }
    const auto found = other.find(child.name());
    Expect(found != other.end(), same);
    ExpectSame(child, *found);
    Expect(value.Member(child.name()).present(), "a member is found by its name");
  }
  Expect(count == other.size(), same);
}

}  // namespace

bool Accepts(std::string_view input) {
  static auto& document = *new json::Document(kBytesMax);
  const Reason reason = document.Parse(input);
  if (input.size() > kBytesMax) {
    Expect(reason == Reason::kTokenTooLong, "a text beyond the bound is refused as such");
    return false;
  }
  const bool accepted = reason == Reason::kNone;
  Expect(accepted == test::StrictOracle::Accepts(input, limits::kJsonDepthMax), "the strict oracle agrees");
  Expect(document.root().present() == accepted, "there is a value if and only if the text was accepted");
  if (accepted) ExpectSame(document.root(), nlohmann::json::parse(input));

  std::memcpy(document.Buffer(), input.data(), input.size());
  Expect(document.ParseBuffer(input.size()) == reason, "both ways in agree");

  static auto& slow = *new json::Document(kBytesMax);
  std::memcpy(slow.Buffer(), input.data(), input.size());
  Expect(slow.ParseBufferSlowly(input.size()) == reason, "without the quick reader the reason is the same");
  Expect(test::SameValues(document.root(), slow.root()), "without the quick reader the values are the same");
  return accepted;
}

}  // namespace tollgate::fuzz

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return tollgate::fuzz::MutateJsonInput(0, data, size, max_size, seed);
}
