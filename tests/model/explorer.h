#pragma once

// Every execution that C++20 permits to a few small threads on atomics, but for load buffering; see Explorer.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace tollgate::model {

// Role is what a cell is for, by its type unless set: weakenings go by it.
enum class Role : uint8_t { kSequence, kWord, kCold, kUsed, kGeneration, kExtent, kOther };

enum class Operation : uint8_t { kLoad, kStore, kCompareExchange };

// Weakening replaces one memory order wherever it is given to `operation` on cells of `role`.
struct Weakening {
  Role role;
  Operation operation;
  std::memory_order from;
  std::memory_order to;
};

struct Options {
  std::optional<Weakening> weakening = std::nullopt;
  uint64_t states_max = UINT64_MAX;
  bool merge = true;  // false: every path is walked to its end, as a check of what makes two states one.
};

// What a thread returns if what must never happen has happened to it.
inline constexpr uint64_t kViolation = UINT64_MAX;

struct Result {
  bool exhausted = false;  // Nothing was left out: no violation, and within states_max.
  uint64_t states = 0;
  std::set<std::vector<uint64_t>> outcomes;  // What the threads returned, in the order of AddThread.
  std::string violation;                     // One execution that ends in kViolation, line by line; or empty.
};

// Explorer runs threads on Cells in all interleavings and with all results of loads. The model is
// operational: a cell is the list of its stores in modification order; a thread has a view, the oldest store
// of each cell that it may still read; a store carries its thread's view if it releases, and an acquire that
// reads it joins that view.
//   - A load reads any store from the view on, the newest or not.
//   - A store goes anywhere behind the view into the modification order, not only to its end, but never
//     between a compare-exchange and the store that this has read.
//   - A compare-exchange that succeeds stands directly behind what it has read and carries its view on: the
//     release sequence of C++20, which another plain store does not continue. One that fails is a load.
// That is C++20's release, acquire and relaxed, but for load buffering: no load reads a store that its own
// thread has yet to reach in the search. Sequential consistency, fences and other operations are refused.
//
// Threads are functions that see nothing but Cells: what one does next follows from the results of its
// operations so far, and is found out by running it anew with those results. So a state is these results, the
// views and the lists; each is visited once (by a hash of 128 bits). Owner thread only, one at a time.
class Explorer {
 public:
  explicit Explorer(Options options = {});
  ~Explorer();
  Explorer(const Explorer&) = delete;
  Explorer& operator=(const Explorer&) = delete;

  // AddThread adds a thread. Operations on cells outside of threads, ahead of Run, set the initial state.
  void AddThread(std::string name, std::function<uint64_t()> body);

  Result Run();

 private:
  friend class CellBase;
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

// CellBase is an atomic of the Explorer that exists when it is made.
class CellBase {
 public:
  CellBase(const CellBase&) = delete;
  CellBase& operator=(const CellBase&) = delete;
  void SetRole(Role role);

 protected:
  CellBase(uint64_t initial, size_t size);
  uint64_t Load(std::memory_order order) const;
  void Store(uint64_t value, std::memory_order order);
  // CompareExchange returns what it has read: `expected` if it has stored.
  uint64_t CompareExchange(uint64_t expected, uint64_t desired, std::memory_order success,
                           std::memory_order failure);

 private:
  const uint8_t index_;
};

// Cell stands for std::atomic<T>.
template <typename T>
class Cell : public CellBase {
 public:
  Cell() : Cell(T{}) {}
  explicit Cell(T initial) : CellBase(initial, sizeof(T)) {}

  T load(std::memory_order order) const { return static_cast<T>(Load(order)); }
  void store(T value, std::memory_order order) { Store(value, order); }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order success, std::memory_order failure) {
    const T seen = static_cast<T>(CompareExchange(expected, desired, success, failure));
    const bool stored = seen == expected;
    expected = seen;
    return stored;
  }
};

// Atomics puts Cells into templates that take their atomics from outside.
struct Atomics {
  template <typename T>
  using Atomic = Cell<T>;
};

}  // namespace tollgate::model
