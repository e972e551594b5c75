#include <bulkhead/platform/linux/seccomp_filter.hpp>

#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

// The first form of this table was found by running Node 20 with files, workers, WebAssembly, zlib,
// crypto, watchers, prettier and typescript under it. A call that a processor lacks is left out
// there.
namespace bulkhead::platform {
namespace {

using names = std::string_view[];
using cases = seccomp_case[];
using enum seccomp_action;
using enum seccomp_when;

// The kernel takes these arguments as int: the upper half of the register may hold anything.
constexpr std::uint64_t as_int = 0xffff'ffff;
constexpr std::uint64_t whole = ~std::uint64_t{0};
constexpr std::uint64_t set_id_bits = S_ISUID | S_ISGID;
/// Of socketpair(2)'s type, without SOCK_CLOEXEC and SOCK_NONBLOCK.
constexpr std::uint64_t socket_type_bits = 0xf;
constexpr std::uint64_t new_namespace = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                        CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
constexpr std::uint64_t netlink_route = 0;

constexpr seccomp_case allow_value(unsigned argument, std::uint64_t value) {
  return {allow, {argument, as_int, value}};
}
constexpr seccomp_case allow_without(unsigned argument, std::uint64_t bits) {
  return {allow, {argument, bits, 0}};
}
constexpr seccomp_case refuse_bit(unsigned argument, std::uint64_t bit) {
  return {not_permitted, {argument, bit, bit}};
}

// ---- what every program does -------------------------------------------------------------------

constexpr names memory = {
    "brk",     "mmap",       "munmap",        "mprotect",  "mremap",     "madvise",
    "msync",   "membarrier", "pkey_alloc",    "pkey_free", "mlock",      "mlock2",
    "munlock", "mlockall",   "pkey_mprotect", "mincore",   "munlockall",
};
constexpr names threads = {
    "futex",
    "set_robust_list",
    "get_robust_list",
    "rseq",
    "set_tid_address",
    "gettid",
    "sched_yield",
    "sched_getaffinity",
    "sched_getparam",
    "sched_getattr",
    "sched_getscheduler",
    "sched_get_priority_max",
    "sched_get_priority_min",
    "sched_rr_get_interval",
    "arch_prctl",
    "exit",
    "exit_group",
    "restart_syscall",
};
constexpr names signal_handling = {
    "rt_sigaction",  "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "rt_sigsuspend",
    "rt_sigpending", "sigaltstack",    "signalfd",     "signalfd4",       "pause",
};
constexpr names time_and_timers = {
    "clock_gettime",  "clock_getres",    "clock_nanosleep", "nanosleep",    "gettimeofday",
    "time",           "times",           "getitimer",       "setitimer",    "alarm",
    "timer_create",   "timer_settime",   "timer_gettime",   "timer_delete", "timer_getoverrun",
    "timerfd_create", "timerfd_settime", "timerfd_gettime",
};
constexpr names events = {
    "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait",
    "epoll_pwait2", "eventfd",       "eventfd2",  "poll",       "ppoll",
    "select",       "pselect6",      "pipe",      "pipe2",
};
constexpr names descriptors = {
    "read",        "write",     "readv",     "writev",
    "pread64",     "pwrite64",  "preadv",    "pwritev",
    "preadv2",     "pwritev2",  "lseek",     "close",
    "dup",         "dup2",      "dup3",      "fsync",
    "close_range", "fdatasync", "sendfile",  "copy_file_range",
    "splice",      "tee",       "flock",     "fadvise64",
    "ftruncate",   "fallocate", "readahead", "sync_file_range",
};
constexpr names files = {
    "newfstatat", "fstat",     "stat",      "lstat",      "statx",      "statfs",
    "fstatfs",    "access",    "faccessat", "faccessat2", "readlink",   "readlinkat",
    "getcwd",     "chdir",     "fchdir",    "getdents",   "mkdir",      "mkdirat",
    "rmdir",      "unlink",    "unlinkat",  "rename",     "renameat",   "renameat2",
    "link",       "linkat",    "symlink",   "symlinkat",  "umask",      "getxattr",
    "lgetxattr",  "fgetxattr", "listxattr", "llistxattr", "flistxattr", "getdents64",
};
constexpr names own_identity = {
    "getpid",    "getppid",   "getuid",  "geteuid",   "getgid", "getegid",     "getresuid",
    "getresgid", "getgroups", "getpgrp", "getpgid",   "getsid", "uname",       "sysinfo",
    "getrusage", "getrandom", "capget",  "getrlimit", "getcpu", "getpriority",
};
constexpr names channel = {
    "sendmsg",  "sendmmsg",   "recvmsg",    "recvmmsg",    "sendto",      "recvfrom",
    "shutdown", "getsockopt", "setsockopt", "getsockname", "getpeername",
};

// ---- what its arguments decide -----------------------------------------------------------------

constexpr names start = {"execveat"};
constexpr cases of_a_descriptor = {{allow, {4, AT_EMPTY_PATH, AT_EMPTY_PATH}}};

constexpr names mode_second = {"creat"};
constexpr names mode_third = {"open"};
constexpr names mode_fourth = {"openat"};
constexpr names change_mode_second = {"chmod", "fchmod"};
constexpr names change_mode_third = {"fchmodat"};
constexpr cases no_set_id_second = {allow_without(1, set_id_bits), refuse_bit(1, S_ISUID),
                                    refuse_bit(1, S_ISGID)};
constexpr cases no_set_id_third = {allow_without(2, set_id_bits), refuse_bit(2, S_ISUID),
                                   refuse_bit(2, S_ISGID)};
constexpr cases no_set_id_fourth = {allow_without(3, set_id_bits), refuse_bit(3, S_ISUID),
                                    refuse_bit(3, S_ISGID)};

constexpr names clone_call = {"clone"};
constexpr cases a_thread = {
    {allow, {0, new_namespace | CLONE_THREAD, CLONE_THREAD}},
    refuse_bit(0, CLONE_NEWNS),
    refuse_bit(0, CLONE_NEWCGROUP),
    refuse_bit(0, CLONE_NEWUTS),
    refuse_bit(0, CLONE_NEWIPC),
    refuse_bit(0, CLONE_NEWUSER),
    refuse_bit(0, CLONE_NEWPID),
    refuse_bit(0, CLONE_NEWNET),
};
constexpr cases a_process = {allow_without(0, new_namespace | CLONE_THREAD)};

constexpr names pair = {"socketpair"};
constexpr cases of_unix_streams = {
    {allow, {0, as_int, AF_UNIX}, seccomp_comparison{1, socket_type_bits, SOCK_STREAM}}};
constexpr names socket_call = {"socket"};
constexpr cases of_ip = {
    allow_value(0, AF_INET),
    allow_value(0, AF_INET6),
    {allow, {0, as_int, AF_NETLINK}, seccomp_comparison{2, as_int, netlink_route}},
    {denied, {0, as_int, AF_UNIX}},
};
constexpr names sockets = {"connect", "bind", "listen", "accept", "accept4"};

constexpr names ioctl_call = {"ioctl"};
constexpr cases about_descriptors = {
    allow_value(1, FIONBIO),  allow_value(1, FIOCLEX), allow_value(1, FIONCLEX),
    allow_value(1, FIONREAD), allow_value(1, TCGETS),  allow_value(1, TIOCGWINSZ),
};
constexpr cases about_files = {
    allow_value(1, FICLONE),   allow_value(1, FICLONERANGE), allow_value(1, FS_IOC_GETFLAGS),
    allow_value(1, TIOCGPGRP), allow_value(1, TIOCOUTQ),
};

constexpr names prctl_call = {"prctl"};
constexpr cases names_and_questions = {
    allow_value(0, PR_SET_NAME),     allow_value(0, PR_GET_NAME),
    allow_value(0, PR_SET_VMA),      allow_value(0, PR_GET_DUMPABLE),
    allow_value(0, PR_CAPBSET_READ), allow_value(0, PR_GET_NO_NEW_PRIVS),
};
constexpr cases own_life = {
    allow_value(0, PR_SET_PDEATHSIG),       allow_value(0, PR_GET_PDEATHSIG),
    allow_value(0, PR_SET_TIMERSLACK),      allow_value(0, PR_GET_TIMERSLACK),
    allow_value(0, PR_SET_NO_NEW_PRIVS),    allow_value(0, PR_SET_CHILD_SUBREAPER),
    allow_value(0, PR_GET_CHILD_SUBREAPER), allow_value(0, PR_SET_THP_DISABLE),
};

constexpr names fcntl_call = {"fcntl"};
constexpr cases without_signals = {
    allow_value(1, F_DUPFD),      allow_value(1, F_DUPFD_CLOEXEC), allow_value(1, F_GETFD),
    allow_value(1, F_SETFD),      allow_value(1, F_GETFL),         allow_value(1, F_SETFL),
    allow_value(1, F_GETLK),      allow_value(1, F_SETLK),         allow_value(1, F_SETLKW),
    allow_value(1, F_OFD_GETLK),  allow_value(1, F_OFD_SETLK),     allow_value(1, F_OFD_SETLKW),
    allow_value(1, F_GETPIPE_SZ), allow_value(1, F_SETPIPE_SZ),    allow_value(1, F_GET_SEALS),
    allow_value(1, F_ADD_SEALS),
};

constexpr names resource_limits = {"prlimit64"};
constexpr cases own_and_read_only = {
    {allow, {0, as_int, 0}, seccomp_comparison{2, whole, 0}},
    {not_permitted, {2, whole, 0, true}},
};

// ---- what a grant or a tier decides ------------------------------------------------------------

constexpr names metadata = {"utimensat", "futimesat", "utimes", "utime", "truncate"};
constexpr names watches = {"inotify_init", "inotify_init1", "inotify_add_watch",
                           "inotify_rm_watch"};
constexpr names signals = {"kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"};
constexpr names processes = {"fork", "vfork", "wait4", "waitid", "setsid", "setpgid"};
constexpr names programs = {"execve"};
constexpr names memory_files = {"memfd_create", "get_mempolicy", "set_mempolicy", "mbind"};
constexpr names shared_objects = {
    "shmget",
    "shmat",
    "shmctl",
    "shmdt",
    "semget",
    "semop",
    "semctl",
    "msgget",
    "semtimedop",
    "msgsnd",
    "msgrcv",
    "msgctl",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "removexattr",
    "setpriority",
    "sched_setaffinity",
    "sched_setparam",
    "lremovexattr",
    "fremovexattr",
    "sched_setattr",
    "sched_setscheduler",
};

// ---- what is refused ---------------------------------------------------------------------------

constexpr names tried_by_programs = {
    "unshare",
    "chroot",
    "mount",
    "umount2",
    "chown",
    "fchown",
    "lchown",
    "fchownat",
    "setuid",
    "setgid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "setfsuid",
    "setfsgid",
    "setgroups",
    "capset",
    "setrlimit",
    "mknod",
    "mknodat",
    "sethostname",
    "setdomainname",
    "syslog",
    "sync",
    "syncfs",
    "clock_settime",
    "settimeofday",
    "adjtimex",
    "clock_adjtime",
    "personality",
    "memfd_secret",
    "mq_open",
    "mq_unlink",
    "mq_timedsend",
    "seccomp",
    "fanotify_init",
    "fanotify_mark",
    "mq_timedreceive",
    "name_to_handle_at",
    "vmsplice",
    "kcmp",
    "mq_notify",
    "mq_getsetattr",
    "process_madvise",
    "pidfd_getfd",
    "pidfd_send_signal",
    "ioprio_set",
    "migrate_pages",
    "move_pages",
};
constexpr names newer_calls = {
    "clone3",
    "openat2",
    "io_uring_setup",
    "pidfd_open",
    "landlock_create_ruleset",
    "landlock_add_rule",
    "landlock_restrict_self",
};
constexpr names attacks = {
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "keyctl",
    "add_key",
    "request_key",
    "kexec_load",
    "kexec_file_load",
    "init_module",
    "finit_module",
    "delete_module",
    "open_by_handle_at",
    "setns",
    "pivot_root",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsmount",
    "fspick",
    "fsconfig",
    "mount_setattr",
    "reboot",
    "swapon",
    "swapoff",
    "iopl",
    "ioperm",
    "acct",
    "quotactl",
    "quotactl_fd",
    "modify_ldt",
    "lookup_dcookie",
    "vhangup",
    "nfsservctl",
    "uselib",
    "ustat",
    "io_uring_enter",
    "io_uring_register",
};

constexpr seccomp_group table[] = {
    {.name = "memory", .why = "Every program maps and protects its own memory.", .calls = memory},
    {.name = "threads",
     .why = "Locks, scheduling questions and the end of threads.",
     .calls = threads},
    {.name = "signal handling",
     .why = "A program's own signals, received and never sent.",
     .calls = signal_handling},
    {.name = "time",
     .why = "Clocks are read and timers set; none can be changed for others.",
     .calls = time_and_timers},
    {.name = "events", .why = "The event loop waits on descriptors.", .calls = events},
    {.name = "descriptors",
     .why = "Reading and writing what is open already opens nothing new.",
     .calls = descriptors},
    {.name = "files",
     .why = "The mount namespace and Landlock decide which files there are.",
     .calls = files},
    {.name = "identity",
     .why = "Questions about the program itself and the machine's size.",
     .calls = own_identity},
    {.name = "channel",
     .why = "The inherited connection to the backend is a socket.",
     .calls = channel},

    {.name = "start",
     .why = "The launcher's last call executes the descriptor whose program was verified.",
     .calls = start,
     .cases = of_a_descriptor},
    {.name = "creating files (creat)",
     .why = "No file gets a set-user-ID or set-group-ID bit: the storage folder is seen outside.",
     .calls = mode_second,
     .cases = no_set_id_second},
    {.name = "creating files (open)",
     .why = "The same for open.",
     .calls = mode_third,
     .cases = no_set_id_third},
    {.name = "creating files (openat)",
     .why = "The same for openat.",
     .calls = mode_fourth,
     .cases = no_set_id_fourth},
    {.name = "modes",
     .why = "No set-id bits, and without a mount namespace no modes at all, as Landlock does not "
            "cover them.",
     .calls = change_mode_second,
     .cases = no_set_id_second,
     .when = behind_namespaces,
     .otherwise = not_permitted},
    {.name = "modes (fchmodat)",
     .why = "The same for fchmodat.",
     .calls = change_mode_third,
     .cases = no_set_id_third,
     .when = behind_namespaces,
     .otherwise = not_permitted},
    {.name = "new threads",
     .why = "Threads are always allowed, new namespaces never.",
     .calls = clone_call,
     .cases = a_thread},
    {.name = "new processes",
     .why = "A process of its own is a permission.",
     .calls = clone_call,
     .cases = a_process,
     .when = processes_granted,
     .otherwise = not_permitted},
    {.name = "socket pairs",
     .why = "The pipes of a child process; streams only, as a datagram socket could send to any "
            "address.",
     .calls = pair,
     .cases = of_unix_streams},
    {.name = "ioctl",
     .why = "What an event loop asks of a descriptor; TIOCSTI and all others fail.",
     .calls = ioctl_call,
     .cases = about_descriptors},
    {.name = "ioctl, more",
     .why = "Native programs clone files and look whose a terminal is.",
     .calls = ioctl_call,
     .cases = about_files,
     .when = command_profile},
    {.name = "prctl",
     .why = "Names of threads and harmless questions; never PR_SET_DUMPABLE.",
     .calls = prctl_call,
     .cases = names_and_questions},
    {.name = "prctl, more",
     .why = "Native programs see to the end of their own children.",
     .calls = prctl_call,
     .cases = own_life,
     .when = command_profile},
    {.name = "fcntl",
     .why = "Everything but the commands that send signals to others.",
     .calls = fcntl_call,
     .cases = without_signals},
    {.name = "limits",
     .why = "A program reads its own limits; the launcher has set them.",
     .calls = resource_limits,
     .cases = own_and_read_only},

    {.name = "metadata",
     .why = "Landlock covers no time stamps, and truncation only since ABI 3.",
     .calls = metadata,
     .when = behind_namespaces,
     .otherwise = not_permitted},
    {.name = "watches",
     .why = "Without a mount namespace a watch tells what others do.",
     .calls = watches,
     .when = behind_namespaces,
     .otherwise = not_permitted},
    {.name = "sending signals",
     .why =
         "A process namespace or Landlock keeps them inside; a filter can't tell whose a process "
         "number is.",
     .calls = signals,
     .when = signals_contained,
     .otherwise = not_permitted},
    {.name = "child processes",
     .why = "Creating and awaiting processes is a permission.",
     .calls = processes,
     .when = processes_granted,
     .otherwise = not_permitted},
    {.name = "programs",
     .why = "So is executing a program by its path.",
     .calls = programs,
     .when = processes_granted,
     .otherwise = denied},
    {.name = "network sockets",
     .why = "IP and the question for the machine's own addresses; never a local socket of a "
            "service.",
     .calls = socket_call,
     .cases = of_ip,
     .when = network_granted,
     .otherwise = denied},
    {.name = "network connections",
     .why = "The network is a permission.",
     .calls = sockets,
     .when = network_granted,
     .otherwise = denied},
    {.name = "memory files",
     .why = "Native programs may; for Node they are a way to foreign code.",
     .calls = memory_files,
     .when = command_profile,
     .otherwise = not_permitted},
    {.name = "shared objects",
     .why = "System V objects, attributes and priorities, where namespaces leave only its own.",
     .calls = shared_objects,
     .when = command_behind_namespaces,
     .otherwise = not_permitted},

    {.name = "privileges",
     .why = "Ordinary programs try these and cope with EPERM.",
     .calls = tried_by_programs,
     .action = not_permitted},
    {.name = "newer calls",
     .why = "Software falls back to the older call, whose arguments a filter can see.",
     .calls = newer_calls,
     .action = no_such_call},
    {.name = "attacks",
     .why = "Nobody asks for these by mistake.",
     .calls = attacks,
     .action = kill},
};

} // namespace

std::span<seccomp_group const> seccomp_groups() noexcept {
  return table;
}

bool holds(seccomp_when when, seccomp_options const& options) noexcept {
  auto const command = options.profile == seccomp_profile::command;
  switch (when) {
  case always:
    return true;
  case command_profile:
    return command;
  case processes_granted:
    return options.processes;
  case network_granted:
    return options.network;
  case behind_namespaces:
    return !options.basic_tier;
  case signals_contained:
    return !options.basic_tier || options.signals_scoped;
  case command_behind_namespaces:
    return command && !options.basic_tier;
  }
  return false;
}

} // namespace bulkhead::platform
