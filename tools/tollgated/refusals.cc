#include "tools/tollgated/refusals.h"

namespace tollgate::tollgated {

void RefusalBook::Add(size_t server, Reason reason) {
  const int64_t wall_s = clock_.Read().wall_s;
  const std::lock_guard lock(mutex_);
  ++counts_[{server, reason}];
  recent_.push_front({wall_s, server, reason});
  if (recent_.size() > kRecentMax) recent_.pop_back();
}

RefusalBook::Counts RefusalBook::ReadCounts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

std::vector<RefusalBook::Refusal> RefusalBook::ReadRecent() const {
  const std::lock_guard lock(mutex_);
  return {recent_.begin(), recent_.end()};
}

}  // namespace tollgate::tollgated
