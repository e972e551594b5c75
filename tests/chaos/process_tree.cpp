#include "process_tree.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <poll.h>
#include <sstream>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace chaos {
namespace {

namespace disk = std::filesystem;
using bulkhead::platform::unique_fd;

/// From /proc/PID/stat (proc(5)): `7 (name with anything) S 1 ...`. Nothing where it has gone.
std::optional<process_entry> look_at(pid_t pid) {
  std::ifstream file{"/proc/" + std::to_string(pid) + "/stat"};
  std::string line;
  if (!std::getline(file, line))
    return std::nullopt;
  auto const begin = line.find('(');
  auto const end = line.rfind(')');
  if (begin == line.npos || end == line.npos)
    return std::nullopt;
  process_entry seen;
  seen.pid = pid;
  seen.name = line.substr(begin + 1, end - begin - 1);
  std::istringstream rest{line.substr(end + 1)};
  rest >> seen.state >> seen.parent >> seen.group;
  return seen;
}

std::vector<process_entry> all_processes() {
  std::vector<process_entry> all;
  for (auto const& entry : disk::directory_iterator{"/proc"}) {
    auto const name = entry.path().filename().string();
    pid_t pid = 0;
    auto const parsed = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (parsed.ec != std::errc{} || parsed.ptr != name.data() + name.size())
      continue;
    if (auto seen = look_at(pid))
      all.push_back(*std::move(seen));
  }
  return all;
}

bool is_descendant(pid_t pid) {
  for (auto seen = look_at(pid); seen && seen->parent > 0; seen = look_at(seen->parent))
    if (seen->parent == ::getpid())
      return true;
  return false;
}

/// Whether it is in a process namespace of its own, as what bubblewrap forks: `NSpid: 921 1`
/// (proc(5)). What the library itself starts is not.
bool is_of_inner_namespace(pid_t pid) {
  std::ifstream file{"/proc/" + std::to_string(pid) + "/status"};
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("NSpid:"))
      return std::ranges::count(line, '\t') > 1;
  return false;
}

bool has_ended(unique_fd const& process) {
  pollfd ended{process.get(), POLLIN, 0};
  return ::poll(&ended, 1, 0) != 0;
}

} // namespace

std::vector<process_entry> descendants() {
  auto const all = all_processes();
  std::map<pid_t, pid_t> parents;
  for (auto const& each : all)
    parents.emplace(each.pid, each.parent);
  auto const is_ours = [&](process_entry const& process) {
    for (auto at = parents.find(process.parent); at != parents.end(); at = parents.find(at->second))
      if (at->first == ::getpid())
        return true;
    return false;
  };
  std::vector<process_entry> ours;
  std::ranges::copy_if(all, std::back_inserter(ours), is_ours);
  return ours;
}

void adopt_orphans() {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
    throw std::system_error{errno, std::generic_category(), "can't become a subreaper"};
}

void reap_orphans(bool (*may_be)(std::string_view name)) {
  for (auto const& each : descendants())
    if (each.parent == ::getpid() && each.state == 'Z' && may_be(each.name) &&
        (each.group != each.pid || is_of_inner_namespace(each.pid)))
      ::waitpid(each.pid, nullptr, WNOHANG);
}

unique_fd hold_process(bulkhead::host_handle const& host) {
  auto const pid = host.status().pid;
  if (pid <= 0)
    return {};
  unique_fd held{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
  // What still runs after the look is what was looked at.
  if (!held || !is_descendant(pid) || host.status().pid != pid || has_ended(held))
    return {};
  return held;
}

} // namespace chaos
