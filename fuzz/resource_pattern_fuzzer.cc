// resource_pattern: a template or prefix matches what a slow matcher does, and one spelling of it alone
//
// Functions: policy::ResourcePattern, policy::IsPlain. The input is a pattern, a line break, and a URI.
// Property: the pattern matches exactly what a matcher that tries all ways does. A plain URI is, to the
// letter, what a careless server's reading of it comes to when it is written down again: one that mends
// slashes, decodes again and again, cuts off what it does not expect, and takes addresses as the C library
// does. So two plain URIs are never the same for it.

#include <arpa/inet.h>

#include <cctype>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fuzz/fuzz.h"
#include "policy/resource_pattern.h"

namespace tollgate::fuzz {
namespace {

using policy::ResourcePattern;

std::string Lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::string DecodeOnce(const std::string& text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto is_hex = [&](size_t at) {
      return at < text.size() && std::isxdigit(static_cast<unsigned char>(text[at]));
    };
    if (text[i] == '%' && is_hex(i + 1) && is_hex(i + 2)) {
      decoded += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

std::string Decode(std::string text) {
  for (std::string before; text != before;) {
    before = text;
    text = DecodeOnce(text);
  }
  return text;
}

std::string Encode(const std::string& text, const std::string& may_stand) {
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 && (std::isalnum(byte) || may_stand.find(c) != std::string::npos)) {
      encoded += c;
    } else {
      char triplet[4];
      std::snprintf(triplet, sizeof triplet, "%%%02X", byte);
      encoded += triplet;
    }
  }
  return encoded;
}

bool IsUtf8(const std::string& text) {
  try {
    return !nlohmann::json(text).dump().empty();
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

const std::map<std::string, std::string> kPorts = {{"file", "none"}, {"ftp", "21"}, {"http", "80"},
                                                   {"https", "443"}, {"ws", "80"},  {"wss", "443"}};
const std::string kPathCharacters = "-._~!$&'()*+,;=:@";

std::string HostAgain(std::string authority, const std::string& scheme) {
  if (const size_t at = authority.rfind('@'); at != authority.npos) authority = authority.substr(at + 1);
  authority = Lower(Decode(authority));
  const size_t colon = authority.rfind(':');
  std::string host = authority.substr(0, colon);
  std::string port = colon == authority.npos ? "" : authority.substr(colon + 1);
  while (!host.empty() && host.back() == '.') host.pop_back();
  while (!port.empty() && port.front() == '0') port.erase(0, 1);
  const bool known = kPorts.contains(scheme);
  if (known && kPorts.at(scheme) == port) port.clear();
  in_addr address;
  if (known && inet_aton(host.c_str(), &address) != 0) host = inet_ntoa(address);
  if (scheme == "file" && host == "localhost") host.clear();
  return host + (port.empty() ? "" : ":" + port);
}

std::string SegmentsAgain(std::string path) {
  path = Decode(path);
  path = path.substr(0, path.find_first_of(std::string("?#\0", 3)));
  std::vector<std::string> segments;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find_first_of("/\\", begin), path.size());
    const std::string segment = path.substr(begin, end - begin);
    begin = end + 1;
    const size_t semicolon = std::min(segment.find(';'), segment.size());
    std::string name = segment.substr(0, semicolon);
    const bool goes_up = name == "..";
    while (!name.empty() && (name.back() == '.' || name.back() == ' ')) name.pop_back();
    if (goes_up && !segments.empty()) segments.pop_back();
    if (!name.empty()) segments.push_back(name + segment.substr(semicolon));
  }
  std::string again;
  for (const std::string& segment : segments) again += "/" + Encode(segment, kPathCharacters);
  return again;
}

// WrittenAgain reads `uri` carelessly and writes down what it has understood; nullopt: nothing.
std::optional<std::string> WrittenAgain(std::string_view uri) {
  std::string rest;
  for (const char c : uri) {
    if (static_cast<unsigned char>(c) > ' ' && c != '\x7f') rest += c == '\\' ? '/' : c;
  }
  rest = rest.substr(0, rest.find('#'));
  const size_t colon = rest.find(':');
  if (colon == rest.npos || !IsUtf8(Decode(rest))) return std::nullopt;
  const std::string scheme = Lower(rest.substr(0, colon));
  rest = rest.substr(colon + 1);
  std::string query;
  if (const size_t question = rest.find('?'); question != rest.npos) {
    query = rest.substr(question + 1);
    rest = rest.substr(0, question);
    for (char& c : query) c = c == '+' ? ' ' : c;
    query = Encode(Decode(query), kPathCharacters + "/?");
    if (!query.empty()) query = "?" + query;
  }
  const bool known = kPorts.contains(scheme);
  if (known && scheme != "file")
    rest = "//" + rest.substr(std::min(rest.find_first_not_of('/'), rest.size()));
  if (!rest.starts_with('/') && !known) {
    const std::string segments = SegmentsAgain(rest);
    return scheme + ":" + (segments.empty() ? "" : segments.substr(1)) + query;
  }
  std::string authority;
  if (rest.starts_with("//")) {
    authority = rest.substr(2, rest.find('/', 2) - 2);
    rest = rest.substr(2 + authority.size());
  }
  const std::string segments = SegmentsAgain(rest);
  return scheme + "://" + HostAgain(authority, scheme) + (segments.empty() && known ? "/" : segments) + query;
}

// Matcher tries all ways in which a pattern's pieces may stand for a URI's.
class Matcher {
 public:
  Matcher(std::string_view pattern, std::string_view uri) : pattern_(pattern), uri_(uri) {}
  bool Matches() { return From(0, 0, false); }

 private:
  // From: the pattern from `p` on, and the URI from `u` on; `inside`: a variable has a character already.
  bool From(size_t p, size_t u, bool inside) {
    if (p == pattern_.size()) return u == uri_.size();
    const auto [known, is_new] = known_.try_emplace({p, u * 2 + inside}, false);
    if (!is_new) return known->second;
    bool matches = false;
    const bool is_star = pattern_[p] == '*';
    if (is_star || pattern_[p] == '{') {
      const size_t behind = is_star ? p + 1 : pattern_.find('}', p) + 1;
      const bool in_query = uri_.substr(0, u).find('?') != uri_.npos;
      const bool fits = u < uri_.size() && uri_[u] != '?' && uri_[u] != ';' && (uri_[u] != '/' || is_star) &&
                        (uri_[u] != '&' || !in_query);
      matches = (inside && From(behind, u, false)) || (fits && From(p, u + 1, true));
    } else {
      matches = u < uri_.size() && pattern_[p] == uri_[u] && From(p + 1, u + 1, false);
    }
    return known_[{p, u * 2 + inside}] = matches;
  }

  const std::string_view pattern_, uri_;
  std::map<std::pair<size_t, size_t>, bool> known_;
};

}  // namespace

bool Accepts(std::string_view input) {
  const size_t line_break = input.find('\n');
  const std::string_view text = input.substr(0, line_break);
  const std::string_view uri =
      line_break == input.npos ? std::string_view() : input.substr(line_break + 1, 512);
  const bool plain = policy::IsPlain(uri);
  if (plain) Expect(WrittenAgain(uri) == uri, "a plain URI is the one spelling of what it names");

  std::string error;
  const std::optional<ResourcePattern> pattern = ResourcePattern::Parse(text.substr(0, 512), &error);
  if (!pattern) {
    Expect(!error.empty(), "a refusal says why");
    Expect(!policy::IsPlain(text) || text.find('*') != text.npos, "a plain URI is a pattern");
    return false;
  }
  const bool exact = pattern->kind() == ResourcePattern::Kind::kExact;
  Expect(exact == (text.find_first_of("{*") == text.npos), "what has neither variable nor star is exact");
  Expect(!exact || policy::IsPlain(text), "an exact one is plain");
  Expect(pattern->Matches(text), "its own text");
  const bool meant = uri == text || (!exact && plain && Matcher(text, uri).Matches());
  Expect(pattern->Matches(uri) == meant, "it matches what the slow matcher does");
  return meant;
}

}  // namespace tollgate::fuzz
