#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tollgate/policy.h"

namespace tollgate::cli {

// A policy as tables, for people who have to say whether it is what they want.

// Word is a piece of a cell: a name out of the policy, or a word of ours.
struct Word {
  std::string text{};
  bool is_name = false;
};
using Cell = std::vector<Word>;

struct Table {
  Word title{};
  std::vector<std::string> head{};
  std::vector<std::vector<Cell>> rows{};  // As wide as the head.
};

enum class TableFormat : uint8_t { kTerminal, kMarkdown, kHtml };
std::optional<TableFormat> TableFormatFromName(std::string_view name);

// TablesOf returns one table for each server, and one each for the classes in use, the roles and the scopes.
std::vector<Table> TablesOf(const Policy& policy);

// FormatTables writes tables down. Whatever names are: none begins a row, none steers a terminal, and none is
// taken for Markdown or HTML.
std::string FormatTables(const std::vector<Table>& tables, TableFormat format);

}  // namespace tollgate::cli
