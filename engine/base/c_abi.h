#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "absl/status/status.h"
#include "tollgate/c/tollgate.h"

// What functions of the C ABI are made of. Its conventions stand at the head of tollgate/c/tollgate.h.
namespace tollgate::c_abi {

// No struct is larger: beyond this, struct_size was never set.
inline constexpr size_t kStructBytesMax = 4096;

// TOLLGATE_END_OF returns how large a struct is that ends with this member.
#define TOLLGATE_END_OF(type, member) (offsetof(type, member) + sizeof(type::member))

// kFirstBytes is how large a struct was in its first version: it never changes.
template <typename Struct>
inline constexpr size_t kFirstBytes = 0;

template <typename Struct>
bool HasSize(const Struct* given) {
  static_assert(std::is_trivially_copyable_v<Struct> && offsetof(Struct, struct_size) == 0);
  static_assert(kFirstBytes<Struct> > sizeof(size_t) && kFirstBytes<Struct> <= sizeof(Struct));
  return given != nullptr && given->struct_size >= kFirstBytes<Struct> &&
         given->struct_size <= kStructBytesMax && given->struct_size % alignof(Struct) == 0;
}

// ReadStruct copies a caller's struct, whose version may be older (what that lacks is zero) or newer (what
// this one does not know must be zero). False if it cannot be read.
template <typename Struct>
[[nodiscard]] bool ReadStruct(const Struct* given, Struct* to) {
  if (!HasSize(given)) return false;
  const auto* const bytes = reinterpret_cast<const unsigned char*>(given);
  const size_t size = given->struct_size;
  if (size > sizeof(Struct) &&
      std::any_of(bytes + sizeof(Struct), bytes + size, [](unsigned char byte) { return byte != 0; }))
    return false;
  *to = {};
  std::memcpy(to, bytes, std::min(size, sizeof(Struct)));
  return true;
}

// WriteStruct fills in a caller's struct as far as it goes; beyond what this version knows, with zeros. False
// if there is nothing that could be filled in.
template <typename Struct>
[[nodiscard]] bool WriteStruct(const Struct& from, Struct* given) {
  if (!HasSize(given)) return false;
  constexpr size_t kHead = sizeof given->struct_size;
  auto* const bytes = reinterpret_cast<unsigned char*>(given);
  const size_t size = given->struct_size;
  std::memcpy(bytes + kHead, reinterpret_cast<const unsigned char*>(&from) + kHead,
              std::min(size, sizeof(Struct)) - kHead);
  if (size > sizeof(Struct)) std::memset(bytes + sizeof(Struct), 0, size - sizeof(Struct));
  return true;
}

// Texts takes over strings and lists of a caller's, and remembers whether there was one that is none.
class Texts {
 public:
  std::string_view View(const tollgate_string& text) {
    if (text.data != nullptr) return {text.data, text.size};
    good_ &= text.size == 0;
    return {};
  }
  std::string Copy(const tollgate_string& text) { return std::string(View(text)); }

  std::vector<std::string> Copy(const tollgate_list& list) {
    std::vector<std::string> texts;
    good_ &= list.data != nullptr || list.size == 0;
    for (size_t i = 0; list.data != nullptr && i < list.size; ++i) texts.push_back(Copy(list.data[i]));
    return texts;
  }

  std::vector<std::string> Words(const tollgate_string& text) {
    std::vector<std::string> words;
    std::string_view rest = View(text);
    while (!rest.empty()) {
      const std::string_view word = rest.substr(0, rest.find(' '));
      if (!word.empty()) words.emplace_back(word);
      rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    }
    return words;
  }

  bool good() const { return good_; }

 private:
  bool good_ = true;
};

inline tollgate_string CString(std::string_view text) { return {text.data(), text.size()}; }

inline void SetError(tollgate_error* error, std::string_view message) {
  if (error == nullptr || error->struct_size < sizeof *error || error->struct_size > kStructBytesMax) return;
  const size_t size = std::min(message.size(), sizeof error->message - 1);
  std::copy_n(message.data(), size, error->message);
  error->message[size] = '\0';
}

inline absl::Status Invalid(std::string_view message) {
  return absl::InvalidArgumentError(absl::string_view(message.data(), message.size()));
}
inline absl::Status NullArgument() { return Invalid("an argument is NULL"); }
inline absl::Status BadStruct() {
  return Invalid("a struct has another size, or members of a newer version");
}
inline absl::Status BadString() { return Invalid("a string or list has a length, and NULL for its data"); }

inline tollgate_status Report(const absl::Status& status, tollgate_error* error) {
  SetError(error, {status.message().data(), status.message().size()});
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return TOLLGATE_OK;
    case absl::StatusCode::kInvalidArgument:
      return TOLLGATE_INVALID_ARGUMENT;
    case absl::StatusCode::kResourceExhausted:
      return TOLLGATE_RESOURCE_EXHAUSTED;
    default:
      return TOLLGATE_INTERNAL;
  }
}

// Guarded calls `body`, which returns an absl::Status, and lets no exception out.
template <typename Body>
tollgate_status Guarded(tollgate_error* error, Body body) noexcept {
  try {
    return Report(body(), error);
  } catch (const std::bad_alloc&) {
    SetError(error, "out of memory");
    return TOLLGATE_OUT_OF_MEMORY;
  } catch (...) {
    SetError(error, "an exception that nobody expected");
    return TOLLGATE_INTERNAL;
  }
}

// GuardedInEngine is Guarded for what goes on inside of an engine or a policy, where the process ends when
// memory runs out: a hash table of Abseil's that could not grow is broken, so that nothing can be gone on
// with.
template <typename Body>
tollgate_status GuardedInEngine(tollgate_error* error, Body body) noexcept {
  return Guarded(error, [&]() -> absl::Status {
    try {
      return body();
    } catch (const std::bad_alloc&) {
      std::terminate();
    }
  });
}

// Made returns what `make` makes, null if that throws.
template <typename Make>
auto Made(Make make) noexcept -> decltype(make()) {
  try {
    return make();
  } catch (...) {
    return nullptr;
  }
}

// Written puts the text that `make` returns, nullopt on failure, into a caller's buffer: convention 8.
template <typename Make>
size_t Written(char* buffer, size_t capacity, Make make) noexcept {
  if (buffer == nullptr && capacity > 0) return TOLLGATE_FAILED;
  if (capacity > 0) *buffer = '\0';
  try {
    const std::optional<std::string> text = make();
    if (!text) return TOLLGATE_FAILED;
    if (text->size() < capacity) std::memcpy(buffer, text->c_str(), text->size() + 1);
    return text->size();
  } catch (...) {
    return TOLLGATE_FAILED;
  }
}

}  // namespace tollgate::c_abi
