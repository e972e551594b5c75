#include "shared/forked.hpp"

#include <bulkhead/platform/unique_fd.hpp>

#include <cerrno>
#include <exception>
#include <fcntl.h>
#include <grp.h>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bulkhead::testing {
namespace {

constexpr int failed_code = 255;

/// Forks; the child ends with what `work` returns.
pid_t start(std::function<int()> const& work) {
  auto const child = ::fork();
  if (child < 0)
    throw std::runtime_error{"no process"};
  if (child == 0) {
    try {
      ::_exit(work());
    } catch (...) {
      ::_exit(failed_code);
    }
  }
  return child;
}

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : failed_code;
}

std::string caught(std::function<std::string()> const& work) {
  try {
    return work();
  } catch (std::exception const& failed) {
    return std::string{"it ended early: "} + failed.what();
  }
}

} // namespace

bool is_root() noexcept {
  return ::geteuid() == 0;
}

bool become_ordinary_user() noexcept {
  return !is_root() || (::setgroups(0, nullptr) == 0 &&
                        ::setresgid(ordinary_user, ordinary_user, ordinary_user) == 0 &&
                        ::setresuid(ordinary_user, ordinary_user, ordinary_user) == 0 &&
                        // As after exec, so that /proc/self is its own.
                        ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0);
}

int exit_code_of(std::function<int()> const& work) {
  return wait_for(start(work));
}

bool holds_in_child(std::function<bool()> const& claim) {
  return exit_code_of([&] { return claim() ? 0 : 1; }) == 0;
}

bool holds_for_ordinary_user(std::function<bool()> const& claim) {
  return holds_in_child([&] { return become_ordinary_user() && claim(); });
}

std::string text_of_child(std::function<std::string()> const& work) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    throw std::runtime_error{"no pipe"};
  platform::unique_fd const from{ends[0]};
  platform::unique_fd to{ends[1]};
  auto const child = start([&] {
    auto const text = caught(work);
    return ::write(to.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 1;
  });
  to.reset();
  std::string text;
  char piece[4096];
  for (ssize_t size = 0; (size = ::read(from.get(), piece, sizeof piece)) > 0;)
    text.append(piece, static_cast<std::size_t>(size));
  if (auto const code = wait_for(child); code != 0)
    text += "it ended early: with " + std::to_string(code);
  return text;
}

std::string as_ordinary_user(std::function<std::string()> const& work) {
  return text_of_child([&]() -> std::string {
    return become_ordinary_user() ? work() : "it could not become an ordinary user";
  });
}

} // namespace bulkhead::testing
