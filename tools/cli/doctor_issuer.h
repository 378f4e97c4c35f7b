#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "jose/jwk.h"
#include "keys/key_snapshot.h"
#include "tollgate/config.h"
#include "tollgate/metrics.h"
#include "tools/cli/doctor_probe.h"
#include "tools/cli/doctor_report.h"

namespace tollgate::cli {

// SnapshotOnDisk is what a restart would find at this moment, read as the engine reads it. Nothing is
// written.
struct SnapshotOnDisk {
  explicit SnapshotOnDisk(const SnapshotConfig& config);
  SnapshotOnDisk(const SnapshotOnDisk&) = delete;
  SnapshotOnDisk& operator=(const SnapshotOnDisk&) = delete;

  SnapshotHealth health;  // Of its reading.
  std::string bytes;
  std::vector<keys::SnapshotEntry> entries;  // Views of these.
};

// IssuerDiagnosis is what the diagnosis of one issuer found out for the others.
struct IssuerDiagnosis {
  std::string jwks{};           // The set that would serve now; empty: there is none.
  bool restart_serves = false;  // Without the issuer.
};

// DiagnoseIssuer asks one issuer all that the engine would ask it for keys, of all its places, and tells of
// it.
IssuerDiagnosis DiagnoseIssuer(const Config& config, const IssuerConfig& issuer,
                               const SnapshotOnDisk& snapshot, Prober& prober, Part* part);

// UsableSet is a key set as the engine takes it for the tokens of `name`: the issuer, or one of a template's
// tenants.
absl::StatusOr<jose::JwkSet> UsableSet(std::string_view jwks, const IssuerConfig& issuer,
                                       std::string_view name);

// TimeText writes a wall time as people read it: "2026-11-26T13:00:00Z".
std::string TimeText(int64_t wall_s);

}  // namespace tollgate::cli
