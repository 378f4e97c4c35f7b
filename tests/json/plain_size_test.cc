#include "json/plain_size.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

namespace tollgate::json {
namespace {

bool Ends(int byte) { return byte == '"' || byte == '\\' || byte < 0x20; }

// Each byte at each distance, with neighbours that a carry between bytes would show in, in a buffer of which
// not one byte more may be read.
TEST(PlainSize, EndsAtTheFirstByteThatIsNotPlain) {
  for (const unsigned char around : {'a', ' ', '!', '#', '[', ']', '\x7f', '\x80', '\xff'}) {
    for (size_t distance = 0; distance <= 40; ++distance) {
      for (int byte = 0; byte < 256; ++byte) {
        const size_t size = distance + kPlainSizeReads + 1;
        const auto buffer = std::make_unique<char[]>(size);
        std::fill_n(buffer.get(), size, static_cast<char>(around));
        buffer[distance] = static_cast<char>(byte);
        buffer[distance + 1] = '"';
        const size_t expected = distance + (Ends(byte) ? 0 : 1);
        ASSERT_EQ(PlainSize(buffer.get()), expected) << around << " " << distance << " " << byte;
        ASSERT_EQ(PlainSizePortable(buffer.get()), expected) << around << " " << distance << " " << byte;
      }
    }
  }
}

}  // namespace
}  // namespace tollgate::json
