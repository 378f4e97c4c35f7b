#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace tollgate::bench {

// RenderFleet returns the section on the simulated fleet; empty if none was.
std::string RenderFleet(const nlohmann::json& results);

}  // namespace tollgate::bench
