#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "tollgate/engine.h"
#include "tools/tollgated/answer.h"
#include "tools/tollgated/http.h"
#include "tools/tollgated/question.h"
#include "tools/tollgated/refusals.h"
#include "tools/tollgated/settings.h"

namespace tollgate::tollgated {

// Gate answers proxies. It serves
//
//   /check/NAME  a question about one request (question.h), answered by the engine: each thing that the
//                request asks for is checked, within Bounds::wait_max, and all must be allowed; else the
//                worst answer counts (answer.h). A question that does not say what it asks about is answered
//                500.
//   /.well-known/oauth-protected-resource/PATH, /metadata/NAME
//                the server's metadata (RFC 9728), to everybody, browsers included: GET, HEAD, OPTIONS. Of
//                several servers with one path, that of the Host field.
//
// and 404 for anything else. A preflight of CORS is a request like others, which asks for the method OPTIONS
// and brings no credential: proxies answer it themselves, docs/deploying.md. Thread-safe.
class Gate {
 public:
  // The settings and the book must outlive the gate, and the gate the engine, whose destructor may end what
  // is under way. The engine has the resource of settings.servers[i] at position i.
  Gate(Engine* engine, const Settings& settings, const Policy& policy, RefusalBook* refusals);
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  // SetPolicy says of what policy the metadata is to name the scopes; the engine's is set by itself.
  void SetPolicy(const Policy& policy);

  // MakeHandler returns a handler for one thread, which the gate must outlive. Answers that come later come
  // on the engine's background thread, or in the engine's destructor.
  std::unique_ptr<HttpHandler> MakeHandler();

  // Metadata answers who asks for metadata: 404 if it is for anything else. Any thread.
  HttpAnswer Metadata(const HttpRequest& request) const;

  // Outcome is what becomes of a question.
  struct Outcome {
    bool allowed = false;
    bool brings_lists = false;  // The server's answer may have in it what the caller may not use.
    Identity identity{};        // If it is allowed,
    HttpAnswer refusal{};       // else what the client is to be told.
  };

  // Asker asks from the gate's own process, where nothing needs to be made text of. Owner thread only.
  class Asker {
   public:
    using Later = std::function<void(Outcome)>;

    explicit Asker(Gate& gate);

    // Ask is /check/NAME of the server at this position, `rest` being what follows that in the target. As
    // with HttpHandler::Answer, false: what `later` has returned takes the outcome.
    bool Ask(size_t server, const HttpRequest& request, std::string_view rest, Outcome* outcome,
             absl::FunctionRef<Later()> later);

   private:
    Gate& gate_;
    McpReader reader_;
    std::vector<Use> uses_;
    std::string error_;
  };

 private:
  class Handler;
  class Question;

  // Server is what does not change of one protected server.
  struct Server {
    const ServerSettings* settings = nullptr;
    std::string metadata_url{};     // Empty: its URI is no URL.
    std::string metadata_target{};  // Of that: path and query,
    std::string host{};             // host and port.
  };

  size_t ServerOf(std::string_view name) const;  // The number of servers: of none.
  // MetadataServer returns whose metadata is asked for, or the number of servers.
  size_t MetadataServer(const HttpRequest& request) const;

  Engine& engine_;
  const Settings& settings_;
  RefusalBook& refusals_;
  std::vector<Server> servers_;
  mutable std::mutex mutex_;
  std::vector<std::string> metadata_;  // Of each server, the document. Under mutex_.
};

}  // namespace tollgate::tollgated
