#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "base/zeros.h"

namespace tollgate::sync {

// PaddedText is a text behind which there is more to read: it is copied in whole blocks, without a call. With
// blocks that nearly every text fits into there is no branch on its size either that could be guessed wrong:
// the processor would find that out when the size has come from memory, and begin all that is behind it anew.
template <size_t kBlockBytes>
class PaddedText {
 public:
  static constexpr size_t kBlock = kBlockBytes;

  PaddedText() = default;
  // `size` bytes at `data`, which can be read up to the next multiple of kBlock.
  PaddedText(const char* data, size_t size) : data_(data), size_(size) {}

  size_t size() const { return size_; }
  std::string_view view() const { return {data_, size_}; }
  // CopyTo writes to up to the next multiple of kBlock behind `to`, too.
  void CopyTo(char* to) const {
    // Or they would be read again for each block, since that might have written over them.
    const char* const data = data_;
    const size_t size = size_;
    for (size_t at = 0; at < size; at += kBlock) std::memcpy(to + at, data + at, kBlock);
  }

 private:
  const char* data_ = nullptr;
  size_t size_ = 0;
};

// InternedTexts gives each different text a small number, once and for all. Bounded in texts and in bytes;
// nothing is ever removed, so that a number can be kept anywhere and a text be read without a lock.
// Thread-safe.
class InternedTexts {
 public:
  // Two lines of memory, which are fetched together: a set of scopes and some roles.
  using Padded = PaddedText<128>;

  // A text takes a number for each block that it fills, or begins to: NumbersOf its size.
  InternedTexts(size_t num_texts_max, size_t bytes_max);
  static size_t NumbersOf(size_t bytes) { return bytes == 0 ? 1 : (bytes - 1) / Padded::kBlock + 1; }
  ~InternedTexts();

  // Intern returns the number of `text`; nullopt if it is a new one, and there is no room for it or it may
  // not be. `on_new` is called with a number that is given for the first time, under a lock and before
  // anybody else has it. A new text that there is room for is all that it takes a lock, allocates and writes
  // for.
  std::optional<uint32_t> Intern(
      std::string_view text, absl::FunctionRef<void(uint32_t)> on_new = [](uint32_t) {},
      bool may_be_new = true);

  // Text takes a number that Intern returned (on any thread, with the number handed on properly). Wait-free.
  // Valid as long as this object.
  Padded Text(uint32_t number) const { return {blocks_ + number * Padded::kBlock, sizes_[number]}; }

  size_t size() const;

 private:
  struct State;
  std::optional<uint32_t> Find(std::string_view text, size_t hash) const;
  std::optional<uint32_t> Add(std::string_view text, size_t hash, absl::FunctionRef<void(uint32_t)> on_new);

  // Where a text is follows from its number, so that there is nothing to read before it. Written once, under
  // the lock, before the number is given out; whoever has the number got it after that.
  const size_t mapped_bytes_;
  char* const blocks_;  // Mapped: no memory before it is written to. Null: there was none.
  const Zeros<uint32_t> sizes_;
  const std::unique_ptr<State> state_;
};

}  // namespace tollgate::sync
