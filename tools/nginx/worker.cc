#include "tools/nginx/worker.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "keys/issuer_family.h"
#include "tollgate/mcp_filter.h"
#include "tools/tollgated/answer.h"
#include "tools/tollgated/gate.h"
#include "tools/tollgated/settings_file.h"

using namespace tollgate;
using tollgated::Gate;
using tollgated::HttpAnswer;
using tollgated::Identity;

namespace {

constexpr size_t kListBytesMax = size_t{16} << 20;  // McpListFilter's default.

std::string_view View(tollgate_string text) {
  return text.data == nullptr ? std::string_view() : std::string_view(text.data, text.size);
}
constexpr tollgate_string CString(std::string_view text) { return {text.data(), text.size()}; }

void Tell(std::string_view error, char* buffer, size_t capacity) {
  std::snprintf(buffer, capacity, "%.*s", static_cast<int>(error.size()), error.data());
}

constexpr std::array<tollgate_string, Identity::kNumFields> IdentityNames() {
  std::array<tollgate_string, Identity::kNumFields> names{};
  std::transform(std::begin(tollgated::kIdentityFields), std::end(tollgated::kIdentityFields), names.begin(),
                 CString);
  return names;
}
constexpr std::array kIdentityNames = IdentityNames();

// BitOf: several issuers may have the same.
uint64_t BitOf(std::string_view issuer) {
  return uint64_t{1} << (std::hash<std::string_view>()(issuer) % 64);
}

}  // namespace

struct tollgate_site {
  tollgated::Settings settings;
  Policy policy;
};

// An ask is nginx's and, as long as its answer is to come, the engine's.
struct tollgate_ask {
  void Take(Gate::Outcome from);
  void Show(HttpAnswer from);

  void* user = nullptr;
  std::shared_ptr<tollgate_ask> held;  // By nginx; owner thread only, like all but what Take is given.
  Identity identity;
  HttpAnswer text;
  std::array<tollgate_field, Identity::kNumFields> identity_fields;
  std::vector<tollgate_field> fields;
  tollgate_answer answer{};
  bool answered = false;
};

struct tollgate_worker {
  ~tollgate_worker();
  // Later is called on the engine's thread, and puts the answer where take looks.
  void Later(std::shared_ptr<tollgate_ask> ask, Gate::Outcome outcome);

  const tollgate_site* site = nullptr;
  uint64_t* wants = nullptr;         // A bit for each issuer whose keys some worker waits for: BitOf.
  std::vector<std::string> issuers;  // By names that Engine::Refresh knows.
  int fd = -1;
  std::mutex mutex;
  std::vector<std::pair<std::shared_ptr<tollgate_ask>, Gate::Outcome>> come;  // Under mutex.
  std::unique_ptr<tollgated::RefusalBook> refusals;
  std::unique_ptr<Gate> gate;
  std::unique_ptr<Gate::Asker> asker;
  tollgated::HttpRequest request;  // That is asked about: its vector is used again.
  std::unique_ptr<Engine> engine;  // Ends first, and calls Later for what is under way.
};

struct tollgate_lists {
  bool Keep(McpObject object, std::string_view name) const {
    Request request;
    request.authorization = authorization;
    request.tool = name;
    request.resource = static_cast<ResourceId>(server);
    request.object = object;
    return worker->engine->MayUse(request);
  }

  tollgate_worker* worker = nullptr;
  size_t server = 0;
  std::string_view authorization{};
  McpListFilter filter{kListBytesMax};
  std::string body{};
  std::string out{};
};

void tollgate_ask::Take(Gate::Outcome from) {
  if (!from.allowed) return Show(std::move(from.refusal));
  identity = std::move(from.identity);
  for (size_t i = 0; i < identity_fields.size(); ++i)
    identity_fields[i] = {kIdentityNames[i], CString(identity.value(i))};
  answer.status = 200;
  answer.brings_lists = from.brings_lists ? 1 : 0;
  answer.fields = identity_fields.data();
  answer.num_fields = identity_fields.size();
  answered = true;
}

// Show makes fields of an answer's lines.
void tollgate_ask::Show(HttpAnswer from) {
  text = std::move(from);
  for (std::string_view rest = text.fields; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find("\r\n"));
    rest.remove_prefix(std::min(rest.size(), line.size() + 2));
    const size_t colon = line.find(": ");
    if (colon == line.npos) continue;
    fields.push_back({CString(line.substr(0, colon)), CString(line.substr(colon + 2))});
  }
  answer.status = static_cast<uint32_t>(text.status);
  answer.fields = fields.data();
  answer.num_fields = fields.size();
  answer.body = CString(text.body);
  answered = true;
}

void tollgate_worker::Later(std::shared_ptr<tollgate_ask> ask, Gate::Outcome outcome) {
  {
    const std::lock_guard lock(mutex);
    come.emplace_back(std::move(ask), std::move(outcome));
  }
  const uint64_t one = 1;
  // A counter that is full can be read, too.
  if (write(fd, &one, sizeof one) < 0) return;
}

tollgate_worker::~tollgate_worker() {
  engine.reset();
  if (fd >= 0) close(fd);
}

tollgate_site* tollgate_site_read(const char* path, char* error, size_t capacity) noexcept try {
  auto site = std::make_unique<tollgate_site>();
  absl::StatusOr<tollgated::Settings> settings =
      tollgated::ReadSettings(path, nullptr, nullptr, &site->policy);
  if (settings.ok() && settings->for_nginx_module()) {
    site->settings = *std::move(settings);
    return site.release();
  }
  Tell(settings.ok() ? std::string(path) + ": its servers need proxy: nginx_module"
                     : std::string(settings.status().message()),
       error, capacity);
  return nullptr;
} catch (...) {
  Tell("out of memory", error, capacity);
  return nullptr;
}

void tollgate_site_free(tollgate_site* site) noexcept { delete site; }

size_t tollgate_site_server(const tollgate_site* site, tollgate_string name) noexcept {
  const std::vector<tollgated::ServerSettings>& servers = site->settings.servers;
  const auto found =
      std::find_if(servers.begin(), servers.end(),
                   [&](const tollgated::ServerSettings& server) { return server.name == View(name); });
  return found == servers.end() ? SIZE_MAX : static_cast<size_t>(found - servers.begin());
}

size_t tollgate_site_body_max(const tollgate_site* site, size_t server) noexcept {
  return site->settings.servers[server].sees_body ? site->settings.bounds.body_bytes_max : 0;
}

uint64_t tollgate_site_wait_max_ms(const tollgate_site* site) noexcept {
  return static_cast<uint64_t>(site->settings.bounds.wait_max.count());
}

tollgate_worker* tollgate_worker_new(const tollgate_site* site, uint64_t* wants, char* error,
                                     size_t capacity) noexcept try {
  auto worker = std::make_unique<tollgate_worker>();
  worker->site = site;
  worker->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (worker->fd < 0) {
    Tell("eventfd failed", error, capacity);
    return nullptr;
  }
  worker->wants = wants;
  for (const IssuerConfig& issuer : site->settings.engine.issuers)
    worker->issuers.push_back(keys::NamesOf(issuer).front());
  absl::StatusOr<std::unique_ptr<Engine>> engine = tollgated::MakeEngine(
      site->settings, site->policy, {.on_wanted = [wants](std::string_view issuer) {
        // Ordering: relaxed; a hint that is given again as long as it counts. Partner: the exchange in nudge.
        std::atomic_ref<uint64_t>(*wants).fetch_or(BitOf(issuer), std::memory_order_relaxed);
      }});
  if (!engine.ok()) {
    Tell(std::string(engine.status().message()), error, capacity);
    return nullptr;
  }
  worker->engine = *std::move(engine);
  worker->refusals = std::make_unique<tollgated::RefusalBook>(SystemClock());
  worker->gate =
      std::make_unique<Gate>(worker->engine.get(), site->settings, site->policy, worker->refusals.get());
  worker->asker = std::make_unique<Gate::Asker>(*worker->gate);
  return worker.release();
} catch (...) {
  Tell("out of memory", error, capacity);
  return nullptr;
}

void tollgate_worker_free(tollgate_worker* worker) noexcept { delete worker; }

int tollgate_worker_fd(const tollgate_worker* worker) noexcept { return worker->fd; }

void tollgate_worker_take(tollgate_worker* worker, void (*answered)(void* user)) noexcept {
  uint64_t count;
  if (read(worker->fd, &count, sizeof count) < 0) return;
  std::vector<std::pair<std::shared_ptr<tollgate_ask>, Gate::Outcome>> come;
  {
    const std::lock_guard lock(worker->mutex);
    come.swap(worker->come);
  }
  for (auto& [ask, outcome] : come) {
    if (ask->held == nullptr) continue;
    ask->Take(std::move(outcome));
    answered(ask->user);
  }
}

void tollgate_worker_nudge(tollgate_worker* worker) noexcept {
  const std::atomic_ref<uint64_t> wants(*worker->wants);
  // Ordering: relaxed, both; hints. Partner: the fetch_or in tollgate_worker_new.
  if (wants.load(std::memory_order_relaxed) == 0 || !worker->engine->ReadSnapshotHealth().leads) return;
  const uint64_t bits = wants.exchange(0, std::memory_order_relaxed);
  for (const std::string& issuer : worker->issuers) {
    // One too many costs nothing: the gate holds it.
    if ((bits & BitOf(issuer)) != 0) static_cast<void>(worker->engine->Refresh(issuer));
  }
}

void tollgate_worker_step_down(tollgate_worker* worker) noexcept { worker->engine->StepDown(); }

tollgate_ask* tollgate_worker_ask(tollgate_worker* worker, const tollgate_question* question,
                                  void* user) noexcept try {
  auto ask = std::make_shared<tollgate_ask>();
  ask->user = user;
  tollgated::HttpRequest& request = worker->request;
  request.method = View(question->method);
  request.target = View(question->target);
  request.body = View(question->body);
  request.fields.clear();
  for (size_t i = 0; i < question->num_fields; ++i)
    request.fields.push_back({View(question->fields[i].name), View(question->fields[i].value)});
  if (question->server == SIZE_MAX) {
    ask->Show(worker->gate->Metadata(request));
  } else {
    // As Envoy says it.
    if (question->body_is_partial != 0) request.fields.push_back({"x-envoy-auth-partial-body", "true"});
    Gate::Outcome outcome;
    if (worker->asker->Ask(question->server, request, request.target, &outcome, [&]() -> Gate::Asker::Later {
          return [worker, ask](Gate::Outcome later) { worker->Later(ask, std::move(later)); };
        })) {
      ask->Take(std::move(outcome));
    }
  }
  ask->held = ask;
  return ask.get();
} catch (...) {
  return nullptr;
}

const tollgate_answer* tollgate_ask_answer(const tollgate_ask* ask) noexcept {
  return ask->answered ? &ask->answer : nullptr;
}

void tollgate_ask_free(tollgate_ask* ask) noexcept {
  if (ask == nullptr) return;
  const std::shared_ptr<tollgate_ask> last = std::move(ask->held);
}

const tollgate_string* tollgate_identity_names(size_t* num) noexcept {
  *num = kIdentityNames.size();
  return kIdentityNames.data();
}

tollgate_lists* tollgate_lists_new(tollgate_worker* worker, size_t server,
                                   tollgate_string authorization) noexcept try {
  auto lists = std::make_unique<tollgate_lists>();
  lists->worker = worker;
  lists->server = server;
  lists->authorization = View(authorization);
  lists->filter.BeginEvents();
  return lists.release();
} catch (...) {
  return nullptr;
}

void tollgate_lists_free(tollgate_lists* lists) noexcept { delete lists; }

uint32_t tollgate_lists_add(tollgate_lists* lists, tollgate_string piece) noexcept try {
  if (View(piece).size() > kListBytesMax - lists->body.size()) return 0;
  lists->body.append(View(piece));
  return 1;
} catch (...) {
  return 0;
}

uint32_t tollgate_lists_filter(tollgate_lists* lists, tollgate_string* filtered) noexcept try {
  *filtered = {};
  if (lists->body.empty()) return 1;  // There is nothing in it.
  const Reason reason = lists->filter.Filter(
      lists->body, [lists](McpObject object, std::string_view name) { return lists->Keep(object, name); },
      &lists->out);
  if (reason != Reason::kNone) return 0;
  *filtered = CString(lists->out);
  return 1;
} catch (...) {
  return 0;
}

uint32_t tollgate_lists_events(tollgate_lists* lists, tollgate_string piece,
                               tollgate_string* filtered) noexcept try {
  *filtered = {};
  lists->out.clear();
  const Reason reason = lists->filter.FilterEvents(
      View(piece), [lists](McpObject object, std::string_view name) { return lists->Keep(object, name); },
      &lists->out);
  if (reason != Reason::kNone) return 0;
  *filtered = CString(lists->out);
  return 1;
} catch (...) {
  return 0;
}
