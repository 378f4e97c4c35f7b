#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace tollgate::bench {

// RenderGateways returns a section for each run of bench_gateway.
std::string RenderGateways(const nlohmann::json& results);

}  // namespace tollgate::bench
