#pragma once

#include <string>
#include <string_view>

namespace tollgate::cli {

template <typename List>
std::string Joined(const List& texts, std::string_view separator = " ") {
  std::string joined;
  for (const auto& text : texts) joined += (joined.empty() ? "" : std::string(separator)) + std::string(text);
  return joined;
}

}  // namespace tollgate::cli
