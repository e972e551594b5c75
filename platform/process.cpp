#include <bulkhead/platform/process.hpp>

#include <bulkhead/platform/errno_text.hpp>
#include <bulkhead/platform/fault_point.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <spawn.h>
#include <string_view>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bulkhead::platform {
namespace {

using namespace std::string_literals;

constexpr int first_inherited = STDERR_FILENO + 1;
/// The numbers are the library's own choice. The bound keeps the walk over the gaps between them
/// short.
constexpr int last_inherited = 255;

error refused(std::string sentence, std::string remedy = {}) {
  return error{errc::spawn_failed, std::move(sentence), std::move(remedy)};
}

/// The list of things to do in the child, or the first failure to note one.
class file_actions {
public:
  file_actions() noexcept { keep(::posix_spawn_file_actions_init(&list_)); }
  file_actions(file_actions&&) = delete;
  ~file_actions() { ::posix_spawn_file_actions_destroy(&list_); }

  void open_null(int number) noexcept {
    keep(::posix_spawn_file_actions_addopen(&list_, number, "/dev/null", O_RDONLY, 0));
  }
  void duplicate(int from, int to) noexcept {
    keep(::posix_spawn_file_actions_adddup2(&list_, from, to));
  }
  void close(int number) noexcept { keep(::posix_spawn_file_actions_addclose(&list_, number)); }
  void close_from(int lowest) noexcept {
    keep(::posix_spawn_file_actions_addclosefrom_np(&list_, lowest));
  }
  void change_directory(char const* path) noexcept {
    keep(::posix_spawn_file_actions_addchdir_np(&list_, path));
  }

  int failed() const noexcept { return failed_; }
  posix_spawn_file_actions_t const* get() const noexcept { return &list_; }

private:
  void keep(int failed) noexcept {
    if (failed_ == 0)
      failed_ = failed;
  }

  posix_spawn_file_actions_t list_;
  int failed_ = 0;
};

/// Own session, default signals, none blocked.
class fresh_start {
public:
  fresh_start() noexcept {
    ::posix_spawnattr_init(&attributes_);
    sigset_t signals;
    ::sigemptyset(&signals);
    ::posix_spawnattr_setsigmask(&attributes_, &signals);
    // Not sigfillset(), which leaves out glibc's own signals 32 and 33; the child would then ignore
    // them.
    std::memset(&signals, 0xFF, sizeof signals);
    ::posix_spawnattr_setsigdefault(&attributes_, &signals);
    ::posix_spawnattr_setflags(&attributes_,
                               POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  fresh_start(fresh_start&&) = delete;
  ~fresh_start() { ::posix_spawnattr_destroy(&attributes_); }

  posix_spawnattr_t const* get() const noexcept { return &attributes_; }

private:
  posix_spawnattr_t attributes_;
};

/// A null-terminated array of C strings as exec takes it.
class exec_strings {
public:
  explicit exec_strings(std::vector<std::string> strings)
      : strings_{std::move(strings)} {
    for (auto& string : strings_)
      pointers_.push_back(string.data());
    pointers_.push_back(nullptr);
  }
  exec_strings(exec_strings&&) = delete;

  char* const* get() const noexcept { return pointers_.data(); }

private:
  std::vector<std::string> strings_;
  std::vector<char*> pointers_;
};

struct pipe_ends {
  unique_fd read;
  unique_fd write;
};

std::optional<pipe_ends> make_pipe() noexcept {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return std::nullopt;
  auto read = above_standard_streams(unique_fd{ends[0]});
  auto write = above_standard_streams(unique_fd{ends[1]});
  if (!read || !write)
    return std::nullopt;
  return pipe_ends{std::move(read), std::move(write)};
}

/// exec would cut a string at its first null byte, silently.
bool has_null_byte(std::string_view text) {
  return text.find('\0') != text.npos;
}

std::optional<error> find_mistake(process_spec const& spec) {
  if (!spec.program.is_absolute())
    return refused("the program's path is not absolute: " + spec.program.string());
  if (has_null_byte(spec.program.native()) || has_null_byte(spec.working_directory.native()) ||
      std::ranges::any_of(spec.arguments, has_null_byte))
    return refused("a null byte in the command of " + spec.program.string());
  for (auto const& [name, value] : spec.environment)
    if (name.empty() || name.find('=') != name.npos || has_null_byte(name) || has_null_byte(value))
      return refused("not an environment variable: \"" + name + '"');
  auto numbers = std::vector<int>{};
  for (auto const& [number, ours] : spec.inherited)
    numbers.push_back(number);
  std::ranges::sort(numbers);
  if (!numbers.empty() && (numbers.front() < first_inherited || numbers.back() > last_inherited))
    return refused("descriptor " + std::to_string(numbers.front()) + " or " +
                   std::to_string(numbers.back()) + " is not in the range of 3 to 255");
  if (auto const twice = std::ranges::adjacent_find(numbers); twice != numbers.end())
    return refused("descriptor " + std::to_string(*twice) + " is to be inherited twice");
  return std::nullopt;
}

bool is_our_child(int pidfd) noexcept {
  siginfo_t seen;
  return ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &seen, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/// The descriptor of a process that was just created. The number is safe to use here: nobody has
/// reaped it yet, unless the embedding program ignores SIGCHLD and it has already ended; then there
/// is nothing to hold.
result<unique_fd> open_process(pid_t pid) {
  auto process =
      above_standard_streams(unique_fd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))});
  if (process)
    return is_our_child(process.get()) ? std::move(process) : unique_fd{};
  auto const failed = errno;
  if (failed == ESRCH)
    return unique_fd{};
  ::kill(-pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  return refused("can't watch the new process: " + errno_text(failed));
}

/// The first error number, or 0. The number is that of a child which nobody has reaped.
int set_limits(pid_t pid, std::vector<resource_limit> const& limits) noexcept {
  for (auto const& wanted : limits) {
    auto const resource = static_cast<__rlimit_resource>(wanted.resource);
    rlimit held{};
    if (::prlimit(pid, resource, nullptr, &held) != 0)
      return errno;
    rlimit next{};
    next.rlim_max = std::min<rlim_t>(wanted.hard, held.rlim_max);
    next.rlim_cur = std::min<rlim_t>(wanted.soft, next.rlim_max);
    if (::prlimit(pid, resource, &next, nullptr) != 0)
      return errno;
  }
  return 0;
}

/// posix_spawn reports one error number for all that happens in the child: this finds out what it
/// was about.
error diagnose(process_spec const& spec, std::string const& directory, int failed) {
  if (failed == EAGAIN || failed == ENOMEM)
    return refused("no process for " + spec.program.string() + ": " + errno_text(failed),
                   "see whether a limit on processes or memory is reached");
  struct stat seen;
  if (::stat(directory.c_str(), &seen) != 0)
    return refused("the working directory " + directory + ": " + errno_text(errno),
                   "create it or name another one");
  if (!S_ISDIR(seen.st_mode))
    return refused("the working directory " + directory + ": " + errno_text(ENOTDIR),
                   "name a directory");
  if (::faccessat(AT_FDCWD, directory.c_str(), X_OK, AT_EACCESS) != 0)
    return refused("the working directory " + directory + ": " + errno_text(errno),
                   "let this user enter it");
  auto const& program = spec.program.native();
  if (::stat(program.c_str(), &seen) == 0) {
    if (!S_ISREG(seen.st_mode))
      return refused(program + " is not a file: " + errno_text(failed));
    if (failed == EACCES)
      return refused(program + " may not be executed: " + errno_text(failed));
    if (failed == ENOENT)
      return refused(program + " needs an interpreter that is missing: " + errno_text(failed),
                     "install what its first line, or its ELF header, names");
    if (failed == ENOEXEC)
      return refused(program + " is not a program: " + errno_text(failed));
  }
  return refused("can't start " + program + ": " + errno_text(failed));
}

} // namespace

result<child_process> spawn(process_spec const& spec) {
  if (auto mistake = find_mistake(spec))
    return std::move(*mistake);
  auto output = make_pipe();
  auto errors = output ? make_pipe() : std::nullopt;
  if (!errors)
    return refused("can't create a pipe for " + spec.program.string() + ": " + errno_text(errno));

  // Number in the child and descriptor here, in the order of the numbers. Every descriptor is a
  // duplicate above all those numbers, so that no step in the child overwrites what a later step
  // needs.
  auto wanted = spec.inherited;
  wanted.emplace_back(STDOUT_FILENO, output->write.get());
  wanted.emplace_back(STDERR_FILENO, errors->write.get());
  std::ranges::sort(wanted);
  auto const end = wanted.back().first + 1;
  auto const directory = spec.working_directory.empty() ? "/"s : spec.working_directory.native();

  file_actions actions;
  actions.open_null(STDIN_FILENO);
  std::vector<unique_fd> sources;
  auto next = STDOUT_FILENO;
  for (auto const& [number, ours] : wanted) {
    auto& source = sources.emplace_back(duplicate(ours, end));
    if (!source)
      return refused("can't hand descriptor " + std::to_string(number) + " to " +
                     spec.program.string() + ": " + errno_text(errno));
    for (; next < number; ++next)
      actions.close(next);
    actions.duplicate(source.get(), number);
    next = number + 1;
  }
  actions.close_from(end);
  actions.change_directory(directory.c_str());
  if (actions.failed() != 0)
    return refused("can't prepare " + spec.program.string() + ": " + errno_text(actions.failed()));

  std::vector<std::string> arguments{spec.program.native()};
  arguments.insert(arguments.end(), spec.arguments.begin(), spec.arguments.end());
  std::vector<std::string> variables;
  for (auto const& [name, value] : spec.environment)
    variables.push_back(name + '=' + value);
  exec_strings const argv{std::move(arguments)};
  exec_strings const envp{std::move(variables)};
  fresh_start const attributes;
  // By way of this process, as the child has closed its own copy by then.
  auto const file = spec.executable < 0 ? spec.program.native()
                                        : "/proc/" + std::to_string(::getpid()) + "/fd/" +
                                              std::to_string(spec.executable);
  pid_t pid = 0;
  auto const failed = is_refused(fault_point::spawn)
                          ? errno
                          : ::posix_spawn(&pid, file.c_str(), actions.get(), attributes.get(),
                                          argv.get(), envp.get());
  if (failed != 0)
    return diagnose(spec, directory, failed);
  // What the child has is closed here: its ends of the pipes, so that their end is seen, and with
  // them there is room for one more.
  sources.clear();
  output->write.reset();
  errors->write.reset();
  auto process = open_process(pid);
  if (!process)
    return std::move(process).error();
  auto const limited = *process ? set_limits(pid, spec.limits) : 0;
  child_process created{
      {pid, std::move(*process), std::move(output->read), std::move(errors->read)}};
  if (limited != 0) // and ends here
    return refused("can't limit what " + spec.program.string() + " uses: " + errno_text(limited));
  return created;
}

} // namespace bulkhead::platform
