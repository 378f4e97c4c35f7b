#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace tollgate::bench {

// RenderHtml writes results.json as one page that needs nothing else: no script, no font, no image from
// anywhere. Throws nlohmann::json::exception if a member that the schema promises is absent.
std::string RenderHtml(const nlohmann::json& results);

}  // namespace tollgate::bench
