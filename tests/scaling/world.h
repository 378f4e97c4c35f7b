#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "tests/keys/fake_transport.h"
#include "tests/pipeline/engine_fixture.h"
#include "tests/scaling/crew.h"
#include "tests/scaling/directory.h"
#include "tests/scaling/trace.h"

namespace tollgate::scaling {

// Form is how a thread asks.
enum class Form : uint8_t { kCheck, kCheckWithPrincipal, kCheckBatch };

// Session is what one thread asks, again and again. It has the bytes of its requests for itself, as a server
// that has just received them.
struct Session {
  std::vector<std::string> authorizations;
  std::vector<Request> requests;
};

// Beside is called with each hit, and recorded with it.
using Beside = absl::FunctionRef<void()>;
inline void Nothing() {}

// World is an engine, tokens of a few issuers, and a crew that asks. Owner thread only.
class World {
 public:
  struct Options {
    size_t num_threads = 1;
    size_t num_issuers = 4;
    size_t num_tokens = 1024;
    size_t cache_bytes = size_t{8} << 20;
    int64_t verdict_age_max_s = 86'400;
    bool fetched = false;  // The issuers' keys come over a network, which answers at once.
  };
  // All tokens have been seen by the engine.
  explicit World(const Options& options);

  Engine& engine() { return *engine_; }
  Crew& crew() { return crew_; }
  const std::vector<std::string>& authorizations() const { return authorizations_; }
  static std::string IssuerName(size_t issuer) {
    return "https://idp-" + std::to_string(issuer) + ".example";
  }

  // NewAuthorization mints a token that the engine has not seen.
  std::string NewAuthorization();
  // See shows the engine a token, which must be allowed.
  void See(const std::string& authorization);

  // SessionOf is `rounds` times the `count` tokens from `first` on, beginning with the one at `start`.
  Session SessionOf(size_t first, size_t count, size_t rounds, size_t start) const;

  // RecordAll lets each of the first sessions.size() threads ask, one after the other, and returns what they
  // accessed. Adds to *misses how many answers did not come from the cache.
  std::vector<std::vector<Access>> RecordAll(std::span<const Session> sessions, Form form, size_t* misses,
                                             Beside beside = Nothing);

  void Advance(int64_t seconds) { clock_.Advance(seconds); }
  // SetKeys makes the network answer with an issuer's key, and one more in each `generation` above 0.
  void SetKeys(size_t issuer, size_t generation);
  // RunDue fetches what is due, on the calling thread.
  void RunDue() { engine_->RunBackground(std::chrono::milliseconds(0)); }

 private:
  const size_t num_issuers_;
  FakeClock clock_;
  testing::FakeTransport* network_ = nullptr;
  std::unique_ptr<Engine> engine_;
  std::vector<std::string> authorizations_;
  size_t num_minted_ = 0;
  Crew crew_;  // Last: its threads end first.
};

// Views returns the first `count` traces as a Directory takes them.
std::vector<Trace> Views(const std::vector<std::vector<Access>>& traces, size_t count);

}  // namespace tollgate::scaling
