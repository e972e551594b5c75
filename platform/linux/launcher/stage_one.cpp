#include <bulkhead/platform/linux/launcher/report.hpp>
#include <bulkhead/platform/linux/launcher/stages.hpp>

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bulkhead::launcher {
namespace {

/// First of all, so that all that follows is counted and can be killed.
void join_cgroups() noexcept {
  for (int i = 0; i < static_cast<int>(plan().join_count); ++i) {
    // "0" is the writer itself.
    perform(
        step::cgroup, [i] { return ::write(first_join + i, "0", 1); }, i);
    ::close(first_join + i);
  }
  if (plan().join_count == 0)
    perform(step::cgroup, [] { return 0; });
}

/// A folder below one that only root may enter can't be named by the user to come, and bubblewrap
/// wants a name for what it binds. So each tree is copied, which takes a descriptor only, and
/// attached in a folder of a private namespace that everybody may enter.
void stage_trees() noexcept {
  int trees[max_binds];
  auto const count = static_cast<int>(plan().mount_count);
  // Copied before the namespace is changed: a tree of another namespace can't be.
  for (int i = 0; i < count; ++i) {
    auto const& mount = plan().mounts[i];
    trees[i] = perform(
        step::mount_copy,
        [&] {
          return ::open_tree(mount.from, "",
                             AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        },
        i);
    mount_attr wanted{};
    wanted.attr_set = mount.attributes;
    perform(
        step::mount_attributes,
        [&] {
          return ::mount_setattr(trees[i], "", AT_EMPTY_PATH | AT_RECURSIVE, &wanted,
                                 sizeof wanted);
        },
        i);
  }
  perform(step::mount_namespace, [] { return ::unshare(CLONE_NEWNS); });
  perform(step::mount_privacy,
          [] { return ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr); });
  perform(step::mount_staging, [] {
    // It holds nothing but the points where the trees are attached.
    return ::mount("bulkhead", string_at(plan().staging), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                   "mode=0755,size=1m");
  });
  for (int i = 0; i < count; ++i) {
    auto const& mount = plan().mounts[i];
    auto const* const at = string_at(mount.at);
    perform(
        step::mount_point,
        [&] { return mount.is_folder ? ::mkdir(at, 0755) : ::mknod(at, S_IFREG | 0444, 0); }, i);
    perform(
        step::mount_move,
        [&] { return ::move_mount(trees[i], "", AT_FDCWD, at, MOVE_MOUNT_F_EMPTY_PATH); }, i);
    ::close(trees[i]);
    ::close(mount.from);
  }
}

void become_user() noexcept {
  perform(step::groups, [] { return ::setgroups(0, nullptr); });
  perform(step::group, [] { return ::setresgid(plan().group, plan().group, plan().group); });
  perform(step::user, [] { return ::setresuid(plan().user, plan().user, plan().user); });
}

/// As kernel uid 0 no namespace is a boundary: /proc/sys would be writable.
bool is_not_root() noexcept {
  return ::getuid() != 0 && ::geteuid() != 0 && ::setuid(0) != 0;
}

[[noreturn]] void execute_bubblewrap() noexcept {
  // bubblewrap takes its options from a descriptor: none of them is ever split or looked for.
  static char name[] = "bwrap";
  static char from[] = "--args";
  static char words[] = "262";
  static_assert(bubblewrap_words == 262);
  static char end[] = "--";
  static char program[] = "/proc/self/fd/258";
  static_assert(launcher_file == 258);
  static char stage[] = "stage2";
  static char* arguments[] = {name, from, words, end, program, stage, nullptr};
  static char* no_environment[] = {nullptr};
  perform(step::bubblewrap_start, [] {
    return ::syscall(SYS_execveat, bubblewrap_file, "", arguments, no_environment, AT_EMPTY_PATH);
  });
  ::_exit(exit_failed);
}

} // namespace

void run_stage_one() noexcept {
  load_plan(step::plan_outside);
  join_cgroups();
  ::umask(077);
  perform(step::core_size, [] {
    rlimit const none{0, 0};
    return ::setrlimit(RLIMIT_CORE, &none);
  });
  if (has(stage_mounts))
    stage_trees();
  if (has(change_user))
    become_user();
  ascertain(step::root_gone, is_not_root, EPERM);
  ascertain(
      step::orphan_outside, [] { return !is_orphaned(); }, ESRCH);
  status_record done{};
  done.kind = status_kind::staged;
  tell(done);
  if (has(own_root))
    execute_bubblewrap();
  run_stage_two();
}

} // namespace bulkhead::launcher
