#include "served_process.hpp"
#include "shared/text.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdexcept>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utility>

extern char** environ;

namespace bulkhead::testing {
namespace {

using platform::unique_fd;

/// A busy machine under sanitizers is slow; nothing that these tests wait for takes seconds.
constexpr int patience_ms = 30'000;

/// The end to read from and the end to write to.
std::pair<unique_fd, unique_fd> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw std::runtime_error{"no pipe"};
  return {unique_fd{ends[0]}, unique_fd{ends[1]}};
}

std::pair<unique_fd, unique_fd> make_terminal() {
  unique_fd ours{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
  if (::grantpt(ours.get()) != 0 || ::unlockpt(ours.get()) != 0)
    throw std::runtime_error{"no pseudo-terminal"};
  unique_fd theirs{::open(::ptsname(ours.get()), O_RDWR | O_NOCTTY | O_CLOEXEC)};
  return {std::move(ours), std::move(theirs)};
}

} // namespace

served_process::served_process(std::vector<std::string> const& words, output_to where)
    : errors_{folder_.path() / "errors"} {
  auto [ours, theirs] = where == output_to::pipe ? make_pipe() : make_terminal();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (where == output_to::terminal)
    posix_spawn_file_actions_adddup2(&actions, theirs.get(), 0);
  else
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, theirs.get(), 1);
  posix_spawn_file_actions_addopen(&actions, 2, errors_.c_str(), O_WRONLY | O_CREAT, 0600);
  std::vector<char*> argv;
  for (auto const& word : words)
    argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  auto const failed = posix_spawnp(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed)
    throw std::runtime_error{"cannot start " + words.front()};
  output_ = std::move(ours);
}

served_process::~served_process() {
  if (pid_ == 0)
    return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void served_process::type(std::string_view text) const {
  if (::write(output_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    throw std::runtime_error{"the terminal does not take what is typed"};
}

bool served_process::shows_typing() const {
  termios settings{};
  if (::tcgetattr(output_.get(), &settings) != 0)
    throw std::runtime_error{"no terminal"};
  return (settings.c_lflag & ECHO) != 0;
}

void served_process::wait_for_output(std::string_view text) {
  while (seen_.find(text) == std::string::npos)
    if (!read_more())
      throw std::runtime_error{"it ended without \"" + std::string{text} + "\"; its output:\n" +
                               seen_};
}

void served_process::signal(int number) const {
  ::kill(pid_, number);
}

ran_command served_process::wait() {
  while (read_more()) {
  }
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), seen_,
          content_of(errors_)};
}

bool served_process::read_more() {
  pollfd readable{output_.get(), POLLIN, 0};
  if (::poll(&readable, 1, patience_ms) == 0)
    throw std::runtime_error{"nothing more came; the output so far:\n" + seen_};
  std::array<char, 4096> piece;
  auto const size = ::read(output_.get(), piece.data(), piece.size());
  if (size <= 0)
    return false; // a terminal ends in EIO
  seen_.append(piece.data(), static_cast<std::size_t>(size));
  return true;
}

} // namespace bulkhead::testing
