#pragma once

#include <errno.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>

#include "audit/file_calls.h"

namespace tollgate::audit::testing {

// MemoryFiles is a file system in memory, whose disk may be full, and whose calls fail when told to.
class MemoryFiles final : public FileCalls {
 public:
  struct File {
    uint64_t inode = 0;
    std::string text;
    bool regular = true;
  };

  int OpenToAppend(const std::string& path, uint32_t mode) override {
    if (open_error != 0) return -open_error;
    last_mode = mode;
    if (!paths.contains(path)) Put(path, "");
    return Opened(paths.at(path));
  }
  int OpenToRead(const std::string& path) override {
    return paths.contains(path) ? Opened(paths.at(path)) : -ENOENT;
  }
  int AboutPath(const std::string& path, About* about) override {
    return paths.contains(path) ? Tell(*paths.at(path), about) : -ENOENT;
  }
  int AboutFile(int fd, About* about) override { return Tell(*open.at(fd), about); }
  ssize_t Write(int fd, std::string_view bytes) override {
    ++writes;
    const size_t taken = std::min({bytes.size(), room, at_once});
    if (taken == 0) return -ENOSPC;
    room -= taken;
    // Standard output is nobody's file.
    (fd == 1 ? standard_output : open.at(fd)->text) += bytes.substr(0, taken);
    return static_cast<ssize_t>(taken);
  }
  ssize_t ReadAt(int fd, uint64_t offset, std::span<char> bytes) override {
    const std::string part = open.at(fd)->text.substr(offset, bytes.size());
    std::copy(part.begin(), part.end(), bytes.begin());
    return static_cast<ssize_t>(part.size());
  }
  int Sync(int fd) override {
    ++syncs;
    open.at(fd);
    return -sync_error;
  }
  void Close(int fd) override { open.erase(fd); }
  int Connect(const std::string& path) override {
    ++connects;
    if (connect_error != 0) return -connect_error;
    connected_to = path;
    return Opened(std::make_shared<File>());
  }
  ssize_t Send(int fd, std::string_view datagram) override {
    open.at(fd);
    if (send_error != 0) return -send_error;
    if (datagram.size() > datagram_max) return -EMSGSIZE;
    datagrams.emplace_back(datagram);
    return static_cast<ssize_t>(datagram.size());
  }

  void Put(const std::string& path, std::string text, bool regular = true) {
    paths[path] = std::make_shared<File>(File{++inodes, std::move(text), regular});
  }
  void Move(const std::string& from, const std::string& to) {
    paths[to] = paths.at(from);
    paths.erase(from);
  }
  std::string Text(const std::string& path) const { return paths.at(path)->text; }

  std::map<std::string, std::shared_ptr<File>> paths;
  std::map<int, std::shared_ptr<File>> open;
  uint64_t inodes = 0;
  int next_fd = 3;
  size_t room = SIZE_MAX, at_once = SIZE_MAX;
  int open_error = 0, sync_error = 0, connect_error = 0, send_error = 0;
  int writes = 0, syncs = 0, connects = 0;
  uint32_t last_mode = 0;
  std::string standard_output, connected_to;
  size_t datagram_max = SIZE_MAX;
  std::vector<std::string> datagrams;

 private:
  int Opened(std::shared_ptr<File> file) {
    open[next_fd] = std::move(file);
    return next_fd++;
  }
  static int Tell(const File& file, About* about) {
    *about = {.device = 1, .inode = file.inode, .size = file.text.size(), .regular = file.regular};
    return 0;
  }
};

}  // namespace tollgate::audit::testing
