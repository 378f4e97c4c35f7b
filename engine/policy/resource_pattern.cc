#include "policy/resource_pattern.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace tollgate::policy {
namespace {

constexpr bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }
constexpr bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
constexpr bool IsOneOf(char c, std::string_view set) { return set.find(c) != set.npos; }

// pchar of RFC 3986 section 3.3, but for percent-encoded ones.
constexpr bool MayStandInPath(char c) {
  return IsLower(c) || IsUpper(c) || IsDigit(c) || IsOneOf(c, "-._~!$&'()*+,;=:@");
}

// Hierarchical is a scheme that always has an authority and a path (WHATWG URL calls them special).
struct Hierarchical {
  std::string_view scheme;
  std::string_view default_port;  // Empty: there are no ports, and no host is needed.
};
constexpr Hierarchical kHierarchical[] = {{"file", ""},     {"ftp", "21"}, {"http", "80"},
                                          {"https", "443"}, {"ws", "80"},  {"wss", "443"}};

const Hierarchical* FindHierarchical(std::string_view scheme) {
  const auto* const found = std::find_if(std::begin(kHierarchical), std::end(kHierarchical),
                                         [&](const Hierarchical& known) { return known.scheme == scheme; });
  return found == std::end(kHierarchical) ? nullptr : found;
}

bool IsScheme(std::string_view scheme) {
  return !scheme.empty() && IsLower(scheme.front()) && std::all_of(scheme.begin(), scheme.end(), [](char c) {
    return IsLower(c) || IsDigit(c) || IsOneOf(c, "+-.");
  });
}

std::optional<uint32_t> TakeEncodedByte(std::string_view* text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  if (text->size() < 3 || text->front() != '%') return std::nullopt;
  const size_t high = kHex.find((*text)[1]), low = kHex.find((*text)[2]);
  if (high == kHex.npos || low == kHex.npos) return std::nullopt;
  text->remove_prefix(3);
  return static_cast<uint32_t>(high * 16 + low);
}

// TakeEncoded takes one percent-encoded character of UTF-8, in the shortest form (RFC 3629 section 3).
std::optional<uint32_t> TakeEncoded(std::string_view* text) {
  const std::optional<uint32_t> first = TakeEncodedByte(text);
  if (!first || *first < 0x80) return first;
  if (*first < 0xC0 || *first > 0xF7) return std::nullopt;
  const size_t more = *first >= 0xF0 ? 3 : *first >= 0xE0 ? 2 : 1;
  uint32_t code_point = *first & (0x3Fu >> more);
  for (size_t i = 0; i < more; ++i) {
    const std::optional<uint32_t> next = TakeEncodedByte(text);
    if (!next || *next >> 6 != 2) return std::nullopt;
    code_point = code_point << 6 | (*next & 0x3F);
  }
  constexpr std::array<uint32_t, 4> kLeast = {0, 0x80, 0x800, 0x10000};
  const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
  if (code_point < kLeast[more] || code_point > 0x10FFFF || surrogate) return std::nullopt;
  return code_point;
}

// The following return what is wrong, or nothing.
using Complaint = std::string_view;

Complaint LookAtCharacters(std::string_view text) {
  while (!text.empty()) {
    const char c = text.front();
    if (c == '#') return "a fragment";
    if (c != '%') {
      if (!MayStandInPath(c) && c != '/' && c != '?') return "a character that has to be percent-encoded";
      text.remove_prefix(1);
      continue;
    }
    const std::optional<uint32_t> encoded = TakeEncoded(&text);
    if (!encoded) return "a percent-encoding that is incomplete, in lower case or no UTF-8";
    if (*encoded < 0x20 || (*encoded >= 0x7F && *encoded < 0xA0))
      return "a percent-encoded control character";
    if (*encoded >= 0x80) continue;
    const auto decoded = static_cast<char>(*encoded);
    if (MayStandInPath(decoded)) return "a percent-encoded character that may stand for itself";
    if (IsOneOf(decoded, "/\\?#%")) return "a percent-encoded / \\ ? # or %";
  }
  return {};
}

// IsNumericHost: many readers take a host whose last label begins like a number for an IPv4 address.
bool IsNumericHost(std::string_view host) { return IsDigit(host[host.rfind('.') + 1]); }

bool IsDottedDecimal(std::string_view host) {
  for (int number = 0; number < 4; ++number) {
    const std::string_view digits = host.substr(0, number < 3 ? host.find('.') : host.npos);
    if (digits.empty() || digits.size() > 3 || !std::all_of(digits.begin(), digits.end(), IsDigit))
      return false;
    if (digits.front() == '0' && digits.size() > 1) return false;
    if (digits.size() == 3 && digits > "255") return false;
    host.remove_prefix(std::min(host.size(), digits.size() + 1));
  }
  return host.empty();
}

Complaint LookAtAuthority(std::string_view authority, std::string_view scheme,
                          const Hierarchical* hierarchical) {
  const size_t colon = authority.find(':');
  const std::string_view host = authority.substr(0, colon);
  if (host.empty()) {
    if (colon != authority.npos) return "a port without host";
    return hierarchical == nullptr || hierarchical->default_port.empty() ? "" : "no host";
  }
  const auto fits = [](char c) { return IsLower(c) || IsDigit(c) || IsOneOf(c, "-._~"); };
  if (!std::all_of(host.begin(), host.end(), fits))
    return "a host with an upper-case letter, a user or another odd character";
  if (host.back() == '.') return "a host that ends in a dot";
  if (scheme == "file" && host == "localhost") return "a file's host localhost, which is left out";
  if (hierarchical != nullptr && IsNumericHost(host) && !IsDottedDecimal(host))
    return "a host that readers may take for an IPv4 address";
  if (colon == authority.npos) return {};
  const std::string_view port = authority.substr(colon + 1);
  if (port.empty() || port.size() > 5 || port.front() == '0' ||
      !std::all_of(port.begin(), port.end(), IsDigit)) {
    return "a port that is none";
  }
  if (hierarchical != nullptr && port == hierarchical->default_port)
    return "the scheme's own port, which is left out";
  return {};
}

Complaint LookAtSegments(std::string_view path) {
  for (bool more = true; more;) {
    const size_t slash = path.find('/');
    more = slash != path.npos;
    const std::string_view segment = path.substr(0, slash);
    if (more) path.remove_prefix(slash + 1);
    // Servlet containers do not see what is behind a semicolon, Windows no dots and spaces at the end.
    const std::string_view name = segment.substr(0, segment.find(';'));
    if (name.empty()) return "an empty segment, or a slash at its end";
    if (name.ends_with('.') || name.ends_with("%20")) return "a segment that ends in a dot or a space";
  }
  return {};
}

Complaint LookAt(std::string_view uri) {
  const size_t colon = uri.find(':');
  const std::string_view scheme = uri.substr(0, colon);
  if (colon == uri.npos || !IsScheme(scheme)) return "no scheme, in lower case";
  std::string_view path = uri.substr(colon + 1);
  if (const Complaint complaint = LookAtCharacters(path); !complaint.empty()) return complaint;
  if (const size_t question = path.find('?'); question != path.npos) {
    const std::string_view query = path.substr(question + 1);
    if (query.empty()) return "an empty query";
    if (query.find('+') != query.npos) return "a + in its query, which may be a space: it is written %20";
    path = path.substr(0, question);
  }
  if (path.empty()) return "nothing behind its scheme";
  const Hierarchical* const hierarchical = FindHierarchical(scheme);
  if (!path.starts_with("//")) {
    if (hierarchical != nullptr) return "no // behind its scheme";
    if (path.front() == '/') return "one slash behind its scheme, which is written with three";
    return LookAtSegments(path);
  }
  path.remove_prefix(2);
  const std::string_view authority = path.substr(0, path.find('/'));
  if (const Complaint complaint = LookAtAuthority(authority, scheme, hierarchical); !complaint.empty())
    return complaint;
  path.remove_prefix(authority.size());
  if (path.empty()) {
    if (hierarchical != nullptr) return "no path: at least / is needed";
    return authority.empty() ? "nothing behind its scheme" : "";
  }
  if (path == "/" && hierarchical != nullptr) return {};
  return LookAtSegments(path.substr(1));
}

// varname of RFC 6570 section 2.3, but for percent-encoded ones.
bool IsVariableName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return IsLower(c) || IsUpper(c) || IsDigit(c) || c == '_' || c == '.';
  });
}

// EndsInHost: what is put behind `start` continues a host that people find by its name.
bool EndsInHost(std::string_view start) {
  const size_t host = start.find("://");
  return host != start.npos && FindHierarchical(start.substr(0, host)) != nullptr &&
         start.find_first_of("/?", host + 3) == start.npos;
}

}  // namespace

bool IsPlain(std::string_view uri) { return LookAt(uri).empty(); }

std::optional<ResourcePattern> ResourcePattern::Parse(std::string_view text, std::string* error) {
  const auto refuse = [error](std::string why) {
    *error = std::move(why);
    return std::nullopt;
  };
  ResourcePattern pattern;
  pattern.text_ = text;
  std::string_view rest = text;
  if (rest.ends_with("/*")) {
    pattern.kind_ = Kind::kPrefix;
    rest.remove_suffix(1);
    if (rest.ends_with("://") && rest.find(':') == rest.size() - 3)
      return refuse("a host that may be continued");
  }
  if (rest.find('*') != rest.npos) return refuse("a * that is not behind its last slash");

  std::string example;  // A URI that matches.
  for (bool more = true; more;) {
    const size_t open = rest.find('{');
    more = open != rest.npos;
    const std::string_view literal = rest.substr(0, open);
    if (literal.find('}') != literal.npos) return refuse("a } without {");
    if (!pattern.literals_.empty()) {
      if (more && literal.empty()) return refuse("two variables next to each other");
      if (EndsInHost(example) && !literal.starts_with('.')) return refuse("a host that may be continued");
      example += 'x';
    } else if (literal.find(':') == literal.npos) {
      return refuse("no scheme, in lower case");
    }
    example += literal;
    pattern.literals_.emplace_back(literal);
    pattern.literal_bytes_ += literal.size();
    if (!more) break;
    const size_t close = rest.find('}', open);
    if (close == rest.npos) return refuse("a variable without }");
    if (!IsVariableName(rest.substr(open + 1, close - open - 1)))
      return refuse("a variable that is not a name alone (RFC 6570, level 1)");
    if (pattern.kind_ == Kind::kExact) pattern.kind_ = Kind::kTemplate;
    rest.remove_prefix(close + 1);
  }
  if (pattern.kind_ == Kind::kPrefix) example += 'x';
  if (const Complaint complaint = LookAt(example); !complaint.empty()) return refuse(std::string(complaint));
  return pattern;
}

bool ResourcePattern::Matches(std::string_view uri) const {
  return uri == text_ || (IsPlain(uri) && MatchesPlain(uri));
}

bool ResourcePattern::MatchesPlain(std::string_view uri) const {
  if (uri == text_) return true;
  if (kind_ == Kind::kExact || !uri.starts_with(literals_.front())) return false;
  size_t at = literals_.front().size();
  bool in_query = false;
  // TakeUntil takes what a variable or the star stands for.
  const auto take_until = [&](size_t end, std::string_view forbidden) {
    in_query = in_query || uri.substr(0, at).find('?') != uri.npos;
    const std::string_view value = uri.substr(at, end - at);
    at = end;
    return !value.empty() && value.find_first_of(forbidden) == value.npos &&
           !(in_query && value.find('&') != value.npos);
  };
  for (size_t i = 1; i < literals_.size(); ++i) {
    const std::string& literal = literals_[i];
    const bool is_end = kind_ == Kind::kTemplate && i + 1 == literals_.size();
    // The first place where the literal stands is as good as any: one without / ? ; may as well be a part of
    // what the next variable stands for, and one with cannot be a part of what this one stands for.
    size_t next = uri.find(literal, at + 1);
    if (is_end) next = uri.ends_with(literal) ? uri.size() - literal.size() : uri.npos;
    if (next == uri.npos || next <= at || !take_until(next, "/?;")) return false;
    at += literal.size();
  }
  return kind_ == Kind::kTemplate || take_until(uri.size(), "?;");
}

}  // namespace tollgate::policy
