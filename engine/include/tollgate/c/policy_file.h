#pragma once

#include "tollgate/c/tollgate.h"

// Policies as YAML files, from C: in the library of tollgate/policy_file.h, which alone needs yaml-cpp. The
// conventions are those of c/tollgate.h.
#ifdef __cplusplus
extern "C" {
#endif

// tollgate_policy_from_yaml makes the policy that `yaml` is (docs/policy.md), to be ended by
// tollgate_policy_free: ParsePolicy, whose first error `error` has ("line 3, column 7: …"). Further rules may
// be added. *policy is NULL on failure.
TOLLGATE_API tollgate_status tollgate_policy_from_yaml(tollgate_string yaml, tollgate_policy** policy,
                                                       tollgate_error* error) TOLLGATE_NOEXCEPT;

#ifdef __cplusplus
}
#endif
