#include <iterator>
#include <string_view>

#include "tollgate/policy.h"

namespace tollgate {
namespace {

// NameIn takes the names in the order of the enumeration.
template <size_t size, typename Enum>
std::string_view NameIn(const std::string_view (&names)[size], Enum value) {
  const auto number = static_cast<size_t>(value);
  return number < size ? names[number] : "?";
}

}  // namespace

std::string_view NameOf(ValidationMode mode) {
  static constexpr std::string_view kNames[] = {"signature", "introspect", "introspect_behind"};
  return NameIn(kNames, mode);
}

std::string_view NameOf(IntrospectionOutage outage) {
  static constexpr std::string_view kNames[] = {"deny_unavailable", "last_known", "local_signature"};
  return NameIn(kNames, outage);
}

std::string_view NameOf(PrincipalKind kind) {
  static constexpr std::string_view kNames[] = {"user", "service", "agent"};
  return NameIn(kNames, kind);
}

std::string_view NameOf(CredentialKind kind) {
  static constexpr std::string_view kNames[] = {"jwt", "opaque"};
  return NameIn(kNames, kind);
}

std::string_view NameOf(AuditDuty duty) {
  static constexpr std::string_view kNames[] = {"none", "sampled", "full", "must_record"};
  return NameIn(kNames, duty);
}

std::string_view NameOf(Predicate::Operator operation) {
  static constexpr std::string_view kNames[] = {"present", "equals", "in", "prefix", "contains"};
  return NameIn(kNames, operation);
}

std::string_view NameOf(McpObject object) {
  static constexpr std::string_view kNames[] = {"method", "tool", "prompt", "resource"};
  return NameIn(kNames, object);
}

}  // namespace tollgate
