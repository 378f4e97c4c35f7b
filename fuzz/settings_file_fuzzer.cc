// settings_file: a configuration is refused exactly if an error is told, and where it stands; no secret is
// told
//
// Functions: tollgated::ParseSettings, PlanReload. Property: a file is refused exactly if there is an error
// among what is said of it; each place lies within the file, in its order, each message is one line, and none
// has what is in the files of secrets. What is accepted knows by exactly one way which tool a request is
// about, and sees no body that its proxy does not show; operators' addresses are local; nothing leads from it
// to itself, read again.

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "fuzz/fuzz.h"
#include "tools/tollgated/reload.h"
#include "tools/tollgated/settings_file.h"

namespace tollgate::fuzz {
namespace {

constexpr char kSecret[] = "s3cret-s3cret-s3cret-s3cret-s3cret";
constexpr char kPolicy[] = "version: 1\nservers: [{tools: {search: a}}]\n";

// Files are policies whose names end in ".yaml", and secrets all others, but for one that is not there, and
// one that has a line too many.
class Files final : public FileSystem {
 public:
  absl::StatusOr<FileContent> Read(const std::string& path, size_t /*bytes_max*/) override {
    if (path.ends_with("gone")) return absl::NotFoundError("no such file");
    FileContent content{.regular = true, .ours = true, .mode = 0600};
    content.bytes = path.ends_with(".yaml") ? kPolicy : kSecret;
    if (path.ends_with("lines")) content.bytes += "\nmore";
    content.size = content.bytes.size();
    return content;
  }
  absl::Status Create(const std::string&, std::string_view) override { return Refuse(); }
  absl::Status Replace(const std::string&, const std::string&) override { return Refuse(); }
  absl::Status Link(const std::string&, const std::string&) override { return Refuse(); }
  absl::Status Remove(const std::string&) override { return Refuse(); }
  absl::Status SyncDirectory(const std::string&) override { return Refuse(); }

 private:
  static absl::Status Refuse() {
    Expect(false, "a configuration is only read");
    return absl::OkStatus();
  }
};

void ExpectGoodFindings(std::string_view yaml, const std::vector<PolicyFileFinding>& findings) {
  const auto lines = static_cast<size_t>(std::count(yaml.begin(), yaml.end(), '\n')) + 1;
  const PolicyFileFinding* before = nullptr;
  for (const PolicyFileFinding& finding : findings) {
    Expect(finding.line >= 1 && finding.line <= lines + 1, "a line of the file, or its end");
    Expect(finding.column >= 1 && finding.column <= yaml.size() + 2, "a column of the file");
    Expect(!finding.message.empty() && std::none_of(finding.message.begin(), finding.message.end(),
                                                    [](char c) { return c >= 0 && c < ' '; }),
           "a message is one line");
    // What stands in the configuration itself, as the name of an issuer, is no secret.
    Expect(finding.message.find(kSecret) == std::string::npos || yaml.find(kSecret) != yaml.npos,
           "no message has a secret");
    Expect(
        before == nullptr || std::tie(before->line, before->column) <= std::tie(finding.line, finding.column),
        "in the order of the file");
    before = &finding;
  }
}

bool IsLocal(std::string_view address) {
  return address.empty() || address.starts_with("127.") || address.starts_with("unix:/") ||
         address.starts_with("[::1]:") || address.starts_with("[0");  // A longer way to write ::1.
}

void ExpectSafe(const tollgated::Settings& settings) {
  using tollgated::Proxy;
  Expect(!settings.listen.empty() && !settings.servers.empty(), "it serves something");
  Expect(settings.servers.size() == settings.engine.resources.size(), "each server is a resource");
  Expect(IsLocal(settings.admin_listen), "operators are on this machine");
  for (const tollgated::ServerSettings& server : settings.servers) {
    const int ways = (server.sees_body ? 1 : 0) + (server.dangerous_trust_mcp_headers.empty() ? 0 : 1) +
                     (server.decide_as_tool.empty() ? 0 : 1);
    Expect(ways == 1, "one way to know which tool a request is about");
    Expect(!server.sees_body || (server.proxy != Proxy::kNginx && server.proxy != Proxy::kCaddy),
           "no body that the proxy does not show");
    Expect(server.decide_as_tool.empty() || server.decide_as_tool == "search", "a tool of the policy");
    Expect(!server.authorization_servers.empty(), "clients learn where to go");
  }
}

}  // namespace

bool Accepts(std::string_view input) {
  Files files;
  std::vector<PolicyFileFinding> findings;
  const absl::StatusOr<tollgated::Settings> settings =
      tollgated::ParseSettings(input, "/etc/tollgate", files, &findings);
  ExpectGoodFindings(input, findings);
  const bool has_error = std::any_of(findings.begin(), findings.end(),
                                     [](const PolicyFileFinding& finding) { return finding.is_error; });
  Expect(settings.ok() == !has_error, "refused exactly if there is an error");
  if (!settings.ok()) return false;
  ExpectSafe(*settings);
  const absl::StatusOr<tollgated::Settings> again = tollgated::ParseSettings(input, "/etc/tollgate", files);
  Expect(again.ok() && tollgated::PlanReload(*settings, *again).empty(), "the same when it is read again");
  return true;
}

}  // namespace tollgate::fuzz
