// A struct of two versions, and what callers and libraries of each make of the other's.

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

#include "base/c_abi.h"

namespace tollgate {
namespace {

struct Old {
  size_t struct_size;
  uint64_t first;
};

struct New {
  size_t struct_size;
  uint64_t first;
  uint64_t second;
};

}  // namespace

namespace c_abi {
template <>
inline constexpr size_t kFirstBytes<Old> = TOLLGATE_END_OF(Old, first);
template <>
inline constexpr size_t kFirstBytes<New> = TOLLGATE_END_OF(New, first);
}  // namespace c_abi

namespace {

using c_abi::ReadStruct;
using c_abi::WriteStruct;

TEST(Versions, WhatAnOlderCallerLacksIsZero) {
  const New given = {sizeof(Old), 1, 2};  // Behind its end stands something else.
  New read = {9, 9, 9};
  ASSERT_TRUE(ReadStruct(&given, &read));
  EXPECT_EQ(read.first, 1u);
  EXPECT_EQ(read.second, 0u);
}

TEST(Versions, WhatANewerCallerHasMustBeZero) {
  New given = {sizeof(New), 1, 0};
  Old read = {};
  ASSERT_TRUE(ReadStruct(reinterpret_cast<const Old*>(&given), &read));
  EXPECT_EQ(read.first, 1u);
  given.second = uint64_t{1} << 63;
  EXPECT_FALSE(ReadStruct(reinterpret_cast<const Old*>(&given), &read));
}

TEST(Versions, NothingIsWrittenBehindAnOlderCallersStruct) {
  New given = {sizeof(Old), 9, 9};
  ASSERT_TRUE(WriteStruct(New{sizeof(New), 1, 2}, &given));
  EXPECT_EQ(given.struct_size, sizeof(Old));
  EXPECT_EQ(given.first, 1u);
  EXPECT_EQ(given.second, 9u);
}

TEST(Versions, WhatTheLibraryDoesNotKnowIsZeroForANewerCaller) {
  New given = {sizeof(New), 9, 9};
  ASSERT_TRUE(WriteStruct(Old{sizeof(Old), 1}, reinterpret_cast<Old*>(&given)));
  EXPECT_EQ(given.struct_size, sizeof(New));
  EXPECT_EQ(given.first, 1u);
  EXPECT_EQ(given.second, 0u);
}

TEST(Versions, WhatIsNoSizeIsRefused) {
  static New room[200];  // So that even the largest of these would be one.
  static_assert(sizeof room > c_abi::kStructBytesMax + 8);
  for (const size_t size : {size_t{0}, size_t{8}, sizeof(Old) - 1, sizeof(Old) + 1, sizeof(New) + 4,
                            c_abi::kStructBytesMax + 8, std::numeric_limits<size_t>::max()}) {
    room[0] = {size, 9, 9};
    New read = {};
    EXPECT_FALSE(ReadStruct(&room[0], &read)) << size;
    EXPECT_FALSE(WriteStruct(New{sizeof(New), 1, 2}, &room[0])) << size;
    EXPECT_EQ(room[0].first, 9u) << size;
  }
  New read = {};
  EXPECT_FALSE(ReadStruct<New>(nullptr, &read));
  EXPECT_FALSE(WriteStruct<New>(read, nullptr));
}

TEST(Texts, WordsAreWhatSpacesSeparate) {
  c_abi::Texts texts;
  const auto words = [&texts](std::string_view text) { return texts.Words(c_abi::CString(text)); };
  EXPECT_EQ(words("a b:c d"), (std::vector<std::string>{"a", "b:c", "d"}));
  EXPECT_EQ(words("  a  b "), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(words("").empty());
  EXPECT_TRUE(words(" ").empty());
  EXPECT_EQ(words("a\tb"), (std::vector<std::string>{"a\tb"}));
  EXPECT_TRUE(texts.good());
}

TEST(Texts, ALengthWithoutDataIsNoText) {
  c_abi::Texts texts;
  EXPECT_EQ(texts.View({nullptr, 0}), "");
  EXPECT_TRUE(texts.Copy(tollgate_list{nullptr, 0}).empty());
  EXPECT_TRUE(texts.good());
  EXPECT_EQ(texts.View({nullptr, 1}), "");
  EXPECT_FALSE(texts.good());
  EXPECT_EQ(texts.View({"a", 1}), "a");
  EXPECT_FALSE(texts.good()) << "one bad text is forgotten over a good one";

  c_abi::Texts of_lists;
  EXPECT_TRUE(of_lists.Copy(tollgate_list{nullptr, 1}).empty());
  EXPECT_FALSE(of_lists.good());
  c_abi::Texts in_lists;
  const tollgate_string members[] = {{"a", 1}, {nullptr, 1}};
  EXPECT_EQ(in_lists.Copy(tollgate_list{members, 2}).size(), 2u);
  EXPECT_FALSE(in_lists.good());
}

TEST(Written, ATextThatDoesNotFitIsNotWritten) {
  const auto hello = []() -> std::optional<std::string> { return "hello"; };
  char buffer[8] = "before.";
  EXPECT_EQ(c_abi::Written(buffer, 5, hello), 5u);
  EXPECT_STREQ(buffer, "");
  EXPECT_EQ(buffer[1], 'e') << "of what does not fit, no part is written";
  EXPECT_EQ(c_abi::Written(buffer, 6, hello), 5u);
  EXPECT_STREQ(buffer, "hello");
  EXPECT_EQ(c_abi::Written(nullptr, 0, hello), 5u);
  EXPECT_EQ(c_abi::Written(nullptr, 6, hello), TOLLGATE_FAILED);
}

TEST(Written, AFailureFitsNoBuffer) {
  char buffer[8] = "before.";
  EXPECT_EQ(
      c_abi::Written(buffer, sizeof buffer, []() -> std::optional<std::string> { return std::nullopt; }),
      TOLLGATE_FAILED);
  EXPECT_STREQ(buffer, "");
  EXPECT_EQ(c_abi::Written(buffer, sizeof buffer, []() -> std::optional<std::string> { throw 1; }),
            TOLLGATE_FAILED);
}

TEST(Guarded, ExceptionsBecomeStatuses) {
  tollgate_error error = {sizeof error, "before"};
  EXPECT_EQ(c_abi::Guarded(&error, []() -> absl::Status { throw std::bad_alloc(); }), TOLLGATE_OUT_OF_MEMORY);
  EXPECT_STREQ(error.message, "out of memory");
  EXPECT_EQ(c_abi::Guarded(&error, []() -> absl::Status { throw 1; }), TOLLGATE_INTERNAL);
  EXPECT_EQ(c_abi::Guarded(&error, [] { return absl::OkStatus(); }), TOLLGATE_OK);
  EXPECT_STREQ(error.message, "");
  EXPECT_EQ(c_abi::Guarded(nullptr, [] { return absl::ResourceExhaustedError("full"); }),
            TOLLGATE_RESOURCE_EXHAUSTED);
}

TEST(Guarded, AMessageIsCutToItsRoomAndLeftWhereThereIsNone) {
  const std::string text(sizeof(tollgate_error), 'x');
  tollgate_error error = {sizeof error, "before"};
  c_abi::SetError(&error, text);
  EXPECT_EQ(std::string(error.message), text.substr(0, sizeof error.message - 1));
  tollgate_error unset = {0, "before"};
  c_abi::SetError(&unset, text);
  EXPECT_STREQ(unset.message, "before");
  c_abi::SetError(nullptr, text);
}

}  // namespace
}  // namespace tollgate
