#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tollgate::cli {

// Level says what a line of a diagnosis means for callers.
enum class Level : uint8_t {
  kGood,
  kNote,
  kWarning,  // Would refuse callers once something else fails, or is weaker than it need be.
  kProblem,  // Refuses callers, some or all of them.
};
std::string_view NameOf(Level level);

struct Line {
  Level level = Level::kNote;
  std::string about;
  std::string text;                   // One line, of which nothing can steer a terminal.
  nlohmann::ordered_json facts = {};  // What the text says, for programs. Null: nothing more.
};

// Part is what there is to say of one thing: the configuration, an issuer, a server, a token.
struct Part {
  std::string kind;
  std::string name;
  std::vector<Line> lines{};

  void Say(Level level, std::string_view about, std::string text, nlohmann::ordered_json facts = {}) {
    lines.push_back({level, std::string(about), std::move(text), std::move(facts)});
  }
};

struct Diagnosis {
  std::deque<Part> parts{};  // Of which each stays where it is.

  Part& Begin(std::string_view kind, std::string_view name) {
    return parts.emplace_back(Part{std::string(kind), std::string(name)});
  }
  size_t Count(Level level) const;
};

// Both write all of it: as lines for people, or as one JSON object in one line of ASCII.
void WriteText(const Diagnosis& diagnosis, bool colour, std::ostream& out);
void WriteJson(const Diagnosis& diagnosis, std::ostream& out);

}  // namespace tollgate::cli
