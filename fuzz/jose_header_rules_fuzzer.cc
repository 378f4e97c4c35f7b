// jose_header_rules: no header gets past the rules of RFC 7515 section 4 and RFC 8725 section 3
//
// Functions: jose::ReadHeader over json::Document. Property: a header is accepted exactly if the model
// (model.h) accepts it, with the same alg, kid and typ; "none", HMAC, encryption and critical extensions are
// refused by these names.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "base/limits.h"
#include "fuzz/fuzz.h"
#include "fuzz/json_mutation.h"
#include "fuzz/model.h"
#include "jose/jws.h"

namespace tollgate::fuzz {
namespace {

// A header whose only fault is this member is refused for it.
void ExpectNamedRefusal(nlohmann::json header, Reason reason) {
  const auto is = [&](const char* name, auto... values) {
    return header.contains(name) && ((header[name] == values) || ...);
  };
  const bool encrypted = header.contains("enc"), critical = header.contains("crit");
  if (encrypted) Expect(reason == Reason::kEncryptedToken, "enc is refused as encryption");
  if (encrypted || reason == Reason::kBadHeaderMember) return;
  if (!header.contains("alg"))
    return Expect(reason == Reason::kAlgorithmMissing, "a missing alg is refused as such");
  if (is("alg", "none", "NONE", "None", "nOnE"))
    Expect(reason == Reason::kAlgorithmNone, "none is refused as such");
  if (is("alg", "HS256", "HS384", "HS512"))
    Expect(reason == Reason::kAlgorithmSymmetric, "HMAC is refused as such");
  if (critical) Expect(reason != Reason::kNone, "no critical extension is understood");
}

}  // namespace

bool Accepts(std::string_view input) {
  static auto& document = *new json::Document(limits::kHeaderBytesMax);
  if (document.Parse(input) != Reason::kNone) {
    Expect(!ReadModelHeader(input).has_value(), "the model agrees about the JSON");
    return false;
  }
  jose::JoseHeader header;
  const Reason reason = jose::ReadHeader(document.root(), &header);
  const std::optional<ModelHeader> model = ReadModelHeader(input);
  Expect((reason == Reason::kNone) == model.has_value(), "the model agrees");
  if (!model.has_value()) {
    const nlohmann::json other = nlohmann::json::parse(input);
    if (other.is_object()) ExpectNamedRefusal(other, reason);
    return false;
  }
  Expect(AlgorithmName(header.algorithm) == model->alg, "the same alg");
  Expect(header.has_key_id == model->kid.has_value() && header.key_id == model->kid.value_or(""),
         "the same kid");
  Expect(header.has_type == model->typ.has_value() && header.type == model->typ.value_or(""), "the same typ");
  return true;
}

}  // namespace tollgate::fuzz

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return tollgate::fuzz::MutateJsonInput(0, data, size, max_size, seed);
}
