#include <bulkhead/actors/resource_monitor.hpp>

#include <bulkhead/config/units.hpp>
#include <bulkhead/platform/files.hpp>

#include <chrono>
#include <spdlog/fmt/fmt.h>
#include <utility>

namespace bulkhead {
namespace {

using namespace std::chrono_literals;
using monitor_ptr = resource_monitor_actor::stateful_pointer<resource_monitor_state>;
using entry = resource_monitor_state::entry;

/// Often enough for a limit to mean something, seldom enough to cost nothing.
constexpr auto between_looks = 1s;
/// A walk through a folder costs more than a look at a control group.
constexpr std::uint64_t looks_between_walks = 3;

std::uint64_t stored_in(std::vector<std::filesystem::path> const& folders) {
  std::uint64_t sum = 0;
  for (auto const& path : folders) {
    auto const folder = platform::folder::open(path.string());
    auto const top = folder ? folder->locate("") : result<platform::located>{folder.error()};
    auto const size = top ? platform::size_of(*top) : result<std::uint64_t>{top.error()};
    if (size)
      sum += *size;
  }
  return sum;
}

void tell(watched_host const& host, limit_watch::breach const& passed) {
  host.tell({host_signal::kind::exceeded, host.generation, passed.why, 0, passed.detail});
}

/// Off the loop's thread; the next one begins when this has ended.
task<void> look_at_storage(monitor_ptr self, watched_host_ptr host) {
  auto measure = [folders = host->storage] { return stored_in(folders); };
  auto const stored = co_await blocking(self, self->state.around->on.blocking_pool(), measure);
  auto const found = self->state.hosts.find(host->id);
  if (found == self->state.hosts.end() || found->second.host != host)
    co_return;
  found->second.measuring_storage = false;
  if (!stored)
    co_return;
  if (auto const passed = found->second.watch.look_at_storage(*stored))
    tell(*host, *passed);
}

void look_at(monitor_ptr self, entry& each, resource_usage measured) {
  auto& host = *each.host;
  auto now = with_traffic(host, measured);
  auto const used = now.cpu_time - each.last.cpu_time;
  now.cpu_percent = 100.0 * static_cast<double>(used.count()) /
                    static_cast<double>(std::chrono::microseconds{between_looks}.count());
  now.memory_peak = std::max(now.memory_peak, each.last.memory_peak);
  each.last = now;
  host.record->update([&](host_status& status) { status.usage = now; });
  self->state.around->publish({host.id, now, false});
  if (auto const passed = each.watch.look(now, *host.printed))
    tell(host, *passed);
  if (!host.storage.empty() && !each.measuring_storage &&
      self->state.looks % looks_between_walks == 0) {
    each.measuring_storage = true;
    detach(self, look_at_storage(self, each.host));
  }
}

/// All hosts at once, off the loop's thread.
task<void> look(monitor_ptr self) {
  auto& state = self->state;
  std::vector<watched_host_ptr> hosts;
  std::vector<std::shared_ptr<platform::usage_probe const>> probes;
  for (auto const& [id, each] : state.hosts) {
    hosts.push_back(each.host);
    probes.push_back(each.host->process->probe(each.last));
  }
  auto measure = [&containment = state.around->containment, probes] {
    return containment.measure(probes);
  };
  auto const measured = co_await blocking(self, state.around->on.blocking_pool(), measure);
  if (!measured)
    co_return;
  ++state.looks;
  resource_usage sum;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    auto const found = state.hosts.find(hosts[i]->id);
    if (found == state.hosts.end() || found->second.host != hosts[i])
      continue; // it has ended meanwhile
    look_at(self, found->second, (*measured)[i]);
    sum += found->second.last;
  }
  state.around->publish({{}, sum, false});
}

/// What a process used in all. A control group tells it at once; without one it is what was seen
/// last.
void look_last(monitor_ptr self, entry& each) {
  auto const& host = *each.host;
  auto now = each.last;
  if (host.process->report().tier != sandbox_tier::none) {
    now = self->state.around->containment.measure({host.process->probe({})}).front();
    now.memory_peak = std::max(now.memory_peak, each.last.memory_peak);
  }
  now = with_traffic(host, now);
  host.record->update([&](host_status& status) { status.usage = now; });
  self->state.around->publish({host.id, now, true});
}

task<void> look_every_second(monitor_ptr self) {
  auto& state = self->state;
  state.looking = true;
  while (!state.hosts.empty()) {
    co_await sleep_for(self, between_looks);
    co_await look(self);
  }
  state.looking = false;
}

} // namespace

resource_usage with_traffic(watched_host const& host, resource_usage measured) {
  auto const& counters = host.record->counters;
  auto const since = [](auto const& counter, std::uint64_t before) {
    return counter.load(std::memory_order_relaxed) - before;
  };
  measured.operations = since(counters.received, host.operations_before);
  measured.bytes_in = since(counters.bytes_in, host.bytes_in_before);
  measured.bytes_out = since(counters.bytes_out, host.bytes_out_before);
  return measured;
}

std::optional<limit_watch::breach> limit_watch::look(resource_usage const& now,
                                                     std::uint64_t printed) {
  auto const oldest = std::exchange(printed_[looks_++ % output_looks], printed);
  if (now.oom_kills > 0)
    return breach{reason::out_of_memory,
                  fmt::format("limits.memory: the kernel ended a process at {}",
                              units::size_text(limits_.memory))};
  if (now.memory > limits_.memory)
    return breach{reason::out_of_memory, fmt::format("limits.memory: it holds {} bytes of {}",
                                                     now.memory, units::size_text(limits_.memory))};
  if (limits_.cpu_time.count() != 0 && now.cpu_time > limits_.cpu_time)
    return breach{reason::limit_exceeded, fmt::format("limits.cpu_time: it has used more than {}",
                                                      units::time_text(limits_.cpu_time))};
  if (now.processes > limits_.processes)
    return breach{reason::limit_exceeded, fmt::format("limits.processes: it has {} of {}",
                                                      now.processes, limits_.processes)};
  if (printed - oldest > limits_.output_rate * output_looks)
    return breach{reason::limit_exceeded,
                  fmt::format("limits.output_rate: it has printed {} bytes in {} seconds",
                              printed - oldest, std::min(looks_, output_looks))};
  return std::nullopt;
}

std::optional<limit_watch::breach> limit_watch::look_at_storage(std::uint64_t stored) const {
  if (stored <= limits_.storage)
    return std::nullopt;
  return breach{reason::limit_exceeded, fmt::format("limits.storage: it keeps {} bytes of {}",
                                                    stored, units::size_text(limits_.storage))};
}

resource_monitor_actor::behavior_type resource_monitor(monitor_ptr self,
                                                       monitor_surroundings around) {
  self->state.around.emplace(std::move(around));
  return {
      [self](watch_atom, watched_host_ptr const& host) {
        auto& state = self->state;
        state.hosts.insert_or_assign(host->id, entry{host, limit_watch{host->limits}, {}, false});
        if (!state.looking)
          detach(self, look_every_second(self));
      },
      [self](revoke_atom, std::string const& host) {
        if (auto const found = self->state.hosts.find(host); found != self->state.hosts.end()) {
          look_last(self, found->second);
          self->state.hosts.erase(found);
        }
      },
  };
}

} // namespace bulkhead
