#include <bulkhead/platform/linux/cgroup_tree.hpp>

#include <bulkhead/platform/errno_text.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bulkhead::platform {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr auto run_prefix = std::string_view{"bulkhead-run-"};
constexpr std::size_t max_run_name = 128;
constexpr std::size_t max_host_name = 64;
/// How long processes of dead runs are awaited, all together. A fork bomb of 400 processes takes
/// 80 ms.
constexpr milliseconds death_patience{500};
/// A run that looks for dead ones takes the lock on a directory for a moment.
constexpr int max_lock_attempts = 100;

constexpr auto delegation_remedy = std::string_view{
    "start it as a systemd service with Delegate=yes and DelegateSubgroup=main, or with "
    "systemd-run --user --scope -p Delegate=yes, from a group of its own inside that scope; or as "
    "root"};

struct limit_kind {
  char const* limit;
  char const* controller;
};
constexpr std::array<limit_kind, 3> limit_kinds{
    {{"memory", "memory"}, {"processes", "pids"}, {"cpu", "cpu"}}};

bool has(std::vector<std::string> const& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

bool is_same_file(int left, int right) noexcept {
  struct stat a, b;
  return ::fstat(left, &a) == 0 && ::fstat(right, &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

bool is_own(int directory) noexcept {
  struct stat seen;
  return ::fstat(directory, &seen) == 0 && seen.st_uid == ::geteuid();
}

bool take_lock(cgroup_directory const& run) noexcept {
  return ::flock(run.fd(), LOCK_EX | LOCK_NB) == 0;
}

/// Makes a run's directory and holds its lock; with errno where that fails.
std::optional<cgroup_directory> make_locked(cgroup_directory const& parent,
                                            std::string const& name) {
  for (auto attempt = 0; attempt < max_lock_attempts; ++attempt) {
    auto run = parent.make_child(name);
    if (!run)
      return run;
    // Another run that took it for a dead one before the lock was held has removed it.
    if (auto const there = take_lock(*run) ? parent.open_child(name) : std::nullopt;
        there && is_same_file(there->fd(), run->fd()))
      return run;
  }
  errno = EBUSY;
  return {};
}

/// Whose group may be the parent of a run's: the first that can be used is taken.
std::vector<fs::path> candidates(cgroup_hierarchy const& hierarchy) {
  std::vector<fs::path> found{hierarchy.own};
  if (hierarchy.own != hierarchy.root) {
    // With DelegateSubgroup, what is delegated is the group around.
    struct stat around;
    auto const parent = hierarchy.own.parent_path();
    if (hierarchy.unified && ::geteuid() != 0 && ::stat(parent.c_str(), &around) == 0 &&
        around.st_uid == ::geteuid())
      found.push_back(parent);
    if (::geteuid() == 0)
      found.push_back(hierarchy.root);
  }
  return found;
}

// ---- what dead runs left behind ----------------------------------------------------------------

void collect_processes(cgroup_directory const& group, std::vector<unique_fd>& found) {
  for (auto const process : group.processes())
    if (unique_fd pidfd{static_cast<int>(::syscall(SYS_pidfd_open, process, 0))})
      found.push_back(std::move(pidfd));
  for (auto const& name : group.children())
    if (auto const inside = group.open_child(name))
      collect_processes(*inside, found);
}

void await_end(std::vector<unique_fd> const& processes, steady_clock::time_point until) {
  for (auto const& process : processes) {
    auto const left = std::chrono::ceil<milliseconds>(until - steady_clock::now());
    pollfd waiting{process.get(), POLLIN, 0};
    ::poll(&waiting, 1, static_cast<int>(std::max(left, milliseconds{0}).count()));
  }
}

void remove_tree(cgroup_directory const& group) {
  for (auto const& name : group.children())
    if (auto const inside = group.open_child(name))
      remove_tree(*inside);
  group.remove();
}

/// Version 2 first, whose groups can be killed at once: nothing is left to be killed in the others.
void remove_dead_runs(std::vector<cgroup_hierarchy> const& hierarchies) {
  auto const until = steady_clock::now() + death_patience;
  for (auto const& hierarchy : hierarchies)
    for (auto const& path : candidates(hierarchy)) {
      auto const parent = cgroup_directory::open(path, hierarchy.controllers, hierarchy.unified);
      if (!parent)
        continue;
      for (auto const& name : parent->children()) {
        if (!name.starts_with(run_prefix))
          continue;
        auto run = parent->open_child(name);
        if (!run || !is_own(run->fd()) || !take_lock(*run))
          continue;
        std::vector<unique_fd> processes;
        collect_processes(*run, processes);
        std::vector<cgroup_directory> dead;
        dead.push_back(*std::move(run));
        kill_processes(dead);
        await_end(processes, until);
        remove_tree(dead.front());
      }
    }
}

// ---- where a run can be ------------------------------------------------------------------------

/// A place for the run in one hierarchy, and why it lacks what it lacks.
struct placed_run {
  std::optional<cgroup_directory> directory;
  std::string shortcomings;

  void lacks(fs::path const& where, std::string const& why) {
    shortcomings.append(shortcomings.empty() ? "" : "; ").append(where.string() + ": " + why);
  }
};

std::string why_not_delegated(int number) {
  if (number == EBUSY)
    return "it holds processes of its own, so that the kernel lets it hand on nothing";
  return errno_text(number);
}

/// Hands on what the parent has of the controllers: how many.
std::size_t hand_on(cgroup_directory const& parent, placed_run& place) {
  std::size_t handed_on = 0;
  for (auto const& [limit, controller] : limit_kinds) {
    if (!parent.controls(controller))
      continue;
    if (auto const failed = parent.delegate(controller); failed == 0)
      ++handed_on;
    else
      place.lacks(parent.path(),
                  std::string{controller} + " can't be handed on: " + why_not_delegated(failed));
  }
  return handed_on;
}

/// Takes the first candidate in which a group can be made and, of version 2, the one that hands on
/// most controllers.
placed_run place_run(cgroup_hierarchy const& hierarchy, std::string const& name) {
  placed_run place;
  std::optional<cgroup_directory> best;
  std::size_t most = 0;
  for (auto const& path : candidates(hierarchy)) {
    auto parent = cgroup_directory::open(path, hierarchy.controllers, hierarchy.unified);
    if (!parent || ::faccessat(parent->fd(), "cgroup.procs", W_OK, AT_EACCESS) != 0) {
      place.lacks(path, errno_text(errno));
      continue;
    }
    auto const handed_on = hierarchy.unified ? hand_on(*parent, place) : 0;
    if (!best || handed_on > most) {
      best = std::move(parent);
      most = handed_on;
    }
    if (!hierarchy.unified || most == limit_kinds.size())
      break;
  }
  if (!best)
    return place;
  place.directory = make_locked(*best, name);
  if (!place.directory)
    place.lacks(best->path(), errno_text(errno));
  else if (hierarchy.unified)
    for (auto const& [limit, controller] : limit_kinds)
      if (place.directory->controls(controller))
        place.directory->delegate(controller);
  return place;
}

/// Those that hold something of their own.
std::vector<cgroup_hierarchy> needed(std::vector<cgroup_hierarchy> const& hierarchies) {
  auto const has_unified = !hierarchies.empty() && hierarchies.front().unified;
  std::vector<cgroup_hierarchy> chosen;
  std::ranges::copy_if(
      hierarchies, std::back_inserter(chosen), [&](cgroup_hierarchy const& hierarchy) {
        auto const& held = hierarchy.controllers;
        return hierarchy.unified || has(held, "memory") || has(held, "pids") || has(held, "cpu") ||
               // Version 2 counts CPU time and kills whole groups by itself.
               (!has_unified && (has(held, "cpuacct") || has(held, "freezer")));
      });
  return chosen;
}

bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= max_run_name && name.find('/') == name.npos &&
         name.find('\0') == name.npos && name.find('\n') == name.npos;
}

std::string group_name(std::string_view host, std::uint64_t number) {
  auto kept = std::string{host.substr(0, max_host_name)};
  auto const is_harmful = [](char c) {
    return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '-');
  };
  std::ranges::replace_if(kept, is_harmful, '_');
  return "host-" + kept + '-' + std::to_string(number);
}

error unavailable(std::string sentence) {
  return error{errc::cgroup_unavailable, std::move(sentence), std::string{delegation_remedy}};
}

} // namespace

std::string_view cgroup_tree::remedy() noexcept {
  return delegation_remedy;
}

result<cgroup_tree> cgroup_tree::create(std::string_view name) {
  auto const hierarchies = find_cgroups();
  return hierarchies ? create(name, *hierarchies) : hierarchies.error();
}

result<cgroup_tree> cgroup_tree::create(std::string_view name,
                                        std::vector<cgroup_hierarchy> const& hierarchies) {
  if (!is_plain_name(name))
    return unavailable("no control group can have that name");
  auto const chosen = needed(hierarchies);
  remove_dead_runs(chosen);

  cgroup_tree tree;
  std::string shortcomings;
  for (auto const& hierarchy : chosen) {
    auto place = place_run(hierarchy, std::string{run_prefix}.append(name));
    if (place.directory)
      tree.runs_.push_back(*std::move(place.directory));
    shortcomings.append(shortcomings.empty() || place.shortcomings.empty() ? "" : "; ")
        .append(place.shortcomings);
  }
  if (tree.runs_.empty())
    return unavailable("no control group can be made: " +
                       (shortcomings.empty() ? "none is mounted" : shortcomings));
  for (auto const& [limit, controller] : limit_kinds) {
    auto const run = std::ranges::find_if(
        tree.runs_, [&](cgroup_directory const& each) { return each.controls(controller); });
    auto const holds = run != tree.runs_.end();
    tree.abilities_.push_back({limit, holds,
                               holds
                                   ? "control group " + run->path().string()
                                   : std::string{"no control group has "} + controller +
                                         (shortcomings.empty() ? "" : " (" + shortcomings + ")")});
  }
  return tree;
}

cgroup_tree::~cgroup_tree() {
  if (runs_.empty())
    return;
  kill_processes(runs_);
  std::ranges::for_each(runs_, remove_tree);
}

result<cgroup> cgroup_tree::create_group(std::string_view host, cgroup_limits const& limits) {
  auto const name = group_name(host, ++groups_made_);
  std::vector<cgroup_directory> directories;
  for (auto const& run : runs_) {
    auto made = run.make_child(name);
    if (!made) {
      auto const failed = errno;
      std::ranges::for_each(directories, &cgroup_directory::remove);
      return unavailable("can't make " + (run.path() / name).string() + ": " + errno_text(failed));
    }
    directories.push_back(*std::move(made));
  }
  cgroup group{std::move(directories)};
  group.set(limits);
  return group;
}

std::vector<fs::path> cgroup_tree::directories() const {
  std::vector<fs::path> paths;
  for (auto const& run : runs_)
    paths.push_back(run.path());
  return paths;
}

unique_fd cgroup_tree::kill_switch() const {
  auto const unified = std::ranges::find_if(runs_, &cgroup_directory::unified);
  return unified == runs_.end() ? unique_fd{} : unified->open_file("cgroup.kill", O_WRONLY);
}

} // namespace bulkhead::platform
