#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::policy {

// ResourcePattern is an AccessRule::name of a resource: a URI, a template or a prefix. Immutable.
class ResourcePattern {
 public:
  enum class Kind : uint8_t { kExact, kTemplate, kPrefix };  // The first that matches counts.

  // Parse returns nullopt, and why in *error, for what is none: no scheme with something behind it, a URI
  // that IsPlain calls none (its variables and last star apart), a variable without name or end, two
  // variables next to each other, a prefix that does not end in "/*", or whose host may be continued
  // ("https://*").
  static std::optional<ResourcePattern> Parse(std::string_view text, std::string* error);

  // Matches tells whether `uri`, as a request names it, is meant. For templates and prefixes only of plain
  // URIs: another spelling of what a stricter rule names must not come under a laxer one. Linear in the size
  // of both.
  bool Matches(std::string_view uri) const;

  Kind kind() const { return kind_; }
  size_t literal_bytes() const { return literal_bytes_; }  // Of several of a kind that match, the most count.

 private:
  Kind kind_ = Kind::kExact;
  size_t literal_bytes_ = 0;
  std::vector<std::string> literals_;  // What stands in front of, between and behind the variables.
};

// IsPlain tells whether servers that normalise URIs leave this one as it is: no percent-encoded unreserved
// character or slash, no incomplete or lower-case percent-encoding (RFC 3986 section 6.2.2), no upper-case
// letter in scheme or host, no default port of http, https, no empty or dot segment, no backslash, space or
// control character, no fragment.
bool IsPlain(std::string_view uri);

}  // namespace tollgate::policy
