#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/random.h"
#include "tests/sim/script.h"
#include "tollgate/transport.h"

namespace tollgate::sim {

// Place is what one URL is.
struct Place {
  int issuer = 0;
  bool keys = false;
  int number = 0;      // Of the path of the keys, or of the place of the metadata.
  bool asked = false;  // Here it is asked about tokens, and the others do not count.

  bool operator==(const Place&) const = default;
};

// Exchange is one request on its way.
struct Exchange {
  Place place;
  int64_t begin_ms = 0;
  int64_t timeout_ms = 0;
  std::string if_none_match{};
  uint64_t token = 0;  // About which the issuer is asked: TokenSpec::number and the like.
};

// Served is what an exchange meant, as the identity provider knows it: nobody has to read a body to judge
// what an engine makes of it.
struct Served {
  enum class Meaning : uint8_t {
    kFailed,       // Brought nothing, or nothing that is any good.
    kNotThere,     // The metadata is not at this place.
    kMetadata,     // It is, and says `path`.
    kSet,          // The keys are `keys`.
    kNotModified,  // They are still those of the entity tag that was sent along: `keys`.
    kActive,       // The token is active,
    kInactive,     // or is not.
    kSaysNothing,  // Of the token, by the question's fault.
  };
  Meaning meaning = Meaning::kFailed;
  int path = 0;
  KeyMask keys = 0;
  std::string etag{};
  int64_t max_age_s = -1;
  Fault fault = Fault::kNone;            // What it went through,
  AskFault ask_fault = AskFault::kNone;  // or this, if it is a question about a token.
};

// Observer sees what passes between an engine and the network.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void OnBegin(const Exchange& exchange) = 0;
  virtual void OnEnd(const Exchange& exchange, const Served& served) = 0;
  virtual void OnNonsense(const std::string& what) = 0;
};

// Network is the identity providers of a script and what lies before them, on the simulation's time. What
// comes of an exchange depends on the seed, its issuer and the moment of its begin alone, so that two engines
// that ask at the same times get the same answers. Owner thread only.
class Network {
 public:
  Network(const Script& script, const int64_t& now_ms, Observer& observer);

  // Connect returns the transport of a new engine. Exchanges of the one before are gone.
  std::unique_ptr<Transport> Connect();

  // The end of the exchange that ends first; INT64_MAX: there is none.
  int64_t NextEndMs() const;
  // Whether the engine has asked to be run since the last call.
  bool TakeWake();
  size_t num_fetches() const;  // Under way.

 private:
  class Wire;
  struct Pending {
    Exchange exchange;
    Served served;
    FetchResult result;
  };
  struct Answer {
    int64_t after_ms = 0;
    Served served{};
    FetchResult result{};
  };
  void Start(FetchRequest request);
  void Poll(std::vector<FetchResult>* done);
  bool ReadQuestion(const FetchRequest& request, Exchange* exchange);
  Answer AnswerTo(const Exchange& exchange) const;
  Answer AnswerAbout(const Exchange& exchange) const;
  Answer Healthy(const Exchange& exchange, Random& random, int64_t at_ms) const;
  Answer Keys(const Exchange& exchange, Random& random, int64_t at_ms) const;
  Answer Metadata(const Exchange& exchange, int64_t at_ms) const;
  Answer Truth(const Exchange& exchange, Random& random, int64_t at_ms) const;
  void Delay(Fault fault, const Exchange& exchange, Random& random, Answer* answer) const;
  static void Break(Fault fault, Random& random, Answer* answer);
  void Spoil(Fault fault, const Exchange& exchange, Random& random, Answer* answer) const;

  const Script& script_;
  const int64_t& now_ms_;
  Observer& observer_;
  std::map<std::string, Place> places_;
  std::multimap<int64_t, Pending> in_flight_;  // By when they end.
  bool woken_ = false;
};

}  // namespace tollgate::sim
