#include "bench/outage/observed_transport.h"

#include <nlohmann/json.hpp>

namespace tollgate::bench {

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

void ObservedTransport::Start(FetchRequest request) {
  const int64_t now_ns = MonotonicNs();
  log_->book().TakenIn(now_ns);
  log_->Begin(request.id, returned_ns_, now_ns);
  // Ordering: relaxed; a switch that carries no data.
  if (names_lost_.load(std::memory_order_relaxed)) {
    unresolved_.push_back(request.id);
  } else {
    inner_->Start(std::move(request));
  }
}

void ObservedTransport::Poll(int timeout_ms, std::vector<FetchResult>* done) {
  log_->book().TakenIn(MonotonicNs());
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
    const std::optional<KeyBits> keys = KeysIn((*done)[i], named_, keys_);
    log_->End((*done)[i].id, now_ns, keys.has_value());
    if (!keys) continue;
    keys_ = *keys;
    log_->book().Arrived(now_ns, keys_);
  }
  returned_ns_ = now_ns;
}

}  // namespace tollgate::bench
