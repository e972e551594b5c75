#include <bulkhead/actors/warm_stock.hpp>

#include <algorithm>
#include <utility>

namespace bulkhead {
void warm_stock::add_host(host_policy const& policy, bool is_starting, std::uint64_t seed) {
  hosts_.push_back(
      {policy.id, policy.start.warm, restart_budget{policy.restart, seed}, is_starting, nullptr});
}

// ---- what becomes of hosts --------------------------------------------------------------------

std::optional<warm_stock::spare_id> warm_stock::take(std::string_view id,
                                                     launch_profile_ptr const& launch) {
  auto& one = find(id);
  one.is_starting = true;
  one.launch = launch;
  auto const found = std::ranges::find_if(
      spares_, [&](spare const& each) { return each.is_ready && is_same(each.launch, launch); });
  if (found == spares_.end())
    return std::nullopt;
  auto const taken = found->id;
  spares_.erase(found);
  return taken;
}

void warm_stock::settle(std::string_view id, bool went_well) {
  auto& one = find(id);
  one.is_starting = false;
  if (went_well && std::exchange(one.has_given_up, false))
    one.budget.reset();
}

void warm_stock::doubt_launches() {
  for (auto& one : hosts_) {
    one.in_doubt = true;
    if (std::exchange(one.has_given_up, false))
      one.budget.reset();
  }
}

// ---- what is to be made -----------------------------------------------------------------------

std::optional<std::string> warm_stock::next(clock::time_point now) {
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    auto const place = (turn_ + i) % hosts_.size();
    auto& one = hosts_[place];
    if (!waits_for_nothing(one) || one.not_before > now)
      continue;
    if (!one.in_doubt && (!lacks_one(one) || spares_.size() >= limit_))
      continue;
    turn_ = place + 1;
    one.in_doubt = false;
    return one.id;
  }
  return std::nullopt;
}

std::optional<warm_stock::clock::time_point> warm_stock::wakes(clock::time_point now) const {
  std::optional<clock::time_point> first;
  for (auto const& one : hosts_)
    if (waits_for_nothing(one) && (one.in_doubt || lacks_one(one)) && one.not_before > now)
      first = std::min(first.value_or(one.not_before), one.not_before);
  return first;
}

bool warm_stock::is_short() const {
  return spares_.size() >= limit_ && std::ranges::any_of(hosts_, [this](host const& one) {
           return waits_for_nothing(one) && lacks_one(one);
         });
}

bool warm_stock::wants(std::string_view id, launch_profile_ptr const& launch) {
  auto& one = find(id);
  one.launch = launch;
  return lacks_one(one) && spares_.size() < limit_;
}

warm_stock::spare_id warm_stock::add(std::string_view id, launch_profile_ptr launch) {
  spares_.push_back({++last_, std::string{id}, std::move(launch)});
  return last_;
}

void warm_stock::is_ready(spare_id id, clock::time_point now) {
  auto const found = std::ranges::find(spares_, id, &spare::id);
  if (found == spares_.end())
    return;
  found->is_ready = true;
  find(found->made_for).budget.on_running(now);
}

bool warm_stock::is_being_made(spare_id id) const {
  auto const found = std::ranges::find(spares_, id, &spare::id);
  return found != spares_.end() && !found->is_ready;
}

std::optional<std::chrono::milliseconds> warm_stock::lost(spare_id id, clock::time_point now) {
  auto const found = std::ranges::find(spares_, id, &spare::id);
  if (found == spares_.end())
    return std::nullopt;
  auto const made_for = std::exchange(found->made_for, {});
  spares_.erase(found);
  return failed(made_for, now, true);
}

std::optional<std::chrono::milliseconds> warm_stock::failed(std::string_view id,
                                                            clock::time_point now, bool may_pass) {
  auto& one = find(id);
  auto const wait = may_pass ? one.budget.on_failure(now) : std::nullopt;
  if (wait)
    one.not_before = now + *wait;
  else
    one.has_given_up = !one.in_doubt; // a launch that has changed meanwhile may go better
  return wait;
}

void warm_stock::forget(spare_id id) {
  std::erase_if(spares_, [id](spare const& each) { return each.id == id; });
}

std::vector<warm_stock::spare_id> warm_stock::take_unwanted() {
  std::vector<spare_id> unwanted;
  std::erase_if(spares_, [&](spare const& each) {
    auto const wanted = std::ranges::any_of(
        hosts_, [&](host const& one) { return is_same(one.launch, each.launch); });
    if (!wanted)
      unwanted.push_back(each.id);
    return !wanted;
  });
  return unwanted;
}

std::string_view warm_stock::host_of(spare_id id) const {
  auto const found = std::ranges::find(spares_, id, &spare::id);
  return found != spares_.end() ? std::string_view{found->made_for} : std::string_view{};
}

std::uint32_t warm_stock::ready_for(std::string_view id) const {
  auto const& one = find(id);
  return static_cast<std::uint32_t>(std::ranges::count_if(spares_, [&](spare const& each) {
    return each.is_ready && is_same(each.launch, one.launch);
  }));
}

warm_stock::host& warm_stock::find(std::string_view id) {
  return *std::ranges::find(hosts_, id, &host::id);
}

warm_stock::host const& warm_stock::find(std::string_view id) const {
  return *std::ranges::find(hosts_, id, &host::id);
}

bool warm_stock::lacks_one(host const& one) const {
  auto const fitting = std::ranges::count_if(
      spares_, [&](spare const& each) { return one.launch && is_same(each.launch, one.launch); });
  return static_cast<std::uint32_t>(fitting) < one.wanted;
}

bool warm_stock::waits_for_nothing(host const& one) const {
  return !one.is_starting && !one.has_given_up;
}

} // namespace bulkhead
