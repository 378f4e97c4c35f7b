#include "tools/tollgated/gate.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string_view>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "tollgate/challenge.h"

namespace tollgate::tollgated {
namespace {

constexpr std::string_view kCheck = "/check/";
constexpr std::string_view kWellKnown = "/.well-known/oauth-protected-resource";
constexpr std::string_view kMetadata = "/metadata/";

HttpAnswer NotFound() { return ErrorAnswer(404, "not_found", "there is nothing here"); }

// ScopesOf returns all scopes that `policy` names for the server.
std::vector<std::string> ScopesOf(const Policy& policy, std::string_view uri) {
  std::set<std::string> scopes;
  for (const AccessRule& rule : policy.rules()) {
    if (rule.server.empty() || rule.server == uri) scopes.insert(rule.scopes.begin(), rule.scopes.end());
  }
  return {scopes.begin(), scopes.end()};
}

// AppendMissing appends those of `scopes` that *all does not have.
void AppendMissing(std::string_view scopes, std::string* all) {
  while (!scopes.empty()) {
    const std::string scope(scopes.substr(0, scopes.find(' ')));
    scopes.remove_prefix(std::min(scopes.size(), scope.size() + 1));
    if (scope.empty() || (" " + *all + " ").find(" " + scope + " ") != std::string::npos) continue;
    if (!all->empty()) *all += ' ';
    *all += scope;
  }
}

HttpAnswer MetadataAnswer(std::string_view method, std::string document) {
  HttpAnswer answer{.status = 200};
  answer.Add("Access-Control-Allow-Origin", "*");
  if (method == "GET" || method == "HEAD") {
    answer.Add("Content-Type", "application/json");
    answer.body = std::move(document);
  } else if (method == "OPTIONS") {
    // What browsers ask before they send a field of their own (Fetch, "CORS-preflight request").
    answer.status = 204;
    answer.Add("Access-Control-Allow-Methods", "GET, HEAD");
    answer.Add("Access-Control-Allow-Headers", "MCP-Protocol-Version");
  } else {
    answer.status = 405;
    answer.Add("Allow", "GET, HEAD, OPTIONS");
  }
  return answer;
}

}  // namespace

// Question is one whose checks are under way. The engine may end them on its own thread.
class Gate::Question {
 public:
  Question(Gate& gate, size_t server, const std::vector<Use>& uses)
      : gate_(gate), server_(server), num_open_(uses.size()), decisions_(uses.size()) {
    for (const Use& use : uses) uses_.emplace_back(use.object, use.name);
  }

  // Begin checks all uses; true if they have been answered already, and then *outcome is what came of it.
  // Otherwise what `later` returns gets it.
  static bool Begin(const std::shared_ptr<Question>& question, const OriginalRequest& original,
                    Outcome* outcome, absl::FunctionRef<Asker::Later()> later) {
    // What the engine keeps is small enough to be kept without an allocation.
    question->until_answered_ = question;
    for (size_t i = 0; i < question->uses_.size(); ++i) {
      Request request = question->RequestFor(i);
      request.authorization = original.authorization;
      request.num_credentials = original.num_credentials;
      request.traceparent = original.traceparent;
      question->gate_.engine_.CheckAsync(
          question->gate_.settings_.bounds.wait_max, request,
          [asked = question.get(), i](const Decision& decision, const Principal& caller) {
            asked->Take(i, decision, caller);
          });
    }
    {
      const std::lock_guard lock(question->mutex_);
      if (question->num_open_ != 0) {
        question->later_ = later();
        return false;
      }
    }
    *outcome = question->End();
    return true;
  }

 private:
  Request RequestFor(size_t i) const {
    return {.tool = uses_[i].second, .resource = static_cast<ResourceId>(server_), .object = uses_[i].first};
  }

  void Take(size_t i, const Decision& decision, const Principal& caller) {
    Asker::Later later;
    std::shared_ptr<Question> last;
    {
      const std::lock_guard lock(mutex_);
      decisions_[i] = decision;
      // It is one token, so that all say the same of the caller.
      if (i == 0 && decision.allowed()) identity_ = Identity(caller);
      if (--num_open_ == 0) {
        later.swap(later_);
        last.swap(until_answered_);
      }
    }
    if (later) later(End());
  }

  // A stream that GET opens may go on with what an earlier answer has left out.
  bool BringsLists() const {
    constexpr std::string_view kLists[] = {"tools/list", "prompts/list", "resources/list",
                                           "resources/templates/list", "GET"};
    return std::any_of(uses_.begin(), uses_.end(), [&](const auto& use) {
      return use.first == McpObject::kMethod &&
             std::find(std::begin(kLists), std::end(kLists), use.second) != std::end(kLists);
    });
  }

  // End is called once nothing is open, by one thread.
  Outcome End() {
    size_t worst = 0;
    bool all_known = true, all_allowed = true;
    for (size_t i = 0; i < decisions_.size(); ++i) {
      all_known &= decisions_[i].verdict != Verdict::kUnavailable;
      all_allowed &= decisions_[i].allowed();
      if (IsWorse(decisions_[i].category(), decisions_[worst].category())) worst = i;
    }
    if (all_allowed)
      return {.allowed = true, .brings_lists = BringsLists(), .identity = std::move(identity_)};
    const Decision& decision = decisions_[worst];
    gate_.refusals_.Add(server_, decision.reason);
    RefusalContext context{.metadata_url = gate_.servers_[server_].metadata_url};
    std::string scopes, acr_values;
    // What is unavailable may come from the engine's destructor, which must not be called from here.
    if (all_known) {
      for (size_t i = 0; i < uses_.size(); ++i)
        AppendMissing(gate_.engine_.ScopesFor(RequestFor(i)), &scopes);
      acr_values = gate_.engine_.AcrValuesFor(RequestFor(worst));
      context.scopes = scopes;
      context.acr_values = acr_values;
    }
    return {.refusal = RefusalAnswer(gate_.servers_[server_].settings->proxy, decision, context)};
  }

  Gate& gate_;
  const size_t server_;
  absl::InlinedVector<std::pair<McpObject, std::string>, 1> uses_;
  std::mutex mutex_;
  size_t num_open_;                             // Under mutex_,
  absl::InlinedVector<Decision, 1> decisions_;  // like these, until nothing is open.
  Identity identity_;
  Asker::Later later_;
  std::shared_ptr<Question> until_answered_;
};

Gate::Asker::Asker(Gate& gate)
    : gate_(gate), reader_({.body_bytes_max = gate.settings_.bounds.body_bytes_max}) {}

bool Gate::Asker::Ask(size_t server, const HttpRequest& request, std::string_view rest, Outcome* outcome,
                      absl::FunctionRef<Later()> later) {
  const ServerSettings& settings = *gate_.servers_[server].settings;
  OriginalRequest original;
  if (!ReadQuestion(request, rest, settings.proxy, &original)) {
    gate_.refusals_.Add(server, Reason::kUndecided);
    *outcome = {.refusal = ErrorAnswer(500, "server_error",
                                       "the proxy does not say once what request it asks about")};
    return true;
  }
  const Reason reason = ReadUses(original, settings, &reader_, &uses_, &error_);
  if (reason != Reason::kNone) {
    gate_.refusals_.Add(server, reason);
    Decision decision;
    decision.reason = reason;
    *outcome = {.refusal = RefusalAnswer(settings.proxy, decision, {.json_rpc_error = error_})};
    return true;
  }
  return Question::Begin(std::make_shared<Question>(gate_, server, uses_), original, outcome, later);
}

class Gate::Handler final : public HttpHandler {
 public:
  explicit Handler(Gate& gate) : gate_(gate), asker_(gate) {}

  bool Answer(const HttpRequest& request, HttpAnswer* answer, absl::FunctionRef<Later()> later) override {
    if (request.target.starts_with(kCheck)) return Check(request, answer, later);
    *answer = gate_.Metadata(request);
    return true;
  }

 private:
  static HttpAnswer AnswerOf(Proxy proxy, Outcome outcome) {
    return outcome.allowed ? AllowAnswer(proxy, outcome.identity) : std::move(outcome.refusal);
  }

  bool Check(const HttpRequest& request, HttpAnswer* answer, absl::FunctionRef<Later()> later) {
    std::string_view rest = request.target.substr(kCheck.size());
    const std::string_view name = rest.substr(0, rest.find_first_of("/?"));
    rest.remove_prefix(name.size());
    const size_t server = gate_.ServerOf(name);
    if (server == gate_.servers_.size()) {
      *answer = NotFound();
      return true;
    }
    const Proxy proxy = gate_.servers_[server].settings->proxy;
    Outcome outcome;
    if (!asker_.Ask(server, request, rest, &outcome, [&]() -> Asker::Later {
          return [proxy, take = later()](Outcome come) { take(AnswerOf(proxy, std::move(come))); };
        })) {
      return false;
    }
    *answer = AnswerOf(proxy, std::move(outcome));
    return true;
  }

  Gate& gate_;
  Asker asker_;
};

Gate::Gate(Engine* engine, const Settings& settings, const Policy& policy, RefusalBook* refusals)
    : engine_(*engine), settings_(settings), refusals_(*refusals), metadata_(settings.servers.size()) {
  for (size_t i = 0; i < settings.servers.size(); ++i) {
    Server server{.settings = &settings.servers[i],
                  .metadata_url = ResourceMetadataUrl(settings.engine.resources[i].uri)};
    if (!server.metadata_url.empty()) {
      const size_t host = server.metadata_url.find("://") + 3;
      const size_t target = server.metadata_url.find('/', host);
      server.host = server.metadata_url.substr(host, target - host);
      server.metadata_target = server.metadata_url.substr(target);
    }
    servers_.push_back(std::move(server));
  }
  SetPolicy(policy);
}

void Gate::SetPolicy(const Policy& policy) {
  std::vector<std::string> documents;
  for (size_t i = 0; i < servers_.size(); ++i) {
    const ServerSettings& server = *servers_[i].settings;
    const std::string& uri = settings_.engine.resources[i].uri;
    const std::vector<std::string>& scopes = server.scopes_supported;
    documents.push_back(
        ResourceMetadataJson({.resource = uri,
                              .authorization_servers = server.authorization_servers,
                              .scopes_supported = scopes.empty() ? ScopesOf(policy, uri) : scopes,
                              .resource_name = server.resource_name,
                              .resource_documentation = server.resource_documentation}));
  }
  const std::lock_guard lock(mutex_);
  metadata_ = std::move(documents);
}

size_t Gate::ServerOf(std::string_view name) const {
  const auto found = std::find_if(servers_.begin(), servers_.end(),
                                  [&](const Server& server) { return server.settings->name == name; });
  return static_cast<size_t>(found - servers_.begin());
}

size_t Gate::MetadataServer(const HttpRequest& request) const {
  if (request.target.starts_with(kMetadata)) return ServerOf(request.target.substr(kMetadata.size()));
  if (!request.target.starts_with(kWellKnown)) return servers_.size();
  std::string_view host;
  for (const HttpField& field : request.fields) {
    if (field.Is("host")) host = field.value;
  }
  size_t found = servers_.size(), num_found = 0;
  for (size_t i = 0; i < servers_.size(); ++i) {
    if (servers_[i].metadata_target != request.target) continue;
    if (ascii::EqualIgnoringCase(servers_[i].host, host)) return i;
    found = i;
    ++num_found;
  }
  return num_found == 1 ? found : servers_.size();
}

HttpAnswer Gate::Metadata(const HttpRequest& request) const {
  const size_t server = MetadataServer(request);
  if (server == servers_.size()) return NotFound();
  std::string document;
  {
    const std::lock_guard lock(mutex_);
    document = metadata_[server];
  }
  return MetadataAnswer(request.method, std::move(document));
}

std::unique_ptr<HttpHandler> Gate::MakeHandler() { return std::make_unique<Handler>(*this); }

}  // namespace tollgate::tollgated
