#include <bulkhead/platform/linux/kernel_probes.hpp>

#include <bulkhead/platform/beneath.hpp>
#include <bulkhead/platform/linux/launcher_image.hpp>
#include <bulkhead/platform/linux/namespace_remedy.hpp>
#include <bulkhead/platform/linux/probe_attempt.hpp>
#include <bulkhead/platform/linux/probe_verdict.hpp>
#include <bulkhead/platform/linux/seccomp_filter.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bulkhead::platform {
namespace {

// ---- namespaces ---------------------------------------------------------------------------------

enum namespace_stage : int {
  host_user_taken = 1,
  user_namespace,
  user_mapped,
  other_namespaces,
  mounts,
};

constexpr auto all_other_namespaces =
    CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

/// In two steps, as Ubuntu lets everybody make the namespace and takes away what it is good for.
attempt_outcome make_namespaces(bool as_root, uid_t user) noexcept {
  if (as_root) {
    if (auto const became = become(user, 0); !became.done())
      return became; // host_user_taken
    // The maps of a process that changed its user belong to root.
    ::setfsuid(0);
  }
  if (::unshare(CLONE_NEWUSER) != 0)
    return failed_now(user_namespace);
  // Not freed: the process ends.
  auto const map = ::open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
  std::array<char, 64> line;
  auto const length = std::snprintf(line.data(), line.size(), "1000 %u 1\n", user);
  if (map < 0 || ::write(map, line.data(), static_cast<std::size_t>(length)) != length)
    return failed_now(user_mapped);
  if (::unshare(all_other_namespaces) != 0)
    return failed_now(other_namespaces);
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("none", "/tmp", "tmpfs", 0, nullptr) != 0)
    return failed_now(mounts);
  return {};
}

std::string_view sentence_of(int stage) noexcept {
  switch (stage) {
  case host_user_taken:
    return "the user of a host can't be taken to try it";
  case user_namespace:
    return "the kernel refuses a user namespace";
  case user_mapped:
    return "a user namespace can be made, but no user be mapped into it";
  case other_namespaces:
    return "a user namespace can be made, but no other namespace in it";
  case mounts:
    return "namespaces can be made, but nothing be mounted in them";
  default:
    return "namespaces could not be tried";
  }
}

// ---- Landlock -----------------------------------------------------------------------------------

enum landlock_stage : int { ruleset_made = 1, restricted, read_refused };

attempt_outcome restrict_reading() noexcept {
  landlock_ruleset_attr handled{};
  handled.handled_access_fs = LANDLOCK_ACCESS_FS_READ_DIR;
  auto const rules =
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0));
  if (rules < 0)
    return failed_now(ruleset_made);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::syscall(SYS_landlock_restrict_self, rules, 0) != 0)
    return failed_now(restricted);
  auto const is_refused = ::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC) < 0 && errno == EACCES;
  return {.stage = is_refused ? 0 : read_refused, .number = 0};
}

std::string landlock_remedy(int number) {
  if (number == EOPNOTSUPP)
    return "add landlock to the list behind lsm= on the kernel's command line and restart: it is "
           "built in and switched off";
  return "use a kernel with Landlock (Linux 5.13 or later, CONFIG_SECURITY_LANDLOCK=y), and in a "
         "container let its seccomp profile pass the landlock_* system calls";
}

std::string landlock_abilities(int version) {
  std::string can = "what is not granted can't be read";
  if (version >= 4)
    can += ", nor TCP be used";
  if (version >= 6)
    can += ", nor signals leave the sandbox";
  return can + " (version " + std::to_string(version) + " of its interface)";
}

// ---- seccomp ------------------------------------------------------------------------------------

enum seccomp_stage : int { filter_installed = 1, socket_refused };

attempt_outcome install(sock_fprog const& filter) noexcept {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0)
    return failed_now(filter_installed);
  auto const is_refused = ::socket(AF_UNIX, SOCK_STREAM, 0) < 0 && errno == EACCES;
  return {.stage = is_refused ? 0 : socket_refused, .number = 0};
}

// ---- processes ----------------------------------------------------------------------------------

enum pidfd_stage : int { pidfd_opened = 1, pidfd_waited, pidfd_signalled };

/// Its success is that it ends itself.
attempt_outcome kill_by_pidfd() noexcept {
  auto const self = static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0));
  if (self < 0)
    return failed_now(pidfd_opened);
  siginfo_t seen;
  if (::waitid(P_PIDFD, static_cast<id_t>(self), &seen, WEXITED | WNOHANG) != 0 && errno != ECHILD)
    return failed_now(pidfd_waited);
  ::syscall(SYS_pidfd_send_signal, self, SIGKILL, nullptr, 0);
  return failed_now(pidfd_signalled);
}

/// Without its word the launcher ends at once.
attempt_outcome execute_launcher(int program) noexcept {
  char name[] = "bulkhead";
  char* const words[] = {name, nullptr};
  char* const variables[] = {nullptr};
  ::syscall(SYS_execveat, program, "", words, variables, AT_EMPTY_PATH);
  return failed_now(1);
}

} // namespace

mechanism probe_user_namespaces(uid_t host_user) {
  mechanism const what{.name = "user namespaces", .needed_for = purpose::strong_tier};
  auto const as_root = ::geteuid() == 0;
  auto const user = as_root ? host_user : ::geteuid();
  auto const tried = attempt([&]() noexcept { return make_namespaces(as_root, user); });
  if (tried.done())
    return held(what, "user, mount, pid, net, ipc, uts and cgroup namespaces can be made, and "
                      "mounted in");
  auto const sentence = std::string{sentence_of(tried.stage)} + ": " + reason_of(tried);
  return not_held(what, sentence, namespace_remedy(namespace_restrictions::read()));
}

int landlock_version() noexcept {
  auto const version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return static_cast<int>(std::max(version, 0L));
}

mechanism probe_landlock() {
  mechanism const what{.name = "Landlock", .needed_for = purpose::basic_tier};
  auto const tried = attempt(restrict_reading);
  if (tried.done())
    return held(what, landlock_abilities(landlock_version()));
  auto const sentence = tried.stage == read_refused ? "it is in force and does not act"
                                                    : "it is refused: " + reason_of(tried);
  return not_held(what, sentence, landlock_remedy(tried.number));
}

mechanism probe_seccomp() {
  mechanism const what{.name = "seccomp", .needed_for = purpose::basic_tier};
  auto filter = compile_seccomp({});
  if (!filter)
    return not_held(what, filter.error().detail(), filter.error().remedy());
  sock_fprog const program{static_cast<unsigned short>(filter->size()), filter->data()};
  auto const tried = attempt([&]() noexcept { return install(program); });
  if (tried.done())
    return held(what, "the filter for Node.js is taken, and refuses a socket");
  return not_held(what,
                  tried.stage == socket_refused ? "the filter is taken and does not act"
                                                : "the filter is refused: " + reason_of(tried),
                  "use a kernel with CONFIG_SECCOMP_FILTER=y, and let whatever contains this "
                  "program pass the seccomp system call");
}

mechanism probe_pidfd() {
  mechanism const what{.name = "process descriptors", .needed_for = purpose::every_host};
  auto const tried = attempt(kill_by_pidfd);
  if (tried.stage == attempt_outcome::ended_early && WIFSIGNALED(tried.number) &&
      WTERMSIG(tried.number) == SIGKILL)
    return held(what, "processes are signalled and waited for by pidfd");
  return not_held(what, "a pidfd is refused: " + reason_of(tried),
                  "use Linux 5.4 or later, and in a container let its seccomp profile pass "
                  "pidfd_open and pidfd_send_signal");
}

mechanism probe_programs_in_memory() {
  mechanism const what{.name = "programs in memory", .needed_for = purpose::basic_tier};
  auto const program = launcher_program();
  if (!program)
    return not_held(what, program.error().detail(), program.error().remedy());
  auto const tried = attempt([&]() noexcept { return execute_launcher(*program); });
  if (tried.stage == attempt_outcome::ended_early && WIFEXITED(tried.number))
    return held(what, "the launcher is executed from sealed memory");
  return not_held(what, "the launcher can't be executed from memory: " + reason_of(tried),
                  "set vm.memfd_noexec to 0 or 1 (sysctl -w vm.memfd_noexec=1), and let the "
                  "machine's security module pass programs in memory");
}

mechanism probe_openat2() {
  mechanism const what{.name = "openat2", .needed_for = purpose::improvement};
  if (kernel_resolver() == resolver::openat2)
    return held(what, "the kernel keeps the paths of file requests beneath their folder");
  return not_held(what, "it is refused: the paths of file requests are walked folder by folder",
                  "use Linux 5.6 or later, and in a container let its seccomp profile pass "
                  "openat2");
}

} // namespace bulkhead::platform
