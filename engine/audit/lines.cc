#include "audit/lines.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "audit/trace_context.h"
#include "json/writer.h"
#include "tollgate/version.h"

namespace tollgate::audit {
namespace {

constexpr int kApiActivity = 6003, kApplicationLifecycle = 6002;
constexpr int kStart = 3, kStop = 4, kOther = 99;         // activity_id
constexpr int kInformational = 1, kLow = 2, kMedium = 3;  // severity_id

// NumUtf8 returns how many bytes the character at the front of `text` takes, 0 if it is none (RFC 3629).
size_t NumUtf8(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  if (byte(0) < 0x80) return 1;
  const size_t size = byte(0) >= 0xF0 ? 4 : byte(0) >= 0xE0 ? 3 : 2;
  if (byte(0) < 0xC2 || byte(0) > 0xF4 || text.size() < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if (byte(i) >> 6 != 2) return 0;
  }
  // What a shorter form has, surrogates, and what lies beyond U+10FFFF.
  const bool wrong = (byte(0) == 0xE0 && byte(1) < 0xA0) || (byte(0) == 0xED && byte(1) > 0x9F) ||
                     (byte(0) == 0xF0 && byte(1) < 0x90) || (byte(0) == 0xF4 && byte(1) > 0x8F);
  return wrong ? 0 : size;
}

void AppendText(std::string_view text, std::string* out) {
  const auto is_ascii = [](char c) { return static_cast<uint8_t>(c) < 0x80; };
  if (std::all_of(text.begin(), text.end(), is_ascii)) return json::AppendString(text, out);
  std::string good;
  while (!text.empty()) {
    const size_t size = NumUtf8(text);
    good += size == 0 ? std::string_view("\xEF\xBF\xBD") : text.substr(0, size);
    text.remove_prefix(std::max<size_t>(size, 1));
  }
  json::AppendString(good, out);
}

// Object writes the members of one object, `{` to `}`. Empty texts are left out.
class Object {
 public:
  explicit Object(std::string* out) : out_(out) { *out_ += '{'; }
  // Of an object within another one, under a name.
  Object(Object& parent, std::string_view name) : out_(parent.out_) {
    parent.Name(name);
    *out_ += '{';
  }
  void End() { *out_ += '}'; }
  std::string* out() { return out_; }

  void Add(std::string_view name, std::string_view text) {
    if (text.empty()) return;
    Name(name);
    AppendText(text, out_);
  }
  // Numbers that others read as doubles, too: none reaches 2^53.
  void Add(std::string_view name, int64_t number) {
    Name(name);
    absl::StrAppend(out_, number);
  }
  void Add(std::string_view name, uint64_t number) {
    Name(name);
    absl::StrAppend(out_, number);
  }
  void Add(std::string_view name, int number) { Add(name, int64_t{number}); }

  // The words of a space-delimited text, as an array.
  void AddWords(std::string_view name, std::string_view words) {
    if (words.find_first_not_of(' ') == words.npos) return;
    Name(name);
    *out_ += '[';
    for (bool first = true; !words.empty();) {
      const std::string_view word = words.substr(0, words.find(' '));
      words.remove_prefix(std::min(words.size(), word.size() + 1));
      if (word.empty()) continue;
      if (!first) *out_ += ',';
      first = false;
      AppendText(word, out_);
    }
    *out_ += ']';
  }
  void Name(std::string_view name) {
    if (out_->back() != '{') *out_ += ',';  // A text ends in a quotation mark, whatever it says.
    *out_ += '"';
    *out_ += name;
    *out_ += "\":";
  }

 private:
  std::string* const out_;
};

std::string_view NameOfObject(McpObject object) {
  switch (object) {
    case McpObject::kMethod:
      return "method";
    case McpObject::kTool:
      return "tool";
    case McpObject::kPrompt:
      return "prompt";
    case McpObject::kResource:
      return "resource";
  }
  return "tool";
}

std::string_view NameOfPrincipal(PrincipalKind kind) {
  switch (kind) {
    case PrincipalKind::kUser:
      return "user";
    case PrincipalKind::kService:
      return "service";
    case PrincipalKind::kAgent:
      return "agent";
  }
  return "user";
}

std::string_view NameOfDuty(AuditDuty duty) {
  switch (duty) {
    case AuditDuty::kNone:
      return "none";
    case AuditDuty::kSampled:
      return "sampled";
    case AuditDuty::kFull:
      return "full";
    case AuditDuty::kMustRecord:
      return "must_record";
  }
  return "full";
}

std::string_view NameOfCategory(Category category) {
  switch (category) {
    case Category::kAllowed:
      return "allowed";
    case Category::kAuthenticate:
      return "authenticate";
    case Category::kReauthenticate:
      return "reauthenticate";
    case Category::kAuthenticateStronger:
      return "authenticate_stronger";
    case Category::kStepUp:
      return "step_up";
    case Category::kForbidden:
      return "forbidden";
    case Category::kFixRequest:
      return "fix_request";
    case Category::kRetryLater:
      return "retry_later";
  }
  return "reauthenticate";
}

std::string_view NameOfVerdict(Verdict verdict) {
  switch (verdict) {
    case Verdict::kAllow:
      return "allow";
    case Verdict::kUnavailable:
      return "unavailable";
    case Verdict::kDeny:
      break;
  }
  return "deny";
}

void AddProduct(Object& parent, std::string_view name) {
  Object product(parent, name);
  product.Add("name", "tollgate");
  product.Add("vendor_name", "tollgate");
  product.Add("version", Version());
  product.End();
}

// What every event begins with, up to and with its metadata.
void AddEvent(Object& event, const LineHead& head, int64_t time_ms, int class_uid, int activity,
              std::string_view activity_name, int severity, std::string_view correlation = {}) {
  event.Add("time", time_ms);
  event.Add("class_uid", class_uid);
  event.Add("category_uid", class_uid / 1000);
  event.Add("type_uid", class_uid * 100 + activity);
  event.Add("activity_id", activity);
  event.Add("activity_name", activity_name);
  event.Add("severity_id", severity);
  Object metadata(event, "metadata");
  metadata.Add("version", kSchemaVersion);
  AddProduct(metadata, "product");
  if (class_uid == kApiActivity) metadata.AddWords("profiles", "security_control");
  metadata.Add("sequence", head.sequence);
  metadata.Add("correlation_uid", correlation);
  metadata.End();
}

// The event of the log's own, up to the members that `record` has for itself; Chain::Close ends both objects.
Object BeginOwn(Object& event, const LineHead& head, int64_t time_ms, int activity, std::string_view record,
                int severity) {
  AddEvent(event, head, time_ms, kApplicationLifecycle, activity, record, severity);
  AddProduct(event, "app");
  Object unmapped(event, "unmapped");
  unmapped.Add("record", record);
  unmapped.Add("chain_id", head.chain_id);
  return unmapped;
}

void AddActor(Object& event, const Record& record) {
  Object actor(event, "actor");
  if (record.principal_known) {
    Object user(actor, "user");
    user.Add("uid", record.subject);
    user.Add("type", NameOfPrincipal(record.principal));
    user.Add("type_id", record.principal == PrincipalKind::kUser ? 1 : kOther);
    user.End();
  }
  if (!record.issuer.empty() || !record.jwt_id.empty()) {
    Object session(actor, "session");
    session.Add("uid", record.jwt_id);
    session.Add("issuer", record.issuer);
    session.End();
  }
  actor.Add("app_uid", record.client_id);
  actor.End();
}

void AddApi(Object& event, const Record& record) {
  Object api(event, "api");
  api.Add("operation", record.tool);
  if (!record.server.empty()) {
    Object service(api, "service");
    service.Add("name", record.server);
    service.End();
  }
  Object response(api, "response");
  response.Add("code", HttpStatus(CategoryOf(record.reason)));
  response.End();
  api.End();
}

void AddResource(Object& event, const Record& record) {
  event.Name("resources");
  *event.out() += '[';
  Object resource(event.out());
  resource.Add("type", NameOfObject(record.object));
  resource.Add("name", record.tool);
  resource.End();
  *event.out() += ']';
}

}  // namespace

void AppendDecision(const LineHead& head, const Record& record, std::string* out) {
  const bool allowed = record.verdict == Verdict::kAllow;
  Object event(out);
  AddEvent(event, head, record.time_ms, kApiActivity, kOther, NameOfObject(record.object),
           allowed ? kInformational : kLow, Hex(record.audit_id));
  event.Add("status_id", allowed ? 1 : 2);
  event.Add("status", allowed ? "Success" : "Failure");
  event.Add("status_code", ReasonName(record.reason));
  event.Add("action_id", allowed ? 1 : 2);
  event.Add("action", allowed ? "Allowed" : "Denied");
  event.Add("disposition_id", allowed ? 1 : 2);
  event.Add("disposition", allowed ? "Allowed" : "Blocked");
  AddActor(event, record);
  AddApi(event, record);
  AddResource(event, record);
  Object unmapped(event, "unmapped");
  unmapped.Add("record", "decision");
  unmapped.Add("chain_id", head.chain_id);
  unmapped.Add("verdict", NameOfVerdict(record.verdict));
  unmapped.Add("reason", static_cast<int>(record.reason));
  unmapped.Add("category", NameOfCategory(CategoryOf(record.reason)));
  unmapped.Add("sensitivity", record.sensitivity);
  unmapped.Add("audit", NameOfDuty(record.duty));
  unmapped.Add("sample_one_in", uint64_t{record.sample_one_in});
  unmapped.AddWords("scopes", record.scopes);
  unmapped.AddWords("roles", record.roles);
  unmapped.Add("act", record.actor);
  unmapped.Add("key_id", record.key_id);
  unmapped.Add("traceparent", Traceparent(record.traceparent));
}

void AppendStart(const LineHead& head, const StartLine& start, std::string* out) {
  Object event(out);
  Object unmapped = BeginOwn(event, head, start.time_ms, kStart, "start", kInformational);
  unmapped.Add("chain_algorithm", ChainAlgorithm(start.keyed));
  unmapped.Add("checkpoint_interval_ms", start.checkpoint_interval_ms);
  unmapped.Add("sample_one_in", uint64_t{start.sample_one_in});
  if (start.continues) unmapped.Add("continues", Hex(*start.continues));
  if (start.unfinished_bytes != 0) unmapped.Add("unfinished_bytes", uint64_t{start.unfinished_bytes});
}

void AppendLost(const LineHead& head, const LostLine& lost, std::string* out) {
  Object event(out);
  Object unmapped = BeginOwn(event, head, lost.time_ms, kOther, "lost", kMedium);
  unmapped.Add("lost", lost.lost);
  unmapped.Add("since_sequence", lost.since_sequence);
  unmapped.Add("since_time", lost.since_ms);
}

void AppendCounts(const LineHead& head, const CountsLine& counts, std::string* out) {
  Object event(out);
  Object unmapped = BeginOwn(event, head, counts.time_ms, counts.stop ? kStop : kOther,
                             counts.stop ? "stop" : "checkpoint", kInformational);
  unmapped.Add("written", counts.written);
  unmapped.Add("lost", counts.lost);
  unmapped.Add("sampled_out", counts.sampled_out);
  unmapped.Add("sink_failures", counts.sink_failures);
}

}  // namespace tollgate::audit
