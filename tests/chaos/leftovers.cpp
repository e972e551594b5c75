#include "leftovers.hpp"

#include "process_tree.hpp"

#include <bulkhead/platform/linux/cgroup_layout.hpp>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <malloc.h>
#include <thread>
#include <unistd.h>

namespace chaos {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
namespace disk = std::filesystem;

/// What was sent SIGKILL ends, and a thread that was joined leaves /proc, a moment later; on a
/// loaded machine a longer one.
constexpr auto grace = 10s;
constexpr auto between_looks = 20ms;
/// Whose parents are killed before them: what raw_host.py leaves, and what bubblewrap has just
/// forked, or had started by a descriptor, where it is killed during a launch.
bool may_be_orphaned(std::string_view name) {
  return name == "python3" || name == "bwrap" ||
         name.find_first_not_of("0123456789") == std::string_view::npos;
}

/// How many runtimes fill caches and arenas before growth means something.
constexpr std::size_t warm_up = 3;
/// Growth is what even the least of the last few shows: what is in use varies with what was open.
constexpr std::size_t recent_looks = 3;
/// In bytes. Allocators' caches and pools that keep their largest size vary by a tenth of it.
constexpr std::size_t growth_allowed = 1u << 20;

std::map<int, std::string> numbered_entries(disk::path const& folder, auto const& describe) {
  std::map<int, std::string> found;
  for (auto const& entry : disk::directory_iterator{folder})
    found.emplace(std::stoi(entry.path().filename().string()), describe(entry.path()));
  return found;
}

/// "socket:[4711]", "/dev/null", "anon_inode:[pidfd]"; empty where it has gone.
std::string link_target(disk::path const& link) {
  std::error_code gone;
  return disk::read_symlink(link, gone).string();
}

std::string name_of_thread(disk::path const& task) {
  std::string name;
  std::getline(std::ifstream{task / "comm"}, name);
  return name;
}

/// The directories of our runtimes in every hierarchy: `bulkhead-run-NAME-PID-RANDOM`.
std::set<disk::path> own_cgroups() {
  std::set<disk::path> found;
  auto const hierarchies = bulkhead::platform::find_cgroups();
  if (!hierarchies)
    return found;
  auto const ours = "-" + std::to_string(::getpid()) + "-";
  for (auto const& hierarchy : *hierarchies)
    for (auto const& parent : {hierarchy.own, hierarchy.own.parent_path(), hierarchy.root}) {
      std::error_code unreadable;
      for (auto const& entry : disk::directory_iterator{parent, unreadable}) {
        auto const name = entry.path().filename().string();
        if (name.starts_with("bulkhead-run-") && name.find(ours) != name.npos)
          found.insert(entry.path());
      }
    }
  return found;
}

/// What runtimes leave in the folder that each has one of its own in, beside its lock.
std::vector<std::string> left_in_run_folder(disk::path const& state_dir) {
  std::vector<std::string> left;
  std::error_code unreadable;
  for (auto const& entry : disk::directory_iterator{state_dir / "run", unreadable})
    if (entry.path().filename() != "lock")
      left.push_back("left in the run directory: " + entry.path().string());
  return left;
}

void add_new(std::vector<std::string>& sentences, char const* what,
             std::map<int, std::string> const& now, std::map<int, std::string> const& before) {
  for (auto const& [number, description] : now)
    if (!before.contains(number))
      sentences.push_back(std::string{"a "} + what + " is left over: " + std::to_string(number) +
                          " (" + description + ")");
}

} // namespace

holdings holdings::look() {
  holdings seen;
  seen.descriptors_ = numbered_entries("/proc/self/fd", link_target);
  // The one that read the folder.
  std::erase_if(seen.descriptors_, [](auto const& each) {
    return each.second.empty() || each.second.ends_with("/fd");
  });
  seen.threads_ = numbered_entries("/proc/self/task", name_of_thread);
  for (auto const& each : descendants())
    seen.processes_.emplace(each.pid, each.name + ", state " + each.state);
  seen.cgroups_ = own_cgroups();
  return seen;
}

std::vector<std::string> holdings::beyond(holdings const& before) const {
  std::vector<std::string> sentences;
  add_new(sentences, "descriptor", descriptors_, before.descriptors_);
  add_new(sentences, "thread", threads_, before.threads_);
  add_new(sentences, "process", processes_, before.processes_);
  for (auto const& each : cgroups_)
    if (!before.cgroups_.contains(each))
      sentences.push_back("a control group is left over: " + each.string());
  return sentences;
}

std::vector<std::string> holdings::leftovers(holdings const& before, disk::path const& state_dir) {
  for (auto const until = clock::now() + grace;;) {
    reap_orphans(may_be_orphaned);
    auto found = look().beyond(before);
    std::ranges::move(left_in_run_folder(state_dir), std::back_inserter(found));
    if (found.empty() || clock::now() >= until)
      return found;
    std::this_thread::sleep_for(between_looks);
  }
}

// ---- memory -------------------------------------------------------------------------------------

std::vector<std::string> memory_watch::look() {
  auto const now = ::mallinfo2();
  last_ = now.uordblks + now.hblkhd; // of arenas, and mapped one by one
#ifdef __SANITIZE_ADDRESS__
  return {}; // its allocator does not say; LeakSanitizer looks at the end
#else
  if (++looks_ <= warm_up) {
    first_ = std::max(first_, last_);
    return {};
  }
  recent_.push_back(last_);
  if (recent_.size() > recent_looks)
    recent_.erase(recent_.begin());
  auto const least = *std::ranges::min_element(recent_);
  if (recent_.size() < recent_looks || least <= first_ + growth_allowed)
    return {};
  return {"memory grows: " + std::to_string(first_ >> 10) + " KiB were in use after " +
          std::to_string(warm_up) + " runtimes, " + std::to_string(least >> 10) +
          " KiB or more after each of the last " + std::to_string(recent_looks)};
#endif
}

} // namespace chaos
