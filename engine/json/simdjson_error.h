#pragma once

#include <simdjson.h>

#include <string_view>

#include "tollgate/reason.h"

namespace tollgate::json {

inline Reason FromSimdjson(simdjson::error_code error) {
  switch (error) {
    case simdjson::SUCCESS:
      return Reason::kNone;
    case simdjson::DEPTH_ERROR:
      return Reason::kTooDeep;
    case simdjson::UTF8_ERROR:
      return Reason::kBadUtf8;
    case simdjson::MEMALLOC:
      return Reason::kOverloaded;
    default:
      return Reason::kBadJson;
  }
}

// RFC 8259 section 8.1 forbids a byte order mark; newer simdjson skips it.
inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace tollgate::json
