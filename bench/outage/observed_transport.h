#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "bench/outage/key_book.h"
#include "tollgate/transport.h"

namespace tollgate::bench {

inline int64_t MonotonicNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Exchange is one request that the identity provider was sent, or would have been, had it been there.
struct Exchange {
  int64_t begin_ns = 0;
  int64_t end_ns = 0;  // 0: still under way.
  bool good = false;
};

// ExchangeLog outlives the engine that owns the transport. Thread-safe.
class ExchangeLog {
 public:
  explicit ExchangeLog(KeyBook* book) : book_(book) {}
  KeyBook& book() const { return *book_; }

  void Begin(uint64_t id, int64_t now_ns) {
    const std::lock_guard lock(mutex_);
    open_[id] = exchanges_.size();
    exchanges_.push_back({.begin_ns = now_ns});
  }
  void End(uint64_t id, int64_t now_ns, bool good) {
    const std::lock_guard lock(mutex_);
    const auto it = open_.find(id);
    if (it == open_.end()) return;
    exchanges_[it->second].end_ns = now_ns;
    exchanges_[it->second].good = good;
    open_.erase(it);
  }
  std::vector<Exchange> Read() const {
    const std::lock_guard lock(mutex_);
    return exchanges_;
  }

 private:
  KeyBook* const book_;
  mutable std::mutex mutex_;
  std::vector<Exchange> exchanges_;
  std::map<uint64_t, size_t> open_;
};

// ObservedTransport passes everything on and keeps the log and its book. Owner thread only, but for Wake.
class ObservedTransport final : public Transport {
 public:
  ObservedTransport(std::unique_ptr<Transport> inner, std::shared_ptr<ExchangeLog> log)
      : inner_(std::move(inner)), log_(std::move(log)) {}

  void Start(FetchRequest request) override {
    const int64_t now_ns = MonotonicNs();
    log_->book().TakenIn(now_ns);
    log_->Begin(request.id, now_ns);
    inner_->Start(std::move(request));
  }

  void Poll(int timeout_ms, std::vector<FetchResult>* done) override {
    log_->book().TakenIn(MonotonicNs());
    const size_t before = done->size();
    inner_->Poll(timeout_ms, done);
    const int64_t now_ns = MonotonicNs();
    for (size_t i = before; i < done->size(); ++i) {
      const FetchResult& result = (*done)[i];
      const bool good = result.outcome == FetchOutcome::kAnswered &&
                        (result.http_status == 200 || result.http_status == 304);
      log_->End(result.id, now_ns, good);
      if (good) log_->book().Arrived(now_ns);
    }
  }

  void Wake() override { inner_->Wake(); }

 private:
  const std::unique_ptr<Transport> inner_;
  const std::shared_ptr<ExchangeLog> log_;
};

}  // namespace tollgate::bench
