#include "attack.hpp"

#include <csignal>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace adversary {
namespace {

/// Where namespaces can be had, mounts can: of one's own, and what is done there is a bug of the
/// kernel's away from all.
void take_namespaces() noexcept {
  ::unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET);
}

outcome outcome_of_child(long child) noexcept {
  if (child == 0)
    ::_exit(0);
  if (child < 0)
    return stopped_by(errno);
  ::waitpid(static_cast<pid_t>(child), nullptr, __WALL);
  return got_through();
}

outcome unshare_user(target const&) {
  return outcome_of(::unshare(CLONE_NEWUSER));
}

/// The way to all others.
outcome unshare_network(target const&) {
  return outcome_of(::unshare(CLONE_NEWUSER | CLONE_NEWNET));
}

outcome clone_namespace(target const&) {
  return outcome_of_child(
      ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
}

outcome clone3_namespace(target const&) {
  clone_args how{};
  how.flags = CLONE_NEWUSER;
  how.exit_signal = SIGCHLD;
  return outcome_of_child(::syscall(SYS_clone3, &how, sizeof how));
}

outcome join_namespace(target const&) {
  take_namespaces();
  auto const own = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  return own < 0 ? stopped_by(errno) : outcome_of(::setns(own, CLONE_NEWNET));
}

outcome mount_tmpfs(target const&) {
  take_namespaces();
  return outcome_of(::mount("attack", "/tmp", "tmpfs", 0, nullptr));
}

outcome mount_bind(target const&) {
  take_namespaces();
  return outcome_of(::mount("/", "/tmp", nullptr, MS_BIND | MS_REC, nullptr));
}

outcome remount_writable(target const&) {
  take_namespaces();
  return outcome_of(::mount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND, nullptr));
}

outcome copy_tree(target const&) {
  take_namespaces();
  return outcome_of(::syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE | AT_RECURSIVE));
}

outcome move_tree(target const&) {
  take_namespaces();
  ::mount("attack", "/tmp", "tmpfs", 0, nullptr);
  return outcome_of(::syscall(SYS_move_mount, AT_FDCWD, "/tmp", AT_FDCWD, "/dev", 0));
}

outcome open_file_system(target const&) {
  take_namespaces();
  return outcome_of(::syscall(SYS_fsopen, "tmpfs", 0));
}

outcome pivot(target const&) {
  take_namespaces();
  ::mount("attack", "/tmp", "tmpfs", 0, nullptr); // both have to be mounts
  return outcome_of(::syscall(SYS_pivot_root, "/tmp", "/tmp"));
}

outcome change_root(target const&) {
  take_namespaces();
  return outcome_of(::chroot("/tmp"));
}

constexpr attack attacks[] = {
    {"unshare-user", unshare_user},
    {"unshare-network", unshare_network},
    {"clone-namespace", clone_namespace},
    {"clone3-namespace", clone3_namespace},
    {"join-namespace", join_namespace},
    {"mount-tmpfs", mount_tmpfs},
    {"mount-bind", mount_bind},

    {"remount-writable", remount_writable},
    {"copy-tree", copy_tree},
    {"move-tree", move_tree},
    {"open-file-system", open_file_system},
    {"pivot-root", pivot},
    {"change-root", change_root},
};

} // namespace

std::span<attack const> namespace_attacks() noexcept {
  return attacks;
}

} // namespace adversary
