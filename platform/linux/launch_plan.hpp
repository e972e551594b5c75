#pragma once

#include <bulkhead/platform/linux/launch_steps.hpp>

#include <cstdint>

/// What the library and the launcher agree on. The launcher is a static program of its own that
/// puts a process into its sandbox; it takes everything from one sealed descriptor, knows no
/// options and asks nobody. Plain types only: both sides are built from this file.
namespace bulkhead::platform::launch {

/// Which descriptors the launcher starts with, besides 0 to 2 and those that the program inherits.
/// 2 is a pipe of the launch's own, so that what bubblewrap says is not taken for the program's.
enum descriptor : int {
  first_own = 256,        ///< what the program inherits is below
  status_socket = 256,    ///< SOCK_SEQPACKET: status_records, and the end of the library
  plan_file = 257,        ///< the sealed launch_plan
  launcher_file = 258,    ///< the launcher, for bubblewrap to execute
  program_file = 259,     ///< the verified program
  filter_file = 260,      ///< the seccomp program, an array of sock_filter
  bubblewrap_file = 261,  ///< where there is a root of its own
  bubblewrap_words = 262, ///< its arguments, each ended by a null byte
  program_errors = 263,   ///< what will be the program's 2
  first_join = 264,       ///< cgroup.procs or tasks files, each to be joined
  first_bind = 272,       ///< what bubblewrap mounts: folders and files, by O_PATH
};

inline constexpr std::uint32_t max_joins = first_bind - first_join;
inline constexpr std::uint32_t max_inherited = 64;
/// Folders and files of the host and bytes that become files, together.
inline constexpr std::uint32_t max_binds = 192;
inline constexpr std::uint32_t max_limits = 16;
inline constexpr std::uint32_t max_rules = 512;
/// The kernel's own bound is on bytes (2 MiB); these are what the launcher has room for.
inline constexpr std::uint32_t max_arguments = 4096;
inline constexpr std::uint32_t max_variables = 1024;
/// Of a filter, as of the kernel's own (BPF_MAXINSNS).
inline constexpr std::uint32_t max_filter_length = 4096;

/// A null-terminated string: its offset in bytes from the plan's beginning.
using text = std::uint32_t;

enum option : std::uint32_t {
  own_root = 1u << 0,     ///< the strong tier: bubblewrap, and stage 2 is process 1 inside
  stage_mounts = 1u << 1, ///< as root: put the binds where the user below can name them
  change_user = 1u << 2,  ///< as root: become `user` and `group`
  use_landlock = 1u << 3, ///< restrict paths by `rules`
  landlock_tcp = 1u << 4, ///< no TCP either
  use_filter = 1u << 5,   ///< install filter_file
};

/// Landlock's rights to files (linux/landlock.h), by which version of its interface first has them.
enum landlock_right : std::uint64_t {
  execute = 1u << 0,
  write_file = 1u << 1,
  read_file = 1u << 2,
  read_folder = 1u << 3,
  remove_folder = 1u << 4,
  remove_file = 1u << 5,
  make_device = 1u << 6,
  make_folder = 1u << 7,
  make_file = 1u << 8,
  make_socket = 1u << 9,
  make_fifo = 1u << 10,
  make_block_device = 1u << 11,
  make_symlink = 1u << 12,
  move_between_folders = 1u << 13, ///< 2
  truncate = 1u << 14,             ///< 3
  control_device = 1u << 15,       ///< 5
};

/// What a rule may grant on something that is not a folder; the kernel refuses the rest there.
inline constexpr std::uint64_t rights_to_a_file =
    execute | write_file | read_file | truncate | control_device;

struct limit {
  std::int32_t resource; ///< RLIMIT_…
  std::uint64_t soft;
  std::uint64_t hard;
};

/// A tree to be attached at a place that the user after the change can name.
struct staged_mount {
  std::int32_t from;        ///< a descriptor
  std::uint32_t is_folder;  ///< 0: a file
  std::uint64_t attributes; ///< MOUNT_ATTR_…
  text at;
};

struct path_rule {
  std::uint64_t rights; ///< landlock_right, those that the kernel does not know left out by it
  text path;
};

inline constexpr std::uint32_t plan_magic = 0x42484c50; // "BHLP"
/// Of this file's layout. Library and launcher are of one build; a mix of two is refused.
inline constexpr std::uint32_t plan_version = 1;

/// All that a launch does. The strings follow it in the same file.
struct launch_plan {
  std::uint32_t magic;
  std::uint32_t version;
  std::uint32_t size; ///< of the whole file in bytes
  std::uint32_t options;
  std::uint32_t user;
  std::uint32_t group;
  std::uint32_t fail_at;        ///< for tests: the step that fails instead of being done; 0: none
  std::uint32_t least_landlock; ///< the lowest version of Landlock's interface that will do
  text program;                 ///< its path as it will see it
  text directory;               ///< where it starts
  text staging;                 ///< an existing folder that the staged mounts hide

  std::uint32_t join_count;
  std::uint32_t inherited_count;
  std::uint32_t limit_count;
  std::uint32_t mount_count;
  std::uint32_t rule_count;
  std::uint32_t argument_count;
  std::uint32_t variable_count;
  std::int32_t inherited[max_inherited]; ///< ascending
  limit limits[max_limits];
  staged_mount mounts[max_binds];
  path_rule rules[max_rules];
  text arguments[max_arguments];
  text variables[max_variables];
};

/// What the launcher says while it works.
enum class status_kind : std::uint16_t {
  failed = 1,    ///< a step failed: nothing was run, nothing is left
  staged = 2,    ///< stage 1 is done: cgroup, mounts, user
  contained = 3, ///< stage 2 runs inside; with its pidfd, `value` is Landlock's version
  running = 4,   ///< the program was executed; with its pidfd
  ended = 5,     ///< the program ended: `value` is its CLD_… code, `number` its status
  forbidden = 6, ///< the filter stopped the system call `number`, and everything is being ended
  filtered = 7,  ///< to stage 2 alone: the filter is in force; with its listener
};

inline constexpr std::uint32_t record_magic = 0x42484c53; // "BHLS"

struct status_record {
  std::uint32_t magic;
  status_kind kind;
  step where;            ///< of a failure
  std::int32_t number;   ///< errno of a failure; see status_kind
  std::int32_t value;    ///< of a failure: which of several, from 0
  std::uint64_t when;    ///< CLOCK_MONOTONIC in nanoseconds
  std::uint64_t user_us; ///< at the end: CPU time of the program and what it waited for
  std::uint64_t system_us;
  std::uint64_t peak_kib; ///< at the end: the largest resident size of one of them
};

/// Where the guard listens. It ends what is left when the other end is closed.
inline constexpr int guard_socket = 3;

/// What the guard is told; each message comes with one descriptor.
enum class guard_verb : std::uint32_t {
  process = 1, ///< the pidfd of `leader`, which leads a process group: to be killed
  folder = 2,  ///< the parent of a control group, whose name follows: to be killed and removed
};

/// The longest name of a folder in bytes, without the null byte (NAME_MAX).
inline constexpr std::uint32_t max_folder_name = 255;

struct guard_message {
  guard_verb verb;
  std::int32_t leader;
  char name[max_folder_name + 1];
};

} // namespace bulkhead::platform::launch
