#include "figures.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

namespace chaos {
namespace {

using bulkhead::host_state;

void count(figures::counts& in, std::string_view what) {
  ++in.try_emplace(std::string{what}).first->second;
}

/// What a request about a file may end in: the policy changes, there are many, it is cancelled.
constexpr std::array<std::string_view, 6> explained{"permission_denied", "path_denied",
                                                    "rate_limited",      "overloaded",
                                                    "limit_exceeded",    "ABORT_ERR"};

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

void figures::file_step(bulkhead::json const& told) {
  std::string const step{told.at("step").as_string()};
  std::lock_guard const lock{mutex_};
  if (auto const* const failed = told.as_object().if_contains("failed")) {
    std::string const why{failed->as_string()};
    auto const is_new = !counted_.file_refusals.contains(why);
    count(counted_.file_refusals, why);
    if (is_new && std::ranges::find(explained, why) == explained.end())
      counted_.wrong.push_back("bytes in files: " + step + ": " + why);
  } else {
    count(counted_.file_steps, step);
    if (step != "delete")
      counted_.file_bytes += told.at("size").to_number<std::size_t>();
  }
}

void figures::start_of(bulkhead::host_status const& host) {
  if (host.code_cached == 0)
    return;
  std::lock_guard const lock{mutex_};
  if (std::exchange(compiled_[host.host], host.running_since) != host.running_since)
    ++counted_.compiled_starts;
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
