#pragma once

#include <bulkhead/messages/host_event.hpp>
#include <bulkhead/messages/json.hpp>

#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

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
  /// What the command "roundTrip" says of one of its steps.
  void file_step(bulkhead::json const& told);
  /// A look at a host: whether its start found its scripts compiled.
  void start_of(bulkhead::host_status const& host);

  struct snapshot {
    counts faults;
    counts runtimes; ///< by how they were ended
    counts ends;     ///< of processes, by reason
    std::size_t starts = 0;
    std::size_t restarts = 0;
    std::size_t crashes = 0; ///< hosts that were given up
    std::size_t reloads = 0;
    counts file_steps;          ///< of round trips of bytes, that went well
    counts file_refusals;       ///< by code
    std::size_t file_bytes = 0; ///< that were written, read or copied
    std::size_t compiled_starts = 0;
    std::vector<std::string> wrong; ///< what no fault explains, a sentence each
  };
  snapshot now() const;

private:
  mutable std::mutex mutex_;
  snapshot counted_;
  std::map<std::string, std::chrono::system_clock::time_point> compiled_; ///< by host, the last one
};

std::size_t sum_of(figures::counts const& counts);
/// "hang 3, kill 17".
std::string to_text(figures::counts const& counts);
bulkhead::json to_json(figures::counts const& counts);

} // namespace chaos
