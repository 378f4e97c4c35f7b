// introspection_answer_model: nothing but a strict `true` is active
//
// Functions: introspection::ReadAnswer. The input is a character (which status) and a body. Property: an
// answer is taken exactly if the status is 200 and an independent reading (model.h) finds a strict JSON
// object whose `active` is a boolean, whose `iss` is absent or the issuer, and, if it is active, whose times
// are NumericDates; with the same values. "Cannot tell" is exactly a 400 with unsupported_token_type, and
// only statuses that find no fault with the question count against the endpoint. One line says why not.

#include <iterator>
#include <optional>
#include <string>

#include "base/limits.h"
#include "fuzz/fuzz.h"
#include "fuzz/json_mutation.h"
#include "fuzz/model.h"
#include "fuzz/world.h"
#include "introspection/answer.h"

namespace tollgate::fuzz {
namespace {

constexpr int kStatuses[] = {200, 400, 401, 302, 500, 422};

}  // namespace

bool Accepts(std::string_view input) {
  if (input.empty()) return false;
  FetchResult result;
  result.outcome = FetchOutcome::kAnswered;
  result.http_status = kStatuses[static_cast<uint8_t>(input[0] - 'a') % std::size(kStatuses)];
  result.body = input.substr(1);
  const std::optional<nlohmann::json> object =
      result.body.size() > limits::kIntrospectionBytesMax ? std::nullopt : ParseObject(result.body);

  const absl::StatusOr<introspection::Answer> answer = introspection::ReadAnswer(result, kIssuer);
  const std::optional<ModelAnswer> model =
      result.http_status == 200 && object.has_value() ? ReadModelAnswer(*object) : std::nullopt;
  Expect(answer.ok() == model.has_value(), "the model agrees");
  if (!answer.ok()) {
    const std::string why(answer.status().message());
    Expect(!why.empty() && why.size() < 200 && why.find('\n') == std::string::npos, "one line says why");
    const bool cannot_tell = result.http_status == 400 && object.has_value() && object->contains("error") &&
                             (*object)["error"] == "unsupported_token_type";
    Expect((answer.status().code() == absl::StatusCode::kNotFound) == cannot_tell,
           "it cannot tell exactly if it says so");
    const bool about_the_question =
        result.http_status == 200 || result.http_status == 400 || result.http_status == 422;
    Expect((answer.status().code() == absl::StatusCode::kUnavailable) != about_the_question,
           "what the body says does not count against the endpoint");
    return false;
  }
  Expect(answer->active == model->active, "the same verdict");
  Expect(answer->expires_at == model->expires_at && answer->not_before == model->not_before,
         "the same times");
  Expect(answer->text == (model->active ? result.body : ""), "the text of an active one, and of no other");
  return true;
}

}  // namespace tollgate::fuzz

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return tollgate::fuzz::MutateJsonInput(1, data, size, max_size, seed);
}
