#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "sync/interned_texts.h"

namespace tollgate::pipeline {

// IssuerNames has the issuers' names by position, ready to be copied in whole blocks. A name is set while
// nobody else may look at its position (keys::KeyStore::Hook), and read by any thread afterwards: so there is
// nothing to wait for, and no atomic. Thread-compatible, position by position.
class IssuerNames {
 public:
  using Name = sync::PaddedText<64>;
  static constexpr size_t kBytesEach = sizeof(Name) + sizeof(std::unique_ptr<char[]>);

  explicit IssuerNames(size_t num_positions)
      : texts_(std::make_unique<Name[]>(num_positions)),
        bytes_(std::make_unique<std::unique_ptr<char[]>[]>(num_positions)) {}

  void Set(uint32_t position, std::string_view name) {
    auto copy = std::make_unique<char[]>((name.size() + Name::kBlock - 1) / Name::kBlock * Name::kBlock);
    if (!name.empty()) std::memcpy(copy.get(), name.data(), name.size());
    texts_[position] = Name(copy.get(), name.size());
    bytes_[position] = std::move(copy);
  }

  const Name& Text(uint32_t position) const { return texts_[position]; }

 private:
  const std::unique_ptr<Name[]> texts_;
  const std::unique_ptr<std::unique_ptr<char[]>[]> bytes_;
};

}  // namespace tollgate::pipeline
