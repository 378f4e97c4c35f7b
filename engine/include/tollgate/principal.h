#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tollgate/export.h"
#include "tollgate/policy.h"

namespace tollgate {

// Principal says who is calling. It owns its bytes: nothing in it points into the engine, so it may outlive
// the check, the configuration and the engine. Up to kInlineBytes it needs no heap; longer ones, from tokens
// with many roles, allocate, cached or not, unless this Principal has held as much before. Nothing is ever
// truncated. Reusing one Principal for many checks is cheapest. Thread-compatible.
class TOLLGATE_API Principal {
 public:
  static constexpr size_t kInlineBytes = 960;

  Principal() {}  // Not defaulted: `Principal{}` would zero the inline storage.

  // The fields, empty where the token has none. The views are valid until the Principal is assigned to or
  // destroyed.
  std::string_view issuer() const { return Field(kIssuer); }       // `iss`
  std::string_view subject() const { return Field(kSubject); }     // `sub`
  std::string_view client_id() const { return Field(kClientId); }  // `client_id`, or what the IdP calls it
  std::string_view jwt_id() const { return Field(kJwtId); }        // `jti`
  std::string_view scope() const { return Field(kScope); }         // Space-delimited, RFC 6749 section 3.3
  std::string_view roles() const { return Field(kRoles); }  // Space-delimited; roles hold no white space
  // Who acts for the subject (`act`, RFC 8693 section 4.1), one a line, the current actor first; empty unless
  // kind() is kAgent.
  std::string_view actors() const { return Field(kActors); }

  // kind says what kind of caller it is; kUser where nobody is known.
  PrincipalKind kind() const { return kind_; }

  // Clear empties all fields and keeps the storage.
  void Clear();

  // Fields in the order in which Assign takes them.
  enum FieldIndex : uint8_t { kIssuer, kSubject, kClientId, kJwtId, kScope, kRoles, kActors, kFieldCount };

  // Assign copies all fields. Allocates only if they exceed kInlineBytes together.
  void Assign(std::span<const std::string_view, kFieldCount> fields, PrincipalKind kind);

  // For whoever knows that all fields fit inline: Inline returns kInlineBytes to write them to, and Set says
  // where each of them lies there.
  char* Inline() {
    overflow_.clear();
    return inline_.data();
  }
  void SetKind(PrincipalKind kind) { kind_ = kind; }
  void Set(FieldIndex field, size_t begin, size_t size) {
    fields_[field] = {static_cast<uint32_t>(begin), static_cast<uint32_t>(size)};
  }

 private:
  std::string_view Field(FieldIndex index) const {
    const char* base = overflow_.empty() ? inline_.data() : overflow_.data();
    return {base + fields_[index].begin, fields_[index].size};
  }

  struct Place {
    uint32_t begin = 0;
    uint32_t size = 0;
  };
  std::array<Place, kFieldCount> fields_{};
  PrincipalKind kind_ = PrincipalKind::kUser;
  std::string overflow_;
  std::array<char, kInlineBytes> inline_;
};

}  // namespace tollgate
