#include <bulkhead/platform/linux/cgroup_directory.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <dirent.h>
#include <fcntl.h>
#include <iterator>
#include <memory>
#include <set>
#include <sstream>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bulkhead::platform {
namespace {

constexpr auto kill_file = "cgroup.kill";
constexpr auto members_file = "cgroup.procs";
/// How often a group that can't be frozen is looked through for processes that were just created.
constexpr int max_passes = 64;

unique_fd open_folder(int parent, char const* name) noexcept {
  return unique_fd{::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
}

std::vector<std::string> words_of(std::string const& text) {
  std::istringstream words{text};
  return {std::istream_iterator<std::string>{words}, {}};
}

std::uint64_t to_number(std::string_view text) noexcept {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

using numbers_text = std::array<char, 4096>;

/// What a file of numbers holds, which the kernel writes in one piece and in less than that.
std::string_view read_numbers(cgroup_directory const& group, char const* file, numbers_text& into) {
  auto const opened = group.open_file(file, O_RDONLY);
  auto const got = opened ? ::read(opened.get(), into.data(), into.size()) : 0;
  return {into.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
}

/// Signals processes by descriptors that were opened while they were members: a number that was
/// given to another process since is not in the second list. Adds to `signalled` and says whether
/// there was a new one.
bool kill_members(cgroup_directory const& group, std::set<pid_t>& signalled, bool& all) {
  std::vector<std::pair<pid_t, unique_fd>> opened;
  for (auto const process : group.processes())
    if (!signalled.contains(process))
      opened.emplace_back(process, static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
  auto const members = group.processes();
  for (auto const& [process, pidfd] : opened) {
    if (std::ranges::find(members, process) == members.end())
      continue;
    if (::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0) != 0 && errno != ESRCH)
      all = false;
    signalled.insert(process);
  }
  return !opened.empty();
}

bool kill_each(cgroup_directory const& group, std::set<pid_t>& signalled) {
  auto all = true;
  for (auto pass = 0; pass < max_passes && kill_members(group, signalled, all); ++pass)
    ;
  for (auto const& name : group.children())
    if (auto const inside = group.open_child(name))
      all = kill_each(*inside, signalled) && all;
  return all;
}

/// Stops a group while its processes are killed; they end when it is thawed.
class frozen_group {
public:
  explicit frozen_group(cgroup_directory const& group) noexcept
      : group_{group} {
    write(group_.unified() ? "1" : "FROZEN");
  }
  frozen_group(frozen_group&&) = delete;
  ~frozen_group() { write(group_.unified() ? "0" : "THAWED"); }

private:
  void write(char const* state) const noexcept {
    group_.write(group_.unified() ? "cgroup.freeze" : "freezer.state", state);
  }

  cgroup_directory const& group_;
};

} // namespace

std::optional<cgroup_directory> cgroup_directory::open(std::filesystem::path path,
                                                       std::vector<std::string> controllers,
                                                       bool unified) {
  auto fd = open_folder(AT_FDCWD, path.c_str());
  if (!fd)
    return {};
  cgroup_directory opened{std::move(path), std::move(fd), std::move(controllers), unified};
  if (unified)
    opened.controllers_ = words_of(opened.read("cgroup.controllers").value_or(""));
  return opened;
}

std::optional<cgroup_directory> cgroup_directory::make_child(std::string const& name) const {
  // Closed to others, who could hold its lock.
  if (::mkdirat(fd_.get(), name.c_str(), S_IRWXU) != 0 && errno != EEXIST)
    return {};
  return open_child(name);
}

std::optional<cgroup_directory> cgroup_directory::open_child(std::string const& name) const {
  auto fd = open_folder(fd_.get(), name.c_str());
  if (!fd)
    return {};
  cgroup_directory child{path_ / name, std::move(fd), controllers_, unified_};
  if (unified_)
    child.controllers_ = words_of(child.read("cgroup.controllers").value_or(""));
  return child;
}

bool cgroup_directory::remove() const noexcept {
  return ::rmdir(path_.c_str()) == 0 || errno == ENOENT;
}

std::vector<std::string> cgroup_directory::children() const {
  std::vector<std::string> names;
  // A descriptor of its own: the stream closes it and moves its position.
  auto copy = open_folder(fd_.get(), ".");
  std::unique_ptr<DIR, int (*)(DIR*)> const stream{copy ? ::fdopendir(copy.get()) : nullptr,
                                                   &::closedir};
  if (!stream)
    return names;
  copy.release();
  while (auto const* const entry = ::readdir(stream.get()))
    if (auto name = std::string{entry->d_name};
        entry->d_type == DT_DIR && name != "." && name != "..")
      names.push_back(std::move(name));
  return names;
}

bool cgroup_directory::controls(std::string_view controller) const noexcept {
  return std::ranges::find(controllers_, controller) != controllers_.end();
}

unique_fd cgroup_directory::open_file(char const* file, int flags) const noexcept {
  return unique_fd{::openat(fd_.get(), file, flags | O_NOFOLLOW | O_CLOEXEC)};
}

int cgroup_directory::write(char const* file, std::string_view value) const noexcept {
  auto const opened = open_file(file, O_WRONLY);
  if (!opened)
    return errno;
  // A control file takes a value in one piece or not at all.
  return ::write(opened.get(), value.data(), value.size()) < 0 ? errno : 0;
}

std::optional<std::string> cgroup_directory::read(char const* file) const {
  auto const opened = open_file(file, O_RDONLY);
  if (!opened)
    return {};
  std::string text;
  std::array<char, 4096> piece;
  for (;;) {
    auto const got = ::read(opened.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return {};
    if (got == 0)
      return text;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
}

std::uint64_t cgroup_directory::number(char const* file) const {
  numbers_text buffer;
  return to_number(read_numbers(*this, file, buffer));
}

std::uint64_t cgroup_directory::number(char const* file, std::string_view key) const {
  numbers_text buffer;
  for (auto rest = read_numbers(*this, file, buffer); !rest.empty();) {
    auto const line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.starts_with(key) && line.substr(key.size()).starts_with(' '))
      return to_number(line.substr(key.size() + 1));
  }
  return 0;
}

std::vector<pid_t> cgroup_directory::processes() const {
  std::vector<pid_t> found;
  for (auto const& word : words_of(read(members_file).value_or("")))
    found.push_back(static_cast<pid_t>(to_number(word)));
  return found;
}

bool cgroup_directory::is_empty() const {
  if (unified_)
    return number("cgroup.events", "populated") == 0;
  return processes().empty() && std::ranges::all_of(children(), [&](std::string const& name) {
           auto const inside = open_child(name);
           return !inside || inside->is_empty();
         });
}

int cgroup_directory::delegate(std::string_view controller) const {
  auto const delegated = words_of(read("cgroup.subtree_control").value_or(""));
  if (std::ranges::find(delegated, controller) != delegated.end())
    return 0;
  return write("cgroup.subtree_control", '+' + std::string{controller});
}

bool kill_processes(std::vector<cgroup_directory> const& directories) {
  if (directories.empty())
    return true;
  auto const unified = std::ranges::find_if(directories, &cgroup_directory::unified);
  if (unified != directories.end() && unified->write(kill_file, "1") == 0)
    return true;
  auto const freezer = std::ranges::find_if(directories, [](cgroup_directory const& directory) {
    return directory.unified() || directory.controls("freezer");
  });
  auto const& group = freezer != directories.end() ? *freezer : directories.front();
  frozen_group const stopped{group};
  std::set<pid_t> signalled;
  return kill_each(group, signalled);
}

} // namespace bulkhead::platform
