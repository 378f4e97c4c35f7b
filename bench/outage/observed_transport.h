#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/outage/answer_book.h"
#include "bench/outage/key_book.h"
#include "tollgate/transport.h"

namespace tollgate::bench {

inline int64_t MonotonicNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Books are all accounts of one run.
struct Books {
  KeyBook& keys;
  AnswerBook& answers;
  TenantBook& tenants;
};

// Exchange is one request that the identity provider was sent, or would have been, had it been there.
struct Exchange {
  int64_t begin_ns = 0;
  int64_t earliest_ns = 0;  // The engine took the time from which its gates count between this and the begin.
  int64_t end_ns = 0;       // 0: still under way.
  bool good = false;
  bool introspection = false;  // A question about a token, and not for keys.
};

// ExchangeLog outlives the engine that owns the transport. Thread-safe.
class ExchangeLog {
 public:
  explicit ExchangeLog(const Books& books) : books_(books) {}
  const Books& books() const { return books_; }

  void Begin(uint64_t id, bool introspection, int64_t earliest_ns, int64_t now_ns) {
    const std::lock_guard lock(mutex_);
    open_[id] = exchanges_.size();
    exchanges_.push_back({.begin_ns = now_ns, .earliest_ns = earliest_ns, .introspection = introspection});
  }
  void End(uint64_t id, int64_t now_ns, bool good) {
    const std::lock_guard lock(mutex_);
    const auto it = open_.find(id);
    if (it == open_.end()) return;
    exchanges_[it->second].end_ns = now_ns;
    exchanges_[it->second].good = good;
    open_.erase(it);
  }
  // Forget is for another engine, which numbers its requests from the first again.
  void Forget() {
    const std::lock_guard lock(mutex_);
    exchanges_.clear();
    open_.clear();
  }
  std::vector<Exchange> Read() const {
    const std::lock_guard lock(mutex_);
    return exchanges_;
  }

 private:
  const Books books_;
  mutable std::mutex mutex_;
  std::vector<Exchange> exchanges_;
  std::map<uint64_t, size_t> open_;
};

// NamedKey is a key of which it matters whether a set has it.
struct NamedKey {
  std::string kid;
  KeyBits bit;
};

// KeysIn returns what a good answer says of the keys; nullopt: it is not good. `before` is what the answer
// before it said, which a 304 repeats. Shares no code with the engine.
std::optional<KeyBits> KeysIn(const FetchResult& result, const std::vector<NamedKey>& named, KeyBits before);

// IsActive returns what a good answer says of a token (RFC 7662 section 2.2); nullopt: it is not good.
std::optional<bool> IsActive(const FetchResult& result);

// The key set of a tenant, below the issuer that all other tokens are of, is at a path of its own.
std::string TenantIssuer(const std::string& issuer, uint32_t tenant);
std::string TenantJwksUri(const std::string& issuer, uint32_t tenant);
std::optional<uint32_t> TenantOf(std::string_view jwks_uri);

// ObservedTransport passes everything on and keeps the log and its books. While `names_lost` is set no host
// name resolves: nothing is passed on, and every request ends at once with kUnresolved. Owner thread only,
// but for Wake.
class ObservedTransport final : public Transport {
 public:
  // The flag must outlive the transport.
  ObservedTransport(std::unique_ptr<Transport> inner, std::shared_ptr<ExchangeLog> log,
                    std::vector<NamedKey> named, const std::atomic<bool>& names_lost)
      : inner_(std::move(inner)),
        log_(std::move(log)),
        named_(std::move(named)),
        names_lost_(names_lost),
        keys_(log_->books().keys.Read().keys) {}

  void Start(FetchRequest request) override;
  void Poll(int timeout_ms, std::vector<FetchResult>* done) override;
  void Wake() override { inner_->Wake(); }

 private:
  // What a request is about, if it is not about the keys.
  struct Question {
    std::optional<uint32_t> tenant{};
    std::optional<uint32_t> token{};
    AnswerBook::Answer sent{};
  };
  void TakenIn(int64_t now_ns);
  bool Arrived(const FetchResult& result, int64_t now_ns);

  const std::unique_ptr<Transport> inner_;
  const std::shared_ptr<ExchangeLog> log_;
  const std::vector<NamedKey> named_;
  const std::atomic<bool>& names_lost_;
  std::vector<uint64_t> unresolved_;
  std::map<uint64_t, Question> questions_;
  int64_t returned_ns_ = MonotonicNs();  // From the last Poll; the engine reads its clock behind it.
  KeyBits keys_;  // Of the last good answer, an earlier engine's included: a snapshot has its entity tag.
};

}  // namespace tollgate::bench
