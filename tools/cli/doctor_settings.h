#pragma once

#include "tollgate/policy.h"
#include "tools/cli/doctor_probe.h"
#include "tools/cli/doctor_report.h"
#include "tools/tollgated/settings.h"

namespace tollgate::cli {

// DiagnoseSettings tells which bounds of time hold, and what of a good configuration is weaker than it need
// be. `served`: it is a daemon's, and not made of arguments.
void DiagnoseSettings(const tollgated::Settings& settings, bool served, Part* part);

// DiagnoseServer asks a server for its metadata (RFC 9728), as its clients do, and holds it against what
// `server` (null: not known) says of it.
void DiagnoseServer(const Config& config, const ResourceConfig& resource,
                    const tollgated::ServerSettings* server, Prober& prober, Part* part);

// TellPolicyInOutage tells which classes of tools ask issuers about tokens, and what becomes of these while
// nobody answers.
void TellPolicyInOutage(const Policy& policy, Part* part);

}  // namespace tollgate::cli
