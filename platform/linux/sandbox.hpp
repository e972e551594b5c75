#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/messages/sandbox.hpp>
#include <bulkhead/platform/child_process.hpp>
#include <bulkhead/platform/linux/launch_report.hpp>
#include <bulkhead/platform/resource_limit.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace bulkhead::platform {

class host_guard;

/// A folder or file of the host that the program may use.
struct bound_path {
  std::filesystem::path outside; ///< absolute; symbolic links are followed
  /// Absolute: where the program finds it. The basic tier has no place for it but its own.
  std::filesystem::path inside;
  bool writable = false;
  bool executable = false; ///< programs in it may be executed, and native addons be loaded
};

/// Bytes that the program finds as a file, read-only. Only where it has a root of its own.
struct placed_file {
  std::filesystem::path inside; ///< absolute
  std::string content;
};

/// Who the program runs as where the backend is root.
struct identity {
  uid_t user = 0;
  gid_t group = 0;
};

/// Everything a contained process gets. What is not named here it does not get. Names and paths may
/// hold any byte but null: none of them is ever read as an option. Descriptors stay the caller's.
struct sandbox_spec {
  /// strong: bubblewrap's namespaces and a root of its own, process 1 of which is the launcher.
  /// basic: none of this; the same restrictions by Landlock, filter and limits.
  sandbox_tier tier = sandbox_tier::strong;
  /// bubblewrap, absolute; for the strong tier.
  std::filesystem::path bubblewrap = "/usr/bin/bwrap";

  /// Open for reading and verified: this very file is executed, or nothing. Not a script, whose
  /// interpreter would be looked up by a name.
  int program = -1;
  /// The path by which it is to know itself (argv[0], process.execPath): where it is put in the
  /// strong tier, where it is in the basic one.
  std::filesystem::path program_path;
  std::vector<std::string> arguments; ///< those after argv[0]
  std::map<std::string, std::string> environment;
  std::filesystem::path working_directory = "/"; ///< as the program sees it
  /// The shared libraries that it needs, with its loader: absolute, at the same place inside.
  std::vector<std::filesystem::path> libraries;
  /// Which of them the kernel executes (PT_INTERP); empty: the program is static.
  std::filesystem::path loader;
  std::vector<bound_path> bound;
  std::vector<placed_file> placed;
  /// Number in the child (3 to 255, each once) and our descriptor. Beside these the program has
  /// only 0, which is /dev/null, and 1 and 2, which are pipes.
  std::vector<std::pair<int, int>> inherited;
  /// Of a private /tmp, in bytes; 0: no /tmp but what is bound there. For the strong tier.
  std::uint64_t tmp_size = 64u << 20;

  bool network = false;   ///< the host's network: no namespace for it, and no rule against TCP
  bool processes = false; ///< it may start programs: it sees those of its sandbox in /proc
  bool landlock = true;
  /// The lowest version of Landlock's interface that will do.
  std::uint32_t least_landlock = 1;
  /// The filter, an array of sock_filter in a file that nobody changes; -1: none.
  int filter = -1;
  std::vector<resource_limit> limits;
  /// The folder of a control group of version 2 that the process is born in; -1: none.
  int group = -1;
  /// cgroup.procs files of version 1, open for writing, that the process joins.
  std::vector<int> joined_groups;
  /// Needed where the backend is root, and nowhere else.
  std::optional<identity> run_as;

  /// Ends the process where this program is killed; may be null.
  host_guard* guard = nullptr;
  /// For tests: the step that fails instead of being done.
  step fail_at = step::none;
};

/// A process in its sandbox: an ordinary child_process, and what its launch has to say.
struct sandboxed_process {
  child_process process;
  std::shared_ptr<launch_report const> launch;
};

/// Starts a process in a sandbox and returns when the launcher runs, outside of it still: what
/// fails later ends the process as exit_kind::not_started, with the step in launch_report::failure.
/// The program runs with everything in force or not at all. The process reads its launch's reports
/// once async_wait_exit() was called, and tells `listener` of each, on that executor's thread.
///
/// child_process::signal() reaches the program alone, kill_tree() everything inside, and the exit
/// is seen when nothing is left. No thread has to live on: a launch sees by its status socket when
/// this program, or the child_process, is gone.
///
/// Fails with spawn_failed for a spec that makes no sense and a descriptor or process that can't be
/// had, sandbox_unavailable for a missing bubblewrap and sandbox_step_failed. May be called by any
/// thread; the guard's thread rule holds.
result<sandboxed_process> start_sandboxed(sandbox_spec const& spec, launch_listener listener = {});

} // namespace bulkhead::platform
