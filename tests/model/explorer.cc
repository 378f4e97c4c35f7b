#include "tests/model/explorer.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <utility>

namespace tollgate::model {
namespace {

constexpr size_t kThreadsMax = 5;
constexpr size_t kCellsMax = 14;
constexpr size_t kMessagesMax = 14;

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "model: %s\n", what);
  std::abort();
}

constexpr bool Acquires(std::memory_order order) {
  return order == std::memory_order_acquire || order == std::memory_order_acq_rel;
}
constexpr bool Releases(std::memory_order order) {
  return order == std::memory_order_release || order == std::memory_order_acq_rel;
}

const char* Name(std::memory_order order) {
  switch (order) {
    case std::memory_order_relaxed:
      return "relaxed";
    case std::memory_order_acquire:
      return "acquire";
    case std::memory_order_release:
      return "release";
    case std::memory_order_acq_rel:
      return "acq_rel";
    default:
      Fail("an order that is not modelled");
  }
}

const char* Name(Role role) {
  static constexpr const char* kNames[] = {"sequence",   "word",   "cold", "used",
                                           "generation", "extent", "cell"};
  static_assert(std::size(kNames) == static_cast<size_t>(Role::kOther) + 1);
  return kNames[static_cast<size_t>(role)];
}

// Thrown through a thread's body where its known results end.
struct Suspended {};

// Request is the next operation of a thread.
struct Request {
  Operation operation{};
  uint8_t cell = 0;
  std::memory_order order{};
  std::memory_order failure{};  // Of a compare-exchange.
  uint64_t expected = 0;        // Of a compare-exchange.
  uint64_t value = 0;           // Of what writes.
};

// Node is where a thread stands, having had certain results: a tree, grown as it is visited, in which all
// ends with one outcome are one.
struct Node {
  bool finished = false;
  uint64_t outcome = 0;
  Request next;
  uint32_t parent = 0;
  uint64_t result = 0;  // Of the parent's operation.
  std::vector<std::pair<uint64_t, uint32_t>> children;
};

struct Thread {
  std::string name;
  std::function<uint64_t()> body;
  std::vector<Node> nodes;
};

// View holds for each cell a position in its list.
using View = std::array<uint8_t, kCellsMax>;

struct Message {
  uint8_t value;  // A number in Impl::values.
  bool taken;     // A compare-exchange stands directly behind it.
  View view;
};

struct State {
  struct ThreadState {
    uint32_t node;
    View view;
  };
  struct History {
    uint8_t size = 0;
    std::array<Message, kMessagesMax> messages;
  };
  std::array<ThreadState, kThreadsMax> threads;
  std::array<History, kCellsMax> cells;
};

struct Fingerprint {
  uint64_t low = 0;
  uint64_t high = 0;
  friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};

uint64_t Mix(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = Wide{a ^ 0x9e3779b97f4a7c15} * (b ^ 0xd6e8feb86659fd93);
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// FingerprintSet is open addressing; all zeros is an empty place.
class FingerprintSet {
 public:
  FingerprintSet() : places_(size_t{1} << 12) {}

  // Insert returns whether `fingerprint` is new.
  bool Insert(Fingerprint fingerprint) {
    if (fingerprint == Fingerprint{}) fingerprint.low = 1;
    Fingerprint& place = Find(fingerprint);
    if (place == fingerprint) return false;
    place = fingerprint;
    if (++size_ * 2 > places_.size()) {
      std::vector<Fingerprint> old(places_.size() * 2);
      old.swap(places_);
      for (const Fingerprint& moved : old) {
        if (moved != Fingerprint{}) Find(moved) = moved;
      }
    }
    return true;
  }

 private:
  Fingerprint& Find(const Fingerprint& fingerprint) {
    size_t at = fingerprint.low & (places_.size() - 1);
    while (places_[at] != Fingerprint{} && places_[at] != fingerprint) at = (at + 1) & (places_.size() - 1);
    return places_[at];
  }

  std::vector<Fingerprint> places_;
  size_t size_ = 0;
};

}  // namespace

struct Explorer::Impl {
  struct CellInfo {
    Role role;
    uint64_t initial;
  };
  struct Step {
    size_t thread;
    Request request;
    uint64_t result;
    size_t position;  // In the modification order, as far as anyone could still read it.
    size_t size;
  };

  static Impl* current;

  explicit Impl(Options given) : options(given) {}

  Options options;
  std::vector<CellInfo> cells;
  std::vector<Thread> threads;
  std::vector<uint64_t> values;  // All that were ever stored.
  FingerprintSet visited;
  std::vector<Step> path;
  Result result;

  // While a body runs:
  bool replaying = false;
  std::vector<uint64_t> known;
  size_t num_used = 0;
  Request pending;

  uint64_t Perform(Request request) {
    if (options.weakening.has_value()) {
      const Weakening& weakening = *options.weakening;
      if (cells[request.cell].role == weakening.role && request.operation == weakening.operation &&
          request.order == weakening.from) {
        request.order = weakening.to;
      }
    }
    if (num_used < known.size()) return known[num_used++];
    pending = request;
    throw Suspended{};
  }

  uint8_t ValueNumber(uint64_t value) {
    const auto found = std::find(values.begin(), values.end(), value);
    if (found != values.end()) return static_cast<uint8_t>(found - values.begin());
    if (values.size() > UINT8_MAX) Fail("too many values");
    values.push_back(value);
    return static_cast<uint8_t>(values.size() - 1);
  }

  // MakeNode runs the body with the results on the way to `parent` and, unless this is the root, `value`.
  uint32_t MakeNode(Thread& thread, uint32_t parent, uint64_t value) {
    known.clear();
    if (!thread.nodes.empty()) {
      known.push_back(value);
      for (uint32_t at = parent; at != 0; at = thread.nodes[at].parent)
        known.push_back(thread.nodes[at].result);
      std::reverse(known.begin(), known.end());
    }
    Node node;
    node.parent = parent;
    node.result = value;
    num_used = 0;
    replaying = true;
    try {
      node.outcome = thread.body();
      node.finished = true;
    } catch (const Suspended&) {
      node.next = pending;
    }
    replaying = false;
    if (num_used != known.size()) Fail("a thread does not repeat itself");
    if (node.finished) {
      for (uint32_t i = 0; i < thread.nodes.size(); ++i) {
        if (thread.nodes[i].finished && thread.nodes[i].outcome == node.outcome) return i;
      }
    }
    thread.nodes.push_back(std::move(node));
    return static_cast<uint32_t>(thread.nodes.size() - 1);
  }

  uint32_t Child(Thread& thread, uint32_t parent, uint64_t value) {
    for (const auto& [result_of, child] : thread.nodes[parent].children) {
      if (result_of == value) return child;
    }
    const uint32_t child = MakeNode(thread, parent, value);
    thread.nodes[parent].children.emplace_back(value, child);
    return child;
  }

  bool Finished(const State& state, size_t thread) const {
    return threads[thread].nodes[state.threads[thread].node].finished;
  }

  template <typename Do>
  void ForEachView(State& state, Do&& apply) const {
    for (size_t i = 0; i < threads.size(); ++i) apply(state.threads[i].view);
    for (size_t cell = 0; cell < cells.size(); ++cell) {
      for (size_t i = 0; i < state.cells[cell].size; ++i) apply(state.cells[cell].messages[i].view);
    }
  }

  // Insert makes room for a message at `position` of `cell`.
  Message& Insert(State& state, size_t cell, size_t position) const {
    State::History& history = state.cells[cell];
    if (history.size == kMessagesMax) Fail("too many stores to a cell");
    ForEachView(state, [&](View& view) {
      if (view[cell] >= position) ++view[cell];
    });
    std::copy_backward(history.messages.begin() + position, history.messages.begin() + history.size,
                       history.messages.begin() + history.size + 1);
    ++history.size;
    return history.messages[position];
  }

  // Forget drops what no thread can read any more, so that equal futures are equal states.
  void Forget(State& state) const {
    for (size_t i = 0; i < threads.size(); ++i) {
      if (Finished(state, i)) state.threads[i].view.fill(UINT8_MAX);
    }
    for (size_t cell = 0; cell < cells.size(); ++cell) {
      uint8_t oldest = UINT8_MAX;
      for (size_t i = 0; i < threads.size(); ++i) oldest = std::min(oldest, state.threads[i].view[cell]);
      if (oldest == UINT8_MAX || oldest == 0) continue;
      State::History& history = state.cells[cell];
      std::copy(history.messages.begin() + oldest, history.messages.begin() + history.size,
                history.messages.begin());
      history.size = static_cast<uint8_t>(history.size - oldest);
      ForEachView(state, [&](View& view) {
        if (view[cell] != UINT8_MAX) view[cell] = static_cast<uint8_t>(std::max(view[cell], oldest) - oldest);
      });
    }
    for (size_t i = 0; i < threads.size(); ++i) {
      if (Finished(state, i)) state.threads[i].view.fill(0);
    }
  }

  Fingerprint FingerprintOf(const State& state) const {
    static thread_local std::vector<uint8_t> bytes;
    bytes.clear();
    const auto put_view = [&](const View& view) {
      bytes.insert(bytes.end(), view.begin(), view.begin() + static_cast<ptrdiff_t>(cells.size()));
    };
    for (size_t i = 0; i < threads.size(); ++i) {
      for (int shift = 0; shift < 32; shift += 8) {
        bytes.push_back(static_cast<uint8_t>(state.threads[i].node >> shift));
      }
      put_view(state.threads[i].view);
    }
    for (size_t cell = 0; cell < cells.size(); ++cell) {
      const State::History& history = state.cells[cell];
      bytes.push_back(history.size);
      for (size_t i = 0; i < history.size; ++i) {
        bytes.push_back(history.messages[i].value);
        bytes.push_back(history.messages[i].taken);
        put_view(history.messages[i].view);
      }
    }
    bytes.resize((bytes.size() + 7) / 8 * 8);
    Fingerprint fingerprint{bytes.size(), ~bytes.size()};
    for (size_t i = 0; i < bytes.size(); i += 8) {
      uint64_t word;
      std::memcpy(&word, &bytes[i], sizeof word);
      fingerprint.low = Mix(fingerprint.low + 0x2545f4914f6cdd1d, word);
      fingerprint.high = Mix(fingerprint.high ^ 0x5851f42d4c957f2d, word + 0x14057b7ef767814f);
    }
    return fingerprint;
  }

  static void Join(View& view, const View& other) {
    for (size_t i = 0; i < view.size(); ++i) view[i] = std::max(view[i], other[i]);
  }

  // Advance gives thread `index` the result of its operation and goes on from there.
  void Advance(State& state, size_t index, uint64_t value, const Request& request, size_t position) {
    path.push_back({index, request, value, position, state.cells[request.cell].size});
    state.threads[index].node = Child(threads[index], state.threads[index].node, value);
    if (options.merge) Forget(state);
    Search(state);
    path.pop_back();
  }

  void Read(const State& state, size_t index, const Request& request, std::memory_order order,
            size_t position) {
    State next = state;
    View& view = next.threads[index].view;
    const Message& message = next.cells[request.cell].messages[position];
    view[request.cell] = static_cast<uint8_t>(position);
    if (Acquires(order)) Join(view, message.view);
    Advance(next, index, values[message.value], request, position);
  }

  // Write stores directly behind `position`; `taking` says that it has read what stands there.
  void Write(const State& state, size_t index, const Request& request, size_t position, bool taking) {
    State next = state;
    const size_t cell = request.cell;
    Message& message = Insert(next, cell, position + 1);
    Message& before = next.cells[cell].messages[position];
    View& view = next.threads[index].view;
    if (taking) {
      before.taken = true;
      if (Acquires(request.order)) Join(view, before.view);
    }
    view[cell] = static_cast<uint8_t>(position + 1);
    message.value = ValueNumber(request.value);
    message.taken = false;
    message.view.fill(0);
    if (Releases(request.order)) message.view = view;
    if (taking) Join(message.view, before.view);
    message.view[cell] = static_cast<uint8_t>(position + 1);
    Advance(next, index, taking ? request.expected : 0, request, position + 1);
  }

  bool Stopped() const { return !result.violation.empty() || result.states >= options.states_max; }

  void Search(const State& state) {
    if (Stopped() || (options.merge && !visited.Insert(FingerprintOf(state)))) return;
    ++result.states;
    bool all_finished = true;
    for (size_t index = 0; index < threads.size(); ++index) {
      const Node& node = threads[index].nodes[state.threads[index].node];
      if (node.finished) {
        if (node.outcome == kViolation) {
          result.violation = Trace();
          return;
        }
        continue;
      }
      all_finished = false;
      const Request request = node.next;
      const State::History& history = state.cells[request.cell];
      for (size_t i = state.threads[index].view[request.cell]; i < history.size; ++i) {
        const Message& message = history.messages[i];
        if (request.operation == Operation::kLoad) {
          Read(state, index, request, request.order, i);
        } else if (request.operation == Operation::kStore) {
          if (!message.taken) Write(state, index, request, i, false);
        } else if (values[message.value] != request.expected) {
          Read(state, index, request, request.failure, i);
        } else if (!message.taken) {
          Write(state, index, request, i, true);
        }
        if (Stopped()) return;
      }
    }
    if (all_finished) {
      std::vector<uint64_t> outcome;
      for (size_t index = 0; index < threads.size(); ++index) {
        outcome.push_back(threads[index].nodes[state.threads[index].node].outcome);
      }
      result.outcomes.insert(std::move(outcome));
    }
  }

  std::string Trace() const {
    std::string trace;
    for (const Step& step : path) {
      const Request& request = step.request;
      trace += threads[step.thread].name + ": ";
      const std::string cell =
          std::string(Name(cells[request.cell].role)) + " #" + std::to_string(request.cell) + " ";
      if (request.operation == Operation::kLoad) {
        trace += "loads " + cell + std::to_string(step.result);
      } else if (request.operation == Operation::kStore) {
        trace += "stores " + cell + std::to_string(request.value);
      } else if (step.result == request.expected) {
        trace +=
            "exchanges " + cell + std::to_string(request.expected) + " for " + std::to_string(request.value);
      } else {
        trace += "does not exchange " + cell + std::to_string(step.result);
      }
      trace += std::string(", ") + Name(request.order) + ", " + std::to_string(step.position + 1) + " of " +
               std::to_string(step.size) + "\n";
    }
    return trace;
  }

  Result Run() {
    State state{};
    for (size_t cell = 0; cell < cells.size(); ++cell) {
      state.cells[cell].size = 1;
      state.cells[cell].messages[0] = {ValueNumber(cells[cell].initial), false, View{}};
    }
    for (size_t i = 0; i < threads.size(); ++i) state.threads[i].node = MakeNode(threads[i], 0, 0);
    Search(state);
    result.exhausted = !Stopped();
    return result;
  }
};

Explorer::Impl* Explorer::Impl::current = nullptr;

Explorer::Explorer(Options options) : impl_(std::make_unique<Impl>(options)) {
  if (Impl::current != nullptr) Fail("one explorer at a time");
  Impl::current = impl_.get();
}

Explorer::~Explorer() { Impl::current = nullptr; }

void Explorer::AddThread(std::string name, std::function<uint64_t()> body) {
  if (impl_->threads.size() == kThreadsMax) Fail("too many threads");
  impl_->threads.push_back({std::move(name), std::move(body), {}});
}

Result Explorer::Run() { return impl_->Run(); }

CellBase::CellBase(uint64_t initial, size_t size)
    : index_([&] {
        auto& cells = Explorer::Impl::current->cells;
        if (cells.size() == kCellsMax) Fail("too many cells");
        cells.push_back({size == 8   ? Role::kWord
                         : size == 4 ? Role::kSequence
                         : size == 1 ? Role::kUsed
                                     : Role::kOther,
                         initial});
        return static_cast<uint8_t>(cells.size() - 1);
      }()) {}

void CellBase::SetRole(Role role) { Explorer::Impl::current->cells[index_].role = role; }

uint64_t CellBase::Load(std::memory_order order) const {
  Explorer::Impl& impl = *Explorer::Impl::current;
  if (order != std::memory_order_relaxed && order != std::memory_order_acquire) Fail("an order of no load");
  if (!impl.replaying) return impl.cells[index_].initial;
  return impl.Perform({.operation = Operation::kLoad, .cell = index_, .order = order});
}

void CellBase::Store(uint64_t value, std::memory_order order) {
  Explorer::Impl& impl = *Explorer::Impl::current;
  if (order != std::memory_order_relaxed && order != std::memory_order_release) Fail("an order of no store");
  if (!impl.replaying) {
    impl.cells[index_].initial = value;
    return;
  }
  impl.Perform({.operation = Operation::kStore, .cell = index_, .order = order, .value = value});
}

uint64_t CellBase::CompareExchange(uint64_t expected, uint64_t desired, std::memory_order success,
                                   std::memory_order failure) {
  Explorer::Impl& impl = *Explorer::Impl::current;
  if (success == std::memory_order_seq_cst || failure == std::memory_order_seq_cst) Fail("seq_cst");
  if (!impl.replaying) {
    const uint64_t seen = impl.cells[index_].initial;
    if (seen == expected) impl.cells[index_].initial = desired;
    return seen;
  }
  return impl.Perform({.operation = Operation::kCompareExchange,
                       .cell = index_,
                       .order = success,
                       .failure = failure,
                       .expected = expected,
                       .value = desired});
}

}  // namespace tollgate::model
