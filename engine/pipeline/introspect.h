#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "jose/jws.h"
#include "pipeline/context.h"
#include "pipeline/establish.h"
#include "policy/compiled_policy.h"
#include "sync/thread_blocks.h"
#include "tollgate/clock.h"
#include "tollgate/decision.h"
#include "tollgate/request.h"

namespace tollgate::pipeline {

// Consult asks `issuer` about a token of a good signature as far as `tool` demands it, and returns whether
// the call may go on: kNone, kTokenInactive, kNotYetValid; or, where nobody knows, kIntrospectionPending,
// kIntrospectionUnavailable or kOverloaded, with decision->retry_after_s. What the answer was, and what
// stands in for one, is in the decision. Never waits; takes a lock for a look into a table.
Reason Consult(Context& context, sync::ThreadBlock& counters, uint32_t issuer, std::string_view token,
               const policy::CompiledTool& tool, Now now, Decision* decision);

// EstablishOpaque is Establish for a token that is no JWS, at a resource that has somebody to be asked about
// such: what its issuer answers takes the place of signature and claims. `tool`, null for an unknown one, may
// let the last answer stand in for one that cannot be had. Reasons of Consult and of claims::ValidateAnswer,
// kIssuerNotAllowedHere and kAudienceMissing. established->key stays null.
Reason EstablishOpaque(Context& context, const sync::ReadScope& scope, std::string_view token,
                       ResourceId resource, const policy::CompiledTool* tool, Now now,
                       Established* established, Decision* decision);

// VerifyAnswer is introspection::VerifyAnswer: by the keys of the issuer of this name, which are found as for
// a token, so that an absent one is fetched through the same gate; and not by one that has been revoked.
Reason VerifyAnswer(Context& context, std::string_view issuer, const jose::ParsedJws& answer, Now now,
                    std::optional<jose::VerifiedJws>* verified);

}  // namespace tollgate::pipeline
