#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "keys/issuer_metadata.h"
#include "tollgate/transport.h"

namespace tollgate::keys {

// KeySource is where one issuer's keys come from, and how far the fetch under way has got. A fetch is a row
// of requests, one after the other: for the issuer's metadata, if that is to be discovered and what is known
// of it is too old or has led to no keys, and then for the keys. It knows neither schedule nor network: the
// caller decides when a fetch begins, sends what Next says and reports how it went. Owner thread only.
class KeySource {
 public:
  // Keys at this URL.
  explicit KeySource(std::string jwks_uri);
  // Keys where the issuer's metadata says, which is read again when it is older than `age_max_ms`.
  KeySource(MetadataRules rules, int64_t age_max_ms);

  // Resume takes over an earlier process's place: keys that came from `jwks_uri`. False, and nothing is
  // changed, if they would not be fetched from there now. Of discovered ones the metadata is read before
  // anything else, and the address is only compared with what it says: nothing that was written down is ever
  // fetched from.
  bool Resume(bool discovered, std::string_view jwks_uri);

  // SamePlace: whether the configuration of both says the same.
  bool SamePlace(const KeySource& other) const;

  // Where the keys are, if that is known.
  const std::string& jwks_uri() const { return jwks_uri_; }
  bool discovers() const { return !well_known_.empty(); }
  // What the metadata that was read last says of tokens (IssuerMetadata); nothing as long as none was.
  const std::optional<absl::StatusOr<std::string>>& introspection_endpoint() const {
    return introspection_endpoint_;
  }

  // Begin begins a fetch.
  void Begin(int64_t now_ms);

  // Next is the request that the fetch has come to: its URL, entity tag and limit of size.
  FetchRequest Next() const;
  const std::string& url() const { return asks_for_keys() ? jwks_uri_ : well_known_[at_]; }
  bool asks_for_keys() const { return at_ == well_known_.size(); }

  // OnMetadata takes the answer to a request for metadata. OK: the fetch goes on with Next. An error, one
  // line, has ended it; the address that is known stays known. Where no document is, the next place is asked.
  // A document that is wrong, or a server that fails, says nothing about the places behind it: to go on there
  // would let whoever can spoil the first answer choose which of an issuer's documents counts.
  absl::Status OnMetadata(const FetchResult& result, int64_t now_ms);

  // OnKeys ends the fetch. Keys that could not be had may have moved: the next fetch reads the metadata anew.
  void OnKeys(bool good) { suspect_ = !good; }

  // The entity tag under which the set in hand came, empty if there is none. It is forgotten when the keys
  // move: to another server it is no name of that set.
  const std::string& etag() const { return etag_; }
  void set_etag(std::string etag) { etag_ = std::move(etag); }

 private:
  MetadataRules rules_;
  std::vector<std::string> well_known_;  // Empty: there is nothing to discover.
  int64_t age_max_ms_ = 0;
  size_t at_ = 0;  // The place that is asked; behind the last of them: the keys.
  std::string jwks_uri_;
  std::optional<absl::StatusOr<std::string>> introspection_endpoint_;
  std::string etag_;
  int64_t due_ms_ = INT64_MIN;  // When the metadata is too old.
  bool suspect_ = false;
};

// WhyFailed is one line about an exchange that brought nothing, for IssuerHealth::last_error. Nothing of the
// URL is in it.
std::string WhyFailed(const FetchResult& result);

}  // namespace tollgate::keys
