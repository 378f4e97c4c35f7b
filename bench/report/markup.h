#pragma once

#include <cstdio>
#include <string>

namespace tollgate::bench {

// Pieces of the report's HTML.

// Number writes `value` with that many decimals.
inline std::string Number(double value, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

// Times writes a ratio: "1.234 ×".
inline std::string Times(double ratio) {
  return Number(ratio, ratio < 1.995 ? 3 : ratio < 10 ? 2 : 1) + " ×";
}

// Cell writes a table's cell around `text`, which is markup.
inline std::string Cell(const std::string& text, const char* css_class = "") {
  return std::string("<td") + (*css_class ? std::string(" class='") + css_class + "'" : "") + ">" + text +
         "</td>";
}

inline std::string Badge(bool good, const char* yes, const char* no) {
  return std::string("<span class='badge ") + (good ? "good'>" : "bad'>") + (good ? yes : no) + "</span>";
}

}  // namespace tollgate::bench
