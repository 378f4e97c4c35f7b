#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tollgate/clock.h"
#include "tollgate/config.h"
#include "tollgate/decision.h"
#include "tollgate/file_system.h"
#include "tollgate/metrics.h"
#include "tollgate/principal.h"
#include "tollgate/request.h"
#include "tollgate/shadow.h"
#include "tollgate/transport.h"

namespace tollgate {

// Environment is everything outside of the engine that it touches. The defaults are the real ones.
struct Environment {
  const Clock* clock = nullptr;            // Null: SystemClock(). Must outlive the engine.
  std::unique_ptr<Transport> transport{};  // Null: HTTP by libcurl.
  // A file of CA certificates in PEM for the built-in transport; empty: the system's.
  std::string ca_file{};
  // False: the engine starts no thread; the embedder calls RunBackground whenever it says that there is work.
  bool own_thread = true;
  // Seeds the jitter of refreshes and backoff; 0: from the operating system.
  uint64_t jitter_seed = 0;
  // For Config::snapshot and key files. Null: SystemFiles(). Must outlive the engine.
  FileSystem* files = nullptr;
  // With SnapshotConfig::shared: called on the background thread, and by Create, as long as this engine waits
  // for keys of `issuer` (of a template: one of its tenants) that another one has to fetch, some times a
  // second. The host is to have the one that
  // leads told, by Engine::Refresh. It must not call the engine.
  std::function<void(std::string_view issuer)> on_wanted{};
};

// Engine decides, for each request, who is calling and whether they may call this tool. Create one for the
// life of the process and call Check from any number of threads; no thread needs to be registered.
// Thread-safe.
class TOLLGATE_API Engine {
 public:
  // Create validates `config`, prepares the inline keys, reads key files, takes over what the snapshot has of
  // the others, begins to fetch the others in the background and returns without waiting for them: until an
  // issuer's keys are there its tokens are answered with kUnavailable. Fails with InvalidArgument and one
  // line that names the offending setting. The background thread takes none of the host's signals.
  static absl::StatusOr<std::unique_ptr<Engine>> Create(const Config& config, Environment environment = {});

  // The destructor ends the background thread, drops the callbacks of NotifyWhenSettled without calling them
  // and ends each CheckAsync. No Check may be in progress.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Check decides `request` and fills `decision`, and `principal` unless it is null, with what is known of
  // the caller: complete on an allow, and on a deny if the token itself was good; cleared otherwise. Never
  // waits for the network or for another thread, never throws. Cost: a token seen before needs no allocation
  // and no signature verification; any other one needs one verification at most.
  void Check(const Request& request, Decision* decision, Principal* principal = nullptr) noexcept;

  // CheckBatch is Check of each request, in order, into the decision at the same position; requests beyond
  // the last decision are not looked at. One reading of the clock serves up to 32 of them, and the waits for
  // memory of tokens seen before overlap, so that with very many tokens in the cache a batch costs a fraction
  // of its single checks.
  void CheckBatch(std::span<const Request> requests, std::span<Decision> decisions) noexcept;

  // CheckWithin is Check, but where the answer would be kUnavailable for want of a key, it waits up to
  // `wait_max` (less than 0: not at all; at most a day) for the fetch that is due or under way, and decides
  // again. It waits for the fetches of an issuer that has no keys yet or none young enough, for the one fetch
  // that an absent kid may force, for an introspection that is under way, and for the metadata that first
  // says where to introspect, for nothing else. Must not be called from the thread that runs RunBackground,
  // callbacks included.
  void CheckWithin(std::chrono::milliseconds wait_max, const Request& request, Decision* decision,
                   Principal* principal = nullptr);

  // CheckAsync is CheckWithin that keeps no thread waiting: `done` is called exactly once, with the answer
  // and who is calling. Before CheckAsync returns, if there is nothing to wait for; otherwise on the
  // background thread, which it must not keep long; or by the engine's destructor, with the answer so far,
  // and then it must not call the engine. It must not throw. Until then the engine has a copy of the request,
  // its token included. tollgate/await.h makes a C++20 awaitable of it.
  void CheckAsync(std::chrono::milliseconds wait_max, const Request& request,
                  std::function<void(const Decision&, const Principal&)> done);

  // NotifyWhenSettled calls `callback` once, on the background thread, when the fetch or introspection for
  // which `unavailable` (an answer of Check) waits has ended, well or badly: time to Check again. Returns
  // false, and never calls it, if there is nothing to wait for. At most 65536 callbacks wait at a time.
  bool NotifyWhenSettled(const Decision& unavailable, std::function<void()> callback);

  // MayUse says whether Check would allow it: for whoever filters a list (McpListFilter::Keep). Counted as a
  // check, but not in the audit log, since nobody calls anything.
  bool MayUse(const Request& request) noexcept;

  // AuditIdOf returns what `token` is called in the audit log (`metadata.correlation_uid`), in hex, for a
  // server's own logs; empty where there is no audit log, and for no token. Costs a MAC of the token.
  std::string AuditIdOf(std::string_view token) const;

  // AuditError returns one line about why the audit sink fails; empty if it does not, or there is none.
  std::string AuditError() const;

  // FindResource returns the id of the configured resource with this URI.
  std::optional<ResourceId> FindResource(std::string_view uri) const;

  // ScopesFor returns all scopes that the request's tool, or other object, needs at its resource,
  // space-delimited, for an insufficient_scope challenge; AcrValuesFor the authentication context classes,
  // one of which it needs, for an insufficient_user_authentication challenge (RFC 9470 section 3). Both are
  // empty for what no rule names. Allocate.
  std::string ScopesFor(const Request& request) const;
  std::string AcrValuesFor(const Request& request) const;

  // SetPolicy replaces the policy: a Check that begins after the call has returned goes by the new one,
  // cached tokens included, none of which is dropped or verified again. InvalidArgument with one line, and
  // nothing has changed, for a policy that Create would refuse, or that looks at claims which none before it
  // did (see Config::policy_claims). Any thread, but none that is inside of a Check.
  absl::Status SetPolicy(const Policy& policy);

  // SetShadowPolicy has another policy decide beside the one in force, of each token that is good: what it
  // says changes nothing, and is counted where it differs. Fails as SetPolicy does, and replaces the shadow
  // policy before it; EndShadowPolicy ends it. The issuer is not asked on its account, and MayUse counts like
  // Check. Costs each check about a microsecond. Any thread, but none that is inside of a Check.
  absl::Status SetShadowPolicy(const Policy& policy);
  void EndShadowPolicy();
  // ReadShadow returns what has come of it so far; all zero where there is none.
  ShadowReport ReadShadow() const;

  // AddIssuer adds an issuer at run time, ChangeIssuer gives the one of this name another configuration, and
  // RemoveIssuer ends one. A Check that begins after the call has returned goes by what is then: after a
  // change or a removal, no verdict counts that was reached before; after an addition, keys that are to be
  // fetched are on their way. A change keeps the keys if they come from the same place. Revocations are by
  // name and stay in force. A template is added, changed and removed with all its tenants: those that stay in
  // the list are served without a gap, those that come have the keys that are known, and those that go end at
  // once. Any thread, callbacks of NotifyWhenSettled included; may wait for a turn of the background work.
  // InvalidArgument with one line that names the setting, AlreadyExists, NotFound, or ResourceExhausted at
  // Config::issuers_max; then nothing has changed.
  absl::Status AddIssuer(const IssuerConfig& issuer);
  absl::Status ChangeIssuer(const IssuerConfig& issuer);
  absl::Status RemoveIssuer(std::string_view issuer);

  // Refresh has an issuer's keys fetched anew as if a token had named a key that the set lacks: through the
  // gate, so that whoever asks for it, and however often, gets one fetch per Timing::cooldown_ms, and none
  // ahead of the backoff; nothing where another engine leads. InvalidArgument for one that is not configured.
  // Never waits for the network or the disk.
  absl::Status Refresh(std::string_view issuer);

  // StepDown ends, with SnapshotConfig::shared, that this engine fetches and writes: it follows from now on,
  // for good. For a process that is to end once its requests have, or whose configuration has been replaced.
  // Waits for a turn of the background work, a write under way included.
  void StepDown();

  // The revocations work on cached tokens too, at once: a Check that begins after the call has returned does
  // not allow what it covers. Kept in memory until `until_wall_s` (seconds; give at least the longest token
  // lifetime). Fails with InvalidArgument for an unknown issuer and ResourceExhausted when full (65536
  // entries); never evicts. A template's tenants are named in full, each for itself. RevokeKey takes the
  // key's RFC 7638 SHA-256 thumbprint in base64url, or its kid.
  absl::Status RevokeKey(std::string_view issuer, std::string_view thumbprint_or_kid, int64_t until_wall_s);
  // RevokeSubject denies tokens of `subject` issued at or before now; a later login is not affected. A token
  // without iat counts as issued before.
  absl::Status RevokeSubject(std::string_view issuer, std::string_view subject, int64_t until_wall_s);
  // RevokeToken denies the token with this `jti`, in whatever encoding it is presented.
  absl::Status RevokeToken(std::string_view issuer, std::string_view jwt_id, int64_t until_wall_s);

  // ReadMetrics, ReadHealth and ReadSnapshotHealth allocate, take locks and look at every issuer; call them
  // as often as a scrape does.
  Metrics ReadMetrics() const;
  std::vector<IssuerHealth> ReadHealth() const;
  SnapshotHealth ReadSnapshotHealth() const;

  // RunBackground does what is due (with own_thread = false): starts fetches, takes in answers, writes the
  // snapshot, waits for the network up to `wait_max`. Returns how long from now nothing will be due unless
  // the network stirs. One thread at a time.
  std::chrono::milliseconds RunBackground(std::chrono::milliseconds wait_max);

 private:
  class Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tollgate
