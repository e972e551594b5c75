#include <bulkhead/platform/linux/launcher/descriptors.hpp>
#include <bulkhead/platform/linux/launcher/filters.hpp>
#include <bulkhead/platform/linux/launcher/landlock.hpp>
#include <bulkhead/platform/linux/launcher/report.hpp>
#include <bulkhead/platform/linux/launcher/stages.hpp>

#include <csignal>
#include <fcntl.h>
#include <initializer_list>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bulkhead::launcher {
namespace {

/// The keeper's word that it is ready itself. It may have failed instead.
void await_word(int keeper) noexcept {
  char word = 0;
  if (::recv(keeper, &word, sizeof word, 0) != sizeof word)
    ::_exit(exit_failed);
}

/// Whether the keeper ended before this process asked to be told of it.
bool is_closed(int keeper) noexcept {
  pollfd other{keeper, POLLRDHUP, 0};
  return ::poll(&other, 1, 0) > 0;
}

/// What the program sees: its own standard error in place of the launch's.
void arrange_streams() noexcept {
  perform(step::streams, [] { return ::dup2(program_errors, STDERR_FILENO); });
}

/// What the program inherits stays, and what this process still needs, which is closed on exec.
void arrange_descriptors(int keeper) noexcept {
  perform(step::descriptors_inside, [keeper] { return ::dup3(keeper, status_socket, O_CLOEXEC); });
  tell_through(status_socket);
  constexpr int own[] = {status_socket, program_file, filter_file};
  constexpr int own_count = sizeof own / sizeof *own;
  int kept[STDERR_FILENO + 1 + max_inherited + own_count];
  int count = 0;
  for (int stream = 0; stream <= STDERR_FILENO; ++stream)
    kept[count++] = stream;
  for (std::uint32_t i = 0; i < plan().inherited_count; ++i)
    kept[count++] = plan().inherited[i];
  for (auto const each : own)
    kept[count++] = each;
  perform(
      step::descriptors_inside, [&] { return close_all_but(kept, count) ? 0 : -1; }, 1);
  for (auto const each : {program_file, filter_file})
    ::fcntl(each, F_SETFD, FD_CLOEXEC); // no error where there is no filter
}

bool is_same_file(int one, int other) noexcept {
  struct stat first {};
  struct stat second {};
  return ::fstat(one, &first) == 0 && ::fstat(other, &second) == 0 &&
         first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

/// The verified program by the path that it has inside, so that it knows its own name. What is at
/// that path has to be the file that was verified.
void open_program_inside() noexcept {
  auto const inside = perform(step::program_open,
                              [] { return ::open(string_at(plan().program), O_PATH | O_CLOEXEC); });
  ascertain(
      step::program_changed, [inside] { return is_same_file(inside, program_file); }, ESTALE);
  perform(
      step::program_open, [inside] { return ::dup3(inside, program_file, O_CLOEXEC); }, 1);
  ::close(inside);
}

void set_limits() noexcept {
  for (int i = 0; i < static_cast<int>(plan().limit_count); ++i) {
    auto const& wanted = plan().limits[i];
    auto const resource = static_cast<__rlimit_resource>(wanted.resource);
    rlimit held{};
    ::getrlimit(resource, &held);
    // A hard limit can't be raised; a lower one that is there already is kept.
    rlimit next{};
    next.rlim_max = wanted.hard < held.rlim_max ? wanted.hard : held.rlim_max;
    next.rlim_cur = wanted.soft < next.rlim_max ? wanted.soft : next.rlim_max;
    perform(
        step::limits, [&] { return ::setrlimit(resource, &next); }, wanted.resource);
  }
  if (plan().limit_count == 0)
    perform(step::limits, [] { return 0; });
}

/// Gives the filter's listener to the keeper, which tells of what the program is forbidden. None of
/// it is left here, and the program starts when somebody listens.
void hand_over(int listener) noexcept {
  perform(step::filter_listener, [listener] {
    status_record filtered{};
    filtered.kind = status_kind::filtered;
    return tell(filtered, listener);
  });
  ::close(listener);
  await_word(status_socket);
}

/// The strings of the plan as exec takes them.
char* const* exec_strings(char** place, text const* from, std::uint32_t count) noexcept {
  for (std::uint32_t i = 0; i < count; ++i)
    place[i] = const_cast<char*>(string_at(from[i]));
  place[count] = nullptr;
  return place;
}

[[noreturn]] void execute_program() noexcept {
  static char* arguments[max_arguments + 1];
  static char* variables[max_variables + 1];
  auto* const argv = exec_strings(arguments, plan().arguments, plan().argument_count);
  auto* const envp = exec_strings(variables, plan().variables, plan().variable_count);
  perform(step::execute,
          [=] { return ::syscall(SYS_execveat, program_file, "", argv, envp, AT_EMPTY_PATH); });
  ::_exit(exit_failed);
}

} // namespace

void become_program(int keeper) noexcept {
  await_word(keeper);
  perform(step::program_death_signal, [] { return ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); });
  if (is_closed(keeper))
    ::_exit(exit_failed);
  arrange_streams();
  arrange_descriptors(keeper);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (has(use_landlock))
    restrict_paths();
  if (has(own_root))
    open_program_inside();
  perform(step::directory, [] { return ::chdir(string_at(plan().directory)); });
  // After all that takes descriptors of its own.
  set_limits();
  if (!has(own_root))
    perform(step::signal_filter, keep_signals_to_self);
  // Last: it leaves nothing open that only these steps need.
  auto listener = -1;
  if (has(use_filter))
    perform(step::filter, [&listener] { return install_program_filter(listener); });
  if (listener >= 0)
    hand_over(listener);
  execute_program();
}

} // namespace bulkhead::launcher
