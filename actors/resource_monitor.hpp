#pragma once

#include <bulkhead/actors/coroutine.hpp>
#include <bulkhead/actors/host_record.hpp>
#include <bulkhead/actors/loop.hpp>
#include <bulkhead/config/policy.hpp>
#include <bulkhead/messages/actor_interfaces.hpp>
#include <bulkhead/messages/resource_usage.hpp>
#include <bulkhead/platform/containment.hpp>

#include <caf/typed_event_based_actor.hpp>

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace bulkhead {

/// One process that is watched from its start to its end. Loop thread.
struct watched_host {
  std::string id;
  std::uint64_t generation = 0;
  host_limits limits;
  std::shared_ptr<platform::contained_host const> process;
  std::shared_ptr<host_record> record;
  std::function<void(host_signal)> tell; ///< its supervisor
  /// Folders that it writes itself, of which nobody else keeps the size.
  std::vector<std::filesystem::path> storage;
  std::shared_ptr<std::uint64_t const> printed; ///< bytes that it has printed so far

  // How the record's counters stood when it started.
  std::uint64_t operations_before = 0;
  std::uint64_t bytes_in_before = 0;
  std::uint64_t bytes_out_before = 0;
};

/// Adds to what was measured what its connection has counted.
resource_usage with_traffic(watched_host const& host, resource_usage measured);

/// Whether one process has passed a limit, look by look. Pure; time is the number of looks, which
/// are a second apart.
class limit_watch {
public:
  /// Over how many looks the rate of the output is taken: a burst such as a stack trace of every
  /// request is no flood.
  static constexpr std::size_t output_looks = 10;

  explicit limit_watch(host_limits const& limits)
      : limits_{limits} {}

  struct breach {
    reason why;
    std::string detail; ///< which limit, and how far it is passed
  };
  /// `printed` as in watched_host.
  std::optional<breach> look(resource_usage const& now, std::uint64_t printed);
  /// The same of what lies in its folders, in bytes.
  std::optional<breach> look_at_storage(std::uint64_t stored) const;

private:
  host_limits limits_;
  std::array<std::uint64_t, output_looks> printed_{}; // as of the last looks, the oldest next
  std::size_t looks_ = 0;
};

/// What the resource monitor works with.
struct monitor_surroundings {
  loop& on;
  platform::containment const& containment; ///< outlives the actor
  /// Each look at each host, and then the sum of all, whose host is empty.
  std::function<void(usage_report const&)> publish;
};

/// The state of the actor that looks at what the hosts use.
struct resource_monitor_state {
  resource_monitor_state() = default;
  resource_monitor_state(resource_monitor_state const&) = delete;

  struct entry {
    watched_host_ptr host;
    limit_watch watch;
    resource_usage last;
    bool measuring_storage = false;
  };

  static inline char const* name = "resource_monitor";
  std::optional<monitor_surroundings> around;
  std::map<std::string, entry, std::less<>> hosts;
  bool looking = false; // a coroutine looks every second, for as long as there are hosts
  std::uint64_t looks = 0;
};

/// Looks at every watched process each second. The first passed limit is told to its supervisor,
/// which ends the host.
resource_monitor_actor::behavior_type
resource_monitor(resource_monitor_actor::stateful_pointer<resource_monitor_state> self,
                 monitor_surroundings around);

} // namespace bulkhead
