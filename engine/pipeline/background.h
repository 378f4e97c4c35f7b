#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "pipeline/context.h"
#include "tollgate/clock.h"
#include "tollgate/transport.h"

namespace tollgate::pipeline {

// NumProcessors returns on how many processors this process may run; 0: not known. A quota on their time, as
// containers have it, is not asked for.
uint32_t NumProcessors();

// Background does everything that no request may wait for: fetches keys, asks issuers about tokens and
// forgets what has expired. The only file of the engine that owns a thread. RunOnce is for one thread at a
// time (it makes sure of that itself); Wake is thread-safe. On lines of its own: what lies beside it is read
// by every hit.
class alignas(64) Background {
 public:
  // All must outlive this.
  Background(Context& context, Transport& transport, const Clock& clock);
  ~Background();  // Ends the thread, if there is one, and waits for it.

  void StartThread();
  void StopThread();  // Ends it, if there is one, and waits for it. Once.

  // RunOnce starts what is due, waits for the network up to `wait_max`, takes in what has arrived, runs the
  // callbacks that waited for it and writes the snapshot if that is due. Returns how long from now nothing
  // will be due.
  std::chrono::milliseconds RunOnce(std::chrono::milliseconds wait_max);

  // Wake makes a RunOnce in progress look again at what is due.
  void Wake() { transport_.Wake(); }

 private:
  Context& context_;
  Transport& transport_;
  const Clock& clock_;
  std::mutex running_;
  std::vector<FetchResult> done_;
  int64_t expired_at_s_ = INT64_MIN;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace tollgate::pipeline
