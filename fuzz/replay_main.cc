// The main of a fuzz target in ordinary builds, without libFuzzer, so that targets and seeds cannot rot:
//
//   TARGET FILE…                       runs each file once: how a finding is looked at in a debugger
//   TARGET --corpus MUTATIONS DIR      runs every seed, then this many inputs made out of the seeds, the same
//                                      ones each time; demands of both that some are accepted and some are
//                                      not
//
// When the process dies of an input, the input is left in TARGET.failing in the working directory.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "fuzz/fuzz.h"
#include "fuzz/random.h"

extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace {

constexpr size_t kInputBytesMax = 4096;

tollgate::fuzz::Random g_random(1);
std::string g_failing_path;
std::string_view g_input;

void KeepInput() {
  const int fd = open(g_failing_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd >= 0 && write(fd, g_input.data(), g_input.size()) >= 0) {
    std::fprintf(stderr, "the input is in %s\n", g_failing_path.c_str());
  }
}

void OnDeadlySignal(int signal) {
  KeepInput();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

bool Run(std::string_view input) {
  // A copy on the heap, as long as the input, so that a sanitizer sees one byte too far.
  const std::unique_ptr<char[]> copy(new char[input.size()]);
  std::copy(input.begin(), input.end(), copy.get());
  g_input = {copy.get(), input.size()};
  return tollgate::fuzz::Accepts(g_input);
}

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "cannot read %s\n", path.c_str());
    std::exit(2);
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string Mutated(std::string_view seed) {
  std::vector<uint8_t> bytes(seed.begin(), seed.end());
  bytes.resize(kInputBytesMax);
  size_t size = std::min(seed.size(), kInputBytesMax);
  for (size_t rounds = 1 + g_random.Below(4); rounds > 0; --rounds) {
    if (LLVMFuzzerCustomMutator != nullptr) {
      const auto number = static_cast<unsigned>(g_random.Below(UINT32_MAX));
      size = LLVMFuzzerCustomMutator(bytes.data(), size, kInputBytesMax, number);
    } else {
      size = LLVMFuzzerMutate(bytes.data(), size, kInputBytesMax);
    }
  }
  return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)};
}

int RunCorpus(size_t num_mutations, const char* directory) {
  std::vector<std::filesystem::path> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error))
    paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> seeds;
  size_t accepted = 0;
  for (const auto& path : paths) {
    seeds.push_back(ReadFile(path));
    if (Run(seeds.back())) ++accepted;
  }
  std::printf("%zu seeds: %zu accepted, %zu rejected\n", seeds.size(), accepted, seeds.size() - accepted);
  if (accepted == 0 || accepted == seeds.size()) {
    std::fprintf(stderr, "%s: needs seeds that are accepted and seeds that are not\n", directory);
    return 1;
  }
  accepted = 0;
  for (size_t i = 0; i < num_mutations; ++i) {
    if (Run(Mutated(seeds[g_random.Below(seeds.size())]))) ++accepted;
  }
  std::printf("%zu mutations: %zu accepted, %zu rejected\n", num_mutations, accepted,
              num_mutations - accepted);
  // Both sides of the property must have been met, or the mutator is not worth its time.
  if (num_mutations > 0 && (accepted == 0 || accepted == num_mutations)) {
    std::fprintf(stderr, "%s: all inputs made of the seeds came out alike\n", directory);
    return 1;
  }
  return 0;
}

}  // namespace

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size) {
  static constexpr uint8_t kInteresting[] = {0,   1,   0x7f, 0x80, 0xff, ' ',  '"', '.',
                                             '=', '{', '}',  '[',  ']',  '\\', '0', '9'};
  const size_t at = g_random.Below(size + 1);
  const auto byte = g_random.OneIn(2) ? kInteresting[g_random.Below(std::size(kInteresting))]
                                      : static_cast<uint8_t>(g_random.Below(256));
  switch (g_random.Below(5)) {
    case 0:  // Insert.
      if (size == max_size) return size;
      std::copy_backward(data + at, data + size, data + size + 1);
      data[at] = byte;
      return size + 1;
    case 1:  // Cut out.
    {
      const size_t end = at + g_random.Below(std::min<size_t>(size - at, 16) + 1);
      std::copy(data + end, data + size, data + at);
      return size - (end - at);
    }
    case 2:  // Overwrite.
      if (at < size) data[at] = byte;
      return size;
    case 3:  // Flip a bit.
      if (at < size) data[at] = static_cast<uint8_t>(data[at] ^ (1 << g_random.Below(8)));
      return size;
    default:  // Copy a piece to another place.
    {
      const size_t from = g_random.Below(size + 1);
      const size_t length = std::min({g_random.Below(32), size - from, size - at});
      std::vector<uint8_t> piece(data + from, data + from + length);
      std::copy(piece.begin(), piece.end(), data + at);
      return size;
    }
  }
}

int main(int argc, char** argv) {
  g_failing_path = std::filesystem::path(argv[0]).filename().string() + ".failing";
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(KeepInput);
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE}) {
    // Sanitizers have handlers of their own for the others.
    if (signal == SIGABRT || __sanitizer_set_death_callback == nullptr) std::signal(signal, OnDeadlySignal);
  }
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 3 && arguments[0] == "--corpus") {
    return RunCorpus(std::strtoul(argv[2], nullptr, 10), argv[3]);
  }
  if (arguments.empty()) {
    std::fprintf(stderr, "usage: %s FILE… | --corpus MUTATIONS DIR\n", argv[0]);
    return 2;
  }
  for (const std::string& path : arguments) {
    std::printf("%s: %s\n", path.c_str(), Run(ReadFile(path)) ? "accepted" : "rejected");
  }
  return 0;
}
