#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "tollgate/policy.h"
#include "tools/tollgated/settings.h"
#include "tools/tollgated/settings_reader.h"

namespace tollgate::tollgated {

// FindMistakes tells what is wrong with several keys together, or with a text that has a form of its own.
// What the engine finds by itself is not looked for.
void FindMistakes(const Settings& settings, SettingsReader& reader);

// IsHttpsOrLoopback: what RFC 8414 and 9728 demand of identifiers that clients ask, and what demos have.
bool IsHttpsOrLoopback(std::string_view uri);

// Misfit is what keeps a policy from being decided by at one server.
struct Misfit {
  size_t server = 0;  // Of Settings::servers.
  std::string message{};
};

// FindMisfit: rules for single tools need to know which tool a request is about. A server that every request
// to is decided as the use of one tool has a rule for that one, and none that would never be asked.
std::optional<Misfit> FindMisfit(const Settings& settings, const Policy& policy);

// TellEngineError tells what Engine::Create said of the settings, where it stands.
void TellEngineError(const Settings& settings, std::string_view message, SettingsReader& reader);

}  // namespace tollgate::tollgated
