#pragma once

#include <bulkhead/messages/host_event.hpp>
#include <bulkhead/messages/json.hpp>

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace chaos {

/// How often what has happened. May be used by any number of threads.
class figures {
public:
  using counts = std::map<std::string, std::size_t, std::less<>>;

  void fault(std::string_view kind);
  void policy_reload();
  /// A runtime that was ended in this way.
  void runtime(std::string_view ending);
  /// What a host's event tells of starts, restarts and ends.
  void event(bulkhead::host_event const& event);

  struct snapshot {
    counts faults;
    counts runtimes; ///< by how they were ended
    counts ends;     ///< of processes, by reason
    std::size_t starts = 0;
    std::size_t restarts = 0;
    std::size_t crashes = 0; ///< hosts that were given up
    std::size_t reloads = 0;
  };
  snapshot now() const;

private:
  mutable std::mutex mutex_;
  snapshot counted_;
};

std::size_t sum_of(figures::counts const& counts);
/// "hang 3, kill 17".
std::string to_text(figures::counts const& counts);
bulkhead::json to_json(figures::counts const& counts);

} // namespace chaos
