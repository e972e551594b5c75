#include "attack_table.hpp"

#include <iterator>

namespace attacks {
namespace {

// In the order of containment: nothing, namespaces, Landlock, filter, basic, basic command, strong,
// strong command. Seen on Linux 6.18 with Landlock 7 and Node 20.
constexpr attack_row table[] = {
    {1, "read-secret", "through; ENOENT; EACCES; through; EACCES; EACCES; ENOENT; ENOENT"},
    {1, "see-secret", "through; ENOENT; through; through; through; through; ENOENT; ENOENT"},
    {1, "watch-folder", "through; ENOENT; through; through; EPERM; EPERM; ENOENT; ENOENT"},
    {1, "enter-folder", "through; ENOENT; through; through; through; through; ENOENT; ENOENT"},
    {1, "follow-own-link", "through; ENOENT; EACCES; through; EACCES; EACCES; ENOENT; ENOENT"},
    {1, "read-users", "EACCES; ENOENT; EACCES; EACCES; EACCES; EACCES; ENOENT; ENOENT"},
    {1, "see-control-groups", "through; ENOENT; EACCES; through; EACCES; EACCES; ENOENT; ENOENT"},
    {1, "files: list its folder", "through; ENOENT; EACCES; through; EACCES; -; ENOENT; -"},
    {1, "files: list the root", "through; through; EACCES; through; EACCES; -; EACCES; -"},
    {1, "files: read a secret", "through; ENOENT; EACCES; through; EACCES; -; ENOENT; -"},
    {1, "files: read the users", "through; own file; EACCES; through; EACCES; -; own file; -"},
    {1, "files: see that a secret is there",
     "through; ENOENT; through; through; through; -; ENOENT; -"},
    {1, "files: watch its folder", "through; ENOENT; through; through; EPERM; -; ENOENT; -"},
    {1, "links: /proc/1/root", "EACCES; EACCES; EACCES; EACCES; EACCES; -; EACCES; -"},
    {1, "links: /proc/self/root", "through; ENOENT; EACCES; through; EACCES; -; ENOENT; -"},
    {1, "links: a hard link", "through; ENOENT; EXDEV; through; EXDEV; -; ENOENT; -"},
    {1, "links: a symbolic link", "through; ENOENT; EACCES; through; EACCES; -; ENOENT; -"},
    {1, "links: the root of another process",
     "through; ENOENT; EACCES; through; EACCES; -; ENOENT; -"},
    {2, "overwrite-secret", "through; ENOENT; EACCES; through; EACCES; EACCES; ENOENT; ENOENT"},
    {2, "truncate-secret", "through; ENOENT; EACCES; through; EPERM; EPERM; ENOENT; ENOENT"},
    {2, "change-mode", "through; through; through; through; EPERM; EPERM; through; through"},
    {2, "change-times", "through; through; through; through; EPERM; EPERM; through; through"},
    {2, "create-beside-secret", "through; ENOENT; EACCES; through; EACCES; EACCES; ENOENT; ENOENT"},
    {2, "link-secret", "through; ENOENT; EXDEV; through; EXDEV; EXDEV; ENOENT; ENOENT"},
    {2, "make-device", "EPERM; EPERM; EACCES; EPERM; EPERM; EPERM; EPERM; EPERM"},
    {2, "files: add to the extension", "through; EROFS; EACCES; through; EACCES; -; EROFS*; -"},
    {2, "files: change the extension", "through; EROFS; EACCES; through; EACCES; -; EROFS*; -"},
    {2, "files: create a file beside it", "through; ENOENT; EACCES; through; EACCES; -; ENOENT; -"},
    {2, "files: overwrite a secret", "through; ENOENT; EACCES; through; EACCES; -; ENOENT; -"},
    {3, "unshare-user", "through?; ENOSPC?; through?; EPERM?; EPERM; EPERM; EPERM; EPERM"},
    {3, "unshare-network", "through?; ENOSPC?; through?; EPERM?; EPERM; EPERM; EPERM; EPERM"},
    {3, "clone-namespace", "through?; ENOSPC?; through?; EPERM?; EPERM; EPERM; EPERM; EPERM"},
    {3, "join-namespace", "through?; EPERM?; through?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {4, "clone3-namespace", "through?; ENOSPC?; through?; ENOSYS?; ENOSYS; ENOSYS; ENOSYS; ENOSYS"},
    {5, "mount-tmpfs", "through?; EPERM?; EPERM?; EPERM?; EPERM; EPERM; EPERM; EPERM"},
    {5, "mount-bind", "through?; EPERM?; EPERM?; EPERM?; EPERM; EPERM; EPERM; EPERM"},
    {5, "remount-writable", "through?; EPERM?; EPERM?; EPERM?; EPERM; EPERM; EPERM; EPERM"},
    {5, "copy-tree", "through?; EPERM?; through?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {5, "move-tree", "through?; EPERM?; EPERM?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {5, "open-file-system", "through?; EPERM?; through?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {5, "pivot-root", "through?; EPERM?; EPERM?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {5, "change-root", "through?; EPERM?; through?; EPERM?; EPERM; EPERM; EPERM; EPERM"},
    {6, "trace", "through?; ESRCH?; EPERM?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {6, "read-memory", "through?; ESRCH?; EPERM?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {6, "open-memory", "through?; ENOENT?; EACCES?; through?; EACCES; EACCES; ENOENT; ENOENT"},
    {6, "take-descriptor", "through?; ESRCH?; EPERM?; ENOSYS?; ENOSYS; ENOSYS; ENOSYS; ENOSYS"},
    {7, "load-program-into-kernel",
     "EPERM?; EPERM?; EPERM?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {7, "count-events", "through?; through?; through?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {7, "handle-page-faults",
     "through?; through?; through?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {7, "put-key", "through?; through?; through?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {7, "read-keys", "through?; through?; through?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {7, "ask-for-key", "ENOKEY?; ENOKEY?; ENOKEY?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {7, "load-kernel", "ENOSYS?; ENOSYS?; ENOSYS?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {7, "load-module", "ENOSYS?; ENOSYS?; ENOSYS?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {7, "set-up-ring", "through?; through?; through?; ENOSYS?; ENOSYS; ENOSYS; ENOSYS; ENOSYS"},
    {7, "open-by-handle", "EPERM?; EPERM?; EPERM?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {7, "read-kernel-log", "EPERM?; EPERM?; EPERM?; EPERM?; EPERM; EPERM; EPERM; EPERM"},
    {7, "unrandomize-addresses", "through; through; through; EPERM; EPERM; EPERM; EPERM; EPERM"},
    {7, "set-clock", "EPERM; EPERM; EPERM; EPERM; EPERM; EPERM; EPERM; EPERM"},
    {7, "call-as-i386", "through?; through?; through?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {7, "call-as-x32", "ENOSYS?; ENOSYS?; ENOSYS?; SIGSYS?; SIGSYS; SIGSYS; SIGSYS; SIGSYS"},
    {7, "read-kernel-symbols",
     "without addresses?; without addresses?; EACCES?; without addresses?; EACCES*; EACCES*; "
     "EACCES*; without addresses*"},
    {7, "machine: read the kernel log", "EPERM?; ENOENT?; EACCES?; EPERM?; EACCES; -; ENOENT; -"},
    {8, "type-into-terminal",
     "through?; through?; through?; ENOSYS?; ENOSYS; ENOSYS; ENOSYS; ENOSYS"},
    {8, "paste-into-console", "ENOTTY?; ENOTTY?; ENOTTY?; ENOSYS?; ENOSYS; ENOSYS; ENOSYS; ENOSYS"},
    {8, "open-terminal", "ENXIO; ENOENT; EACCES; ENXIO; EACCES; EACCES; ENOENT; ENOENT"},
    {8, "machine: open the terminal", "ENXIO; ENOENT; EACCES; ENXIO; EACCES; -; ENOENT; -"},
    {9, "become-root", "EPERM; EINVAL; EPERM; EPERM; EPERM; EPERM; EPERM; EPERM"},
    {9, "change-groups", "EPERM; EPERM; EPERM; EPERM; EPERM; EPERM; EPERM; EPERM"},
    {9, "take-capability", "EPERM; EPERM; EPERM; EPERM; EPERM; EPERM; EPERM; EPERM"},
    {9, "hold-capability", "none; none; none; none; none; none; none; none"},
    {9, "gain-new-privileges",
     "through; NoNewPrivs; NoNewPrivs; NoNewPrivs; NoNewPrivs; NoNewPrivs; NoNewPrivs; NoNewPrivs"},
    {9, "execute-set-user-id",
     "through?; ENOENT?; no gain?; EPERM?; EPERM; no gain; ENOENT; no gain"},
    {9, "make-set-user-id", "through; through; through; EPERM; EPERM; EPERM; EPERM; EPERM"},
    {9, "files: make a set-user-ID file", "through; through; through; EPERM; EPERM; -; EPERM; -"},
    {9, "machine: become root", "EPERM; EINVAL; EPERM; EPERM; EPERM; -; EPERM; -"},
    {9, "machine: lift its own niceness", "EACCES; EACCES; EACCES; EPERM; EPERM; -; EPERM; -"},
    {10, "write-core-pattern", "EACCES; EACCES; EACCES; EACCES; EACCES; EACCES; EACCES; EACCES"},
    {10, "trigger-sysrq", "ENOENT?; ENOENT?; ENOENT?; ENOENT?; ENOENT*; ENOENT*; ENOENT*; ENOENT*"},
    {10, "write-own-program",
     "ETXTBSY; ETXTBSY; ETXTBSY; ETXTBSY; ETXTBSY; ETXTBSY; ETXTBSY; ETXTBSY"},
    {10, "replace-own-program", "through; EBUSY; EACCES; through; EACCES; EACCES; EBUSY; EBUSY"},
    {10, "execute-written-file",
     "through; EACCES|through; EACCES; EPERM; EPERM; EACCES; EPERM; EACCES"},
    {10, "execute-memory", "through; through; through; EPERM; EPERM; through; EPERM; through"},
    {10, "code: compile WebAssembly", "through; through; through; through; through; -; through; -"},
    {10, "code: evaluate a string",
     "EvalError; EvalError; EvalError; EvalError; EvalError; -; EvalError; -"},
    {10, "code: load a module that it wrote",
     "through; through; through; through; through; -; through; -"},
    {10, "code: load a native addon",
     "ERR_DLOPEN_DISABLED; ERR_DLOPEN_DISABLED; ERR_DLOPEN_DISABLED; ERR_DLOPEN_DISABLED; "
     "ERR_DLOPEN_DISABLED; -; ERR_DLOPEN_DISABLED; -"},
    {10, "code: make a function of a string",
     "EvalError; EvalError; EvalError; EvalError; EvalError; -; EvalError; -"},
    {10, "code: run a string by vm", "through; through; through; through; through; -; through; -"},
    {10, "files: change the interpreter", "EACCES; EACCES; EACCES; EACCES; EACCES; -; EACCES; -"},
    {10, "machine: write /proc/self/exe", "EACCES; EACCES; EACCES; EACCES; EACCES; -; EACCES; -"},
    {10, "machine: write /proc/sysrq-trigger",
     "ENOENT?; ENOENT?; ENOENT?; ENOENT?; ENOENT*; -; ENOENT*; -"},
    {10, "machine: write a setting of its network",
     "EACCES*; EACCES*; EACCES*; EACCES*; EACCES*; -; EACCES*; -"},
    {10, "machine: write core_pattern", "EACCES; EACCES; EACCES; EACCES; EACCES; -; EACCES; -"},
    {10, "machine: write its own oom_score_adj",
     "through; EROFS; EACCES; through; EACCES; -; EROFS; -"},
    {11, "use-inherited-descriptor", "through; EBADF; EBADF; through; EBADF; EBADF; EBADF; EBADF"},
    {11, "links: /proc/self/cwd", "through; ENOENT; EACCES; through; EACCES; -; ENOENT; -"},
    {11, "links: a descriptor that was left open",
     "through; none; none; through; none; -; none; -"},
    {12, "read-environment", "through; ENOENT; EACCES; through; EACCES; EACCES; ENOENT; ENOENT"},
    {12, "machine: inherit the environment", "through; none; none; through; none; -; none; -"},
    {12, "machine: learn the name of the machine",
     "through; another; through; through; through; -; another; -"},
    {12, "machine: read the environment of another",
     "through; ENOENT; EACCES; through; EACCES; -; ENOENT; -"},
    {13, "connect-abstract",
     "through; ECONNREFUSED; EPERM; EACCES; EACCES; EACCES; EACCES; EACCES"},
    {13, "connect-service", "through; ENOENT; through; EACCES; EACCES; EACCES; EACCES; EACCES"},
    {13, "send-datagram", "through; ENOENT; through; ENOSYS; ENOSYS; ENOSYS; ENOSYS; ENOSYS"},
    {13, "channels: connect to a local service",
     "through; ENOENT; through; EACCES; EACCES; -; EACCES; -"},
    {13, "channels: listen on a local socket",
     "through; through; EACCES; EACCES; EACCES; -; EACCES; -"},
    {14, "connect-tcp", "through; ECONNREFUSED; EACCES; EACCES; EACCES; EACCES; EACCES; EACCES"},
    {14, "listen-tcp", "through; through; EACCES; EACCES; EACCES; EACCES; EACCES; EACCES"},
    {14, "send-udp", "through; ECONNREFUSED; through; EACCES; EACCES; EACCES; EACCES; EACCES"},
    {14, "reach-cloud",
     "through?; ENETUNREACH?; through?; EACCES?; EACCES; EACCES; EACCES; EACCES"},
    {14, "listen-to-packets", "EPERM; EPERM; EPERM; ENOSYS; ENOSYS; ENOSYS; ENOSYS; ENOSYS"},
    {14, "ask-netlink", "through; through; through; EACCES; EACCES; EACCES; EACCES; EACCES"},
    {14, "open-hypervisor-socket",
     "through?; through?; through?; ENOSYS?; ENOSYS; ENOSYS; ENOSYS; ENOSYS"},
    {14, "channels: ask a name server",
     "through; ECONNREFUSED; through; ECONNREFUSED; ECONNREFUSED; -; ECONNREFUSED; -"},
    {14, "channels: connect by TCP", "through; ECONNREFUSED; EACCES; EACCES; EACCES; -; EACCES; -"},
    {14, "channels: list network addresses",
     "through?; loopback only?; through?; Unknown system error 13?; Unknown system error 13; -; "
     "Unknown system error 13; -"},
    {14, "channels: listen by TCP", "through; through; EACCES; EACCES; EACCES; -; EACCES; -"},
    {14, "channels: open the inspector",
     "through; through; not opened; not opened; not opened; -; not opened; -"},
    {14, "channels: send by UDP", "through; ECONNREFUSED; through; EACCES; EACCES; -; EACCES; -"},
    {15, "signal-process", "through; ESRCH; EPERM; through; EPERM; EPERM; ESRCH; ESRCH"},
    {15, "signal-everybody", "through; ESRCH; EPERM; through; EPERM; EPERM; ESRCH; ESRCH"},
    {15, "signal-group", "through; ESRCH; EPERM; through; EPERM; EPERM; ESRCH; ESRCH"},
    {15, "signal-thread", "through; ESRCH; EPERM; through; EPERM; EPERM; ESRCH; ESRCH"},
    {15, "queue-signal", "through; ESRCH; EPERM; through; EPERM; EPERM; ESRCH; ESRCH"},
    {15, "signal-by-descriptor", "through; ESRCH; EPERM; ENOSYS; ENOSYS; ENOSYS; ENOSYS; ENOSYS"},
    {15, "aim-signals", "through; ESRCH; through; ENOSYS; ENOSYS; ENOSYS; ENOSYS; ENOSYS"},
    {15, "renice", "through; ESRCH; through; EPERM; EPERM; EPERM; EPERM; ESRCH"},
    {15, "bind-to-processor", "through; ESRCH; through; EPERM; EPERM; EPERM; EPERM; ESRCH"},
    {15, "read-limits", "through; ESRCH; through; ENOSYS; ENOSYS; ENOSYS; ENOSYS; ENOSYS"},
    {15, "raise-own-limit", "through?; EPERM?; EPERM?; EPERM?; EPERM; EPERM; EPERM; EPERM"},
    {15, "list-processes",
     "through; its own only; EACCES; through; EACCES; EACCES; EACCES; its own only"},
    {15, "kill-keeper", "-; ignored; EPERM; -; EPERM; EPERM; EPERM; EPERM"},
    {15, "machine: list processes", "through; its own only; EACCES; through; EACCES; -; EACCES; -"},
    {15, "processes: kill its keeper", "-; ignored; EPERM; -; EPERM; -; EPERM; -"},
    {15, "processes: renice another", "through; ESRCH; through; EPERM; EPERM; -; EPERM; -"},
    {15, "processes: signal another", "through; ESRCH; EPERM; through; EPERM; -; ESRCH; -"},
    {15, "processes: signal everybody", "through; ESRCH; EPERM; through; EPERM; -; ESRCH; -"},
    {16, "attach-shared-memory", "through; ENOENT; through; EPERM; EPERM; EPERM; EPERM; ENOENT"},
    {16, "use-semaphore", "through; ENOENT; through; EPERM; EPERM; EPERM; EPERM; ENOENT"},
    {16, "use-message-queue", "through; ENOENT; through; EPERM; EPERM; EPERM; EPERM; ENOENT"},
    {16, "use-posix-queue", "through; ENOENT; EACCES; EPERM; EPERM; EPERM; EPERM; EPERM"},
    {16, "open-shared-memory", "through; ENOENT; EACCES; through; EACCES; EACCES; ENOENT; ENOENT"},
    {50, "fork-without-end", "-; -; -; -; EPERM; EAGAIN|through; EPERM; EAGAIN"},
    {50, "start-threads-without-end", "-; -; -; -; EAGAIN|through; EAGAIN|through; EAGAIN; EAGAIN"},
    {50, "processes: fork itself", "through; through; EPERM; EPERM; EPERM; -; EPERM; -"},
    {50, "processes: start a shell", "through; ENOENT; EACCES; EPERM; EPERM; -; EPERM; -"},
    {50, "processes: start a shell and wait", "through; ENOENT; EACCES; EPERM; EPERM; -; EPERM; -"},
    {50, "processes: start itself", "through; through; EPERM; EPERM; EPERM; -; EPERM; -"},
    {51, "fill-memory",
     "-; -; -; -; out of memory|ENOMEM; out of memory|ENOMEM; out of memory|ENOMEM; out of "
     "memory|ENOMEM"},
    {51, "fill-shared-memory",
     "-; -; -; -; out of memory|through; out of memory|through; out of memory|through; out of "
     "memory|through"},
    {51, "fill-memory-files",
     "-; -; -; -; EPERM; out of memory|through; EPERM; out of memory|through"},
    {52, "open-without-end", "-; -; -; -; EMFILE; EMFILE; EMFILE; EMFILE"},
    {53, "fill-temporary-folder", "-; -; -; -; EACCES; EACCES; ENOSPC; ENOSPC"},
    {53, "write-large-file", "-; -; -; -; EFBIG; EFBIG; EFBIG; EFBIG"},
    {53, "make-sparse-file", "-; -; -; -; EFBIG; EFBIG; EFBIG; EFBIG"},
    {53, "reserve-large-file", "-; -; -; -; EFBIG; EFBIG; EFBIG; EFBIG"},
    {54, "spin", "-; -; -; -; SIGXCPU; -; SIGXCPU; -"},
    {0, "use: start a worker", "through; through; through; through; through; -; through; -"},
    {0, "use: write its own folder", "through; through; through; through; through; -; through; -"},
};

// What a resource that is used without end comes to, under the strong tier: the host's reason. By
// root, and by an ordinary user, who has no control groups here.
constexpr host_row hosts[] = {
    {51, "fill the heap", "out_of_memory", "out_of_memory"},
    {51, "fill memory with buffers", "out_of_memory", "out_of_memory"},
    {53, "fill its storage", "limit_exceeded", "limit_exceeded"},
    {54, "spin", "limit_exceeded", "limit_exceeded"},
    {55, "print without end", "limit_exceeded", "limit_exceeded"},
    {55, "print one endless line", "limit_exceeded", "limit_exceeded"},
};

struct section {
  int first;
  std::string_view title;
};
constexpr section sections[] = {
    {1, "Files"},
    {3, "Namespaces and mounts"},
    {6, "The kernel's interfaces"},
    {8, "Terminals, privileges and programs"},
    {11, "What is inherited"},
    {13, "Sockets and networks"},
    {15, "Other processes and shared objects"},
    {50, "Resources"},
    {0, "What has to work"},
};

section const& section_of(int claim) noexcept {
  if (claim == 0)
    return sections[std::size(sections) - 1];
  auto const* found = &sections[0];
  for (auto const& each : sections)
    if (each.first != 0 && each.first <= claim)
      found = &each;
  return *found;
}

/// The part of a cell for one of the two users.
std::string_view part_of(std::string_view cell, bool by_root) noexcept {
  auto const bar = cell.find('|');
  if (bar == cell.npos)
    return cell;
  return by_root ? cell.substr(0, bar) : cell.substr(bar + 1);
}

std::string_view without_mark(std::string_view cell) noexcept {
  if (cell.ends_with('?') || cell.ends_with('*'))
    cell.remove_suffix(1);
  return cell;
}

std::string in_bold(std::string_view outcome) {
  return outcome == "through" ? "**through**" : std::string{outcome};
}

std::string shown(std::string_view cell) {
  if (cell.empty())
    return "–";
  auto const bare = without_mark(cell);
  auto const by_root = part_of(bare, true);
  auto const by_user = part_of(bare, false);
  auto text = by_root == by_user ? in_bold(by_root)
                                 : "root: " + in_bold(by_root) + "; user: " + in_bold(by_user);
  return bare == cell ? text : text + " ¹";
}

} // namespace

std::string_view attack_row::in(containment which) const noexcept {
  constexpr std::string_view between = "; ";
  auto rest = cells;
  for (auto before = static_cast<std::size_t>(which); before > 0; --before)
    rest.remove_prefix(rest.find(between) + between.size());
  auto const cell = rest.substr(0, rest.find(between));
  return cell == "-" ? std::string_view{} : cell;
}

std::span<attack_row const> attack_table() noexcept {
  return table;
}

std::span<host_row const> host_table() noexcept {
  return hosts;
}

bool is_expected(std::string_view outcome, std::string_view cell, bool by_root) noexcept {
  if (cell.ends_with('?'))
    return true;
  if (cell.ends_with('*'))
    return outcome != "through";
  return outcome == part_of(cell, by_root);
}

std::string attack_document() {
  std::string text;
  std::string_view last;
  for (auto const& row : attack_table()) {
    if (auto const& part = section_of(row.claim); part.title != last) {
      last = part.title;
      text.append("\n### ").append(last).append("\n\n| claim | attack |");
      std::string line = "\n|---|---|";
      for (std::size_t i = 0; i < containments; ++i) {
        text.append(" ").append(to_string(static_cast<containment>(i))).append(" |");
        line += "---|";
      }
      text += line + '\n';
    }
    text.append(row.claim == 0 ? "| – | " : "| " + std::to_string(row.claim) + " | ");
    text.append(row.name).append(" |");
    for (std::size_t i = 0; i < containments; ++i)
      text.append(" ").append(shown(row.in(static_cast<containment>(i)))).append(" |");
    text += '\n';
  }
  text += "\n### A host that uses without end\n\n| claim | attack | by root | by an ordinary user "
          "|\n|---|---|---|---|\n";
  for (auto const& row : host_table())
    text.append("| ")
        .append(std::to_string(row.claim))
        .append(" | ")
        .append(row.name)
        .append(" | ")
        .append(row.by_root)
        .append(" | ")
        .append(row.by_user)
        .append(" |\n");
  return text;
}

} // namespace attacks
