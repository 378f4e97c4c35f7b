#pragma once

// TOLLGATE_API marks what the shared library exports; everything else is hidden.
#define TOLLGATE_API __attribute__((visibility("default")))
