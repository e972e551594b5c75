#include "output/secret_input.hpp"

#include <bulkhead/messages/frame_scanner.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <iostream>
#include <poll.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

namespace bulkhead::tool {
namespace {

using platform::secret_bytes;
using platform::unique_fd;

/// Of one line with its end; the kernel drops what is longer (N_TTY_BUF_SIZE).
constexpr std::size_t longest_terminal_line = 4096;

sigset_t signals_that_end_or_stop() noexcept {
  sigset_t set;
  sigemptyset(&set);
  for (int const number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP})
    sigaddset(&set, number);
  return set;
}

/// As long as it lives, the terminal on standard input shows nothing of what is typed but the end
/// of the line, and signals wait.
class hidden_typing {
public:
  hidden_typing() noexcept {
    auto const held = signals_that_end_or_stop();
    ::pthread_sigmask(SIG_BLOCK, &held, &before_);
    ::tcgetattr(STDIN_FILENO, &shown_);
    auto hidden = shown_;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    hidden.c_lflag |= ECHONL;
    // What was typed before has been seen: it is thrown away.
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
  }
  hidden_typing(hidden_typing const&) = delete;
  hidden_typing& operator=(hidden_typing const&) = delete;
  ~hidden_typing() {
    ::tcsetattr(STDIN_FILENO, TCSANOW, &shown_);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

private:
  termios shown_{};
  sigset_t before_{};
};

/// Waits for a line; false where a signal came first.
bool wait_for_line() noexcept {
  auto const held = signals_that_end_or_stop();
  unique_fd const signals{::signalfd(-1, &held, SFD_CLOEXEC)};
  std::array<pollfd, 2> watched{{{STDIN_FILENO, POLLIN, 0}, {signals.get(), POLLIN, 0}}};
  while (::poll(watched.data(), watched.size(), -1) < 0 && errno == EINTR) {
  }
  return watched[1].revents == 0;
}

/// At most as much as there is room for; -1 with errno set on failure.
ssize_t read_some(std::span<unsigned char> into) noexcept {
  for (;;)
    if (auto const got = ::read(STDIN_FILENO, into.data(), into.size()); got >= 0 || errno != EINTR)
      return got;
}

ssize_t read_line(secret_bytes& into, std::string_view prompt) {
  for (;;) {
    hidden_typing const hidden;
    std::cerr << prompt << std::flush;
    if (wait_for_line())
      return read_some(into.bytes());
    std::cerr << '\n';
  }
}

ssize_t read_all(secret_bytes& into) noexcept {
  auto const whole = into.bytes();
  std::size_t size = 0;
  while (size < whole.size()) {
    auto const got = read_some(whole.subspan(size));
    if (got < 0)
      return -1;
    if (got == 0)
      break;
    size += static_cast<std::size_t>(got);
  }
  return static_cast<ssize_t>(size);
}

} // namespace

result<secret_bytes> read_secret(std::size_t max, std::string_view prompt) {
  auto const is_terminal = ::isatty(STDIN_FILENO) != 0;
  secret_bytes read{max + 2}; // the newline, and one byte that would be too many
  auto const size = is_terminal ? read_line(read, prompt) : read_all(read);
  if (size < 0)
    return error{errc::file_unavailable, "standard input can't be read"};
  auto value = read.view().substr(0, static_cast<std::size_t>(size));
  if (is_terminal && value.size() >= longest_terminal_line)
    return error{errc::secret_too_large, "a terminal takes no longer line",
                 "put the value into a file, and give that as standard input"};
  if (value.ends_with('\n'))
    value.remove_suffix(1);
  if (value.size() > max)
    return error{errc::secret_too_large,
                 "the value has more than " + std::to_string(max) + " bytes"};
  if (value.empty())
    return error{errc::invalid_payload, "the value is empty",
                 "give it on standard input; to remove a secret, delete it"};
  if (!wire::is_utf8(value))
    return error{errc::invalid_payload, "the value is not UTF-8, so no extension could read it",
                 "encode it as text, for instance as base64"};
  return secret_bytes{value};
}

} // namespace bulkhead::tool
