#include "keys/issuer_table.h"

#include "absl/strings/string_view.h"

namespace tollgate::keys {

IssuerTable::IssuerTable(size_t issuers_max) : fresh_(std::make_unique<Fresh[]>(issuers_max)) {}

Issuer* IssuerTable::Add(std::string_view name) {
  const auto position = static_cast<uint32_t>(issuers_.size());
  if (!positions_.emplace(name, position).second) return nullptr;
  issuers_.push_back(std::make_unique<Issuer>(position, fresh_[position]));
  issuers_.back()->name = name;
  return issuers_.back().get();
}

std::optional<uint32_t> IssuerTable::Find(std::string_view name) const {
  const auto found = positions_.find(absl::string_view(name.data(), name.size()));
  if (found == positions_.end()) return std::nullopt;
  return found->second;
}

}  // namespace tollgate::keys
