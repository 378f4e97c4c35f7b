#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "policy/caller.h"
#include "policy/interpreter.h"
#include "tollgate/policy.h"
#include "tools/cli/policy_questions.h"

// Answers about policies as text: lines that end in a line break, of pure ASCII but for the marks and colours
// of kTerminal, so that nothing that a policy or a token says can steer a terminal.
namespace tollgate::cli {

enum class Form : uint8_t { kPlain, kTerminal, kJson };

// SafeText returns `text` as it stands in a JSON string of pure ASCII, but with quotation marks as they are.
std::string SafeText(std::string_view text);

// Explanation says why `caller` may or may not use `target`; *allowed is the answer.
std::string Explanation(const Policy& policy, const policy::Caller& caller, const policy::Target& target,
                        Form form, bool* allowed);

std::string TextOf(const PolicyDiff& diff, Form form);

std::string TextOf(const Policy& policy, const Reach& reach, Form form);

}  // namespace tollgate::cli
