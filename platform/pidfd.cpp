#include <bulkhead/platform/pidfd.hpp>

#include <cerrno>
#include <cstdint>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bulkhead::platform {
namespace {

/// struct pidfd_info of linux/pidfd.h in its first form, which Debian 12's headers don't have.
struct process_facts {
  std::uint64_t mask;
  std::uint64_t cgroup;
  std::uint32_t numbers_and_owners[11];
  std::int32_t exit_code; ///< as wait(2) has it
};
constexpr std::uint64_t with_exit = 1u << 3;                        // PIDFD_INFO_EXIT
constexpr unsigned long get_facts = _IOWR(0xFF, 11, process_facts); // PIDFD_GET_INFO

/// The kernel needs microseconds.
constexpr int release_patience_ms = 100;

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

exit_status status_of_reaped(int pidfd) noexcept {
  process_facts facts{};
  auto const is_told = [&] {
    facts.mask = with_exit;
    return ::ioctl(pidfd, get_facts, &facts) == 0;
  };
  if (!is_told())
    return {};
  if ((facts.mask & with_exit) == 0) { // it has ended, and the kernel is just letting go of it
    pollfd gone{pidfd, 0, 0};          // which is told as POLLHUP
    ::poll(&gone, 1, release_patience_ms);
    if (!is_told() || (facts.mask & with_exit) == 0)
      return {};
  }
  auto const code = facts.exit_code;
  if (WIFSIGNALED(code))
    return {exit_kind::signaled, WTERMSIG(code), WCOREDUMP(code) != 0};
  return {exit_kind::exited, WEXITSTATUS(code), false};
}

} // namespace bulkhead::platform
