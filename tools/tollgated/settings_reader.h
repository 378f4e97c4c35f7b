#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy_file/node_reader.h"
#include "tollgate/file_system.h"

namespace tollgate::tollgated {

// SettingsReader is a NodeReader that knows where in a configuration it is, and remembers what stood where,
// by paths like "issuers[2].introspection.client_id": what is wrong with several keys together is found out
// later. Owner thread only.
class SettingsReader : public policy_file::NodeReader {
 public:
  static constexpr size_t kSecretBytesMax = 4096;

  // Relative paths are relative to `directory`. `files` must outlive the object.
  SettingsReader(std::string directory, FileSystem& files, std::vector<PolicyFileFinding>* findings)
      : NodeReader(findings), directory_(std::move(directory)), files_(files) {}

  // Within makes `step`, a key's name or "[2]", part of the path as long as it lives.
  class Within {
   public:
    Within(SettingsReader& reader, std::string_view step, policy_file::Place place);
    ~Within() { reader_.path_.resize(size_); }
    Within(const Within&) = delete;
    Within& operator=(const Within&) = delete;

   private:
    SettingsReader& reader_;
    const size_t size_;
  };

  bool Has(std::string_view path) const { return places_.contains(path); }
  // PlaceOf returns where `path` stood, or, if it did not, what it would have been in.
  policy_file::Place PlaceOf(std::string_view path) const;
  // Both make one line of the message, which may have names out of the file.
  void ErrorAt(std::string_view path, std::string_view message);
  void WarnAt(std::string_view path, std::string_view message);

  // Resolve returns a path made absolute.
  std::string Resolve(std::string_view path) const;
  void ReadPath(const policy_file::Node& value, std::string* path);
  // ReadSecretFile reads the file that `value` names, of `len_min` bytes at least, as it is, or without the
  // line break at its end. Its path is not told: it could be the secret, by mistake.
  void ReadSecretFile(const policy_file::Node& value, bool is_text, size_t len_min, std::string* secret);
  // ReadBounded reads a number with its unit by `parse`; `what` is expected.
  void ReadBounded(const policy_file::Node& value, std::optional<int64_t> (*parse)(std::string_view),
                   int64_t min, int64_t max, std::string_view what, int64_t* number);

  FileSystem& files() { return files_; }
  std::vector<std::string>& secret_files() { return secret_files_; }  // That were read.

 private:
  const std::string directory_;
  FileSystem& files_;
  std::string path_;
  std::map<std::string, policy_file::Place, std::less<>> places_;
  std::vector<std::string> secret_files_;
};

// ParseNumber reads a decimal number, 0 or more.
std::optional<int64_t> ParseNumber(std::string_view text);

}  // namespace tollgate::tollgated
