#include "pipeline/shadow.h"

#include <utility>

#include "pipeline/context.h"

namespace tollgate::pipeline {
namespace {

Reason Decide(const policy::CompiledPolicy& policy, const policy::CompiledTool* tool,
              const policy::GrantMask& granted, std::optional<int64_t> token_age_s) {
  if (tool == nullptr) return Reason::kUnknownTool;
  if (tool->token_age_max_s != 0) {
    if (!token_age_s.has_value()) return Reason::kIssuedAtMissing;
    if (*token_age_s > tool->token_age_max_s) return Reason::kTooOld;
  }
  return policy.Lacking(tool->requirement, granted);
}

}  // namespace

void Shadow::Compare(const Request& request, std::string_view server, Reason live,
                     const policy::GrantMask& granted, std::optional<int64_t> token_age_s, const Who& who,
                     sync::ThreadBlock& counters) const {
  const policy::CompiledTool* const tool =
      compiled_.FindTool(static_cast<size_t>(request.resource), request.object, request.tool);
  const Reason reason = Decide(compiled_, tool, granted, token_age_s);
  counters.Add(kShadowCompared);
  if (reason == live) return;
  if (live == Reason::kNone) {
    counters.Add(kShadowWouldDeny);
  } else {
    counters.Add(reason == Reason::kNone ? kShadowWouldAllow : kShadowWouldDenyOtherwise);
  }
  // A difference is about something that one of the policies names: who calls cannot make them many.
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return;
  Key key{server, request.object, request.tool, live, reason};
  if (differences_.size() == kShadowDifferencesMax && !differences_.contains(key)) return;
  const auto [entry, is_new] = differences_.try_emplace(std::move(key));
  ShadowDifference& difference = entry->second;
  ++difference.count;
  if (!is_new) return;
  difference.server = server;
  difference.object = request.object;
  difference.tool = request.tool;
  difference.live = live;
  difference.shadow = reason;
  difference.issuer = who.issuer;
  difference.subject = who.subject;
  difference.client_id = who.client_id;
}

std::vector<ShadowDifference> Shadow::Differences() const {
  const std::lock_guard lock(mutex_);
  std::vector<ShadowDifference> differences;
  for (const auto& [key, difference] : differences_) differences.push_back(difference);
  return differences;
}

}  // namespace tollgate::pipeline
