#include "tests/scaling/directory.h"

namespace tollgate::scaling {

Traffic& Traffic::operator+=(const Traffic& other) {
  fetches += other.fetches;
  fetches_modified += other.fetches_modified;
  upgrades += other.upgrades;
  invalidations += other.invalidations;
  return *this;
}

void Directory::Load(size_t core, Line* line, Traffic* traffic) {
  if (line->copies[core]) return;
  ++(line->modified ? traffic->fetches_modified : traffic->fetches);
  line->modified = false;  // Its owner writes it back.
  line->exclusive = line->copies.none();
  line->copies.set(core);
}

void Directory::Store(size_t core, Line* line, Traffic* traffic) {
  const size_t others = line->copies.count() - (line->copies[core] ? 1 : 0);
  if (!line->copies[core]) {
    ++(line->modified ? traffic->fetches_modified : traffic->fetches);
  } else if (!line->exclusive) {
    ++traffic->upgrades;
  }
  traffic->invalidations += others;
  line->copies.reset();
  line->copies.set(core);
  line->exclusive = line->modified = true;
}

Traffic Directory::Do(size_t core, const Access& access) {
  Traffic traffic;
  if (access.kind == Kind::kEnd) return traffic;
  const uint64_t last = (access.address + access.size - 1) / line_bytes_;
  for (uint64_t number = access.address / line_bytes_; number <= last; ++number) {
    Line& line = lines_[number];
    (access.kind == Kind::kLoad ? Load : Store)(core, &line, &traffic);
  }
  return traffic;
}

Traffic Directory::Replay(std::span<const Trace> traces) {
  Traffic traffic;
  bool more = true;
  for (size_t i = 0; more; ++i) {
    more = false;
    for (size_t core = 0; core < traces.size(); ++core) {
      if (i >= traces[core].size()) continue;
      traffic += Do(core, traces[core][i]);
      more = true;
    }
  }
  return traffic;
}

Traffic Directory::ReplayAlone(size_t core, Trace trace) {
  Traffic traffic;
  for (const Access& access : trace) traffic += Do(core, access);
  return traffic;
}

std::vector<SharedLine> FindSharedLines(std::span<const Trace> traces, size_t line_bytes) {
  // Of each line that is stored to: by whom, or by several; and by which code another core uses it.
  constexpr size_t kSeveral = SIZE_MAX;
  struct Stored {
    size_t core;
    uint32_t code;
    bool shared = false;
    uint32_t used_by = 0;
  };
  absl::flat_hash_map<uint64_t, Stored> stored;
  const auto each_line = [&](auto visit) {
    for (size_t core = 0; core < traces.size(); ++core) {
      for (const Access& access : traces[core]) {
        if (access.kind == Kind::kEnd) continue;
        const uint64_t last = (access.address + access.size - 1) / line_bytes;
        for (uint64_t line = access.address / line_bytes; line <= last; ++line) visit(core, access, line);
      }
    }
  };
  each_line([&](size_t core, const Access& access, uint64_t line) {
    if (access.kind == Kind::kLoad) return;
    Stored& at = stored.try_emplace(line, Stored{.core = core, .code = access.code}).first->second;
    if (at.core != core) at.core = kSeveral;
    at.code = access.code;
  });
  each_line([&](size_t core, const Access& access, uint64_t line) {
    const auto at = stored.find(line);
    if (at == stored.end() || at->second.core == core) return;
    at->second.shared = true;
    at->second.used_by = access.code;
  });
  std::vector<SharedLine> shared;
  for (const auto& [line, at] : stored) {
    if (at.shared) shared.push_back({line * line_bytes, at.code, at.used_by});
  }
  return shared;
}

}  // namespace tollgate::scaling
