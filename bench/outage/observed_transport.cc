#include "bench/outage/observed_transport.h"

#include <charconv>

#include <nlohmann/json.hpp>

namespace tollgate::bench {
namespace {

constexpr std::string_view kTenants = "/tenants/";

// The token of a question (RFC 7662 section 2.1). Those of this harness need no form-encoding.
std::string_view TokenIn(std::string_view form) {
  constexpr std::string_view kName = "token=";
  if (!form.starts_with(kName)) return "";
  return form.substr(kName.size(), form.find('&') - kName.size());
}

}  // namespace

std::optional<KeyBits> KeysIn(const FetchResult& result, const std::vector<NamedKey>& named, KeyBits before) {
  if (result.outcome != FetchOutcome::kAnswered) return std::nullopt;
  if (result.http_status == 304 && before != 0) return before;
  if (result.http_status != 200) return std::nullopt;
  const nlohmann::json set = nlohmann::json::parse(result.body, nullptr, false);
  if (!set.is_object() || !set.contains("keys") || !set["keys"].is_array() || set["keys"].empty())
    return std::nullopt;
  KeyBits keys = kStayingKey;
  for (const nlohmann::json& key : set["keys"]) {
    for (const NamedKey& wanted : named) {
      if (key.is_object() && key.contains("kid") && key["kid"] == wanted.kid) keys |= wanted.bit;
    }
  }
  return keys;
}

std::optional<bool> IsActive(const FetchResult& result) {
  if (result.outcome != FetchOutcome::kAnswered || result.http_status != 200) return std::nullopt;
  const nlohmann::json answer = nlohmann::json::parse(result.body, nullptr, false);
  if (!answer.is_object() || !answer.contains("active") || !answer["active"].is_boolean())
    return std::nullopt;
  return answer["active"].get<bool>();
}

std::string TenantIssuer(const std::string& issuer, uint32_t tenant) {
  return issuer + std::string(kTenants) + std::to_string(tenant);
}

std::string TenantJwksUri(const std::string& issuer, uint32_t tenant) {
  return TenantIssuer(issuer, tenant) + "/jwks";
}

std::optional<uint32_t> TenantOf(std::string_view jwks_uri) {
  const size_t at = jwks_uri.find(kTenants);
  if (at == std::string_view::npos) return std::nullopt;
  jwks_uri.remove_prefix(at + kTenants.size());
  uint32_t tenant = 0;
  const auto [end, error] = std::from_chars(jwks_uri.data(), jwks_uri.data() + jwks_uri.size(), tenant);
  return error == std::errc() && end != jwks_uri.data() ? std::optional(tenant) : std::nullopt;
}

void ObservedTransport::TakenIn(int64_t now_ns) {
  log_->books().keys.TakenIn(now_ns);
  log_->books().answers.TakenIn();
  log_->books().tenants.TakenIn();
}

void ObservedTransport::Start(FetchRequest request) {
  const int64_t now_ns = MonotonicNs();
  TakenIn(now_ns);
  const bool introspection = !request.form.empty();
  log_->Begin(request.id, introspection, returned_ns_, now_ns);
  if (introspection) {
    questions_[request.id] = {.token = log_->books().answers.Find(TokenIn(request.form)),
                              .sent = {.earliest_ns = returned_ns_, .latest_ns = now_ns}};
  } else if (const std::optional<uint32_t> tenant = TenantOf(request.url)) {
    questions_[request.id] = {.tenant = tenant};
  }
  // Ordering: relaxed; a switch that carries no data.
  if (names_lost_.load(std::memory_order_relaxed)) {
    unresolved_.push_back(request.id);
  } else {
    inner_->Start(std::move(request));
  }
}

// Arrived enters the answer into its book. False: it is not good.
bool ObservedTransport::Arrived(const FetchResult& result, int64_t now_ns) {
  const Books& books = log_->books();
  if (const auto found = questions_.find(result.id); found != questions_.end()) {
    Question question = found->second;
    questions_.erase(found);
    if (question.tenant) {
      const bool good = KeysIn(result, {}, kStayingKey).has_value();
      if (good) books.tenants.Arrived(*question.tenant);
      return good;
    }
    const std::optional<bool> active = IsActive(result);
    if (!active) {
      books.answers.Failed();
      return false;
    }
    question.sent.active = *active;
    if (question.token) books.answers.Arrived(*question.token, question.sent);
    return true;
  }
  const std::optional<KeyBits> keys = KeysIn(result, named_, keys_);
  if (!keys) return false;
  keys_ = *keys;
  books.keys.Arrived(now_ns, keys_);
  return true;
}

void ObservedTransport::Poll(int timeout_ms, std::vector<FetchResult>* done) {
  TakenIn(MonotonicNs());
  const size_t before = done->size();
  inner_->Poll(unresolved_.empty() ? timeout_ms : 0, done);
  for (const uint64_t id : std::exchange(unresolved_, {})) {
    FetchResult result;
    result.id = id;
    result.outcome = FetchOutcome::kUnresolved;
    done->push_back(std::move(result));
  }
  const int64_t now_ns = MonotonicNs();
  for (size_t i = before; i < done->size(); ++i) {
    const bool good = Arrived((*done)[i], now_ns);
    log_->End((*done)[i].id, now_ns, good);
  }
  returned_ns_ = now_ns;
}

}  // namespace tollgate::bench
