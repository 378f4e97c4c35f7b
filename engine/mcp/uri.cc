#include "mcp/uri.h"

#include <algorithm>

#include "base/ascii.h"

namespace tollgate::mcp {
namespace {

// TakeCharacter takes one character of a path: "%2e", "%2f" and "%5c" are '.', '/' and '\\'.
char TakeCharacter(std::string_view* path) {
  if (path->size() >= 3 && path->front() == '%') {
    const char high = (*path)[1], low = ascii::Lower((*path)[2]);
    const char c = high == '2' && low == 'e'   ? '.'
                   : high == '2' && low == 'f' ? '/'
                   : high == '5' && low == 'c' ? '\\'
                                               : '%';
    path->remove_prefix(c == '%' ? 1 : 3);
    return c;
  }
  const char c = path->front();
  path->remove_prefix(1);
  return c;
}

bool HasDotSegment(std::string_view path) {
  size_t characters = 0, dots = 0;  // Of the segment so far.
  while (!path.empty()) {
    const char c = TakeCharacter(&path);
    if (c == '/' || c == '\\') {
      if (dots == characters && (dots == 1 || dots == 2)) return true;
      characters = dots = 0;
      continue;
    }
    ++characters;
    dots += c == '.';
  }
  return dots == characters && (dots == 1 || dots == 2);
}

}  // namespace

bool IsNormal(std::string_view uri) {
  const auto may_stand = [](char c) {
    return static_cast<unsigned char>(c) > ' ' && c != '\x7f' && c != '\\';
  };
  if (!std::all_of(uri.begin(), uri.end(), may_stand)) return false;
  std::string_view path = uri.substr(0, uri.find_first_of("?#"));
  // An authority is looked at as a segment: no host is made of dots.
  if (const size_t colon = path.find_first_of(":/"); colon != path.npos && path[colon] == ':') {
    const std::string_view scheme = path.substr(0, colon);
    if (std::any_of(scheme.begin(), scheme.end(), [](char c) { return ascii::Lower(c) != c; })) return false;
    path.remove_prefix(colon + 1);
  }
  return !HasDotSegment(path);
}

}  // namespace tollgate::mcp
