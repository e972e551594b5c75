#include <bulkhead/actors/restart_group.hpp>

#include <algorithm>
#include <utility>

namespace bulkhead {

bool restart_group::goes_down_with(member who, member failed) const noexcept {
  switch (strategy_) {
  case restart_strategy::one_for_one:
    return false;
  case restart_strategy::all_for_one:
    return who != failed;
  case restart_strategy::rest_for_one:
    return who > failed;
  }
  return false;
}

bool restart_group::is_any(phase at) const noexcept {
  return std::ranges::any_of(members_, [at](state const& each) { return each.at == at; });
}

void restart_group::waits(member who) {
  auto& one = members_[who];
  auto const after_failure = std::exchange(one.at, phase::waiting) == phase::backing_off;
  one.to_end_with.reset();
  one.held_by.reset();
  // Its restart is nobody else's business, and nobody may delay it.
  if (after_failure && strategy_ == restart_strategy::one_for_one && !closed_) {
    one.at = phase::starting;
    ready_.push_back({action::go, who, who});
  }
}

void restart_group::is_running(member who) {
  members_[who].at = phase::up;
  for (member i = 0; i < members_.size(); ++i)
    if (members_[i].held_by == who) {
      members_[i].held_by.reset();
      ready_.push_back({action::start, i, who});
    }
}

void restart_group::failed(member who) {
  members_[who].at = phase::backing_off;
  members_[who].to_end_with.reset();
  for (member i = 0; i < members_.size(); ++i)
    if (auto& one = members_[i]; goes_down_with(i, who) && !one.to_end_with &&
                                 (one.at == phase::up || one.at == phase::starting))
      one.to_end_with = who;
}

void restart_group::crashed(member who) {
  members_[who] = {};
  for (member i = members_.size(); i-- > 0;)
    if (auto& one = members_[i]; goes_down_with(i, who) && one.at != phase::down) {
      one = {phase::down, std::nullopt, who};
      ready_.push_back({action::stop, i, who});
    }
}

void restart_group::stopped(member who) {
  members_[who] = {};
}

std::vector<restart_group::order> restart_group::take_orders() {
  auto orders = std::exchange(ready_, {});
  if (closed_)
    return {};
  end_one(orders);
  start_next(orders);
  return orders;
}

/// One after the other, the last one first.
void restart_group::end_one(std::vector<order>& orders) {
  if (is_any(phase::ending))
    return;
  for (member i = members_.size(); i-- > 0;)
    if (auto const why = std::exchange(members_[i].to_end_with, std::nullopt)) {
      members_[i].at = phase::ending;
      return orders.push_back({action::restart, i, *why});
    }
}

/// The first that waits, unless one has yet to end, one before it is not up yet, or one that would
/// take it down again is still backing off.
void restart_group::start_next(std::vector<order>& orders) {
  if (is_any(phase::ending))
    return;
  for (member i = 0; i < members_.size(); ++i) {
    if (members_[i].at == phase::starting)
      return;
    if (members_[i].at != phase::waiting)
      continue;
    for (member k = 0; k < members_.size(); ++k)
      if (members_[k].at == phase::backing_off && goes_down_with(i, k))
        return;
    members_[i].at = phase::starting;
    return orders.push_back({action::go, i, i});
  }
}

} // namespace bulkhead
