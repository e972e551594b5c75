#include <bulkhead/platform/linux/host_probe.hpp>

#include <bulkhead/platform/linux/process_usage.hpp>

namespace bulkhead::platform {
namespace {

void take_group(host_probe const& probe, resource_usage& into) {
  auto const used = probe.group->usage_since(probe.before.cpu_time);
  if (!used) {
    into = probe.before;
    return;
  }
  into.memory = used->memory;
  into.memory_peak = used->memory_peak;
  into.cpu_time = used->cpu_time;
  into.processes = used->processes;
  into.oom_kills = used->oom_kills;
  if (probe.program != 0)
    into.descriptors = open_files_of(probe.program);
}

void take_end(launch_report::usage const& ended, resource_usage& into) {
  into.cpu_time = std::max(into.cpu_time, ended.user + ended.system);
  into.memory_peak = std::max(into.memory_peak, ended.peak_bytes);
}

} // namespace

std::vector<resource_usage> measure(std::vector<std::shared_ptr<usage_probe const>> const& probes) {
  std::vector<resource_usage> all(probes.size());
  std::vector<observed_process> walked;
  std::vector<std::size_t> places; // of those that are walked to
  for (std::size_t i = 0; i < probes.size(); ++i) {
    auto const& probe = static_cast<host_probe const&>(*probes[i]);
    if (probe.group)
      take_group(probe, all[i]);
    if (probe.ended)
      take_end(*probe.ended, all[i]);
    if (!probe.group && !probe.ended && probe.descriptor && *probe.descriptor) {
      walked.push_back({probe.program, probe.descriptor->get()});
      places.push_back(i);
    }
  }
  if (walked.empty())
    return all;
  auto const found = usage_of(walked);
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!found[i])
      continue;
    auto& into = all[places[i]];
    into.memory = into.memory_peak = found[i]->memory;
    into.cpu_time = found[i]->cpu_time;
    into.processes = found[i]->threads; // as limits.processes counts them
    into.descriptors = found[i]->open_files;
  }
  return all;
}

} // namespace bulkhead::platform
