#pragma once

#include <functional>
#include <optional>

namespace CLI {
class App;
}

namespace tollgate::cli {

// AddAudit adds the command `audit` to `app`. What it returns runs after the arguments were parsed: the exit
// code, or nothing if the arguments are of another command. 0: the log is whole; 1: it is not; 2: the
// arguments or files cannot be used.
std::function<std::optional<int>()> AddAudit(CLI::App* app);

}  // namespace tollgate::cli
