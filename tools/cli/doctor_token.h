#pragma once

#include <map>
#include <string>
#include <string_view>

#include "tollgate/config.h"
#include "tools/cli/doctor_report.h"

namespace tollgate::cli {

// DiagnoseToken holds a token against its issuer's keys, which `jwks` has by the issuers' names, and against
// every profile. No part of the token but single claims is told.
void DiagnoseToken(const Config& config, const std::map<std::string, std::string>& jwks,
                   std::string_view token, Part* part);

}  // namespace tollgate::cli
