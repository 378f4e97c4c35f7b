#include "policy/tool_table.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::policy {
namespace {

// NameTable is a table of tools that carry their position where others have a bound on age.
class NameTable {
 public:
  static constexpr uint32_t kAbsent = UINT32_MAX;

  explicit NameTable(const std::vector<std::string>& names) : table_(names, Numbered(names.size())) {}
  uint32_t Find(std::string_view name) const {
    const CompiledTool& tool = table_.Candidate(name);
    return table_.Has(tool, name) ? tool.token_age_max_s : kAbsent;
  }

 private:
  static std::vector<CompiledTool> Numbered(size_t size) {
    std::vector<CompiledTool> tools(size);
    for (uint32_t i = 0; i < size; ++i) tools[i].token_age_max_s = i;
    return tools;
  }
  const ToolTable table_;
};

// Found at its position by a copy of its own, so that a sanitizer sees a look beside it.
void ExpectEachFound(const NameTable& table, const std::vector<std::string>& names) {
  for (uint32_t i = 0; i < names.size(); ++i) {
    const std::vector<char> copy(names[i].begin(), names[i].end());
    ASSERT_EQ(table.Find({copy.data(), copy.size()}), i) << names[i];
  }
}

// NearTo returns names that a slip of the comparison would take for `name`: one byte other, one less, one
// more.
std::vector<std::string> NearTo(const std::string& name) {
  std::vector<std::string> near = {name + 'x', name + '\0', 'x' + name, '\0' + name, name + name};
  if (!name.empty()) {
    near.push_back(name.substr(1));
    near.push_back(name.substr(0, name.size() - 1));
  }
  for (size_t i = 0; i < name.size(); ++i) {
    for (const int flip : {1, 0x20, 0x80}) {
      near.push_back(name);
      near.back()[i] = static_cast<char>(near.back()[i] ^ flip);
    }
  }
  return near;
}

void ExpectNothingNearFound(const NameTable& table, const std::vector<std::string>& names) {
  const std::set<std::string> known(names.begin(), names.end());
  for (const std::string& name : names) {
    for (const std::string& near : NearTo(name)) {
      if (known.contains(near)) continue;
      ASSERT_EQ(table.Find(near), NameTable::kAbsent) << "near " << name;
    }
  }
}

TEST(ToolTable, FindsTheNamesOfEachSizeAndNoneNearThem) {
  std::vector<std::string> names;
  std::mt19937_64 random(3);
  for (size_t size = 0; size <= 256; ++size) {
    const bool near_a_bound = size % 8 <= 1 || size % 8 == 7 || size % 4 == 0;
    for (int n = 0; n < (size == 0 ? 1 : near_a_bound ? 4 : 1); ++n) {
      std::string name(size, '\0');
      for (char& c : name) c = static_cast<char>(random());  // All bytes, zeros among them.
      names.push_back(name);
    }
  }
  // Sizes of one byte may have drawn the same one twice.
  const std::set<std::string> different(names.begin(), names.end());
  names.assign(different.begin(), different.end());
  const NameTable table(names);
  ExpectEachFound(table, names);
  ExpectNothingNearFound(table, names);
}

TEST(ToolTable, TellsNamesApartThatDifferInOneByteAnywhere) {
  for (const size_t size : {1u,  3u,  4u,  5u,  7u,  8u,  9u,  15u, 16u, 17u, 23u,
                            24u, 25u, 31u, 32u, 33u, 39u, 40u, 41u, 47u, 48u, 256u}) {
    std::vector<std::string> names = {std::string(size, 'a')};
    for (size_t i = 0; i < size; ++i) {
      names.push_back(names[0]);
      names.back()[i] = 'b';
      names.push_back(names[0]);
      names.back()[i] = '\0';
    }
    const NameTable table(names);
    ExpectEachFound(table, names);
    ExpectNothingNearFound(table, names);
  }
}

TEST(ToolTable, TellsZerosApartByTheirNumber) {
  std::vector<std::string> names;
  for (size_t size = 0; size <= 64; size += 2) names.emplace_back(size, '\0');
  const NameTable table(names);
  ExpectEachFound(table, names);
  for (size_t size = 1; size <= 65; size += 2)
    EXPECT_EQ(table.Find(std::string(size, '\0')), NameTable::kAbsent);
}

TEST(ToolTable, OfNoOneAndTwoNames) {
  const NameTable none({});
  EXPECT_EQ(none.Find(""), NameTable::kAbsent);
  EXPECT_EQ(none.Find("search"), NameTable::kAbsent);
  const NameTable one({"search"});
  ExpectEachFound(one, {"search"});
  ExpectNothingNearFound(one, {"search"});
  EXPECT_EQ(one.Find(""), NameTable::kAbsent);
  const NameTable empty({""});
  ExpectEachFound(empty, {""});
  ExpectNothingNearFound(empty, {""});
  const NameTable two({"search", "delete"});
  ExpectEachFound(two, {"search", "delete"});
  ExpectNothingNearFound(two, {"search", "delete"});
}

// As many as a policy may have, alike as they are in practice.
TEST(ToolTable, OfAsManyNamesAsAPolicyMayHave) {
  std::vector<std::string> names;
  for (int i = 0; i < 16'384; ++i) names.push_back("github.tool_" + std::to_string(i));
  const NameTable table(names);
  ExpectEachFound(table, names);
  for (int i = 16'384; i < 40'000; ++i) {
    ASSERT_EQ(table.Find("github.tool_" + std::to_string(i)), NameTable::kAbsent);
  }
}

TEST(ToolTable, OfManyRandomLists) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 300; ++round) {
    std::set<std::string> different;
    const size_t size = 1 + random() % 200;
    while (different.size() < size) {
      std::string name(random() % 12, '\0');
      for (char& c : name) c = static_cast<char>('a' + random() % 3);
      different.insert(name);
    }
    const std::vector<std::string> names(different.begin(), different.end());
    const NameTable table(names);
    ExpectEachFound(table, names);
    ExpectNothingNearFound(table, names);
  }
}

}  // namespace
}  // namespace tollgate::policy
