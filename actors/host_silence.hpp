#pragma once

#include <bulkhead/actors/host_link.hpp>
#include <bulkhead/messages/deadline.hpp>
#include <bulkhead/platform/thread_activity.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <sys/types.h>

namespace bulkhead {

/// What a silent host does, looked at from outside: nothing is asked of it.
struct silent_look {
  deadline::clock::time_point when;
  std::optional<platform::thread_activity> thread; ///< its main thread; nothing if it is gone
};
silent_look look_at(pid_t process);

/// "2.5 s".
std::string age_text(deadline::clock::duration age);

/// "no answer for 3s; it runs in user space …; open: render for 3.2 s": for an event. The second
/// look is an earlier one, or the same.
std::string describe_silence(std::chrono::milliseconds silence, silent_look const& now,
                             silent_look const& before, host_link const& link);

/// What is to be said of the oldest request that has been open for longer than `most`; nothing if
/// none has, or if `most` is 0.
std::optional<std::string> describe_overdue(std::chrono::milliseconds most, host_link const& link);

} // namespace bulkhead
