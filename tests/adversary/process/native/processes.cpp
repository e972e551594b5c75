#include "attack.hpp"

#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

// `victim` is a process of the same user outside: what one host is to another without uids of
// their own.
namespace adversary {
namespace {

/// A number that nobody has where none was given: 0, 1 and -1 would be others.
pid_t victim(target const& what) noexcept {
  constexpr pid_t nobody = 0x3fff'ffff;
  auto const given = what.number("victim");
  return given > 1 ? given : nobody;
}

outcome trace(target const& what) {
  return outcome_of(::ptrace(PTRACE_SEIZE, victim(what), nullptr, nullptr));
}

outcome read_memory(target const& what) {
  char byte = 0;
  iovec const here{&byte, sizeof byte};
  // Nothing is there: who may not look is told before.
  iovec const there{nullptr, sizeof byte};
  auto const got = ::process_vm_readv(victim(what), &here, 1, &there, 1, 0);
  return got < 0 && errno == EFAULT ? got_through() : outcome_of(got);
}

outcome open_memory(target const& what) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/mem", victim(what));
  return outcome_of(::open(path, O_RDONLY | O_CLOEXEC));
}

outcome read_environment(target const& what) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/environ", victim(what));
  return outcome_of(::open(path, O_RDONLY | O_CLOEXEC));
}

/// Signal 0 is refused like any other, and harms nobody where it is not.
outcome signal_process(target const& what) {
  return outcome_of(::kill(victim(what), 0));
}

outcome signal_everybody(target const&) {
  return outcome_of(::kill(-1, 0));
}

outcome signal_group(target const& what) {
  return outcome_of(::kill(-victim(what), 0));
}

outcome signal_thread(target const& what) {
  return outcome_of(::syscall(SYS_tkill, victim(what), 0));
}

outcome queue_signal(target const& what) {
  sigval const nothing{};
  return outcome_of(::sigqueue(victim(what), 0, nothing));
}

outcome signal_by_descriptor(target const& what) {
  auto const process = static_cast<int>(::syscall(SYS_pidfd_open, victim(what), 0));
  if (process < 0)
    return stopped_by(errno);
  return outcome_of(::syscall(SYS_pidfd_send_signal, process, 0, nullptr, 0));
}

/// Names the victim as the one whom the kernel signals when something can be read.
outcome aim_signals(target const& what) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return stopped_by(errno);
  if (::fcntl(ends[0], F_SETOWN, victim(what)) != 0)
    return stopped_by(errno);
  return ::fcntl(ends[0], F_GETOWN) == victim(what) ? got_through() : stopped_by(ESRCH);
}

/// The launcher's process that waits for this one.
outcome kill_keeper(target const&) {
  auto const keeper = ::getppid();
  if (::kill(keeper, SIGKILL) != 0)
    return stopped_by(errno);
  // Where it was killed this process has another parent, or none that it sees.
  return ::getppid() == keeper ? stopped_by("ignored") : got_through();
}

outcome renice(target const& what) {
  return outcome_of(::setpriority(PRIO_PROCESS, static_cast<id_t>(victim(what)), 19));
}

outcome read_limits(target const& what) {
  rlimit held{};
  return outcome_of(::prlimit(victim(what), RLIMIT_NOFILE, nullptr, &held));
}

outcome raise_own_limit(target const&) {
  rlimit held{};
  if (::getrlimit(RLIMIT_CORE, &held) != 0)
    return stopped_by(errno);
  held.rlim_cur = held.rlim_max = RLIM_INFINITY;
  return outcome_of(::setrlimit(RLIMIT_CORE, &held));
}

outcome bind_to_processor(target const& what) {
  cpu_set_t first;
  CPU_ZERO(&first);
  CPU_SET(0, &first);
  return outcome_of(::sched_setaffinity(victim(what), sizeof first, &first));
}

outcome take_descriptor(target const& what) {
  auto const process = static_cast<int>(::syscall(SYS_pidfd_open, victim(what), 0));
  if (process < 0)
    return stopped_by(errno);
  return outcome_of(::syscall(SYS_pidfd_getfd, process, STDOUT_FILENO, 0));
}

constexpr attack attacks[] = {
    {"trace", trace},
    {"read-memory", read_memory},
    {"open-memory", open_memory},
    {"read-environment", read_environment},
    {"take-descriptor", take_descriptor},
    {"signal-process", signal_process},
    {"signal-everybody", signal_everybody},
    {"signal-group", signal_group},
    {"signal-thread", signal_thread},
    {"queue-signal", queue_signal},
    {"signal-by-descriptor", signal_by_descriptor},
    {"aim-signals", aim_signals},
    {"kill-keeper", kill_keeper},
    {"renice", renice},
    {"bind-to-processor", bind_to_processor},
    {"read-limits", read_limits},
    {"raise-own-limit", raise_own_limit},
};

} // namespace

std::span<attack const> process_attacks() noexcept {
  return attacks;
}

} // namespace adversary
