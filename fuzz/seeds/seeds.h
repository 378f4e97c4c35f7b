#pragma once

#include <map>
#include <string>

#include "fuzz/world.h"

// What fuzz_seeds writes, by the rooms of the targets. Everything in it is fixed: keys printed in RFCs, a
// clock that stands still, signatures that are deterministic or copied from one run.
namespace tollgate::fuzz {

// By target, and by the name of the file.
using Seeds = std::map<std::string, std::map<std::string, std::string>>;

void AddJoseSeeds(Seeds& seeds);
void AddClaimsSeeds(Seeds& seeds);
void AddKeysSeeds(Seeds& seeds);
void AddPolicySeeds(Seeds& seeds);
void AddMcpSeeds(Seeds& seeds);
void AddTollgatedSeeds(Seeds& seeds);

nlohmann::json With(nlohmann::json object, const nlohmann::json& patch);

std::string Token(const nlohmann::json& claims_patch = nlohmann::json::object(),
                  const nlohmann::json& header_patch = nlohmann::json::object(),
                  const idp::SigningKey& key = EdKey());

// A token that kid "ec" signed: ECDSA signatures are random, this one is kept.
inline constexpr char kEs256Token[] =
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImVjIiwidHlwIjoiYXQrand0In0.eyJhdWQiOiJodHRwczovL21jcC5leGFtcGxlL21j"
    "cCIsImNsaWVudF9pZCI6ImFnZW50LTEiLCJleHAiOjE4MDAwMDA2MDAsImlhdCI6MTc5OTk5OTk5MCwiaXNzIjoiaHR0cHM6"
    "Ly9pZHAuZXhhbXBsZSIsImp0aSI6ImlkLTEiLCJzY29wZSI6ImZpbGVzOnJlYWQgeCIsInN1YiI6ImFsaWNlIn0.QWJbCoX-"
    "tPxhYTtSJUmmMp14Qkm49W8Jvj7-n_enyS1ddgXAFFk-8Vfp3dasx1QwA7yj_oIddIJs_2JPvTHhzA";

}  // namespace tollgate::fuzz
