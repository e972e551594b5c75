#include <bulkhead/actors/code_store.hpp>

#include <bulkhead/actors/script_report.hpp>

#include <algorithm>
#include <numeric>
#include <utility>

namespace bulkhead {

compiled_code_ptr code_store::take(std::string_view host, launch_profile_ptr const& launch) {
  hosts_.insert_or_assign(std::string{host}, launch);
  drop_unused();
  ++takes_;
  for (auto& each : entries_)
    if (is_same(each.launch, launch)) {
      each.taken = takes_;
      return each.code;
    }
  return nullptr;
}

launch_profile_ptr code_store::launch_of(std::string_view host) const {
  auto const found = hosts_.find(host);
  return found != hosts_.end() ? found->second : nullptr;
}

compiled_code_ptr code_store::find(launch_profile_ptr const& launch) const {
  auto const* const found = entry_of(launch);
  return found ? found->code : nullptr;
}

std::vector<std::string> code_store::names_for(launch_profile_ptr const& launch,
                                               std::vector<std::string> loaded) const {
  if (auto const* const found = entry_of(launch))
    for (auto const& [name, state] : found->of)
      loaded.push_back(name);
  std::ranges::sort(loaded);
  auto const [end, rest] = std::ranges::unique(loaded);
  loaded.erase(end, rest);
  loaded.resize(std::min(loaded.size(), most_scripts));
  return loaded;
}

bool code_store::wants(launch_profile_ptr const& launch, script_states const& now) const {
  if (now.empty())
    return false;
  auto const* const found = entry_of(launch);
  if (!found)
    return true;
  // Scripts that are loaded on some starts only are not worth another round.
  return std::ranges::any_of(found->of, [&](auto const& before) {
    auto const present = now.find(before.first);
    return present == now.end() || !(present->second == before.second);
  });
}

void code_store::keep(launch_profile_ptr const& launch, script_states of, compiled_code_ptr made) {
  std::erase_if(entries_, [&](entry const& each) { return is_same(each.launch, launch); });
  entries_.push_back({launch, std::move(of), std::move(made), takes_});
  drop_unused();
  while (bytes() > limit_) {
    auto const oldest = std::ranges::min_element(entries_, {}, [](entry const& each) {
      return std::pair{each.code == nullptr, each.taken}; // what holds nothing frees nothing
    });
    entries_.erase(oldest);
  }
}

std::uint64_t code_store::bytes() const noexcept {
  return std::accumulate(entries_.begin(), entries_.end(), std::uint64_t{0},
                         [](std::uint64_t sum, entry const& each) {
                           return sum + (each.code ? each.code->bytes : 0);
                         });
}

code_store::entry const* code_store::entry_of(launch_profile_ptr const& launch) const {
  auto const found = std::ranges::find_if(
      entries_, [&](entry const& each) { return is_same(each.launch, launch); });
  return found != entries_.end() ? &*found : nullptr;
}

void code_store::drop_unused() {
  std::erase_if(entries_, [this](entry const& each) {
    return std::ranges::none_of(
        hosts_, [&](auto const& host) { return is_same(host.second, each.launch); });
  });
}

} // namespace bulkhead
