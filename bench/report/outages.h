#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace tollgate::bench {

// OutagesInShort returns a paragraph about all scenarios of bench_outage together; empty if there was none.
std::string OutagesInShort(const nlohmann::json& results);

// RenderOutages returns a table of the scenarios, a section for each and the timing contract; empty likewise.
std::string RenderOutages(const nlohmann::json& results);

}  // namespace tollgate::bench
