#pragma once

#include <cstddef>
#include <string_view>

namespace tollgate::audit {

// kTraceparentSeenBytes is how much of a field Traceparent has to see: what version 00 has, and one more.
inline constexpr size_t kTraceparentSeenBytes = 56;

// Traceparent returns what of the field's value is a traceparent (W3C Trace Context section 3.2), or an empty
// text: lower-case version, trace-id, parent-id and flags, neither id all zero. Of a version other than 00
// the same part, which later versions begin with, if nothing or a dash follows; ff is none.
std::string_view Traceparent(std::string_view field);

}  // namespace tollgate::audit
