#include "tools/cli/doctor_report.h"

#include <algorithm>

#include "tools/cli/examine.h"

namespace tollgate::cli {
namespace {

using nlohmann::ordered_json;

std::string Count(size_t number, std::string_view what) {
  return std::to_string(number) + " " + std::string(what) + (number == 1 ? "" : "s");
}

// Wide returns `text` with blanks up to a column, and one at least.
std::string Wide(std::string_view text, size_t width) {
  std::string wide(text);
  wide.resize(std::max(width, text.size() + 1), ' ');
  return wide;
}

const char* ColourOf(Level level) {
  switch (level) {
    case Level::kGood:
      return "32";
    case Level::kNote:
      return "2";
    case Level::kWarning:
      return "33";
    case Level::kProblem:
      break;
  }
  return "31";
}

}  // namespace

std::string_view NameOf(Level level) {
  switch (level) {
    case Level::kGood:
      return "good";
    case Level::kNote:
      return "note";
    case Level::kWarning:
      return "warning";
    case Level::kProblem:
      break;
  }
  return "problem";
}

size_t Diagnosis::Count(Level level) const {
  size_t number = 0;
  for (const Part& part : parts)
    number += static_cast<size_t>(std::count_if(part.lines.begin(), part.lines.end(),
                                                [level](const Line& line) { return line.level == level; }));
  return number;
}

void WriteText(const Diagnosis& diagnosis, bool colour, std::ostream& out) {
  const auto paint = [colour](std::string_view text, const char* code) {
    return colour ? "\033[" + std::string(code) + "m" + std::string(text) + "\033[0m" : std::string(text);
  };
  for (const Part& part : diagnosis.parts) {
    out << paint(part.kind + (part.name.empty() ? "" : " " + Printable(part.name)), "1") << '\n';
    for (const Line& line : part.lines) {
      const std::string level =
          line.text.empty() ? std::string(NameOf(line.level)) : Wide(NameOf(line.level), 9);
      out << "  " << Wide(line.about, 14) << paint(level, ColourOf(line.level)) << line.text << '\n';
    }
    out << '\n';
  }
  const size_t problems = diagnosis.Count(Level::kProblem);
  out << paint(problems == 0 ? "healthy" : Count(problems, "problem"), problems == 0 ? "1;32" : "1;31")
      << ", " << Count(diagnosis.Count(Level::kWarning), "warning") << '\n';
}

void WriteJson(const Diagnosis& diagnosis, std::ostream& out) {
  ordered_json json = {{"healthy", diagnosis.Count(Level::kProblem) == 0},
                       {"problems", diagnosis.Count(Level::kProblem)},
                       {"warnings", diagnosis.Count(Level::kWarning)},
                       {"parts", ordered_json::array()}};
  for (const Part& part : diagnosis.parts) {
    ordered_json lines = ordered_json::array();
    for (const Line& line : part.lines) {
      ordered_json& written = lines.emplace_back(
          ordered_json{{"about", line.about}, {"level", NameOf(line.level)}, {"text", line.text}});
      if (!line.facts.is_null()) written["facts"] = line.facts;
    }
    json["parts"].push_back({{"kind", part.kind}, {"name", part.name}, {"lines", std::move(lines)}});
  }
  out << json.dump(-1, ' ', /*ensure_ascii=*/true, ordered_json::error_handler_t::replace) << '\n';
}

}  // namespace tollgate::cli
