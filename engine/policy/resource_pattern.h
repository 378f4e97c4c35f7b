#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::policy {

// ResourcePattern is an AccessRule::name of a resource: a URI, a template or a prefix. Immutable.
// Thread-compatible.
class ResourcePattern {
 public:
  // The first that matches counts. A prefix may have variables, too.
  enum class Kind : uint8_t { kExact, kTemplate, kPrefix };

  // Parse returns nullopt, and why in *error, for what is none: no scheme with something behind it, a URI
  // that IsPlain calls none (its variables and last star apart), a variable without end or of a higher level
  // than RFC 6570's first, two variables next to each other, a star anywhere but behind the last slash, a
  // host that may be continued ("https://*", "https://mcp.example{x}/").
  static std::optional<ResourcePattern> Parse(std::string_view text, std::string* error);

  // Matches tells whether `uri`, as a request names it, is meant: by a template and a prefix also their own
  // text, since lists of templates and completions name them so, and else plain URIs alone: another spelling
  // of what a stricter rule names must not come under a laxer one. A variable stands for one or more
  // characters but / ? # ; and in a query &, which begin something else; the star for one or more but ? # ;
  // and likewise &. Does not allocate; at most in the time of comparing each character of one with each of
  // the other, and usually of reading both once.
  bool Matches(std::string_view uri) const;
  // MatchesPlain is Matches of a URI that IsPlain, for whoever has found that out.
  bool MatchesPlain(std::string_view uri) const;

  Kind kind() const { return kind_; }
  std::string_view text() const { return text_; }
  size_t literal_bytes() const { return literal_bytes_; }  // Of several of a kind that match, the most count.

 private:
  Kind kind_ = Kind::kExact;
  size_t literal_bytes_ = 0;
  std::string text_;
  std::vector<std::string> literals_;  // What stands in front of, between and behind the variables.
};

// IsPlain tells whether `uri` is the one spelling of what it names, for whoever decodes, normalises (RFC 3986
// section 6, WHATWG URL) or reads it carelessly:
//   - no character that RFC 3986 does not have, hence no space, control, backslash or letter beyond ASCII; no
//     fragment, and no bracket (an IPv6 address has many spellings);
//   - percent-encoded in upper case are only characters that cannot stand for themselves, as UTF-8, and none
//     that separates or ends something once it is decoded: / \ ? # % and controls;
//   - scheme and host in lower case; no user, no empty or default port, no dot at the host's end, no IPv4
//     address but as four decimal numbers; no path that begins with one slash (it is written with three), no
//     host "localhost" of a file;
//   - no empty segment, hence no slash at the end, but for the path "/" of http, https, ws, wss, ftp and
//   file,
//     which have that one instead of none; no segment that ends in a dot or space, or is nothing else but
//     what is behind its `;`;
//   - no empty query, and no + in a query, where it may be a space.
// What folds the case of paths or composes letters, as some file systems do, is not seen here.
bool IsPlain(std::string_view uri);

}  // namespace tollgate::policy
