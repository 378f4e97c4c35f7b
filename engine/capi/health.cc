#include "capi/health.h"

#include <concepts>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "json/writer.h"

namespace tollgate::c_abi {
namespace {

std::string InAscii(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string ascii;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      ascii += c;
    } else {
      ascii.append({'%', kHex[byte >> 4], kHex[byte & 15]});
    }
  }
  return ascii;
}

// Object writes the members of a JSON object, in the order in which they are added.
class Object {
 public:
  explicit Object(std::string* out) : out_(*out) { out_ += '{'; }
  Object& Add(std::string_view name, std::string_view text) {
    Name(name);
    json::AppendString(InAscii(text), &out_);
    return *this;
  }
  Object& Add(std::string_view name, bool flag) {
    Name(name);
    out_ += flag ? "true" : "false";
    return *this;
  }
  template <std::integral Number>
  requires(!std::same_as<Number, bool>) Object& Add(std::string_view name, Number number) {
    Name(name);
    absl::StrAppend(&out_, number);
    return *this;
  }
  // Name begins a member whose value the caller writes.
  void Name(std::string_view name) {
    if (!std::exchange(is_first_, false)) out_ += ',';
    json::AppendString(name, &out_);
    out_ += ':';
  }
  void End() { out_ += '}'; }

 private:
  std::string& out_;
  bool is_first_ = true;
};

std::string_view NameOf(SnapshotRead read) {
  switch (read) {
    case SnapshotRead::kNotConfigured:
      return "not_configured";
    case SnapshotRead::kAbsent:
      return "absent";
    case SnapshotRead::kAccepted:
      return "accepted";
    case SnapshotRead::kNoKey:
      return "no_key";
    case SnapshotRead::kUnreadable:
      return "unreadable";
    case SnapshotRead::kTooLarge:
      return "too_large";
    case SnapshotRead::kTruncated:
      return "truncated";
    case SnapshotRead::kUnknownVersion:
      return "unknown_version";
    case SnapshotRead::kTampered:
      return "tampered";
  }
  return "unreadable";
}

void AddIssuer(const IssuerHealth& health, std::string* out) {
  Object(out)
      .Add("issuer", health.issuer)
      .Add("position", health.position)
      .Add("num_tenants", health.num_tenants)
      .Add("freshness", FreshnessName(health.freshness))
      .Add("keys_age_ms", health.keys_age_ms)
      .Add("from_snapshot", health.from_snapshot)
      .Add("key_place", health.key_place)
      .Add("num_keys", health.num_keys)
      .Add("num_keys_skipped", health.num_keys_skipped)
      .Add("fetches", health.fetches)
      .Add("fetch_failures", health.fetch_failures)
      .Add("consecutive_failures", health.consecutive_failures)
      .Add("next_fetch_in_ms", health.next_fetch_in_ms)
      .Add("last_error", health.last_error)
      .Add("verifications_refused", health.verifications_refused)
      .Add("verifications_refused_for_ms", health.verifications_refused_for_ms)
      .Add("introspections", health.introspections)
      .Add("introspection_failures", health.introspection_failures)
      .Add("introspections_refused", health.introspections_refused)
      .Add("introspections_in_flight", health.introspections_in_flight)
      .Add("introspection_paused_for_ms", health.introspection_paused_for_ms)
      .Add("introspection_endpoint_known", health.introspection_endpoint_known)
      .Add("last_introspection_error", health.last_introspection_error)
      .End();
}

void AddSnapshot(const SnapshotHealth& health, std::string* out) {
  Object(out)
      .Add("read", NameOf(health.read))
      .Add("issuers_restored", health.issuers_restored)
      .Add("issuers_too_old", health.issuers_too_old)
      .Add("issuers_future_dated", health.issuers_future_dated)
      .Add("issuers_source_changed", health.issuers_source_changed)
      .Add("issuers_unusable", health.issuers_unusable)
      .Add("read_error", health.read_error)
      .Add("writes", health.writes)
      .Add("write_failures", health.write_failures)
      .Add("issuers_written", health.issuers_written)
      .Add("written_ago_ms", health.written_ago_ms)
      .Add("write_error", health.write_error)
      .Add("leads", health.leads)
      .End();
}

}  // namespace

std::string HealthJson(const Engine& engine) {
  std::string out;
  Object all(&out);
  all.Name("issuers");
  out += '[';
  for (const IssuerHealth& issuer : engine.ReadHealth()) {
    if (out.back() == '}') out += ',';
    AddIssuer(issuer, &out);
  }
  out += ']';
  all.Name("snapshot");
  AddSnapshot(engine.ReadSnapshotHealth(), &out);
  all.Add("audit_error", engine.AuditError()).End();
  return out;
}

}  // namespace tollgate::c_abi
