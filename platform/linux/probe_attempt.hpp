#pragma once

#include <string>
#include <sys/types.h>

namespace bulkhead::platform {

/// What a process of its own came to that tried something.
struct attempt_outcome {
  /// What failed, as the work counts from 1; 0: all was done. Below 0: see the constants.
  int stage = 0;
  int number = 0; ///< errno of the failure; of `ended_early` the status as waitpid(2) gives it

  /// The process ended before the work returned, as one that executed a program does.
  static constexpr int ended_early = -1;
  /// It was killed, as it took longer than anything here may.
  static constexpr int took_too_long = -2;
  /// There is no such process.
  static constexpr int not_begun = -3;

  bool done() const noexcept { return stage == 0; }
};

/// A stage that failed now, with errno.
attempt_outcome failed_now(int stage) noexcept;

using attempted_work = attempt_outcome (*)(void const* given) noexcept;

/// Runs the work in a forked process, which may restrict itself as it likes and ends with it, and
/// waits for that. The work makes system calls only: other threads of this program may have held
/// any lock. Takes seconds at most.
attempt_outcome attempt(attempted_work work, void const* given) noexcept;

template <class Work>
attempt_outcome attempt(Work work) noexcept {
  return attempt([](void const* given) noexcept { return (*static_cast<Work const*>(given))(); },
                 &work);
}

/// Why it was not done, such as "Operation not permitted".
std::string reason_of(attempt_outcome const& outcome);

/// In an attempt of root's: gives up the groups and becomes another user, who may be root again if
/// `saved` is 0. What the process has in memory stays closed to that user's other processes. Stage
/// 1 where it is refused.
attempt_outcome become(uid_t user, uid_t saved) noexcept;

} // namespace bulkhead::platform
