#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <sys/types.h>

namespace bulkhead::platform {

/// What a process's main thread does, as the kernel sees it: nothing is asked of the process.
struct thread_activity {
  char state = '?';                     ///< as in proc(5): R runs, S and D wait, T is stopped
  std::chrono::microseconds cpu_time{}; ///< since its start, in steps of the kernel's clock tick
};

/// Empty where there is no such process, or it can't be looked into. Any thread.
std::optional<thread_activity> main_thread_of(pid_t process);

/// One clause: "its main thread runs, 98 % of the time". `before` is an earlier look, so long ago.
std::string describe(thread_activity const& now, thread_activity const& before,
                     std::chrono::microseconds between);

} // namespace bulkhead::platform
