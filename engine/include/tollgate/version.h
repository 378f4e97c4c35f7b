#pragma once

#include <string_view>

#include "tollgate/export.h"

namespace tollgate {

// Version returns the version of the library, such as "0.1.0". Static storage.
TOLLGATE_API std::string_view Version();

}  // namespace tollgate
