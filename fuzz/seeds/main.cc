// Writes the seed corpora, fuzz/corpus/TARGET/NAME, or checks that they are what this program writes.
//
//   fuzz_seeds --write DIR     fuzz_seeds --check DIR
//
// Files that this program does not know (findings that became seeds) are left alone.

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "fuzz/seeds/seeds.h"

namespace tollgate::fuzz {

nlohmann::json With(nlohmann::json object, const nlohmann::json& patch) {
  object.merge_patch(patch);
  return object;
}

std::string Token(const nlohmann::json& claims_patch, const nlohmann::json& header_patch,
                  const idp::SigningKey& key) {
  return idp::Mint(key, With(GoodClaims(), claims_patch), header_patch);
}

namespace {

void AddCanary(Seeds& seeds) { seeds["canary_crash"] = {{"close", "k1d:x"}, {"far", "a"}}; }

Seeds All() {
  Seeds seeds;
  for (const auto add : {AddJoseSeeds, AddClaimsSeeds, AddKeysSeeds, AddPolicySeeds, AddMcpSeeds,
                         AddTollgatedSeeds, AddCanary}) {
    add(seeds);
  }
  return seeds;
}

int Write(const std::filesystem::path& root) {
  for (const auto& [target, files] : All()) {
    std::filesystem::create_directories(root / target);
    for (const auto& [name, content] : files) {
      std::ofstream file(root / target / name, std::ios::binary);
      if (!(file << content).flush()) {
        std::fprintf(stderr, "cannot write %s\n", (root / target / name).c_str());
        return 2;
      }
    }
  }
  return 0;
}

int Check(const std::filesystem::path& root) {
  constexpr size_t kSeedBytesMax = 4096;
  int wrong = 0;
  for (const auto& [target, files] : All()) {
    for (const auto& [name, content] : files) {
      std::ifstream file(root / target / name, std::ios::binary);
      const std::string found(std::istreambuf_iterator<char>(file), {});
      if (file && found == content && content.size() < kSeedBytesMax) continue;
      std::fprintf(stderr, "%s: missing, too long or not what fuzz_seeds writes\n",
                   (root / target / name).c_str());
      ++wrong;
    }
  }
  return wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace tollgate::fuzz

int main(int argc, char** argv) {
  const std::string mode = argc == 3 ? argv[1] : "";
  if (mode == "--write") return tollgate::fuzz::Write(argv[2]);
  if (mode == "--check") return tollgate::fuzz::Check(argv[2]);
  std::fprintf(stderr, "usage: %s --write|--check DIR\n", argv[0]);
  return 2;
}
