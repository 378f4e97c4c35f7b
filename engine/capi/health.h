#pragma once

#include <string>

#include "tollgate/engine.h"

namespace tollgate::c_abi {

// HealthJson returns Engine::ReadHealth, ReadSnapshotHealth and AuditError as a JSON object. What is not
// ASCII in a text is percent-encoded, as in a URI.
std::string HealthJson(const Engine& engine);

}  // namespace tollgate::c_abi
