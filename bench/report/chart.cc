#include "bench/report/chart.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace tollgate::bench {
namespace {

constexpr double kWidth = 940;

[[gnu::format(printf, 1, 2)]] std::string Format(const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return text;
}

std::string Text(double x, double y, const char* css_class, std::string_view anchor, std::string_view text) {
  return Format("<text x='%.1f' y='%.1f' class='%s' text-anchor='%.*s'>", x, y, css_class,
                static_cast<int>(anchor.size()), anchor.data()) +
         EscapeXml(text) + "</text>\n";
}

std::string OpenSvg(double height, std::string_view label) {
  return Format("<svg viewBox='0 0 %.0f %.0f' role='img' aria-label='", kWidth, height) + EscapeXml(label) +
         "'>\n";
}

// The least of 1, 2, 5 × 10ⁿ that is not below `step`.
double NiceStep(double step) {
  const double power = std::pow(10, std::floor(std::log10(step)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= step * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

// Scale maps values to pixels.
struct Scale {
  double low = 0, high = 1;  // Values.
  double from = 0, to = 1;   // Pixels.
  bool logarithmic = false;

  double operator()(double value) const {
    const auto place = [this](double v) { return logarithmic ? std::log10(std::max(v, low)) : v; };
    return from + (place(value) - place(low)) / (place(high) - place(low)) * (to - from);
  }
  std::vector<double> Ticks(int count) const {
    std::vector<double> ticks;
    if (logarithmic) {
      for (double tick = low; tick <= high * 1.001; tick *= 10) ticks.push_back(tick);
    } else {
      const double step = NiceStep((high - low) / count);
      for (double tick = low; tick <= high + step / 1000; tick += step) ticks.push_back(tick);
    }
    return ticks;
  }
};

std::string TickText(double value) {
  if (value >= 1e6) return Format("%gM", value / 1e6);
  if (value >= 1e3) return Format("%gk", value / 1e3);
  return Format("%g", value);
}

double Total(const Panel& panel, size_t step) {
  double total = 0;
  for (const Line& line : panel.lines) {
    if (!std::isnan(line.values[step])) total += line.values[step];
  }
  return total;
}

Scale ValueScale(const Panel& panel, double top) {
  double most = 0, least = HUGE_VAL;
  for (const Line& line : panel.lines) {
    for (size_t i = 0; i < line.values.size(); ++i) {
      const double value = panel.columns ? Total(panel, i) : line.values[i];
      if (std::isnan(value)) continue;
      most = std::max(most, value);
      if (value > 0) least = std::min(least, value);
    }
  }
  Scale scale{.low = 0,
              .high = std::max(most, 1e-9) * 1.08,
              .from = top + panel.height,
              .to = top,
              .logarithmic = panel.logarithmic};
  if (panel.logarithmic) {
    scale.low = std::pow(10, std::floor(std::log10(std::min(least, most))));
    scale.high = std::max(std::pow(10, std::ceil(std::log10(std::max(most, 1e-9)))), scale.low * 10);
  }
  return scale;
}

// A path through the points that exist, lifted where they do not.
std::string DrawLine(const Line& line, const Scale& x, const Scale& y, double step_s) {
  std::string path;
  bool down = false;
  for (size_t i = 0; i < line.values.size(); ++i) {
    if (std::isnan(line.values[i])) {
      down = false;
      continue;
    }
    path += Format("%s%.1f %.1f", down ? "L" : "M", x((static_cast<double>(i) + 0.5) * step_s),
                   y(line.values[i]));
    down = true;
  }
  return "<path d='" + path + "' fill='none' stroke='" + line.color +
         "' stroke-width='1.6' stroke-linejoin='round'/>\n";
}

std::string DrawColumns(const Panel& panel, const Scale& x, const Scale& y, double step_s) {
  std::string svg;
  std::vector<double> base(panel.lines.front().values.size(), 0);
  for (const Line& line : panel.lines) {
    for (size_t i = 0; i < line.values.size(); ++i) {
      if (std::isnan(line.values[i]) || line.values[i] <= 0) continue;
      const double left = x(static_cast<double>(i) * step_s), right = x(static_cast<double>(i + 1) * step_s);
      const double top = y(base[i] + line.values[i]), bottom = y(base[i]);
      const double gap = right - left > 6 ? 1 : -0.2;  // Narrow columns touch: stripes would draw the eye.
      svg += Format("<rect x='%.1f' y='%.1f' width='%.1f' height='%.1f' fill='%s'/>\n", left, top,
                    right - left - gap, bottom - top, line.color.c_str());
      base[i] += line.values[i];
    }
  }
  return svg;
}

std::string DrawLegend(const Panel& panel, double right, double y) {
  std::string svg;
  double x = right;
  for (auto line = panel.lines.rbegin(); line != panel.lines.rend(); ++line) {
    x -= 6.6 * static_cast<double>(line->name.size());
    svg += Text(x, y, "small", "start", line->name);
    x -= 14;
    svg += Format("<rect x='%.1f' y='%.1f' width='10' height='10' rx='2' fill='%s'/>\n", x, y - 9,
                  line->color.c_str());
    x -= 16;
  }
  return svg;
}

}  // namespace

std::string EscapeXml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string FormatNs(double ns) {
  if (ns < 100) return Format("%.1f ns", ns);
  if (ns < 1000) return Format("%.0f ns", ns);
  if (ns < 1e5) return Format("%.1f µs", ns / 1e3);
  if (ns < 1e6) return Format("%.0f µs", ns / 1e3);
  return Format("%.1f ms", ns / 1e6);
}

std::string FormatCount(double count) {
  std::string digits = Format("%.0f", count), out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % 3 == 0) out += "\u202f";
    out += digits[i];
  }
  return out;
}

std::string HorizontalBars(const std::vector<BarGroup>& groups) {
  constexpr double kLabels = 265, kRow = 23, kBar = 15, kGap = 30, kValues = 190;
  double height = 4;
  for (const BarGroup& group : groups) {
    height += kRow * static_cast<double>(group.bars.size()) + (group.caption.empty() ? 8 : kGap);
  }
  std::string svg = OpenSvg(height, "bar chart");
  double y = 4;
  for (const BarGroup& group : groups) {
    double most = 0;
    for (const Bar& bar : group.bars) most = std::max(most, bar.value);
    const Scale x{.low = 0, .high = most, .from = kLabels, .to = kWidth - kValues};
    if (!group.caption.empty()) {
      svg += Text(0, y + 14, "strong", "start", group.caption);
      y += 22;
    }
    for (const Bar& bar : group.bars) {
      const double end = std::max(x(bar.value), kLabels + 1);
      svg += Text(kLabels - 10, y + 12, "label", "end", bar.label);
      svg += Format("<rect x='%.1f' y='%.1f' width='%.1f' height='%.1f' rx='2' fill='%s'><title>", kLabels, y,
                    end - kLabels, kBar, bar.color.c_str()) +
             EscapeXml(bar.label + ": " + bar.value_text) + "</title></rect>\n";
      svg += Text(end + 8, y + 12, "value", "start", bar.value_text);
      y += kRow;
    }
    y += 8;
  }
  return svg + "</svg>\n";
}

std::string DrawTimeline(const Timeline& timeline) {
  constexpr double kLeft = 52, kRight = kWidth - 8, kTitle = 34, kFoot = 40, kHead = 20;
  const size_t steps = timeline.tooltips.size();
  const Scale x{.low = 0, .high = static_cast<double>(steps) * timeline.step_s, .from = kLeft, .to = kRight};
  double height = kFoot + kHead;
  for (const Panel& panel : timeline.panels) height += kTitle + panel.height;
  std::string svg = OpenSvg(height, "timeline");
  double top = kHead;
  for (const Panel& panel : timeline.panels) {
    top += kTitle;
    const double bottom = top + panel.height;
    for (const Band& band : timeline.bands) {
      svg += Format("<rect x='%.1f' y='%.1f' width='%.1f' height='%.1f' fill='%s'/>\n", x(band.begin_s), top,
                    x(band.end_s) - x(band.begin_s), panel.height, band.color.c_str());
    }
    const Scale y = ValueScale(panel, top);
    for (const double tick : y.Ticks(4)) {
      svg += Format("<line x1='%.1f' x2='%.1f' y1='%.1f' y2='%.1f' class='grid'/>\n", kLeft, kRight, y(tick),
                    y(tick));
      svg += Text(kLeft - 7, y(tick) + 4, "tick", "end", TickText(tick));
    }
    if (panel.columns) {
      svg += DrawColumns(panel, x, y, timeline.step_s);
    } else {
      for (const Line& line : panel.lines) svg += DrawLine(line, x, y, timeline.step_s);
    }
    for (const auto& event : timeline.events) {
      svg += Format("<line x1='%.1f' x2='%.1f' y1='%.1f' y2='%.1f' class='event'/>\n", x(event.first),
                    x(event.first), top, bottom);
    }
    svg += Text(0, top - 10, "strong", "start", panel.title) + DrawLegend(panel, kRight, top - 10);
    top = bottom;
  }
  double last_end = -1;
  int row = 0;
  for (const auto& [at_s, what] : timeline.events) {
    // Near the right edge the text stands before its mark.
    const double width = 6.4 * static_cast<double>(what.size());
    const bool before = x(at_s) + width > kRight;
    row = last_end > x(at_s) - (before ? width : 0) ? 1 - row : 0;
    svg += Text(x(at_s) + (before ? -5 : 5), 10 + 13 * row, "small", before ? "end" : "start", what);
    last_end = before ? x(at_s) : x(at_s) + width;
  }
  for (const double tick : x.Ticks(12)) svg += Text(x(tick), top + 17, "tick", "middle", TickText(tick));
  svg += Text((kLeft + kRight) / 2, top + 34, "tick", "middle", timeline.axis);
  for (size_t i = 0; i < steps; ++i) {
    const double left = x(static_cast<double>(i) * timeline.step_s);
    svg += Format("<rect x='%.2f' y='%.1f' width='%.2f' height='%.1f' class='hover'><title>", left, kHead,
                  x(static_cast<double>(i + 1) * timeline.step_s) - left, top - kHead) +
           EscapeXml(timeline.tooltips[i]) + "</title></rect>\n";
  }
  return svg + "</svg>\n";
}

}  // namespace tollgate::bench
