#pragma once

#include <bulkhead/platform/unique_fd.hpp>
#include <bulkhead/runtime.hpp>

#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace chaos {

/// A process as /proc shows it.
struct process_entry {
  pid_t pid = 0;
  pid_t parent = 0;
  pid_t group = 0;
  char state = '?'; ///< 'Z': it has ended and nobody has waited for it
  std::string name;
};

/// All that descend from this process, whoever started them: it has to be their subreaper, so that
/// an orphan does not get lost.
std::vector<process_entry> descendants();

/// Makes this process the subreaper of all that it starts. Throws std::system_error.
void adopt_orphans();

/// Waits for processes that have ended and were adopted, of the names that may be: what the library
/// starts leads a group of its own in our process namespace, and is the library's to wait for.
void reap_orphans(bool (*may_be)(std::string_view name));

/// A process of a host's, held by descriptor. Empty where there is none, or where the number that
/// the status names is no longer its own.
bulkhead::platform::unique_fd hold_process(bulkhead::host_handle const& host);

} // namespace chaos
