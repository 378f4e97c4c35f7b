#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tools/tollgated/setting_key.h"
#include "tools/tollgated/settings.h"

namespace tollgate::tollgated {

// The keys of a configuration, map by map. docs/configuration.md has them all.

// ServerPart is one member of `servers`.
struct ServerPart : ServerSettings, ResourceConfig {};

const Keys<Settings>& SettingsKeys();
const Keys<ServerPart>& ServerKeys();
const Keys<IssuerConfig>& IssuerKeys();

// ServerPartOf puts together what Settings have of a server in two places.
ServerPart ServerPartOf(const Settings& settings, size_t server);

// AssertionFile is IntrospectionConfig::client_assertion of a daemon: a JWT that somebody else keeps fresh in
// a file, read at each question. Thread-compatible.
struct AssertionFile {
  std::string path;
  std::string operator()() const;
};

// KeyTable is what docs/configuration.md has to say of the keys of one map.
struct KeyTable {
  std::string_view heading;
  std::vector<std::string> rows;  // In Markdown: key, type, default, meaning.
};
std::vector<KeyTable> KeyTables();

}  // namespace tollgate::tollgated
