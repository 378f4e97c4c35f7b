#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/functional/function_ref.h"

namespace tollgate::sync {

// PaddedText is a text behind which there is more to read: it is copied in whole blocks, without a call or a
// branch on its size.
class PaddedText {
 public:
  static constexpr size_t kBlock = 32;

  PaddedText() = default;
  // `size` bytes at `data`, which can be read up to the next multiple of kBlock.
  PaddedText(const char* data, size_t size) : data_(data), size_(size) {}

  size_t size() const { return size_; }
  std::string_view view() const { return {data_, size_}; }
  // CopyTo writes to up to the next multiple of kBlock behind `to`, too.
  void CopyTo(char* to) const {
    for (size_t at = 0; at < size_; at += kBlock) std::memcpy(to + at, data_ + at, kBlock);
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
  InternedTexts(size_t num_texts_max, size_t bytes_max);
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
  const PaddedText& Text(uint32_t number) const { return texts_[number]; }

  size_t size() const;

 private:
  struct State;
  std::optional<uint32_t> Find(std::string_view text, size_t hash) const;
  std::optional<uint32_t> Add(std::string_view text, size_t hash, absl::FunctionRef<void(uint32_t)> on_new);

  // Written once, under the lock, before the number is given out; whoever has the number got it after that.
  const std::unique_ptr<PaddedText[]> texts_;
  const std::unique_ptr<State> state_;
};

}  // namespace tollgate::sync
