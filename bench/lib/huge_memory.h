#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <utility>

namespace tollgate::bench {

// HugeMemory is zeroed memory from the kernel in huge pages, where they can be had, as the verdict cache's
// is. Ends the process when there is none. Thread-compatible.
class HugeMemory {
 public:
  HugeMemory() = default;
  explicit HugeMemory(size_t bytes) : size_((bytes + kHugePage - 1) / kHugePage * kHugePage) {
    // A huge page begins at a multiple of its size, so one more is mapped than is used.
    mapped_ = mmap(nullptr, size_ + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped_ == MAP_FAILED) std::abort();
    const size_t past = reinterpret_cast<size_t>(mapped_) % kHugePage;
    data_ = static_cast<char*>(mapped_) + (past == 0 ? 0 : kHugePage - past);
    (void)madvise(data_, size_, MADV_HUGEPAGE);
  }
  HugeMemory(HugeMemory&& other) noexcept { *this = std::move(other); }
  HugeMemory& operator=(HugeMemory&& other) noexcept {
    std::swap(mapped_, other.mapped_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~HugeMemory() {
    if (mapped_ != nullptr) munmap(mapped_, size_ + kHugePage);
  }

  char* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  static constexpr size_t kHugePage = size_t{2} << 20;
  void* mapped_ = nullptr;
  char* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace tollgate::bench
