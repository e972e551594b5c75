#include <bulkhead/platform/pidfd.hpp>

#include <cerrno>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bulkhead::platform {
namespace {

bool is_unreaped_child(int pidfd) noexcept {
  siginfo_t seen;
  return wait_by_descriptor(pidfd, WEXITED | WNOHANG | WNOWAIT, seen) == 0;
}

} // namespace

unique_fd open_pidfd(pid_t number) noexcept {
  return above_standard_streams(unique_fd{static_cast<int>(::syscall(SYS_pidfd_open, number, 0))});
}

bool send_signal(int pidfd, int number, unsigned flags) noexcept {
  return ::syscall(SYS_pidfd_send_signal, pidfd, number, nullptr, flags) == 0;
}

int wait_by_descriptor(int pidfd, int options, siginfo_t& seen) noexcept {
  int failed = 0;
  do {
    seen = {};
    failed = ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &seen, options) == 0 ? 0 : errno;
  } while (failed == EINTR);
  return failed;
}

void kill_group(int pidfd, pid_t leader) noexcept {
  if (send_signal(pidfd, SIGKILL, to_process_group) || errno == ESRCH)
    return;
  // Older kernels signal a group by number only. It is this group's as long as its leader is not
  // reaped, dead or alive.
  if (is_unreaped_child(pidfd))
    ::kill(-leader, SIGKILL);
}

exit_status status_from(siginfo_t const& seen) noexcept {
  switch (seen.si_code) {
  case CLD_EXITED:
    return {exit_kind::exited, seen.si_status, false};
  case CLD_KILLED:
    return {exit_kind::signaled, seen.si_status, false};
  case CLD_DUMPED:
    return {exit_kind::signaled, seen.si_status, true};
  default:
    return {};
  }
}

} // namespace bulkhead::platform
