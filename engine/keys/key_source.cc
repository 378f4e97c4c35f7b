#include "keys/key_source.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/saturating.h"
#include "jose/base64url.h"

namespace tollgate::keys {
namespace {

// RFC 9110 section 15: "not here", in whichever way, redirects included. A server error, 408 and 429 only say
// "not now", and no answer at all says even less.
bool IsNotThere(const FetchResult& result) {
  return result.outcome == FetchOutcome::kAnswered && result.http_status != 200 && result.http_status < 500 &&
         result.http_status != 408 && result.http_status != 429;
}

const std::string& None() {
  static const std::string none;
  return none;
}

std::string DigestText(std::string_view bytes) { return jose::Base64UrlEncode(crypto::Sha256(bytes)); }

absl::Status CheckUrl(std::string_view setting, std::string_view url, const transport::FetchRules& rules) {
  absl::Status allowed = transport::CheckFetchUrl(url, rules);
  if (allowed.ok()) return allowed;
  return absl::InvalidArgumentError(std::string(setting) + ": " + std::string(allowed.message()));
}

absl::StatusOr<SignedSetRules> MakeSignedSetRules(const IssuerConfig& config) {
  auto parsed = jose::ParseJwkSet(config.signed_jwks_keys);
  if (!parsed.ok())
    return absl::InvalidArgumentError(absl::StrCat("signed_jwks_keys: ", parsed.status().message()));
  if (parsed->keys.empty()) return absl::InvalidArgumentError("signed_jwks_keys: has no usable key");
  std::vector<IssuerKey> keys;
  for (jose::Jwk& jwk : parsed->keys) {
    std::string thumbprint = jose::Base64UrlEncode(jwk.thumbprint);
    keys.push_back({.jwk = std::make_shared<const jose::Jwk>(std::move(jwk)),
                    .thumbprint = std::move(thumbprint),
                    .ref = {}});
  }
  return SignedSetRules{.issuer = config.issuer,
                        .algorithms = config.algorithms,
                        .leeway_s = config.leeway_s,
                        .keys = KeySet(std::move(keys))};
}

bool Holds(const std::vector<IssuerKey>& keys, const crypto::Sha256Digest& thumbprint) {
  return std::any_of(keys.begin(), keys.end(),
                     [&](const IssuerKey& key) { return key.jwk->thumbprint == thumbprint; });
}

}  // namespace

bool IsFilePath(std::string_view path) {
  constexpr size_t kPathBytesMax = 4096;  // Linux has no longer ones.
  return path.starts_with('/') && !path.ends_with('/') && path.size() <= kPathBytesMax &&
         path.find('\0') == path.npos;
}

absl::Status CheckKeyPlaces(const IssuerConfig& config) {
  const auto refuse = [](std::string_view why) { return absl::InvalidArgumentError(std::string(why)); };
  const auto given = [](const std::string& text) { return text.empty() ? 0 : 1; };
  const int first = given(config.jwks_uri) + given(config.jwks) + given(config.jwks_file) +
                    given(config.signed_jwks_uri) + (config.discovery ? 1 : 0);
  if (first != 1)
    return refuse("needs exactly one of jwks_uri, jwks, jwks_file, signed_jwks_uri and discovery");
  if (!config.jwks_file.empty() && !IsFilePath(config.jwks_file))
    return refuse("its jwks_file must be a file's absolute path");
  if (!config.signed_jwks_uri.empty() && config.signed_jwks_keys.empty())
    return refuse("has a signed_jwks_uri, but no signed_jwks_keys");
  if (!config.signed_jwks_keys.empty() && config.signed_jwks_uri.empty() && !config.discovery)
    return refuse("has signed_jwks_keys, which are for signed_jwks_uri and discovery alone");
  if (!config.jwks.empty() && !config.fallbacks.empty())
    return refuse("has fallbacks, which are not for jwks");
  if (config.fallbacks.size() > limits::kFallbacksMax)
    return refuse(absl::StrCat("has more than ", limits::kFallbacksMax, " fallbacks"));
  for (const KeyPlace& place : config.fallbacks) {
    if (place.jwks_uri.empty() == place.jwks_file.empty())
      return refuse("each of its fallbacks needs exactly one of jwks_uri and jwks_file");
    if (!place.jwks_file.empty() && !IsFilePath(place.jwks_file))
      return refuse("the jwks_file of each of its fallbacks must be a file's absolute path");
  }
  return absl::OkStatus();
}

absl::StatusOr<KeySource> KeySource::Make(const IssuerConfig& config, const transport::FetchRules& rules,
                                          int64_t metadata_age_max_ms) {
  KeySource source;
  const bool is_signed = !config.signed_jwks_keys.empty();
  if (config.discovery) {
    std::vector<std::string> hosts = config.discovery_hosts;
    const std::vector<std::string>& usual = config.profile.discovery_hosts;
    hosts.insert(hosts.end(), usual.begin(), usual.end());
    auto made = MakeMetadataRules(config.issuer, hosts, rules, config.metadata_tenant);
    if (!made.ok()) return made.status();
    source.rules_ = *std::move(made);
    source.rules_.signed_keys = is_signed;
    source.well_known_ = WellKnownUrls(source.rules_.place);
    source.age_max_ms_ = metadata_age_max_ms;
  } else if (config.jwks_file.empty()) {
    const bool plain = config.signed_jwks_uri.empty();
    source.jwks_uri_ = plain ? config.jwks_uri : config.signed_jwks_uri;
    absl::Status allowed = CheckUrl(plain ? "jwks_uri" : "signed_jwks_uri", source.jwks_uri_, rules);
    if (!allowed.ok()) return allowed;
  }
  if (config.jwks_file.empty() && config.fallbacks.empty() && !is_signed) return source;
  source.more_ = std::make_unique<More>();
  source.more_->jwks_file = config.jwks_file;
  for (const KeyPlace& place : config.fallbacks) {
    if (place.jwks_uri.empty()) continue;
    const auto number = static_cast<size_t>(&place - config.fallbacks.data());
    absl::Status allowed = CheckUrl(absl::StrCat("fallbacks[", number, "].jwks_uri"), place.jwks_uri, rules);
    if (!allowed.ok()) return allowed;
  }
  source.more_->fallbacks = config.fallbacks;
  if (!is_signed) return source;
  absl::StatusOr<SignedSetRules> signing = MakeSignedSetRules(config);
  if (!signing.ok()) return signing.status();
  source.more_->signing = *std::move(signing);
  source.more_->signed_by = DigestText(config.signed_jwks_keys);
  return source;
}

// ResumeAt is Resume of what is before the words about a signature.
bool KeySource::ResumeAt(bool discovered, std::string_view place) {
  if (discovered != discovers()) return false;
  if (more_ != nullptr) {
    const auto found =
        std::find_if(more_->fallbacks.begin(), more_->fallbacks.end(), [&](const KeyPlace& fallback) {
          return place == (fallback.jwks_uri.empty() ? fallback.jwks_file : fallback.jwks_uri);
        });
    if (found != more_->fallbacks.end()) {
      place_of_set_ = static_cast<uint32_t>(found - more_->fallbacks.begin()) + 1;
      return true;
    }
  }
  if (discovered ? !MayLeadTo(place, rules_).ok() : place != jwks_uri_) return false;
  jwks_uri_ = place;
  return true;
}

bool KeySource::Resume(bool discovered, std::string_view place) {
  if (!is_signed()) return ResumeAt(discovered, place);
  // The last two words are the keys that vouched and the time: see set_place.
  const size_t last = place.rfind(' ');
  if (last == place.npos) return false;
  const std::string_view issued = place.substr(last + 1);
  place = place.substr(0, last);
  if (!place.ends_with(" " + more_->signed_by)) return false;
  place.remove_suffix(more_->signed_by.size() + 1);
  std::optional<int64_t> issued_at;
  if (issued != "-") {
    int64_t seconds = 0;
    const auto [end, error] = std::from_chars(issued.data(), issued.data() + issued.size(), seconds);
    if (error != std::errc() || end != issued.data() + issued.size()) return false;
    issued_at = seconds;
  }
  if (!ResumeAt(discovered, place)) return false;
  more_->issued_at = issued_at;
  return true;
}

std::string KeySource::set_place() const {
  std::string place = jwks_uri_;
  if (place_of_set_ > 0) {
    const KeyPlace& fallback = more_->fallbacks[place_of_set_ - 1];
    place = fallback.jwks_uri.empty() ? fallback.jwks_file : fallback.jwks_uri;
  }
  // An unsigned set is none of a signed place, nor is one that other keys vouch for.
  if (is_signed()) {
    absl::StrAppend(&place, " ", more_->signed_by, " ");
    if (more_->issued_at) {
      absl::StrAppend(&place, *more_->issued_at);
    } else {
      place += '-';
    }
  }
  return place;
}

bool KeySource::SamePlace(const KeySource& other) const {
  if (discovers() != other.discovers() || (more_ == nullptr) != (other.more_ == nullptr)) return false;
  if (more_ != nullptr &&
      (more_->jwks_file != other.more_->jwks_file || more_->fallbacks != other.more_->fallbacks ||
       more_->signed_by != other.more_->signed_by)) {
    return false;
  }
  return discovers() ? rules_.issuer == other.rules_.issuer && rules_.place == other.rules_.place &&
                           rules_.authorities == other.rules_.authorities
                     : jwks_uri_ == other.jwks_uri_;
}

void KeySource::Continue(const KeySource& old) {
  place_of_set_ = old.place_of_set_;
  jwks_uri_ = old.jwks_uri_;
  etag_ = old.etag_;
  due_ms_ = old.due_ms_;
  suspect_ = old.suspect_;
  introspection_endpoint_ = old.introspection_endpoint_;
  if (more_ == nullptr) return;
  more_->ended = old.more_->ended;
  more_->ended_full = old.more_->ended_full;
  more_->issued_at = old.more_->issued_at;
  more_->expires_at = old.more_->expires_at;
  more_->was_read = old.more_->was_read;
}

void KeySource::Begin(int64_t now_ms) {
  const bool known = !jwks_uri_.empty() && !suspect_ && now_ms < due_ms_;
  at_ = known ? well_known_.size() : 0;
  place_ = 0;
}

bool KeySource::NextPlace() {
  if (more_ == nullptr || place_ == more_->fallbacks.size()) return false;
  ++place_;
  return true;
}

const std::string& KeySource::file() const {
  if (more_ == nullptr) return None();
  return place_ == 0 ? more_->jwks_file : more_->fallbacks[place_ - 1].jwks_file;
}

const std::string& KeySource::url() const {
  if (place_ > 0) return more_->fallbacks[place_ - 1].jwks_uri;
  return asks_for_keys() ? jwks_uri_ : well_known_[at_];
}

int64_t KeySource::num_urls_left() const {
  const int64_t here = file().empty() ? 1 : 0;
  if (more_ == nullptr) return here;
  return here + std::count_if(more_->fallbacks.begin() + place_, more_->fallbacks.end(),
                              [](const KeyPlace& place) { return place.jwks_file.empty(); });
}

size_t KeySource::bytes_max() const {
  if (!asks_for_keys()) return limits::kMetadataBytesMax;
  return is_signed() ? limits::kSignedJwksBytesMax : limits::kJwksBytesMax;
}

const std::string& KeySource::if_none_match() const {
  // A signed set that a snapshot has brought may be over: it must come again.
  if (!asks_for_keys() || place_ != place_of_set_ || (is_signed() && !more_->was_read)) return None();
  return etag_;
}

FetchRequest KeySource::Next() const {
  FetchRequest request;
  request.url = url();
  request.if_none_match = if_none_match();
  request.body_bytes_max = static_cast<uint32_t>(bytes_max());
  return request;
}

absl::Status KeySource::OnMetadata(const FetchResult& result, int64_t now_ms) {
  if (result.outcome != FetchOutcome::kAnswered || result.http_status != 200) {
    if (!IsNotThere(result) || at_ + 1 == well_known_.size())
      return absl::UnavailableError(absl::StrCat("metadata: ", WhyFailed(result)));
    ++at_;
    return absl::OkStatus();
  }
  absl::StatusOr<IssuerMetadata> metadata = ParseIssuerMetadata(result.body, rules_);
  if (!metadata.ok()) return metadata.status();
  if (metadata->jwks_uri != jwks_uri_) etag_.clear();
  jwks_uri_ = std::move(metadata->jwks_uri);
  if (__builtin_add_overflow(now_ms, age_max_ms_, &due_ms_)) due_ms_ = INT64_MAX;
  at_ = well_known_.size();
  introspection_endpoint_ = std::move(metadata->introspection_endpoint);
  return absl::OkStatus();
}

absl::StatusOr<SignedSet> KeySource::ReadSet(const std::string& text, int64_t wall_s) const {
  if (!is_signed()) return SignedSet{.jwks = text, .issued_at = {}, .expires_at = {}};
  absl::StatusOr<SignedSet> set = ReadSignedSet(text, *more_->signing, wall_s);
  if (!set.ok() || !more_->issued_at) return set;
  if (!set->issued_at || *set->issued_at < *more_->issued_at)
    return absl::InvalidArgumentError("signed JWK Set: is older than one that was taken before");
  return set;
}

absl::Status KeySource::DropEnded(jose::JwkSet* set) const {
  if (place_ == 0) return absl::OkStatus();
  if (more_->ended_full)
    return absl::FailedPreconditionError("more keys have ended than are remembered: it might bring one back");
  const auto has_ended = [&](const jose::Jwk& jwk) {
    return std::any_of(more_->ended.begin(), more_->ended.end(), [&](const Ended& ended) {
      return ended.place < place_ && ended.thumbprint == jwk.thumbprint;
    });
  };
  const size_t before = set->keys.size();
  set->keys.erase(std::remove_if(set->keys.begin(), set->keys.end(), has_ended), set->keys.end());
  for (size_t i = set->keys.size(); i < before; ++i)
    set->skipped.push_back({.position = i, .why = "an earlier place has ended it"});
  return absl::OkStatus();
}

void KeySource::OnSet(const SignedSet& set, std::string etag, const std::vector<IssuerKey>& before,
                      const std::vector<IssuerKey>& after) {
  etag_ = std::move(etag);
  place_of_set_ = place_;
  if (more_ == nullptr) return;
  if (set.issued_at) more_->issued_at = set.issued_at;
  more_->expires_at = set.expires_at;
  more_->was_read = true;
  if (more_->fallbacks.empty()) return;
  std::vector<Ended>& all = more_->ended;
  // What an earlier place has ended is not among the keys: see DropEnded.
  all.erase(std::remove_if(all.begin(), all.end(),
                           [&](const Ended& ended) { return Holds(after, ended.thumbprint); }),
            all.end());
  for (Ended& ended : all) ended.place = std::min(ended.place, place_);
  for (const IssuerKey& key : before) {
    const crypto::Sha256Digest& thumbprint = key.jwk->thumbprint;
    const auto is_it = [&](const Ended& ended) { return ended.thumbprint == thumbprint; };
    if (Holds(after, thumbprint) || std::any_of(all.begin(), all.end(), is_it)) continue;
    if (all.size() < limits::kEndedKeysMax) {
      all.push_back({.thumbprint = thumbprint, .place = place_});
    } else {
      more_->ended_full = true;
    }
  }
}

void KeySource::OnKeys(bool good) {
  if (place_ == 0) suspect_ = !good;
}

int64_t KeySource::SetEndsInS(int64_t wall_s) const {
  if (!is_signed() || !more_->expires_at) return INT64_MAX;
  return saturating::Between(wall_s, saturating::Plus(*more_->expires_at, more_->signing->leeway_s));
}

absl::StatusOr<FetchResult> ReadKeyFile(const KeySource& source, FileSystem& files) {
  absl::StatusOr<FileContent> file = files.ReadFollowing(source.file(), source.bytes_max());
  if (!file.ok()) return file.status();
  if (!file->regular) return absl::FailedPreconditionError("is no regular file");
  if (file->size > source.bytes_max()) return absl::FailedPreconditionError("is too large");
  if (file->bytes.size() != file->size) return absl::UnavailableError("has changed while it was read");
  FetchResult result;
  result.outcome = FetchOutcome::kAnswered;
  result.etag = absl::StrCat("\"", DigestText(file->bytes), "\"");
  result.http_status = result.etag == source.if_none_match() ? 304 : 200;
  result.body = std::move(file->bytes);
  return result;
}

std::string WhyFailed(const FetchResult& result) {
  switch (result.outcome) {
    case FetchOutcome::kAnswered:
      return absl::StrCat("the server answered with status ", result.http_status);
    case FetchOutcome::kNotAllowed:
      return "the URL is not allowed";
    case FetchOutcome::kUnresolved:
      return "the host name did not resolve";
    case FetchOutcome::kUnreachable:
      return "the connection was refused, or cut off before the answer was complete";
    case FetchOutcome::kTlsFailed:
      return "TLS failed, or the certificate was not accepted";
    case FetchOutcome::kTimedOut:
      return "no complete answer in time";
    case FetchOutcome::kTooLarge:
      return "the answer is too large";
    case FetchOutcome::kAddressRefused:
      return "the host's address is not one that this issuer's keys may come from";
  }
  return "the exchange failed";
}

}  // namespace tollgate::keys
