#include <bulkhead/messages/resource_usage.hpp>

namespace bulkhead {

resource_usage& resource_usage::operator+=(resource_usage const& other) noexcept {
  memory += other.memory;
  memory_peak += other.memory_peak;
  cpu_time += other.cpu_time;
  cpu_percent += other.cpu_percent;
  processes += other.processes;
  descriptors += other.descriptors;
  oom_kills += other.oom_kills;
  operations += other.operations;
  bytes_in += other.bytes_in;
  bytes_out += other.bytes_out;
  return *this;
}

json to_json(resource_usage const& usage) {
  return {{"memory", usage.memory},
          {"memory_peak", usage.memory_peak},
          {"cpu_time_us", usage.cpu_time.count()},
          {"cpu_percent", usage.cpu_percent},
          {"processes", usage.processes},
          {"descriptors", usage.descriptors},
          {"oom_kills", usage.oom_kills},
          {"operations", usage.operations},
          {"bytes_in", usage.bytes_in},
          {"bytes_out", usage.bytes_out}};
}

} // namespace bulkhead
