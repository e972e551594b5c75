#include <bulkhead/platform/linux/launch_step.hpp>

#include <bulkhead/platform/errno_text.hpp>

#include <algorithm>
#include <iterator>

namespace bulkhead::platform {
namespace {

constexpr std::string_view no_user_namespaces =
    "let ordinary users make user namespaces: on Ubuntu an AppArmor profile for bwrap or "
    "kernel.apparmor_restrict_unprivileged_userns=0, elsewhere user.max_user_namespaces above 0";
constexpr std::string_view no_landlock =
    "use a kernel with Landlock (Linux 5.13 or later) and landlock in its lsm= list";
constexpr std::string_view no_mounts = "run it as an ordinary user, or give its root "
                                       "CAP_SYS_ADMIN: in a container both can be missing";
constexpr std::string_view other_build = "install one build of Bulkhead, library and all";

constexpr step_description steps[] = {
    {step::birth, "birth", "the operating system refused a new process",
     "see whether a limit on processes or memory is reached"},
    {step::session, "session", "no session of its own", {}},
    {step::descriptors_outside, "descriptors_outside",
     "the launcher could not be given its descriptors",
     "raise the limit on open files (ulimit -n) above 512"},
    {step::launcher, "launcher", "the launcher could not be executed from memory",
     "set vm.memfd_noexec to 1 or 0 (sysctl), and let this program execute files in memory"},

    {step::plan_outside, "plan_outside", "the launcher could not use its plan", other_build},
    {step::cgroup, "cgroup", "the process could not join its control group",
     "see whether the control group is this user's and its limit on processes is above 0"},
    {step::core_size, "core_size", "core dumps could not be turned off", {}},
    {step::mount_copy, "mount_copy", "a folder could not be copied into the sandbox", no_mounts},
    {step::mount_attributes, "mount_attributes",
     "a folder could not be made read-only or closed to programs", no_mounts},
    {step::mount_namespace, "mount_namespace", "no namespace of mounts", no_mounts},
    {step::mount_privacy, "mount_privacy", "the mounts could not be made private", no_mounts},
    {step::mount_staging, "mount_staging", "no place to stage the folders", no_mounts},
    {step::mount_point, "mount_point", "no place to attach a folder", {}},
    {step::mount_move, "mount_move", "a folder could not be attached", no_mounts},
    {step::groups, "groups", "the groups could not be given up", {}},
    {step::group, "group", "the host's group could not be taken",
     "allow the range of users that the policy gives to hosts"},
    {step::user, "user", "the host's user could not be taken",
     "allow the range of users that the policy gives to hosts"},
    {step::root_gone, "root_gone", "the process would have run as root",
     "let it have a user of its own"},
    {step::orphan_outside, "orphan_outside", "the program that started it had ended", {}},
    {step::bubblewrap_start, "bubblewrap_start", "bubblewrap could not be executed",
     "install bubblewrap"},

    {step::bubblewrap, "bubblewrap", "bubblewrap could not set up the sandbox", no_user_namespaces},

    {step::plan_inside, "plan_inside", "the launcher could not use its plan inside", other_build},
    {step::first_process, "first_process", "it is not the first process of its namespace", {}},
    {step::no_new_privileges, "no_new_privileges", "privileges could still be gained", {}},
    {step::not_dumpable, "not_dumpable", "the launcher could be traced", {}},
    {step::death_signal, "death_signal", "it would outlive bubblewrap", {}},
    {step::capabilities, "capabilities", "capabilities were left",
     "start the backend without ambient capabilities"},
    {step::subreaper, "subreaper", "what the program leaves could not be reaped", {}},
    {step::own_descriptor, "own_descriptor", "no descriptor of the sandbox's first process", {}},
    {step::orphan_inside, "orphan_inside", "the program that started it had ended", {}},
    {step::child_signals, "child_signals", "the end of the program could not be watched", {}},
    {step::fork, "fork", "no process for the program",
     "raise the limit on processes (limits.processes)"},
    {step::program_descriptor, "program_descriptor", "no descriptor of the program", {}},
    {step::keeper_filter, "keeper_filter", "the sandbox's first process could not be confined", {}},
    {step::filter_watch, "filter_watch", "what the filter forbids could not be watched", {}},

    {step::program_death_signal,
     "program_death_signal",
     "the program would outlive its sandbox",
     {}},
    {step::landlock_version, "landlock_version", "this kernel's Landlock is missing or too old",
     no_landlock},
    {step::landlock_ruleset, "landlock_ruleset", "no set of Landlock rules", no_landlock},
    {step::landlock_path, "landlock_path", "a path of a Landlock rule can't be opened",
     "let the host's user enter the folders above it"},
    {step::landlock_rule, "landlock_rule", "a Landlock rule was refused", {}},
    {step::landlock_restrict, "landlock_restrict", "Landlock could not be put in force", {}},
    {step::streams, "streams", "the program could not be given its standard error", {}},
    {step::descriptors_inside, "descriptors_inside", "foreign descriptors could not be closed", {}},
    {step::program_open, "program_open", "the program is not where it should be inside", {}},
    {step::program_changed, "program_changed", "another file is in the verified program's place",
     "see who can write to the program and its folder"},
    {step::directory, "directory", "the working directory can't be entered", {}},
    {step::limits, "limits", "a resource limit was refused", {}},
    {step::signal_filter, "signal_filter", "signals could not be kept inside", {}},
    {step::filter, "filter", "the system call filter was refused",
     "use a kernel with seccomp filters, and a filter for this processor"},
    {step::execute, "execute", "the program could not be executed",
     "see whether it is a program for this processor, and whether its ELF interpreter is there"},
    {step::filter_listener, "filter_listener",
     "who watches the filter could not be given its listener",
     "raise the limit on open files (limits.open_files)"},
};

constexpr step_description no_step{
    step::none, "unknown", "a step that this version does not know", {}};

/// Where `which` tells one of several apart.
bool is_numbered(step where) noexcept {
  switch (where) {
  case step::cgroup:
  case step::mount_copy:
  case step::mount_attributes:
  case step::mount_point:
  case step::mount_move:
  case step::landlock_path:
  case step::landlock_rule:
  case step::limits:
    return true;
  default:
    return false;
  }
}

} // namespace

std::span<step_description const> all_steps() noexcept {
  return steps;
}

step_description const& describe(step where) noexcept {
  auto const found = std::ranges::find(steps, where, &step_description::where);
  return found == std::end(steps) ? no_step : *found;
}

error to_error(launch_failure const& failed) {
  auto const& known = describe(failed.where);
  auto detail = std::string{known.name} + ": ";
  if (failed.number != 0)
    detail += errno_text(failed.number);
  else
    detail += failed.said.empty() ? std::string{known.sentence} : failed.said;
  if (is_numbered(failed.where))
    detail += " (" + std::to_string(failed.which) + ')';
  return error{errc::sandbox_step_failed, std::move(detail), std::string{known.remedy}};
}

} // namespace bulkhead::platform
