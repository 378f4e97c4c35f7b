#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace tollgate::bench {

// HotTokenCounts returns the rotations that bench_hot measured, ascending; empty if it was not run.
std::vector<size_t> HotTokenCounts(const nlohmann::json& results);

// RenderHotPath returns the section that holds hits against their floors, the peer, two threads and what is
// left of a miss without its verification; empty if none of it was measured.
std::string RenderHotPath(const nlohmann::json& results);

// RenderLatencies returns a section for each run of bench_latency.
std::string RenderLatencies(const nlohmann::json& results);

}  // namespace tollgate::bench
