#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tollgate::bench {

// Charts as inline SVG. Colours are CSS variables of the page (--ink, --muted, --grid and the ones that the
// caller names), so that one drawing serves light and dark. Width is the page's; heights follow from the
// content. Every mark carries its numbers as a <title>, which browsers show when it is pointed at. All free
// functions; thread-safe.

// EscapeXml replaces the five characters that mean something in HTML and XML.
std::string EscapeXml(std::string_view text);

// FormatNs writes a duration for people: "27.1 ns", "12.4 µs".
std::string FormatNs(double ns);

// FormatCount writes 12 345 678 with thin spaces.
std::string FormatCount(double count);

struct Bar {
  std::string label;
  double value = 0;
  std::string value_text;
  std::string color;  // A CSS value.
};

// BarGroup is a few bars under one caption.
struct BarGroup {
  std::string caption;
  std::vector<Bar> bars;
};

// HorizontalBars draws groups of bars from zero, each with its label at the left and its value behind its
// end.
std::string HorizontalBars(const std::vector<BarGroup>& groups);

struct Line {
  std::string name;
  std::string color;
  std::vector<double> values;  // One for each step of the time axis; NaN where there is none.
};

// Band shades an interval of time behind the curves.
struct Band {
  double begin_s = 0;
  double end_s = 0;
  std::string color;
};

struct Panel {
  std::string title;
  std::vector<Line> lines;
  bool logarithmic = false;
  bool columns = false;  // Stacked columns instead of lines.
  double height = 150;
};

struct Timeline {
  double step_s = 0.1;
  std::vector<Panel> panels;  // One above the other over the same time axis.
  std::vector<Band> bands;
  std::vector<std::pair<double, std::string>> events;  // Vertical marks.
  std::vector<std::string> tooltips;                   // One for each step.
  std::string axis = "seconds since the load began";
};

std::string DrawTimeline(const Timeline& timeline);

}  // namespace tollgate::bench
