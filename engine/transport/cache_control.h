#pragma once

#include <cstdint>
#include <string_view>

namespace tollgate::transport {

// MaxAgeSeconds returns how long a response stays fresh in a private cache by its Cache-Control and Age
// header values, several lines of one joined by commas: max-age less Age, at least 0 (RFC 9111
// sections 4.2.1, 4.2.3, 5.2.2.1); −1 if max-age is not given. no-store and no-cache give 0, and so does what
// contradicts itself or is malformed: section 4.2.1 would have it considered stale. At most 2^31
// (section 1.2.2). Does not allocate.
int64_t MaxAgeSeconds(std::string_view cache_control, std::string_view age);

}  // namespace tollgate::transport
