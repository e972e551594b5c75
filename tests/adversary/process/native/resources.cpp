#include "attack.hpp"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sched.h>
#include <string>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// None of these goes on without end: each stops when it has had clearly more than the limit that it
// was told of, so that a machine without the limit survives it.
namespace adversary {
namespace {

constexpr std::size_t megabyte = 1u << 20;
/// How much is too much, against the limit.
constexpr int excess = 3;

outcome fork_without_end(target const& what) {
  auto const wanted = what.number("processes") * excess;
  int rope[2];
  if (::pipe2(rope, O_CLOEXEC) != 0)
    return stopped_by(errno);
  for (int made = 0; made < wanted; ++made) {
    auto const child = ::fork();
    if (child < 0)
      return stopped_by(errno);
    if (child == 0) {
      // Until the parent is gone.
      ::close(rope[1]);
      char end = 0;
      ::_exit(::read(rope[0], &end, 1) == 0 ? 0 : 1);
    }
  }
  return got_through();
}

int sleep_as_thread(void* rope) {
  char end = 0;
  return ::read(*static_cast<int*>(rope), &end, 1) == 0 ? 0 : 1;
}

outcome start_threads_without_end(target const& what) {
  static int rope[2];
  if (::pipe2(rope, O_CLOEXEC) != 0)
    return stopped_by(errno);
  auto const wanted = what.number("processes") * excess;
  constexpr std::size_t stack_size = 16'384;
  for (int made = 0; made < wanted; ++made) {
    auto* const stack =
        ::mmap(nullptr, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED)
      return stopped_by(errno);
    constexpr auto thread =
        CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
    if (::clone(sleep_as_thread, static_cast<char*>(stack) + stack_size, thread, rope) < 0)
      return stopped_by(errno);
  }
  return got_through();
}

outcome map_without_end(target const& what, int kind) {
  auto const wanted = static_cast<std::size_t>(what.number("memory")) * excess;
  for (std::size_t had = 0; had < wanted; had += megabyte) {
    auto* const page =
        ::mmap(nullptr, megabyte, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
      return stopped_by(errno);
    std::memset(page, 1, megabyte);
  }
  return got_through();
}

outcome fill_memory(target const& what) {
  return map_without_end(what, MAP_PRIVATE);
}

outcome fill_shared_memory(target const& what) {
  return map_without_end(what, MAP_SHARED);
}

/// Writes megabytes to it; what stopped that, or nothing.
int write_megabytes(int file, std::size_t wanted) noexcept {
  static char const bytes[megabyte] = {};
  for (std::size_t had = 0; had < wanted; had += megabyte)
    if (::write(file, bytes, megabyte) != static_cast<ssize_t>(megabyte))
      return errno != 0 ? errno : ENOSPC;
  return 0;
}

outcome fill_memory_files(target const& what) {
  auto const wanted = static_cast<std::size_t>(what.number("memory")) * excess;
  // None is larger than a file may be.
  auto const each = static_cast<std::size_t>(what.number("file"));
  for (std::size_t had = 0; had < wanted; had += each) {
    auto const made = ::memfd_create("balloon", MFD_CLOEXEC);
    if (made < 0)
      return stopped_by(errno);
    if (auto const failed = write_megabytes(made, each); failed != 0)
      return stopped_by(failed);
  }
  return got_through();
}

outcome fill_temporary_folder(target const& what) {
  auto const wanted = static_cast<std::size_t>(what.number("tmp")) * excess;
  auto const each = static_cast<std::size_t>(what.number("file")) / 2;
  auto ended = got_through();
  int made = 0;
  for (std::size_t had = 0; had < wanted && ended.got_through; had += each, ++made) {
    auto const path = "/tmp/bulkhead-fill-" + std::to_string(made);
    auto const file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0)
      ended = stopped_by(errno);
    else if (auto const failed = write_megabytes(file, each); failed != 0)
      ended = stopped_by(failed);
    ::close(file);
  }
  while (made >= 0)
    ::unlink(("/tmp/bulkhead-fill-" + std::to_string(made--)).c_str());
  return ended;
}

/// A file in the own folder, which is removed when it was made.
template <class Try>
outcome with_own_file(target const& what, Try attempt) {
  auto const path = what.text("folder") + std::string{"/file"};
  auto const file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0)
    return stopped_by(errno);
  // Told as an error, and not by a signal.
  ::signal(SIGXFSZ, SIG_IGN);
  auto const ended = attempt(file);
  ::unlink(path.c_str());
  return ended;
}

outcome write_large_file(target const& what) {
  return with_own_file(what, [&](int file) {
    auto const failed =
        write_megabytes(file, static_cast<std::size_t>(what.number("file")) * excess);
    return failed != 0 ? stopped_by(failed) : got_through();
  });
}

outcome make_sparse_file(target const& what) {
  return with_own_file(what, [&](int file) {
    constexpr off_t terabyte = off_t{1} << 40;
    return outcome_of(::ftruncate(file, terabyte));
  });
}

outcome reserve_large_file(target const& what) {
  return with_own_file(what, [&](int file) {
    return outcome_of(::fallocate(file, 0, 0, off_t{what.number("file")} * excess));
  });
}

outcome open_without_end(target const& what) {
  auto const wanted = what.number("files") * excess;
  for (int had = 0; had < wanted; ++had)
    if (::dup(STDIN_FILENO) < 0)
      return stopped_by(errno);
  return got_through();
}

outcome spin(target const& what) {
  rusage used{};
  do
    ::getrusage(RUSAGE_SELF, &used);
  while (used.ru_utime.tv_sec + used.ru_stime.tv_sec < what.number("seconds") * excess);
  return got_through();
}

constexpr attack attacks[] = {
    {"fork-without-end", fork_without_end},
    {"start-threads-without-end", start_threads_without_end},
    {"fill-memory", fill_memory},
    {"fill-shared-memory", fill_shared_memory},
    {"fill-memory-files", fill_memory_files},
    {"fill-temporary-folder", fill_temporary_folder},
    {"write-large-file", write_large_file},
    {"make-sparse-file", make_sparse_file},
    {"reserve-large-file", reserve_large_file},
    {"open-without-end", open_without_end},
    {"spin", spin},
};

} // namespace

std::span<attack const> resource_attacks() noexcept {
  return attacks;
}

} // namespace adversary
