#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "crypto/digest.h"
#include "jose/jwk.h"
#include "keys/issuer_metadata.h"
#include "keys/key_set.h"
#include "keys/signed_key_set.h"
#include "tollgate/config.h"
#include "tollgate/file_system.h"
#include "tollgate/transport.h"

namespace tollgate::keys {

// CheckKeyPlaces holds against each other what the configuration says about where an issuer's keys are: OK,
// or InvalidArgument with the rest of a sentence that begins with the issuer. URLs and keys are looked at by
// KeySource::Make.
absl::Status CheckKeyPlaces(const IssuerConfig& config);

// IsFilePath: an absolute path that can be a file's.
bool IsFilePath(std::string_view path);

// KeySource is where one issuer's keys come from, and how far the fetch under way has got. There are one or
// more places, of which each is a URL or a file, and a fetch is a row of requests, one after the other: for
// the issuer's metadata, if that is to be discovered and what is known of it is too old or has led to no
// keys, then for the keys of the first place, and then, as long as none has brought any, for those of the
// others. It knows neither schedule nor network nor disk: the caller decides when a fetch begins, sends what
// Next says or reads what file says, and reports how it went. Owner thread only.
class KeySource {
 public:
  // Make makes the source of an issuer whose keys are not configured and whose configuration passes
  // CheckKeyPlaces. InvalidArgument or PermissionDenied, beginning with the setting, if a URL may not be
  // fetched from (transport::CheckFetchUrl, MakeMetadataRules) or signed_jwks_keys has no usable key.
  static absl::StatusOr<KeySource> Make(const IssuerConfig& config, const transport::FetchRules& rules,
                                        int64_t metadata_age_max_ms);

  // Resume takes over an earlier process's place: keys that came from `place`, as set_place names it. False,
  // and nothing is changed, if they would not be fetched from there now. Of discovered ones the metadata is
  // read before anything else, and the address is only compared with what it says: nothing that was written
  // down is ever fetched from.
  bool Resume(bool discovered, std::string_view place);

  // SamePlace: whether the configuration of both says the same about places.
  bool SamePlace(const KeySource& other) const;
  // Continue takes over what `old`, of the same places, has found out.
  void Continue(const KeySource& old);

  bool discovers() const { return !well_known_.empty(); }
  // Whether the first place is a file: then others are asked only if that brings nothing.
  bool begins_with_file() const { return more_ != nullptr && !more_->jwks_file.empty(); }
  // What the metadata that was read last says of tokens (IssuerMetadata); nothing as long as none was.
  const std::optional<absl::StatusOr<std::string>>& introspection_endpoint() const {
    return introspection_endpoint_;
  }

  // Begin begins a fetch, at the first place.
  void Begin(int64_t now_ms);
  // NextPlace goes on to the next place, since this one has brought nothing. False if there is none.
  bool NextPlace();

  // What the fetch has come to: a file, by its path, or else the request that Next says.
  const std::string& file() const;
  // Next is the request: its URL, entity tag and limit of size.
  FetchRequest Next() const;
  const std::string& url() const;
  bool asks_for_keys() const { return place_ > 0 || at_ == well_known_.size(); }
  uint32_t place() const { return place_; }
  // How many places from here on are asked over the network.
  int64_t num_urls_left() const;
  size_t bytes_max() const;  // Of the answer.
  // The entity tag that goes with the request, empty if there is none: that of the set in hand, if it came
  // from this place.
  const std::string& if_none_match() const;

  // OnMetadata takes the answer to a request for metadata. OK: the fetch goes on with Next. An error, one
  // line, has ended it at this place; the address that is known stays known. Where no document is, the next
  // URL is asked. A document that is wrong, or a server that fails, says nothing about the URLs behind it: to
  // go on there would let whoever can spoil the first answer choose which of an issuer's documents counts.
  absl::Status OnMetadata(const FetchResult& result, int64_t now_ms);

  // ReadSet returns the JWK Set in an answer of this place. InvalidArgument if it is to be signed and is not,
  // or older than the last one that was taken.
  absl::StatusOr<SignedSet> ReadSet(const std::string& text, int64_t wall_s) const;
  // DropEnded takes from the keys those that an earlier place's answer has ended, and counts them as skipped.
  // FailedPrecondition if that cannot be told any more.
  absl::Status DropEnded(jose::JwkSet* set) const;
  // OnSet is told of a good answer of this place, by which the keys before have been replaced.
  void OnSet(const SignedSet& set, std::string etag, const std::vector<IssuerKey>& before,
             const std::vector<IssuerKey>& after);
  // OnKeys ends the requests at this place. Keys that could not be had may have moved: the next fetch reads
  // the metadata anew.
  void OnKeys(bool good);
  // Whether the set in hand, which was signed, is over, and in how many seconds it will be; INT64_MAX: never.
  int64_t SetEndsInS(int64_t wall_s) const;

  // The set in hand: which place it came from, the same as a text for the snapshot (of signed sets with what
  // else a restart must know), and its entity tag, empty if there is none. The tag is forgotten when the keys
  // move: to another server it is no name of that set.
  uint32_t place_of_set() const { return place_of_set_; }
  std::string set_place() const;
  const std::string& etag() const { return etag_; }
  void set_etag(std::string etag) { etag_ = std::move(etag); }

 private:
  // A key that was there and is not any more, and the first of the places whose good answers have lacked it
  // since.
  struct Ended {
    crypto::Sha256Digest thumbprint;
    uint32_t place = 0;
  };
  // More is of sources that are more than one URL.
  struct More {
    std::string jwks_file;  // The first place.
    std::vector<KeyPlace> fallbacks;
    std::optional<SignedSetRules> signing;
    std::string signed_by;  // The SHA-256 of its keys' text, in base64url.
    std::vector<Ended> ended;
    bool ended_full = false;            // There were more: what other places bring cannot be judged any more.
    std::optional<int64_t> issued_at;   // Of the last signed set,
    std::optional<int64_t> expires_at;  // likewise.
    bool was_read = false;              // One was, in this process: its end is known.
  };

  KeySource() = default;
  bool is_signed() const { return more_ != nullptr && more_->signing.has_value(); }
  bool ResumeAt(bool discovered, std::string_view url_or_file);

  MetadataRules rules_;
  std::vector<std::string> well_known_;  // Empty: there is nothing to discover.
  int64_t age_max_ms_ = 0;
  size_t at_ = 0;  // Where the metadata is asked for; behind the last of them: the keys.
  uint32_t place_ = 0;
  uint32_t place_of_set_ = 0;
  std::string jwks_uri_;  // Of the first place, if it is one and known.
  std::optional<absl::StatusOr<std::string>> introspection_endpoint_;
  std::string etag_;
  int64_t due_ms_ = INT64_MIN;  // When the metadata is too old.
  bool suspect_ = false;
  std::unique_ptr<More> more_;
};

// WhyFailed is one line about an exchange that brought nothing, for IssuerHealth::last_error. Nothing of the
// URL is in it.
std::string WhyFailed(const FetchResult& result);

// ReadKeyFile reads what `source` has come to as if it were fetched: 200 with the file's digest as entity
// tag, 304 if that is the request's, or why not.
absl::StatusOr<FetchResult> ReadKeyFile(const KeySource& source, FileSystem& files);

}  // namespace tollgate::keys
