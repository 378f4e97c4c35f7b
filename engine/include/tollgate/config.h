#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tollgate/algorithm.h"
#include "tollgate/audit.h"
#include "tollgate/dangerous.h"
#include "tollgate/policy.h"
#include "tollgate/profile.h"

namespace tollgate {

// Timing holds every bound of time that the engine keeps towards identity providers. The defaults are part of
// the contract. All in milliseconds of the monotonic clock.
struct TOLLGATE_API Timing {
  int64_t refresh_min_ms =
      60'000;  // Keys are not refreshed more often than this, whatever Cache-Control says,
  int64_t refresh_max_ms = 900'000;  // nor less often than this.
  int64_t cooldown_ms = 60'000;  // Least time between the begins of two fetches that an absent kid forces.
  int64_t staleness_bound_ms =
      3'600'000;                    // Keys older than this, counted from the last good answer, serve nobody.
  int64_t backoff_min_ms = 1'000;   // First ceiling of the full-jitter backoff after a failed fetch,
  int64_t backoff_cap_ms = 60'000;  // and the last; it doubles between them.
  int64_t verdict_age_max_ms = 600'000;  // A verified signature is verified again after this.
  int64_t fetch_timeout_ms = 5'000;      // One fetch from an identity provider, metadata and keys in all.
  // Discovered metadata is read again, before the next refresh, after this.
  int64_t metadata_age_max_ms = 3'600'000;
  // A key file is read again after this (at most refresh_max_ms), or after a fifth of it where a token has a
  // kid that the set lacks. All of them together a thousand times a second, on average: with more than 5 000
  // files each is read less often.
  int64_t file_interval_ms = 5'000;
  int64_t introspection_timeout_ms = 2'000;  // One introspection; and as long at most it waits for its turn.
  // An answer "active" stands in for another one this long, and less where a tool or the answer's own `exp`
  // says so; "inactive" as long as the second says (RFC 7662 section 4).
  int64_t active_age_max_ms = 60'000;
  int64_t inactive_age_max_ms = 10'000;
  // Requests for metadata and keys to one host (name and port), however many issuers it has: on average one
  // in this time, in any stretch of time at most host_burst more. Others wait. Introspection: in_flight_max.
  int64_t host_interval_ms = 200;
  int32_t jitter_percent = 20;  // Refreshes are moved by up to this much, either way. 0–50.
  int32_t host_burst = 5;       // So many requests may come at once, if the host was spared before. 1–1000.

  // Scaled returns the same contract with every duration multiplied by `factor` (> 0) and at least 1 ms, so
  // that a test or benchmark of an hour's outage need not take an hour.
  Timing Scaled(double factor) const;
};

// VerificationLimits bounds what tokens that nobody has seen yet may cost. Beyond a bound they are answered
// `unavailable` (Reason::kOverloaded: 503 with Retry-After), never denied; tokens that the verdict cache has
// are not touched. Checks run on the caller's threads: bounds on verifications at a time count where there
// are more of these than processors, or where one issuer's tokens would take them all.
struct VerificationLimits {
  // Verifications at a time, at most 65536. 0: twice as many as there are processors, and at least 8.
  uint32_t in_flight_max = 0;
  // Of these, for tokens of one issuer. 0: three quarters.
  uint32_t in_flight_per_issuer_max = 0;
  // Processor time that verifying one issuer's tokens in vain (a forged signature; a good one on a token that
  // is refused) may take, in percent of one processor, on average over 10 s; estimated from the key, see
  // docs/conventions.md. Good tokens never count. At most 10000. 0: no bound.
  uint32_t in_vain_percent_max = 10;
};

// ClientAuthentication says how the engine proves to an introspection endpoint who is asking (RFC 7662
// section 2.1), by the names of RFC 8414's introspection_endpoint_auth_methods_supported.
enum class ClientAuthentication : uint8_t {
  kClientSecretBasic,  // RFC 6749 section 2.3.1: id and secret are form-encoded, then base64-encoded.
  kClientSecretPost,   // The same two in the body.
  // private_key_jwt: RFC 7523 section 2.2, by IntrospectionConfig::client_assertion. The engine signs
  // nothing.
  kPrivateKeyJwt,
  kTlsClientAuth,  // RFC 8705 section 2.1: mutual TLS, by the two files.
  kBearer,         // An access token of the engine's own, in IntrospectionConfig::client_secret.
};

// IntrospectionConfig says where an issuer answers whether a token is active (RFC 7662), and how much may be
// asked of it.
struct IntrospectionConfig {
  std::string endpoint{};  // An https URL; empty, without `discovery`: the issuer is not asked.
  // The endpoint is the `introspection_endpoint` of the issuer's metadata, which IssuerConfig::discovery
  // reads and holds to the same hosts as the keys. As long as it is not known, or the metadata has none that
  // may be asked, tokens that need it are answered kIntrospectionUnavailable, whatever IntrospectionOutage
  // says.
  bool discovery = false;
  ClientAuthentication authentication = ClientAuthentication::kClientSecretBasic;
  std::string client_id{};
  std::string client_secret{};
  // Makes a new assertion, a signed JWT whose audience is the issuer. Called on the background thread for
  // each question, which waits for it: it must be quick, and must not throw. Empty: there is none, and the
  // question will fail.
  std::function<std::string()> client_assertion{};
  // PEM files with absolute paths, read at each new connection.
  std::string client_certificate_file{};
  std::string client_key_file{};
  // Only signed answers are answers (RFC 9701): by one of the issuer's keys, under one of
  // IssuerConfig::algorithms, for us, made since the question (IssuerConfig::leeway_s apart), and no longer
  // than a token may be. Encrypted ones are none. So they hold even if whoever stands between us and the
  // endpoint is not trusted; but which token they are about, TLS alone says.
  bool signed_response = false;
  std::string response_audience{};  // What `aud` of a signed answer must contain; empty: client_id.
  // Answers without `aud` are about tokens for us: the endpoint answers this client about no others. Without
  // this, an opaque token whose answer has no `aud` is denied (kAudienceMissing). For one resource alone:
  // such a token says nothing about which it is for.
  bool introspection_scoped_to_us = false;
  // Questions at a time (1–1024), a quarter of them, rounded down, kept for tokens that have once been active
  // or whose signature is good, and those that wait for their turn (at most 65536); beyond, tokens are
  // answered kOverloaded.
  uint32_t in_flight_max = 16;
  uint32_t waiting_max = 1024;
};

// KeyPlace is a further place of an issuer's keys: exactly one of the two, as in IssuerConfig.
struct KeyPlace {
  std::string jwks_uri{};
  std::string jwks_file{};

  friend bool operator==(const KeyPlace&, const KeyPlace&) = default;
};

// IssuerConfig is one identity provider (authorization server) whose tokens are accepted.
struct IssuerConfig {
  // Must equal the token's `iss` exactly (RFC 7519 section 4.1.1, RFC 9068 section 4). Or a template, with
  // "{tenantid}" once in the place of a tenant's id, as Microsoft Entra ID has it for all its tenants:
  // "https://login.microsoftonline.com/{tenantid}/v2.0".
  std::string issuer{};
  // Of a template, whose tokens are accepted; at least one id, of lower-case letters, digits, '-', '.' and
  // '_'. Each tenant is an issuer of its own, under its full name: in Config::issuers_max, in revocations, in
  // decisions, in what it may cost. Its tokens must have the same id in `tid` (kTenantMismatch), and be
  // signed by a key whose own member `issuer` is the tenant's full name or the template (or what
  // Profile::key_issuer has for these). Keys without that member are skipped: so `jwks_uri` must be the place
  // of a key set that has it.
  std::vector<std::string> tenants{};
  // Where its keys come from: exactly one of jwks_uri, jwks, jwks_file, signed_jwks_uri and discovery.
  std::string jwks_uri{};  // An https URL; fetched and refreshed in the background.
  std::string jwks{};      // The JWK Set itself, RFC 7517 JSON; never ages.
  // A file with the JWK Set, by its absolute path. Read by Engine::Create, AddIssuer and ChangeIssuer, so
  // that the first check is served, and then again and again in the background: see Timing::file_interval_ms.
  // Symbolic links are followed (a Kubernetes volume has nothing else), and nobody asks whose the file is:
  // whoever can write it, or a directory on the way to it, says which keys are the issuer's. Replace it as a
  // whole, by renaming another over it. One that is missing, empty or no JWK Set is a fetch that failed; one
  // that has not changed is a good answer. Reading it waits for the disk: not for files on a network.
  std::string jwks_file{};
  // An https URL of a signed JWK Set (OpenID Federation 1.0: a JWS of type jwk-set+jwt, whose `iss` and `sub`
  // are the issuer), and the keys that vouch for it, a JWK Set in RFC 7517 JSON, which is needed: their
  // signature is verified by an algorithm of `algorithms`. A set whose `exp` is over is refused, and so is
  // one that was issued (`iat`) before the last one that was taken: it could have a key that has ended since.
  std::string signed_jwks_uri{};
  // With `discovery`: the metadata's signed_jwks_uri is fetched, and not its jwks_uri.
  std::string signed_jwks_keys{};
  // From the `jwks_uri` of its metadata, likewise in the background. The metadata is looked for where the MCP
  // authorization specification says (RFC 8414 section 3.1, OpenID Connect Discovery 1.0 section 4): at the
  // first of these places that has a document, whose `issuer` must equal `issuer` exactly.
  bool discovery = false;
  // With `discovery`: hosts beside the issuer's own, and those of its profile, to which URLs of the metadata
  // may lead. "keys.example", or "keys.example:8443" where the port is not the scheme's.
  std::vector<std::string> discovery_hosts{};
  // Up to four places that are tried in this order, within the same fetch and its time limit, when the places
  // before them bring no good answer; each next fetch begins at the first one again. Their keys are as good,
  // but the issuer is kDegraded as long as they serve, and IssuerHealth::key_place says so. A place does not
  // bring back a key that an answer of an earlier one has ended. With signed_jwks_keys, they too have signed
  // sets. Not with `jwks`, which never fails.
  std::vector<KeyPlace> fallbacks{};
  // With `discovery`, of a template: what stands in its place where the metadata is looked for. That
  // document's `issuer` must equal the template exactly.
  std::string metadata_tenant = "common";
  // It is in a private network: its hosts may have addresses of one (Reach::kPrivate). Without this, an
  // issuer's keys come from public addresses alone, whatever its names resolve to.
  bool private_network = false;
  AlgorithmSet algorithms = AlgorithmSet::All();
  Profile profile = Profile::Rfc9068();
  // A scope of its tokens with a `*` at its end stands for all scopes of the policy that begin with what is
  // in front of it. Without this, it is a letter like any other.
  bool scope_wildcards = false;
  int64_t leeway_s = 60;             // Clock skew granted on exp, nbf and iat. 0–300.
  int64_t token_age_max_s = 86'400;  // now − iat. 0: no bound.
  int64_t token_lifetime_max_s =
      86'400;  // exp − iat. 0: no bound. Both bounds need an iat: with one set, a token
               // without iat is refused even where the profile does not require it.
  // For tools whose class demands it, and for opaque tokens. Each of a template's tenants is asked for
  // itself, its id in the place of "{tenantid}" in the endpoint; what is said of a tenant's opaque token must
  // name the tenant, by `iss` or by `tid`.
  IntrospectionConfig introspection{};
};

// ResourceConfig is one protected resource: an MCP server, or any OAuth 2.1 resource server.
struct ResourceConfig {
  std::string uri{};  // Its canonical URI (RFC 8707). A token whose audience names it is for it.
  std::vector<std::string> audiences{};  // Further audience values that mean this resource. Compared exactly.
  // Whose tokens it accepts, by IssuerConfig::issuer, or by the full name of a template's tenant; a template
  // stands for all its tenants, those that come later included. Empty: every configured one, and every one
  // that is added.
  std::vector<std::string> issuers{};
  // Who is asked about tokens that are no JWS, by IssuerConfig::issuer (one tenant's full name, if that is a
  // template), which must have an introspection endpoint; empty: such tokens are refused.
  std::string opaque_token_issuer{};
};

// SnapshotConfig says where the fetched key sets are kept on disk, so that a restart while an identity
// provider is down can serve, within the same staleness bound, counted from the provider's last good answer.
// What is wrong with the files is never fatal: Engine::ReadSnapshotHealth tells.
struct TOLLGATE_API SnapshotConfig {
  // The file, by its absolute path; empty: none. One engine, one file, unless `shared`. It is replaced as a
  // whole: its directory must be writable for this process, and for nobody who is not to delete it or put an
  // older one back. What is a symbolic link, no regular file, another user's or writable for others is not
  // read.
  std::string path{};
  // What authenticates it (HMAC-SHA-256): at least 32 random bytes, or a file that holds 32, by its absolute
  // path, readable for nobody else; exactly one of the two. The file is made, mode 0600, if there is none.
  std::string key{};
  std::string key_file{};
  // Engines of several processes on one machine, such as the workers of a server, have the file together. One
  // of them leads: it has the lock of `path`.lock, fetches, and writes each good answer. The others follow:
  // they fetch nothing but key files, write nothing, and take over what the file says as soon as it says
  // something new, with its age; what it says nothing of any more they forget at once. When the one that
  // leads ends, another one does; if it hangs, each fetches for itself. Also see Environment::on_wanted and
  // Engine::StepDown. Not with introspection.discovery, since the file has no metadata.
  bool shared = false;
};

// Config is everything that Engine::Create needs to know. Limits: 1–64 resources, 131072 issuers; at least
// one of these, unless issuers_max says that they come later.
struct Config {
  std::vector<IssuerConfig> issuers{};
  // How many issuers there may be at a time, those that Engine::AddIssuer adds included; a template counts as
  // one, and so does each of its tenants. For each, 144 bytes are set aside, and 128 for the names of 16
  // keys. 0: as many as above, or 1024 if these are fewer.
  size_t issuers_max = 0;
  std::vector<ResourceConfig> resources{};
  Policy policy{};
  // Claims that policies to come will look at (Predicate::claim), beside those that `policy` does, at most 32
  // in all: what they say is kept with a token that was seen. They should have few different values: with
  // very many, tokens are not cached (Metrics::not_cached_too_long).
  std::vector<std::string> policy_claims{};
  AuditConfig audit{};
  Timing timing{};
  SnapshotConfig snapshot{};
  // Memory of the verdict cache's slots, 192 bytes each, a power of two of them; up to half full it loses no
  // token. It is taken into use as tokens come, two to four slots for each. Long role lists and clients take
  // some megabytes at most beside it. 0: nothing is cached.
  size_t verdict_cache_bytes = size_t{64} << 20;
  VerificationLimits verification_limits{};
  // Memory of what introspection has answered; beyond it, the answers used longest ago are forgotten.
  // At least 128 KiB where there is an endpoint.
  size_t introspection_cache_bytes = size_t{16} << 20;
  DangerousOptions dangerous{};
};

}  // namespace tollgate
