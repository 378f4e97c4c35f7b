#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "keys/issuer.h"

namespace tollgate::keys {

// IssuerTable holds all issuers, by position and by name. Thread-compatible.
class IssuerTable {
 public:
  explicit IssuerTable(size_t issuers_max);

  // Add returns a new issuer at the next position, or null if there is one of this name.
  Issuer* Add(std::string_view name);

  // Find returns the position of the issuer with this name. One table probe, no allocation.
  std::optional<uint32_t> Find(std::string_view name) const;

  size_t size() const { return issuers_.size(); }
  Issuer& At(uint32_t position) const { return *issuers_[position]; }
  const std::vector<std::unique_ptr<Issuer>>& all() const { return issuers_; }
  const Fresh& FreshAt(uint32_t position) const { return fresh_[position]; }

 private:
  const std::unique_ptr<Fresh[]> fresh_;  // By position.
  std::vector<std::unique_ptr<Issuer>> issuers_;
  absl::flat_hash_map<std::string, uint32_t> positions_;
};

}  // namespace tollgate::keys
