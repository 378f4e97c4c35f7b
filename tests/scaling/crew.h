#pragma once

#include <cstddef>
#include <memory>
#include <semaphore>
#include <thread>

#include "absl/functional/function_ref.h"

namespace tollgate::scaling {

// Crew is a number of threads that work one at a time, but live all at once: each has a stack, and a block in
// the engine, that no other one has had. Owner thread only.
class Crew {
 public:
  explicit Crew(size_t size) : size_(size), members_(new Member[size]) {
    for (size_t i = 0; i < size; ++i) members_[i].thread = std::thread(&Crew::Live, this, i);
  }
  ~Crew() {
    for (size_t i = 0; i < size_; ++i) {
      Run(i, nullptr);
      members_[i].thread.join();
    }
  }
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  // On does `work` on one thread. Waits for its end.
  void On(size_t number, absl::FunctionRef<void()> work) { Run(number, &work); }

 private:
  struct Member {
    std::thread thread;
    std::binary_semaphore turn{0};
  };

  void Run(size_t number, absl::FunctionRef<void()>* work) {
    work_ = work;
    members_[number].turn.release();
    done_.acquire();
  }

  void Live(size_t number) {
    for (bool last = false; !last;) {
      members_[number].turn.acquire();
      last = work_ == nullptr;
      if (!last) (*work_)();
      done_.release();
    }
  }

  const size_t size_;
  absl::FunctionRef<void()>* work_ = nullptr;  // Null: the end.
  std::binary_semaphore done_{0};
  const std::unique_ptr<Member[]> members_;
};

}  // namespace tollgate::scaling
