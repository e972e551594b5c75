#pragma once

#include <bulkhead/messages/actor_interfaces.hpp>

#include <chrono>
#include <map>
#include <string>

namespace bulkhead {

/// Makes one audit record of a flood of refused requests: the first one is recorded at once, those
/// of the following second together. Time is passed in.
class denial_tally {
public:
  using clock = std::chrono::system_clock;

  /// Counts `refused` requests of a host that came too fast, of which the last was of that type.
  void add(std::string const& host, std::string_view type, std::uint64_t refused,
           clock::time_point now, audit_records& into);
  /// Records what has been counted of a host and forgets the host.
  void forget(std::string const& host, clock::time_point now, audit_records& into);
  /// The same of every host.
  void forget_all(clock::time_point now, audit_records& into);

private:
  struct entry {
    clock::time_point recorded; // when the last record was made
    std::uint64_t count = 0;    // since then
    std::string type;
  };
  static void record(std::string const& host, entry& counted, clock::time_point now,
                     audit_records& into);

  std::map<std::string, entry, std::less<>> hosts_;
};

} // namespace bulkhead
