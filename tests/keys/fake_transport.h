#pragma once

#include <algorithm>
#include <climits>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tollgate/transport.h"

namespace tollgate::testing {

// What a server answers; `outcome` other than kAnswered is an exchange that failed.
struct FakeAnswer {
  FetchOutcome outcome = FetchOutcome::kAnswered;
  int http_status = 200;
  std::string body{};
  std::string etag{};
  int64_t max_age_s = -1;
  std::string content_type = "application/json";
};

// FakeTransport is a network that the test is in charge of. Every request is recorded. One whose URL has an
// answer by SetAnswer ends at the next Poll; any other waits until the test ends it by Complete, in whatever
// order. Poll never blocks. Thread-safe, so that a test may look and answer while an engine's thread polls.
class FakeTransport : public Transport {
 public:
  void Start(FetchRequest request) override {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
    if (const auto answer = answers_.find(request.url); answer != answers_.end()) {
      done_.push_back(Result(request.id, answer->second));
    } else {
      pending_.push_back(std::move(request));
    }
  }

  void Poll(int timeout_ms, std::vector<FetchResult>* done) override {
    const std::lock_guard lock(mutex_);
    ++polls_;
    least_timeout_ms_ = std::min(least_timeout_ms_, timeout_ms);
    for (FetchResult& result : done_) done->push_back(std::move(result));
    done_.clear();
  }

  void Wake() override {
    const std::lock_guard lock(mutex_);
    ++wakes_;
  }

  // SetAnswer is what every later request for `url` gets; nullopt: Complete decides again.
  void SetAnswer(const std::string& url, std::optional<FakeAnswer> answer) {
    const std::lock_guard lock(mutex_);
    answers_.erase(url);
    if (answer) answers_.emplace(url, *std::move(answer));
  }

  // Complete ends the pending request `id` at the next Poll. False if none is pending under this id.
  bool Complete(uint64_t id, const FakeAnswer& answer) {
    const std::lock_guard lock(mutex_);
    for (auto it = pending_.begin(); it != pending_.end(); ++it) {
      if (it->id != id) continue;
      pending_.erase(it);
      done_.push_back(Result(id, answer));
      return true;
    }
    return false;
  }

  // CompleteOldest ends the request that has been pending for longest. False if there is none.
  bool CompleteOldest(const FakeAnswer& answer) {
    const std::vector<FetchRequest> waiting = pending();
    return !waiting.empty() && Complete(waiting.front().id, answer);
  }

  std::vector<FetchRequest> pending() const {
    const std::lock_guard lock(mutex_);
    return {pending_.begin(), pending_.end()};
  }
  std::vector<FetchRequest> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  size_t num_requests() const {
    const std::lock_guard lock(mutex_);
    return requests_.size();
  }
  size_t num_polls() const {
    const std::lock_guard lock(mutex_);
    return polls_;
  }
  // The least time that any Poll was to wait, INT_MAX before the first.
  int least_timeout_ms() const {
    const std::lock_guard lock(mutex_);
    return least_timeout_ms_;
  }
  size_t num_wakes() const {
    const std::lock_guard lock(mutex_);
    return wakes_;
  }

 private:
  static FetchResult Result(uint64_t id, const FakeAnswer& answer) {
    FetchResult result;
    result.id = id;
    result.outcome = answer.outcome;
    if (answer.outcome != FetchOutcome::kAnswered) return result;
    result.http_status = answer.http_status;
    result.body = answer.body;
    result.etag = answer.etag;
    result.max_age_s = answer.max_age_s;
    result.content_type = answer.content_type;
    return result;
  }

  mutable std::mutex mutex_;
  std::map<std::string, FakeAnswer> answers_;
  std::deque<FetchRequest> pending_;
  std::vector<FetchRequest> requests_;
  std::vector<FetchResult> done_;
  size_t polls_ = 0;
  int least_timeout_ms_ = INT_MAX;
  size_t wakes_ = 0;
};

}  // namespace tollgate::testing
