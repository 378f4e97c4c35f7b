#pragma once

#include "tollgate/c/tollgate.h"
#include "tollgate/policy.h"

// tollgate_policy is what the C ABI calls a policy. Here, since the rooms that make one, capi and
// policy_file, are in two libraries.
struct tollgate_policy {
  tollgate::PolicyBuilder builder;
};
