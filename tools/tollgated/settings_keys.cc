#include "tools/tollgated/settings_keys.h"

#include <array>
#include <chrono>
#include <utility>

#include "base/limits.h"
#include "tollgate/audit.h"
#include "tollgate/file_system.h"

namespace tollgate::tollgated {

using policy_file::Node;

namespace {

constexpr int64_t kSecondMs = 1000, kMinuteMs = 60 * kSecondMs, kHourMs = 60 * kMinuteMs,
                  kDayMs = 24 * kHourMs;
constexpr int64_t kKiB = 1 << 10, kMiB = 1 << 20, kGiB = 1 << 30;

// Never destroyed, as all statics of this file: nothing has to be in order at the process's end.
template <typename T>
const Keys<T>& Kept(Keys<T> keys) {
  return *new Keys<T>(std::move(keys));
}

// EachNumbered reads a list, or what stands there instead of a list of one, with the items' numbers in paths.
template <typename Read>
void EachNumbered(SettingsReader& reader, const Node& list, Read read) {
  size_t number = 0;
  reader.EachItem(list, [&](const Node& item) {
    const SettingsReader::Within within(reader, "[" + std::to_string(number++) + "]", item.place);
    read(item);
  });
}

const Keys<Timing>& TimingKeys() {
  using T = Timing;
  constexpr int64_t kMax = 366 * kDayMs;
  const auto duration = [](std::string_view name, int64_t T::*member, std::string_view meaning) {
    return Duration<T>(name, member, Unit::kMilliseconds, 1, kMax, false, meaning);
  };
  static const Keys<T>& keys = Kept<T>({
      duration("refresh_min", &T::refresh_min_ms,
               "Keys are not refreshed more often, whatever Cache-Control says."),
      duration("refresh_max", &T::refresh_max_ms, "Keys are not refreshed less often."),
      duration("cooldown", &T::cooldown_ms, "Least time between two fetches that an absent key id forces."),
      duration("staleness_bound", &T::staleness_bound_ms,
               "Keys that are older, counted from the last good answer, serve nobody."),
      duration("backoff_min", &T::backoff_min_ms,
               "First ceiling of the full-jitter backoff after a failed fetch; it doubles."),
      duration("backoff_cap", &T::backoff_cap_ms, "Last ceiling of it."),
      duration("verdict_age_max", &T::verdict_age_max_ms,
               "A verified signature is verified again after this."),
      duration("fetch_timeout", &T::fetch_timeout_ms, "One fetch: metadata and keys, of all places."),
      duration("metadata_age_max", &T::metadata_age_max_ms,
               "Discovered metadata is read again, before the next refresh, after this."),
      duration("file_interval", &T::file_interval_ms, "A key file is read again after this."),
      duration("introspection_timeout", &T::introspection_timeout_ms,
               "One introspection; and as long at most it waits for its turn."),
      duration("active_age_max", &T::active_age_max_ms, "An issuer's \"active\" counts this long at most."),
      duration("inactive_age_max", &T::inactive_age_max_ms,
               "Its \"inactive\" of an opaque token counts this long."),
      duration("host_interval", &T::host_interval_ms,
               "Average time between two requests for keys to one host."),
      Number<T>("jitter_percent", &T::jitter_percent, 0, 50,
                "Refreshes are moved by up to this much, either way."),
      Number<T>("host_burst", &T::host_burst, 1, 1000,
                "So many of these requests may come at once after a pause."),
  });
  return keys;
}

const Keys<VerificationLimits>& VerificationKeys() {
  using T = VerificationLimits;
  static const Keys<T>& keys = Kept<T>({
      Number<T>("in_flight_max", &T::in_flight_max, 0, limits::kVerificationsInFlightMax,
                "Verifications at a time; 0: twice the processors, at least 8."),
      Number<T>("in_flight_per_issuer_max", &T::in_flight_per_issuer_max, 0,
                limits::kVerificationsInFlightMax, "Of these, of one issuer's tokens; 0: three quarters."),
      Number<T>("in_vain_percent_max", &T::in_vain_percent_max, 0, limits::kInVainPercentMax,
                "Processor time for one issuer's tokens that turn out bad, in percent of one processor; 0: "
                "no bound."),
  });
  return keys;
}

const Keys<SnapshotConfig>& SnapshotKeys() {
  using T = SnapshotConfig;
  static const Keys<T>& keys = Kept<T>({
      Required(File<T>("path", &T::path, "Where fetched key sets are kept for a restart during an outage.")),
      Required(File<T>("key_file", &T::key_file,
                       "32 random bytes that authenticate it, for the daemon's eyes alone; made if there is "
                       "none.")),
  });
  return keys;
}

// AuditPart is `audit` before there is a sink.
struct AuditPart {
  enum class Sink : uint8_t { kFile, kStdout, kSyslog };
  Sink sink = Sink::kFile;
  std::string path{};
  AuditFile file{};
  AuditSyslog syslog{};
  AuditConfig config{};
};

const Keys<AuditPart>& AuditKeys() {
  using T = AuditPart;
  static constexpr Named<T::Sink> kSinks[] = {
      {"file", T::Sink::kFile}, {"stdout", T::Sink::kStdout}, {"syslog", T::Sink::kSyslog}};
  static constexpr Named<AuditSync> kSyncs[] = {{"never", AuditSync::kNever},
                                                {"each_write", AuditSync::kEachWrite}};
  const auto read_mode = [](SettingsReader& reader, const Node& value, uint32_t* mode) {
    const bool is_mode = value.kind == Node::Kind::kText && value.text.size() == 4 &&
                         value.text.front() == '0' &&
                         value.text.find_first_not_of("01234567") == std::string::npos;
    if (!is_mode) return reader.Error(value.place, "permissions are expected here, like 0640");
    *mode = static_cast<uint32_t>(std::stoul(value.text, nullptr, 8));
  };
  const auto read_key = [](SettingsReader& reader, const Node& value, std::string* key) {
    reader.ReadSecretFile(value, false, 32, key);
  };
  static const Keys<T>& keys = Kept<T>({
      Required(OneOf<T>("sink", &T::sink, kSinks, "Where the lines go.")),
      File<T>("path", &T::path,
              "Of the file; of syslog, its socket (`/dev/log`). A file is made if there is none."),
      MakeKey<T>("mode", "permissions", "`0600`", In(&T::file, &AuditFile::mode), "Of a file that is made.",
                 read_mode),
      OneOf<T>("sync", In(&T::file, &AuditFile::sync), kSyncs,
               "When a file's lines are on the disk: when the system gets to it, or before the next ones."),
      Usually<T>("`path` and `.1`", File<T>("rotated_path", In(&T::file, &AuditFile::rotated_path),
                                            "Where rotation leaves the file before.")),
      Number<T>("facility", In(&T::syslog, &AuditSyslog::facility), 0, 23, "Of syslog; 13 is \"log audit\"."),
      MakeKey<T>("key_file", "file", std::string(kNone), In(&T::config, &AuditConfig::key),
                 "32 random bytes or more, as they are, which authenticate the chain.", read_key),
      Size<T>("ring", In(&T::config, &AuditConfig::ring_bytes), 64 * kKiB, 64 * kMiB,
              "For each thread, what waits to be written; a power of two."),
      Number<T>("threads_max", In(&T::config, &AuditConfig::threads_max), 1, 65'536,
                "Threads that record at a time."),
      Number<T>("sample_one_in", In(&T::config, &AuditConfig::sample_one_in), 1, 1'000'000'000,
                "Of what is sampled, one of so many is recorded."),
      Duration<T>("checkpoint_interval", In(&T::config, &AuditConfig::checkpoint_interval_ms),
                  Unit::kMilliseconds, kSecondMs, kDayMs, false, "A line is written at least so often."),
  });
  return keys;
}

void ReadAudit(SettingsReader& reader, const Node& value, Settings* settings) {
  AuditPart part;
  ReadPart(reader, value, "audit", AuditKeys(), &part);
  const auto only = [&](std::string_view key, AuditPart::Sink sink, std::string_view name) {
    const std::string path = "audit." + std::string(key);
    if (part.sink != sink && reader.Has(path))
      reader.ErrorAt(path, "this is for the sink " + std::string(name));
  };
  for (const std::string_view key : {"mode", "sync", "rotated_path"})
    only(key, AuditPart::Sink::kFile, "file");
  only("facility", AuditPart::Sink::kSyslog, "syslog");
  if (part.sink == AuditPart::Sink::kStdout && reader.Has("audit.path"))
    reader.ErrorAt("audit.path", "standard output has no path");
  if (part.sink == AuditPart::Sink::kFile && part.path.empty() && !reader.Has("audit.path"))
    reader.ErrorAt("audit", "\"path\" is missing: where is the file?");
  settings->engine.audit = part.config;
  switch (part.sink) {
    case AuditPart::Sink::kFile:
      part.file.path = part.path;
      settings->audit_sink = "file " + part.path + " " + std::to_string(part.file.mode) + " " +
                             std::to_string(static_cast<int>(part.file.sync)) + " " + part.file.rotated_path;
      settings->engine.audit.sink = AuditFileSink(std::move(part.file));
      break;
    case AuditPart::Sink::kStdout:
      settings->audit_sink = "stdout";
      settings->engine.audit.sink = AuditStdoutSink();
      break;
    case AuditPart::Sink::kSyslog:
      if (!part.path.empty()) part.syslog.path = part.path;
      settings->audit_sink = "syslog " + part.syslog.path + " " + std::to_string(part.syslog.facility);
      settings->engine.audit.sink = AuditSyslogSink(std::move(part.syslog));
      break;
  }
}

const Keys<Bounds>& BoundsKeys() {
  using T = Bounds;
  const auto duration = [](std::string_view name, std::chrono::milliseconds T::*member, int64_t min_ms,
                           std::string_view meaning) {
    return Duration<T>(name, member, Unit::kMilliseconds, min_ms, kHourMs, false, meaning);
  };
  static const Keys<T>& keys = Kept<T>({
      Number<T>("connections_max", &T::connections_max, 1, 1'000'000,
                "At a time; beyond, new ones are closed at once."),
      Size<T>("header_max", &T::header_bytes_max, kKiB, kMiB, "Of one request, its first line included."),
      Size<T>("body_max", &T::body_bytes_max, 0, 64 * kMiB, "Of one request."),
      duration("request_timeout", &T::request_timeout, 1, "From a request's first byte to its last."),
      duration("idle_timeout", &T::idle_timeout, 1, "Between two requests of a connection."),
      duration("wait_max", &T::wait_max, 0, "A request waits this long for keys and introspection."),
      duration("drain_max", &T::drain_max, 0, "After SIGTERM, for requests under way."),
  });
  return keys;
}

const Keys<DangerousOptions>& DangerousKeys() {
  using T = DangerousOptions;
  static const Keys<T>& keys = Kept<T>({
      Flag<T>("dangerous_allow_http_on_loopback", &T::dangerous_allow_http_on_loopback,
              "Keys may come from loopback, over plain http too: for tests and demos."),
      Flag<T>("dangerous_accept_id_tokens", &T::dangerous_accept_id_tokens,
              "Profiles may take ID tokens for access tokens."),
  });
  return keys;
}

const Keys<IntrospectionConfig>& IntrospectionKeys() {
  using T = IntrospectionConfig;
  using Client = ClientAuthentication;
  static constexpr Named<Client> kMethods[] = {{"client_secret_basic", Client::kClientSecretBasic},
                                               {"client_secret_post", Client::kClientSecretPost},
                                               {"private_key_jwt", Client::kPrivateKeyJwt},
                                               {"tls_client_auth", Client::kTlsClientAuth},
                                               {"bearer", Client::kBearer}};
  Key<T> assertion{
      .name = "client_assertion_file",
      .type = "file",
      .usual = std::string(kNone),
      .meaning = "With `private_key_jwt`: a JWT that somebody else keeps fresh; read at each question.",
      .read =
          [](SettingsReader& reader, const Node& value, T* part) {
            AssertionFile file;
            reader.ReadPath(value, &file.path);
            part->client_assertion = std::move(file);
          },
      .compare =
          [](const T& a, const T& b, const std::string& path, std::vector<std::string>* paths) {
            const auto path_of = [](const T& part) {
              const auto* const file = part.client_assertion.target<AssertionFile>();
              return file == nullptr ? std::string() : file->path;
            };
            if (path_of(a) != path_of(b)) paths->push_back(path);
          }};
  static const Keys<T>& keys = Kept<T>({
      Text<T>("endpoint", &T::endpoint, "Its URL."),
      Flag<T>("discovery", &T::discovery, "The issuer's metadata names it."),
      OneOf<T>("authentication", &T::authentication, kMethods, "How the daemon proves who is asking."),
      Text<T>("client_id", &T::client_id, "Who is asking; needed but for `bearer`."),
      SecretFile<T>("client_secret_file", &T::client_secret,
                    "The client's secret, or with `bearer` its token; a line break at the end is dropped."),
      std::move(assertion),
      File<T>("client_certificate_file", &T::client_certificate_file,
              "With `tls_client_auth`: PEM, read at each new connection."),
      File<T>("client_key_file", &T::client_key_file, "Its key, likewise."),
      Flag<T>("signed_response", &T::signed_response, "Only signed answers (RFC 9701) are answers."),
      Usually<T>("`client_id`", Text<T>("response_audience", &T::response_audience,
                                        "What `aud` of a signed answer must contain.")),
      Flag<T>("introspection_scoped_to_us", &T::introspection_scoped_to_us,
              "Answers without `aud` are about tokens for this client's one resource."),
      Number<T>("in_flight_max", &T::in_flight_max, 1, limits::kIntrospectionsInFlightMax,
                "Questions at a time."),
      Number<T>("waiting_max", &T::waiting_max, 0, limits::kIntrospectionsWaitingMax,
                "Questions that wait for their turn."),
  });
  return keys;
}

using Pairs = std::vector<std::pair<std::string, std::string>>;

void ReadPairs(SettingsReader& reader, const Node& value, Pairs* pairs) {
  pairs->clear();
  reader.EachEntry(value, [&](const Node& name, const Node& texts) {
    reader.EachItem(texts, [&](const Node& text) {
      pairs->emplace_back(name.text, "");
      reader.ReadText(text, &pairs->back().second);
    });
  });
}

// What a profile says of a key that is not there.
constexpr char kProfiles[] = "the profile's";

const Keys<Profile>& ProfileKeys() {
  using T = Profile;
  const auto texts = [](std::string_view name, std::vector<std::string> T::*member,
                        std::string_view meaning) {
    return Usually<T>(kProfiles, Texts<T>(name, member, meaning));
  };
  const auto text = [](std::string_view name, std::string T::*member, std::string_view meaning) {
    return Usually<T>(kProfiles, Text<T>(name, member, meaning));
  };
  const auto flag = [](std::string_view name, bool T::*member, std::string_view meaning) {
    return Usually<T>(kProfiles, Flag<T>(name, member, meaning));
  };
  const auto pairs = [](std::string_view name, Pairs T::*member, std::string_view meaning) {
    return MakeKey<T>(name, "map: claim → texts", kProfiles, member, meaning, ReadPairs);
  };
  static const Keys<T>& keys = Kept<T>({
      // Read before the others, by ReadProfile.
      Usually<T>("`rfc9068`", MakeKey<T>("name", "name of a profile", "", &T::name, "Where to start from.",
                                         [](SettingsReader&, const Node&, std::string*) {})),
      texts("types", &T::types, "Accepted `typ` header values."),
      flag("missing_type_allowed", &T::missing_type_allowed, "Tokens may have no `typ` header."),
      flag("any_type", &T::any_type, "The `typ` header is not looked at."),
      flag("id_tokens", &T::id_tokens, "ID tokens are taken; needs `dangerous_accept_id_tokens`."),
      flag("issued_at_required", &T::issued_at_required, "`iat` must be there."),
      flag("subject_required", &T::subject_required, "`sub` must be there."),
      flag("client_required", &T::client_required, "The client must be named."),
      flag("jwt_id_required", &T::jwt_id_required, "`jti` must be there."),
      text("audience_claim", &T::audience_claim, "Where the audience is found."),
      texts("client_claims", &T::client_claims, "Where the client is found; the first that is there."),
      texts("scope_claims", &T::scope_claims, "Where scopes are found; the first that is there."),
      texts("role_claims", &T::role_claims, "Where roles are found; all of them."),
      pairs("must_equal", &T::must_equal, "Claims that must be there with exactly this value."),
      pairs("service_marks", &T::service_marks,
            "Claims that mark a client's token for itself; `\"\"`: by being there."),
      text("service_subject_suffix", &T::service_subject_suffix,
           "A subject that is the client's id with this behind it is the client."),
      text("user_claim", &T::user_claim, "Only users' tokens have this claim."),
      text("key_issuer", &T::key_issuer, "Of a template: what the keys' own member `issuer` is."),
      texts("discovery_hosts", &T::discovery_hosts, "Where the provider's own metadata leads."),
  });
  return keys;
}

void ReadProfile(SettingsReader& reader, const Node& value, Profile* profile) {
  const Node* name = &value;
  if (value.kind == Node::Kind::kMap) {
    name = nullptr;
    for (size_t i = 0; i + 1 < value.items.size(); i += 2) {
      if (value.items[i].text == "name") name = &value.items[i + 1];
    }
  }
  if (name != nullptr) {
    if (const auto found = reader.ReadOneOf(*name, Profile::Names()))
      *profile = *Profile::ByName(Profile::Names()[*found]);
  }
  if (value.kind == Node::Kind::kMap) ReadPart(reader, value, "profile", ProfileKeys(), profile);
}

Key<IssuerConfig> ProfileKey() {
  Key<IssuerConfig> key = Part<IssuerConfig>("profile", &IssuerConfig::profile, ProfileKeys(),
                                             "How it writes its tokens: a name, or a map with what differs.");
  key.usual = "`rfc9068`";
  key.read = [](SettingsReader& reader, const Node& value, IssuerConfig* issuer) {
    ReadProfile(reader, value, &issuer->profile);
  };
  return key;
}

const Keys<KeyPlace>& FallbackKeys() {
  using T = KeyPlace;
  static const Keys<T>& keys = Kept<T>({
      Text<T>("jwks_uri", &T::jwks_uri, "An https URL of a key set;"),
      File<T>("jwks_file", &T::jwks_file, "or a file with one. Exactly one of the two."),
  });
  return keys;
}

void ReadFallbacks(SettingsReader& reader, const Node& value, std::vector<KeyPlace>* places) {
  places->clear();
  EachNumbered(reader, value, [&](const Node& item) {
    ReadPart(reader, item, "a fallback", FallbackKeys(), &places->emplace_back());
  });
}

void ReadAlgorithms(SettingsReader& reader, const Node& value, AlgorithmSet* set) {
  std::array<std::string_view, kAlgorithmCount> names;
  for (size_t i = 0; i < names.size(); ++i) names[i] = AlgorithmName(static_cast<Algorithm>(i));
  *set = AlgorithmSet();
  reader.EachItem(value, [&](const Node& item) {
    if (const auto found = reader.ReadOneOf(item, names)) set->Insert(static_cast<Algorithm>(*found));
  });
}

}  // namespace

std::string AssertionFile::operator()() const {
  absl::StatusOr<FileContent> content = SystemFiles().ReadFollowing(path, limits::kTokenBytesMax);
  if (!content.ok()) return "";  // The issuer refuses that, and IssuerHealth says so.
  while (!content->bytes.empty() && static_cast<unsigned char>(content->bytes.back()) <= ' ')
    content->bytes.pop_back();
  return std::move(content->bytes);
}

const Keys<IssuerConfig>& IssuerKeys() {
  using T = IssuerConfig;
  static const Keys<T>& keys = Kept<T>({
      Required(
          Text<T>("issuer", &T::issuer, "What `iss` says, exactly; or a template with `{tenantid}` in it.")),
      Texts<T>("tenants", &T::tenants, "Of a template: the ids of the tenants that are accepted."),
      Text<T>("jwks_uri", &T::jwks_uri, "Where its keys are: an https URL of a key set;"),
      Text<T>("jwks", &T::jwks, "or the key set itself, JSON;"),
      File<T>("jwks_file", &T::jwks_file, "or a file with one, which may change;"),
      Text<T>("signed_jwks_uri", &T::signed_jwks_uri, "or an https URL of a signed one;"),
      Flag<T>("discovery", &T::discovery, "or what its metadata says. Exactly one of these five."),
      Text<T>("signed_jwks_keys", &T::signed_jwks_keys, "The key set that vouches for a signed one, JSON."),
      Texts<T>("discovery_hosts", &T::discovery_hosts,
               "With `discovery`: further hosts that metadata may lead to."),
      MakeKey<T>("fallbacks", "list of up to 4 [fallbacks](#fallbacks)", std::string(kNone), &T::fallbacks,
                 "Where else its keys are, in this order.", ReadFallbacks),
      Text<T>("metadata_tenant", &T::metadata_tenant,
              "With `discovery`, of a template: what stands in its place where metadata is looked for."),
      Flag<T>("private_network", &T::private_network, "Its hosts may have private addresses."),
      MakeKey<T>("algorithms", "list of algorithms", "all", &T::algorithms,
                 "What its tokens may be signed with.", ReadAlgorithms),
      ProfileKey(),
      Flag<T>("scope_wildcards", &T::scope_wildcards,
              "A `*` at the end of a scope of its tokens stands for all that begin so."),
      Duration<T>("leeway", &T::leeway_s, Unit::kSeconds, 0, 5 * kMinuteMs, false,
                  "Clock skew granted on `exp`, `nbf` and `iat`."),
      Duration<T>("token_age_max", &T::token_age_max_s, Unit::kSeconds, kSecondMs, 36'600 * kDayMs, true,
                  "now − `iat` at most."),
      Duration<T>("token_lifetime_max", &T::token_lifetime_max_s, Unit::kSeconds, kSecondMs, 36'600 * kDayMs,
                  true, "`exp` − `iat` at most."),
      Usually<T>("not asked", Part<T>("introspection", &T::introspection, IntrospectionKeys(),
                                      "Where it says whether a token is active.")),
  });
  return keys;
}

const Keys<ServerPart>& ServerKeys() {
  using T = ServerPart;
  static constexpr Named<Proxy> kProxies[] = {
      {"nginx", Proxy::kNginx}, {"envoy", Proxy::kEnvoy},     {"traefik", Proxy::kTraefik},
      {"caddy", Proxy::kCaddy}, {"haproxy", Proxy::kHaproxy}, {"nginx_module", Proxy::kNginxModule}};
  static const Keys<T>& keys = Kept<T>({
      Required(Text<T>("name", &T::name, "1 – 64 of `a-z 0-9 -`: the proxy asks at `/check/NAME`.")),
      Required(Text<T>("uri", &T::uri, "Its canonical URI, which tokens are for.")),
      Required(OneOf<T>("proxy", &T::proxy, kProxies, "Which proxy asks.")),
      Flag<T>("sees_body", &T::sees_body, "The proxy sends all of each request's body."),
      Text<T>("dangerous_trust_mcp_headers", &T::dangerous_trust_mcp_headers,
              "`Mcp-Method` and `Mcp-Name` are believed without it: names the server software that is known "
              "to refuse what disagrees."),
      Text<T>("decide_as_tool", &T::decide_as_tool,
              "Every request is decided as the use of this tool. Exactly one of these three."),
      Texts<T>("audiences", &T::audiences, "Further values of `aud` that mean this server."),
      Usually<T>("all", Texts<T>("issuers", &T::issuers, "Whose tokens it accepts.")),
      Text<T>("opaque_token_issuer", &T::opaque_token_issuer,
              "Who is asked about tokens that are no JWT; without it, these are refused."),
      Usually<T>("its issuers", Texts<T>("authorization_servers", &T::authorization_servers,
                                         "For its metadata (RFC 9728); most clients use the first.")),
      Usually<T>("all that the policy names",
                 Texts<T>("scopes_supported", &T::scopes_supported,
                          "For its metadata: what most clients ask for at first.")),
      Text<T>("resource_name", &T::resource_name, "For its metadata: a name for people."),
      Text<T>("resource_documentation", &T::resource_documentation, "For its metadata: a URL for people."),
  });
  return keys;
}

ServerPart ServerPartOf(const Settings& settings, size_t server) {
  ServerPart part;
  static_cast<ServerSettings&>(part) = settings.servers[server];
  static_cast<ResourceConfig&>(part) = settings.engine.resources[server];
  return part;
}

namespace {

void ReadServers(SettingsReader& reader, const Node& value, Settings* settings) {
  EachNumbered(reader, value, [&](const Node& item) {
    ServerPart part;
    ReadPart(reader, item, "a server", ServerKeys(), &part);
    settings->servers.push_back(std::move(static_cast<ServerSettings&>(part)));
    settings->engine.resources.push_back(std::move(static_cast<ResourceConfig&>(part)));
  });
}

void CompareServers(const Settings& a, const Settings& b, const std::string& path,
                    std::vector<std::string>* paths) {
  if (a.servers.size() != b.servers.size()) return paths->push_back(path);
  for (size_t i = 0; i < a.servers.size(); ++i) {
    Compare(ServerKeys(), ServerPartOf(a, i), ServerPartOf(b, i), path + "[" + std::to_string(i) + "]",
            paths);
  }
}

void ReadIssuers(SettingsReader& reader, const Node& value, Settings* settings) {
  EachNumbered(reader, value, [&](const Node& item) {
    ReadPart(reader, item, "an issuer", IssuerKeys(), &settings->engine.issuers.emplace_back());
  });
}

void CompareAudit(const Settings& a, const Settings& b, const std::string& path,
                  std::vector<std::string>* paths) {
  if (a.audit_sink != b.audit_sink) paths->push_back(path + ".sink");
  Compare(AuditKeys(), {.config = a.engine.audit}, {.config = b.engine.audit}, path, paths);
}

// ReadAddress reads where to listen: "127.0.0.1:9180", or a socket's path behind "unix:". What it says is
// looked at by FindMistakes.
void ReadAddress(SettingsReader& reader, const Node& value, std::string* address) {
  constexpr std::string_view kUnix = "unix:";
  reader.ReadText(value, address);
  if (address->starts_with(kUnix) && address->size() > kUnix.size())
    *address = std::string(kUnix) + reader.Resolve(address->substr(kUnix.size()));
}

void ReadAddresses(SettingsReader& reader, const Node& value, std::vector<std::string>* addresses) {
  EachNumbered(reader, value,
               [&](const Node& item) { ReadAddress(reader, item, &addresses->emplace_back()); });
}

// InEngine goes to a member of Settings::engine.
template <typename Member>
auto InEngine(Member member) {
  return In(&Settings::engine, member);
}

}  // namespace

const Keys<Settings>& SettingsKeys() {
  using T = Settings;
  const auto read_version = [](SettingsReader& reader, const Node& value, T*) {
    if (value.text != "1") reader.Error(value.place, "the version is not known: 1 is");
  };
  // Not compared here: there is one version, and issuers are told apart by their names (reload.h).
  const auto same = [](const T&, const T&, const std::string&, std::vector<std::string>*) {};
  static const Keys<T>& keys = Kept<T>({
      {"version", "`1`", std::string(kRequired), "The format of the file.", read_version, same},
      MakeKey<T>("listen", "list of addresses", "needed, but for `nginx_module`", &T::listen,
                 "Where proxies ask.", ReadAddresses),
      MakeKey<T>("admin_listen", "address", "nowhere", &T::admin_listen,
                 "Where operators look: metrics, health, status; loopback or a UNIX socket.", ReadAddress),
      Number<T>("threads", &T::threads, 0, 1024, "Threads that answer; 0: as many as processors."),
      Usually<T>("the system's", File<T>("ca_file", &T::ca_file,
                                         "Certificates, PEM, by which identity providers are believed.")),
      Required(File<T>("policy_file", &T::policy_file, "What callers may do: [policy.md](policy.md).")),
      File<T>("shadow_policy_file", &T::shadow_policy_file,
              "A policy that decides beside it, for the counters alone."),
      Texts<T>("policy_claims", InEngine(&Config::policy_claims),
               "Claims that policies to come will look at, beside those of `policy_file`."),
      {"servers", "list of 1 – 64 [servers](#servers)", std::string(kRequired), "What is protected.",
       ReadServers, CompareServers},
      {"issuers", "list of [issuers](#issuers)", std::string(kRequired), "Whose tokens are accepted.",
       ReadIssuers, same},
      Usually<T>("as configured, at least `1024`",
                 Number<T>("issuers_max", InEngine(&Config::issuers_max), 0, limits::kIssuersMax,
                           "At a time, tenants of templates included.")),
      Part<T>("bounds", &T::bounds, BoundsKeys(), "What proxies and others may take of the daemon."),
      Part<T>("timing", InEngine(&Config::timing), TimingKeys(),
              "Bounds of time towards identity providers."),
      Part<T>("verification_limits", InEngine(&Config::verification_limits), VerificationKeys(),
              "What tokens that nobody has seen yet may cost."),
      Size<T>("verdict_cache", InEngine(&Config::verdict_cache_bytes), 0, 1024 * kGiB,
              "Memory for what was verified; `0B`: nothing is cached."),
      Size<T>("introspection_cache", InEngine(&Config::introspection_cache_bytes),
              limits::kIntrospectionCacheBytesMin, 1024 * kGiB,
              "Memory for what introspection has answered."),
      Usually<T>("none is kept", Part<T>("snapshot", InEngine(&Config::snapshot), SnapshotKeys(),
                                         "Key sets on disk, for a restart during an outage.")),
      {"audit", "[audit](#audit)", "nothing is recorded", "The [audit log](audit.md).", ReadAudit,
       CompareAudit},
      Part<T>("dangerous", InEngine(&Config::dangerous), DangerousKeys(), "Switches that weaken a check."),
  });
  return keys;
}

namespace {

template <typename T>
KeyTable TableOf(std::string_view heading, const Keys<T>& keys) {
  KeyTable table{.heading = heading, .rows = {}};
  for (const Key<T>& key : keys) {
    table.rows.push_back("| `" + std::string(key.name) + "` | " + key.type + " | " + key.usual + " | " +
                         std::string(key.meaning) + " |");
  }
  return table;
}

}  // namespace

std::vector<KeyTable> KeyTables() {
  return {TableOf("The file", SettingsKeys()),
          TableOf("servers", ServerKeys()),
          TableOf("issuers", IssuerKeys()),
          TableOf("fallbacks", FallbackKeys()),
          TableOf("profile", ProfileKeys()),
          TableOf("introspection", IntrospectionKeys()),
          TableOf("bounds", BoundsKeys()),
          TableOf("timing", TimingKeys()),
          TableOf("verification_limits", VerificationKeys()),
          TableOf("snapshot", SnapshotKeys()),
          TableOf("audit", AuditKeys()),
          TableOf("dangerous", DangerousKeys())};
}

}  // namespace tollgate::tollgated
