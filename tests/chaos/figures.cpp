#include "figures.hpp"

#include <numeric>

namespace chaos {
namespace {

using bulkhead::host_state;

void count(figures::counts& in, std::string_view what) {
  ++in.try_emplace(std::string{what}).first->second;
}

} // namespace

void figures::fault(std::string_view kind) {
  std::lock_guard const lock{mutex_};
  count(counted_.faults, kind);
}

void figures::policy_reload() {
  std::lock_guard const lock{mutex_};
  ++counted_.reloads;
}

void figures::runtime(std::string_view ending) {
  std::lock_guard const lock{mutex_};
  count(counted_.runtimes, ending);
}

void figures::event(bulkhead::host_event const& event) {
  if (event.kind != bulkhead::host_event_kind::state_changed)
    return;
  std::lock_guard const lock{mutex_};
  if (event.to == host_state::Running)
    ++counted_.starts;
  else if (event.to == host_state::Restarting)
    ++counted_.restarts;
  else if (event.to == host_state::Crashed)
    ++counted_.crashes;
  else if (event.to == host_state::Unhealthy)
    count(counted_.ends, bulkhead::to_string(event.why));
}

figures::snapshot figures::now() const {
  std::lock_guard const lock{mutex_};
  return counted_;
}

std::size_t sum_of(figures::counts const& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::size_t{},
                         [](std::size_t sum, auto const& each) { return sum + each.second; });
}

std::string to_text(figures::counts const& counts) {
  std::string text;
  for (auto const& [what, times] : counts)
    text += (text.empty() ? "" : ", ") + what + " " + std::to_string(times);
  return text;
}

bulkhead::json to_json(figures::counts const& counts) {
  boost::json::object made;
  for (auto const& [what, times] : counts)
    made.emplace(what, times);
  return made;
}

} // namespace chaos
