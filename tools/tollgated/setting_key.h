#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "policy_file/duration.h"
#include "tools/tollgated/settings_reader.h"

namespace tollgate::tollgated {

// Key is what may stand in one map of a configuration, which is read into a T: the one place that knows its
// name, type and default. From here come the parser, the comparison of two configurations, and the tables of
// docs/configuration.md, which a test holds against them. A `get` below is a pointer to a member of T, or a
// function from T& to a member, const or not.
template <typename T>
struct Key {
  std::string_view name;
  std::string type;   // These three as the document has them.
  std::string usual;  // The default.
  std::string_view meaning;
  std::function<void(SettingsReader& reader, const policy_file::Node& value, T* part)> read;
  // Appends the paths of what differs in two of them, the first of which is `path`.
  std::function<void(const T& a, const T& b, const std::string& path, std::vector<std::string>* paths)>
      compare;
};
template <typename T>
using Keys = std::vector<Key<T>>;

inline constexpr std::string_view kRequired = "required";
inline constexpr std::string_view kNone = "none";

// Required has no default: ReadPart complains if it is missing.
template <typename T>
Key<T> Required(Key<T> key) {
  key.usual = kRequired;
  return key;
}

// Usually names a default that is not a T's own.
template <typename T>
Key<T> Usually(std::string usual, Key<T> key) {
  key.usual = std::move(usual);
  return key;
}

// `read_value` is called with the reader, the value and a pointer to the member.
template <typename T, typename Get, typename ReadValue>
Key<T> MakeKey(std::string_view name, std::string type, std::string usual, Get get, std::string_view meaning,
               ReadValue read_value) {
  return {.name = name,
          .type = std::move(type),
          .usual = std::move(usual),
          .meaning = meaning,
          .read = [get, read_value](SettingsReader& reader, const policy_file::Node& value,
                                    T* part) { read_value(reader, value, &std::invoke(get, *part)); },
          .compare =
              [get](const T& a, const T& b, const std::string& path, std::vector<std::string>* paths) {
                if (!(std::invoke(get, a) == std::invoke(get, b))) paths->push_back(path);
              }};
}

// In goes into a part of a part, by two pointers to members.
template <typename Outer, typename Inner>
auto In(Outer outer, Inner inner) {
  return [ outer, inner ](auto& part) -> auto& { return (part.*outer).*inner; };
}

inline std::string UsualText(const std::string& text) {
  return text.empty() ? std::string(kNone) : "`" + text + "`";
}

template <typename T, typename Get>
Key<T> Text(std::string_view name, Get get, std::string_view meaning) {
  const T usual{};
  return MakeKey<T>(name, "text", UsualText(std::invoke(get, usual)), get, meaning,
                    [](SettingsReader& reader, const policy_file::Node& value, std::string* text) {
                      reader.ReadText(value, text);
                    });
}

template <typename T, typename Get>
Key<T> Texts(std::string_view name, Get get, std::string_view meaning) {
  return MakeKey<T>(name, "list of texts", std::string(kNone), get, meaning,
                    [](SettingsReader& reader, const policy_file::Node& value,
                       std::vector<std::string>* texts) { reader.ReadTexts(value, texts); });
}

template <typename T, typename Get>
Key<T> Flag(std::string_view name, Get get, std::string_view meaning) {
  const T usual{};
  return MakeKey<T>(name, "`true`, `false`", std::invoke(get, usual) ? "`true`" : "`false`", get, meaning,
                    [](SettingsReader& reader, const policy_file::Node& value, bool* flag) {
                      reader.ReadBool(value, flag);
                    });
}

template <typename T, typename Get>
Key<T> File(std::string_view name, Get get, std::string_view meaning) {
  const T usual{};
  return MakeKey<T>(name, "file", UsualText(std::invoke(get, usual)), get, meaning,
                    [](SettingsReader& reader, const policy_file::Node& value, std::string* path) {
                      reader.ReadPath(value, path);
                    });
}

// SecretFile is a file whose content is the member.
template <typename T, typename Get>
Key<T> SecretFile(std::string_view name, Get get, std::string_view meaning) {
  return MakeKey<T>(name, "file", std::string(kNone), get, meaning,
                    [](SettingsReader& reader, const policy_file::Node& value, std::string* secret) {
                      reader.ReadSecretFile(value, true, 1, secret);
                    });
}

template <typename T, typename Get>
Key<T> Number(std::string_view name, Get get, int64_t min, int64_t max, std::string_view meaning) {
  const T usual{};
  const std::string type = "number, " + std::to_string(min) + " – " + std::to_string(max);
  return MakeKey<T>(name, type, "`" + std::to_string(std::invoke(get, usual)) + "`", get, meaning,
                    [=](SettingsReader& reader, const policy_file::Node& value, auto* number) {
                      auto read = static_cast<int64_t>(*number);
                      reader.ReadBounded(value, ParseNumber, min, max, "a " + type, &read);
                      *number = static_cast<std::remove_pointer_t<decltype(number)>>(read);
                    });
}

template <typename T, typename Get>
Key<T> Size(std::string_view name, Get get, int64_t min, int64_t max, std::string_view meaning) {
  using policy_file::FormatBytes;
  const T usual{};
  const std::string type = "size, " + FormatBytes(min) + " – " + FormatBytes(max);
  return MakeKey<T>(name, type, "`" + FormatBytes(static_cast<int64_t>(std::invoke(get, usual))) + "`", get,
                    meaning, [=](SettingsReader& reader, const policy_file::Node& value, size_t* bytes) {
                      auto read = static_cast<int64_t>(*bytes);
                      reader.ReadBounded(value, policy_file::ParseBytes, min, max, "a " + type, &read);
                      *bytes = static_cast<size_t>(read);
                    });
}

// Unit is what a member counts, which is a number or a std::chrono::duration.
enum class Unit : int64_t { kMilliseconds = 1, kSeconds = 1000 };

template <typename Member>
int64_t CountOf(const Member& member) {
  if constexpr (std::is_integral_v<Member>) {
    return member;
  } else {
    return member.count();
  }
}

// Duration is from `min_ms` to `max_ms`; 0 may be said as `none` if `has_none`.
template <typename T, typename Get>
Key<T> Duration(std::string_view name, Get get, Unit unit, int64_t min_ms, int64_t max_ms, bool has_none,
                std::string_view meaning) {
  using policy_file::FormatDurationMs;
  const T usual{};
  const auto unit_ms = static_cast<int64_t>(unit);
  const int64_t usual_ms = CountOf(std::invoke(get, usual)) * unit_ms;
  const std::string type = "duration, " + FormatDurationMs(min_ms) + " – " + FormatDurationMs(max_ms) +
                           (has_none ? ", or `none`" : "");
  return MakeKey<T>(name, type, has_none && usual_ms == 0 ? "`none`" : "`" + FormatDurationMs(usual_ms) + "`",
                    get, meaning, [=](SettingsReader& reader, const policy_file::Node& value, auto* member) {
                      using Member = std::remove_pointer_t<decltype(member)>;
                      int64_t read_ms = CountOf(*member) * unit_ms;
                      if (has_none && value.kind == policy_file::Node::Kind::kText && value.text == "none") {
                        read_ms = 0;
                      } else {
                        reader.ReadBounded(value, policy_file::ParseDurationMs, min_ms, max_ms, "a " + type,
                                           &read_ms);
                      }
                      if (read_ms % unit_ms != 0)
                        reader.Error(value.place, "whole seconds are expected here");
                      *member = Member(read_ms / unit_ms);
                    });
}

template <typename Enum>
struct Named {
  std::string_view name;
  Enum value;
};

template <typename T, typename Get, typename Enum, size_t kSize>
Key<T> OneOf(std::string_view name, Get get, const Named<Enum> (&values)[kSize], std::string_view meaning) {
  const T usual{};
  std::vector<std::string_view> names;
  std::string type, usual_name;
  for (const Named<Enum>& named : values) {
    names.push_back(named.name);
    type += (type.empty() ? "`" : ", `") + std::string(named.name) + "`";
    if (named.value == std::invoke(get, usual)) usual_name = "`" + std::string(named.name) + "`";
  }
  return MakeKey<T>(name, type, usual_name, get, meaning,
                    [names, &values](SettingsReader& reader, const policy_file::Node& value, Enum* member) {
                      if (const auto found = reader.ReadOneOf(value, names)) *member = values[*found].value;
                    });
}

// ReadPart reads a map that may have these keys and no others; `what` it is is for errors.
template <typename T>
void ReadPart(SettingsReader& reader, const policy_file::Node& map, std::string_view what,
              const Keys<T>& keys, T* part) {
  std::vector<std::string_view> names, there;
  for (const Key<T>& key : keys) names.push_back(key.name);
  for (size_t i = 0; i < map.items.size(); i += 2) there.push_back(map.items[i].text);
  bool has_unknown = map.kind != policy_file::Node::Kind::kMap;
  reader.EachEntry(map, [&](const policy_file::Node& name, const policy_file::Node& value) {
    for (const Key<T>& key : keys) {
      if (key.name != name.text) continue;
      const SettingsReader::Within within(reader, key.name, value.place);
      return key.read(reader, value, part);
    }
    has_unknown = true;
    const std::string file = name.text + "_file";
    if (std::find(names.begin(), names.end(), file) == names.end()) return reader.Unknown(name, what, names);
    reader.Error(name.place,
                 "what is secret or long does not stand here itself: " + file + " names a file of it");
  });
  if (has_unknown) return;  // It may be what is missing, misspelt.
  for (const Key<T>& key : keys) {
    if (key.usual == kRequired && std::find(there.begin(), there.end(), key.name) == there.end())
      reader.Error(map.place, "\"" + std::string(key.name) + "\" is missing");
  }
}

// Compare appends the paths in which two parts differ, beginning with `path`.
template <typename T>
void Compare(const Keys<T>& keys, const T& a, const T& b, const std::string& path,
             std::vector<std::string>* paths) {
  for (const Key<T>& key : keys) {
    key.compare(a, b, path + (path.empty() ? "" : ".") + std::string(key.name), paths);
  }
}

// Part is a map with keys of its own, which docs/configuration.md has under a heading of the same name.
template <typename T, typename Inner, typename Get>
Key<T> Part(std::string_view name, Get get, const Keys<Inner>& keys, std::string_view meaning) {
  const auto read = [get, name, &keys](SettingsReader& reader, const policy_file::Node& value, T* part) {
    ReadPart<Inner>(reader, value, name, keys, &std::invoke(get, *part));
  };
  const auto compare = [get, &keys](const T& a, const T& b, const std::string& path,
                                    std::vector<std::string>* paths) {
    Compare<Inner>(keys, std::invoke(get, a), std::invoke(get, b), path, paths);
  };
  return {.name = name,
          .type = "[" + std::string(name) + "](#" + std::string(name) + ")",
          .usual = "as there",
          .meaning = meaning,
          .read = read,
          .compare = compare};
}

}  // namespace tollgate::tollgated
