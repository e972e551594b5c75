#include <bulkhead/platform/process.hpp>

#include <bulkhead/platform/errno_text.hpp>
#include <bulkhead/platform/process_birth.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <string_view>
#include <sys/resource.h>
#include <sys/stat.h>
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

/// Finds out what the error number of a birth was about.
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

  unique_fd const null{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  wanted.emplace(wanted.begin(), STDIN_FILENO, null.get());
  std::vector<unique_fd> sources;
  std::vector<placed_descriptor> placed;
  for (auto const& [number, ours] : wanted) {
    auto& source = sources.emplace_back(duplicate(ours, end));
    if (!source)
      return refused("can't hand descriptor " + std::to_string(number) + " to " +
                     spec.program.string() + ": " + errno_text(errno));
    placed.push_back({number, source.get()});
  }

  std::vector<std::string> arguments{spec.program.native()};
  arguments.insert(arguments.end(), spec.arguments.begin(), spec.arguments.end());
  std::vector<std::string> variables;
  for (auto const& [name, value] : spec.environment)
    variables.push_back(name + '=' + value);
  exec_strings const argv{std::move(arguments)};
  exec_strings const envp{std::move(variables)};
  // By way of this process, as the child has closed its own copy by then.
  auto const file = spec.executable < 0 ? spec.program.native()
                                        : "/proc/" + std::to_string(::getpid()) + "/fd/" +
                                              std::to_string(spec.executable);
  birth_plan plan;
  plan.descriptors = placed;
  plan.path = file.c_str();
  plan.arguments = argv.get();
  plan.environment = envp.get();
  plan.directory = directory.c_str();
  plan.group = spec.group;
  auto born = give_birth(plan);
  if (born.failed_at != birth_step::none)
    return diagnose(spec, directory, born.failed);
  // What the child has is closed here: its ends of the pipes, so that their end is seen, and with
  // them there is room for one more.
  sources.clear();
  output->write.reset();
  errors->write.reset();
  auto const pid = born.child.pid;
  auto process = std::move(born.child.descriptor);
  if (!is_our_child(process.get()))
    process.reset(); // it has ended already, and nobody asks for it: SIGCHLD is ignored
  auto const limited = process ? set_limits(pid, spec.limits) : 0;
  child_process created{
      {pid, std::move(process), std::move(output->read), std::move(errors->read)}};
  if (limited != 0) // and ends here
    return refused("can't limit what " + spec.program.string() + " uses: " + errno_text(limited));
  return created;
}

} // namespace bulkhead::platform
