#pragma once

#include <memory>
#include <string>

#include "tollgate/c/tollgate.h"
#include "tollgate/clock.h"
#include "tollgate/config.h"
#include "tollgate/engine.h"
#include "tollgate/principal.h"

// What is behind the opaque types of tollgate/c/tollgate.h; tollgate_policy is in policy/c_policy.h.

struct tollgate_config {
  tollgate::Config config;  // But for the audit sink, of which each engine has its own.
  std::string audit_file;
  tollgate_audit_write audit_write = nullptr;
  void* audit_user = nullptr;
  std::string ca_file;
  tollgate_read_clock read_clock = nullptr;
  void* clock_user = nullptr;
  tollgate_wanted wanted = nullptr;
  void* wanted_user = nullptr;
  bool own_thread = true;
};

struct tollgate_engine {
  std::unique_ptr<const tollgate::Clock> clock;  // Null: the system's.
  std::unique_ptr<tollgate::Engine> engine;
};

struct tollgate_principal {
  tollgate::Principal principal;
};
