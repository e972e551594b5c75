#include "attack.hpp"

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/tiocl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace adversary {
namespace {

/// The terminal that somebody forgot to close, made this process's own.
int terminal(target const& what) noexcept {
  auto const descriptor = what.number("terminal");
  ::setsid();
  ::ioctl(descriptor, TIOCSCTTY, 0);
  return descriptor;
}

outcome type_into_terminal(target const& what) {
  return outcome_of(::ioctl(terminal(what), TIOCSTI, "x"));
}

outcome paste_into_console(target const& what) {
  char function = TIOCL_GETSHIFTSTATE; // the most harmless of those that paste
  return outcome_of(::ioctl(terminal(what), TIOCLINUX, &function));
}

outcome open_terminal(target const&) {
  return outcome_of(::open("/dev/tty", O_RDWR | O_CLOEXEC));
}

outcome become_root(target const&) {
  return outcome_of(::setuid(0));
}

outcome change_groups(target const&) {
  return outcome_of(::syscall(SYS_setgroups, 0, nullptr));
}

outcome take_capability(target const&) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2]{};
  sets[0].effective = sets[0].permitted = 1u << CAP_SYS_ADMIN;
  return outcome_of(::syscall(SYS_capset, &header, sets));
}

outcome hold_capability(target const&) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2]{};
  if (::syscall(SYS_capget, &header, sets) != 0)
    return stopped_by(errno);
  return sets[0].effective != 0 || sets[1].effective != 0 ? got_through() : stopped_by("none");
}

outcome gain_new_privileges(target const&) {
  return ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? stopped_by("NoNewPrivs") : got_through();
}

outcome execute_as(char const* program, char const* argument) {
  auto const child = ::fork();
  if (child == 0) {
    ::execl(program, program, argument, nullptr);
    ::_exit(errno);
  }
  if (child < 0)
    return stopped_by(errno);
  int status = 0;
  ::waitpid(child, &status, 0);
  return {WIFEXITED(status) && WEXITSTATUS(status) == 1, "no gain"};
}

/// A program of root's with the set-user-ID bit.
outcome execute_set_user_id(target const& what) {
  auto const* const program = what.text("setuid");
  if (::access(program, F_OK) != 0)
    return stopped_by(errno);
  return execute_as(program, "--identity");
}

outcome make_set_user_id(target const& what) {
  auto const folder = ::open(what.text("folder"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0)
    return stopped_by(errno);
  auto const made = ::openat(folder, "set-user-id", O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
  if (made < 0)
    return stopped_by(errno);
  auto const changed = ::fchmod(made, S_ISUID | 0755);
  auto const ended = outcome_of(changed);
  ::unlinkat(folder, "set-user-id", 0);
  return ended;
}

/// What may be used is not: descriptors 0 to 2 and the channel.
outcome use_inherited_descriptor(target const& what) {
  constexpr int enough = 1024;
  auto const* const channel = std::getenv("BULKHEAD_IPC_FD");
  auto const own = channel == nullptr ? STDERR_FILENO : std::atoi(channel);
  for (int each = STDERR_FILENO + 1; each < enough; ++each)
    if (each != own && each != what.number("terminal") && ::fcntl(each, F_GETFD) >= 0)
      return got_through();
  return stopped_by("EBADF");
}

constexpr attack attacks[] = {
    {"type-into-terminal", type_into_terminal},
    {"paste-into-console", paste_into_console},
    {"open-terminal", open_terminal},
    {"become-root", become_root},
    {"change-groups", change_groups},
    {"take-capability", take_capability},
    {"hold-capability", hold_capability},
    {"gain-new-privileges", gain_new_privileges},
    {"execute-set-user-id", execute_set_user_id},
    {"make-set-user-id", make_set_user_id},
    {"use-inherited-descriptor", use_inherited_descriptor},
};

} // namespace

std::span<attack const> privilege_attacks() noexcept {
  return attacks;
}

} // namespace adversary
