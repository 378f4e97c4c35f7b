#include "tools/tollgated/settings_reader.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "policy_file/text.h"

namespace tollgate::tollgated {

using policy_file::InOneLine;
using policy_file::Node;
using policy_file::Place;

SettingsReader::Within::Within(SettingsReader& reader, std::string_view step, Place place)
    : reader_(reader), size_(reader.path_.size()) {
  if (size_ != 0 && step.front() != '[') reader.path_ += '.';
  reader.path_ += step;
  reader.places_.emplace(reader.path_, place);
}

Place SettingsReader::PlaceOf(std::string_view path) const {
  while (!path.empty()) {
    if (const auto found = places_.find(path); found != places_.end()) return found->second;
    const size_t end = path.find_last_of(".[");
    path = path.substr(0, end == path.npos ? 0 : end);
  }
  return {};
}

void SettingsReader::ErrorAt(std::string_view path, std::string_view message) {
  Error(PlaceOf(path), InOneLine(message));
}

void SettingsReader::WarnAt(std::string_view path, std::string_view message) {
  const Place place = PlaceOf(path);
  if (findings_.size() < kErrorsMax)
    findings_.push_back({false, place.line, place.column, InOneLine(message)});
}

std::string SettingsReader::Resolve(std::string_view path) const {
  return (std::filesystem::path(directory_) / path).lexically_normal().string();
}

void SettingsReader::ReadPath(const Node& value, std::string* path) {
  if (value.kind != Node::Kind::kText || value.text.empty() || value.text.ends_with('/') ||
      value.text.find('\0') != value.text.npos) {
    return Error(value.place, "the path of a file is expected here");
  }
  *path = Resolve(value.text);
}

void SettingsReader::ReadSecretFile(const Node& value, bool is_text, size_t len_min, std::string* secret) {
  std::string path;
  ReadPath(value, &path);
  if (path.empty()) return;
  secret_files_.push_back(path);
  absl::StatusOr<FileContent> content = files_.ReadFollowing(path, kSecretBytesMax);
  if (!content.ok()) {
    return Error(value.place, "this file cannot be read: " + std::string(content.status().message()));
  }
  if (!content->regular) return Error(value.place, "this is no regular file");
  if (content->size > kSecretBytesMax)
    return Error(value.place, "this file has more than " + std::to_string(kSecretBytesMax) + " bytes");
  std::string& bytes = content->bytes;
  if (is_text && bytes.ends_with('\n')) bytes.pop_back();
  if (is_text && bytes.ends_with('\r')) bytes.pop_back();
  if (bytes.size() < len_min)
    return Error(value.place, "this file has less than " + std::to_string(len_min) + " bytes");
  if (is_text && std::any_of(bytes.begin(), bytes.end(), [](char c) { return c >= 0 && c < ' '; }))
    return Error(value.place, "this file has more than one line, or control characters");
  if ((content->mode & 0007) != 0)
    WarnAt(path_, "this file is a secret, and everybody on this machine may use it");
  *secret = std::move(bytes);
}

void SettingsReader::ReadBounded(const Node& value, std::optional<int64_t> (*parse)(std::string_view),
                                 int64_t min, int64_t max, std::string_view what, int64_t* number) {
  const std::optional<int64_t> read = value.kind == Node::Kind::kText ? parse(value.text) : std::nullopt;
  if (!read || *read < min || *read > max) {
    return Error(value.place, std::string(what) + " is expected here");
  }
  *number = *read;
}

std::optional<int64_t> ParseNumber(std::string_view text) {
  int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [behind, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || behind != end || text.front() == '-') return std::nullopt;
  return number;
}

}  // namespace tollgate::tollgated
