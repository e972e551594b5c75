#include "attack.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <string>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// `secret` is a file of the host's that every user may read and write; `folder` is the attacker's.
namespace adversary {
namespace {

outcome opening(char const* path, int flags) {
  return outcome_of(::open(path, flags | O_CLOEXEC, 0600));
}

outcome read_secret(target const& what) {
  return opening(what.text("secret"), O_RDONLY);
}

outcome overwrite_secret(target const& what) {
  return opening(what.text("secret"), O_WRONLY);
}

outcome truncate_secret(target const& what) {
  // To the size that it has.
  struct stat seen {};
  if (::stat(what.text("secret"), &seen) != 0)
    return stopped_by(errno);
  return outcome_of(::truncate(what.text("secret"), seen.st_size));
}

outcome see_secret(target const& what) {
  struct stat seen {};
  return outcome_of(::stat(what.text("secret"), &seen));
}

outcome change_mode(target const& what) {
  return outcome_of(::chmod(what.text("own"), 0666));
}

outcome change_times(target const& what) {
  return outcome_of(::utimensat(AT_FDCWD, what.text("own"), nullptr, 0));
}

outcome watch_folder(target const& what) {
  auto const queue = ::inotify_init1(IN_CLOEXEC);
  if (queue < 0)
    return stopped_by(errno);
  std::string folder = what.text("secret");
  folder.erase(folder.rfind('/'));
  return outcome_of(::inotify_add_watch(queue, folder.c_str(), IN_ALL_EVENTS));
}

outcome enter_folder(target const& what) {
  std::string folder = what.text("secret");
  folder.erase(folder.rfind('/'));
  return outcome_of(::chdir(folder.c_str()));
}

outcome create_beside_secret(target const& what) {
  auto const path = what.text("secret") + std::string{"-new"};
  auto const made = opening(path.c_str(), O_WRONLY | O_CREAT);
  ::unlink(path.c_str());
  return made;
}

outcome follow_own_link(target const& what) {
  auto const link = what.text("folder") + std::string{"/link"};
  if (::symlink(what.text("secret"), link.c_str()) != 0)
    return stopped_by(errno);
  auto const read = opening(link.c_str(), O_RDONLY);
  ::unlink(link.c_str());
  return read;
}

outcome link_secret(target const& what) {
  auto const name = what.text("folder") + std::string{"/second-name"};
  if (::link(what.text("secret"), name.c_str()) != 0)
    return stopped_by(errno);
  ::unlink(name.c_str());
  return got_through();
}

outcome write_core_pattern(target const&) {
  return opening("/proc/sys/kernel/core_pattern", O_WRONLY);
}

outcome trigger_sysrq(target const&) {
  return opening("/proc/sysrq-trigger", O_WRONLY);
}

outcome write_own_program(target const&) {
  return opening("/proc/self/exe", O_WRONLY);
}

outcome replace_own_program(target const& what) {
  auto const old = what.text("program") + std::string{"-old"};
  if (::rename(what.text("program"), old.c_str()) != 0)
    return stopped_by(errno);
  ::rename(old.c_str(), what.text("program"));
  return got_through();
}

outcome read_users(target const&) {
  return opening("/etc/shadow", O_RDONLY);
}

outcome read_kernel_symbols(target const&) {
  auto const symbols = ::open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
  if (symbols < 0)
    return stopped_by(errno);
  char address[16] = {};
  auto const got = ::read(symbols, address, sizeof address);
  std::string_view const zeros = "0000000000000000";
  return got < 0                                              ? stopped_by(errno)
         : std::string_view{address, sizeof address} == zeros ? stopped_by("without addresses")
                                                              : got_through();
}

/// More of them than a sandbox has.
outcome list_processes(target const&) {
  auto* const folder = ::opendir("/proc");
  if (folder == nullptr)
    return stopped_by(errno);
  constexpr int own = 4;
  int seen = 0;
  while (auto const* const each = ::readdir(folder))
    if (each->d_name[0] >= '1' && each->d_name[0] <= '9')
      ++seen;
  ::closedir(folder);
  return seen > own ? got_through() : stopped_by("its own only");
}

outcome see_control_groups(target const&) {
  return opening("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY);
}

outcome make_device(target const& what) {
  auto const path = what.text("folder") + std::string{"/device"};
  constexpr unsigned memory_device = 0x101; // 1:1, /dev/mem
  if (::mknod(path.c_str(), S_IFCHR | 0600, memory_device) != 0)
    return stopped_by(errno);
  ::unlink(path.c_str());
  return got_through();
}

/// Executes a path or, without one, an open file, and is told whether that began.
outcome execute(int program, char const* path) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return stopped_by(errno);
  auto const child = ::fork();
  if (child == 0) {
    char name[] = "foreign";
    char argument[] = "--identity";
    char* arguments[] = {name, argument, nullptr};
    char* none[] = {nullptr};
    if (path != nullptr)
      ::execve(path, arguments, none);
    else
      ::syscall(SYS_execveat, program, "", arguments, none, AT_EMPTY_PATH);
    auto const failed = errno;
    ::_exit(::write(ends[1], &failed, sizeof failed) > 0 ? 1 : 2);
  }
  if (child < 0)
    return stopped_by(errno);
  ::close(ends[1]);
  int failed = 0;
  auto const got = ::read(ends[0], &failed, sizeof failed);
  ::waitpid(child, nullptr, 0);
  return got > 0 ? stopped_by(failed) : got_through();
}

/// Copies this program. False with errno.
bool copy_to(int file) noexcept {
  auto const from = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  if (from < 0)
    return false;
  char bytes[65'536];
  ssize_t got = 0;
  while ((got = ::read(from, bytes, sizeof bytes)) > 0)
    if (::write(file, bytes, static_cast<std::size_t>(got)) != got)
      return false;
  ::close(from);
  return got == 0;
}

outcome execute_written_file(target const& what) {
  auto const path = what.text("folder") + std::string{"/foreign"};
  auto const made = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
  if (made < 0 || !copy_to(made))
    return stopped_by(errno);
  ::close(made);
  auto const ended = execute(-1, path.c_str());
  ::unlink(path.c_str());
  return ended;
}

outcome execute_memory(target const&) {
  auto const made = ::memfd_create("foreign", MFD_CLOEXEC);
  if (made < 0 || !copy_to(made))
    return stopped_by(errno);
  return execute(made, nullptr);
}

constexpr attack attacks[] = {
    {"read-secret", read_secret},
    {"overwrite-secret", overwrite_secret},
    {"truncate-secret", truncate_secret},
    {"see-secret", see_secret},
    {"change-mode", change_mode},
    {"change-times", change_times},
    {"watch-folder", watch_folder},
    {"enter-folder", enter_folder},
    {"create-beside-secret", create_beside_secret},
    {"follow-own-link", follow_own_link},
    {"link-secret", link_secret},
    {"write-core-pattern", write_core_pattern},
    {"trigger-sysrq", trigger_sysrq},
    {"write-own-program", write_own_program},
    {"replace-own-program", replace_own_program},
    {"read-users", read_users},
    {"read-kernel-symbols", read_kernel_symbols},
    {"list-processes", list_processes},
    {"see-control-groups", see_control_groups},
    {"make-device", make_device},
    {"execute-written-file", execute_written_file},
    {"execute-memory", execute_memory},
};

} // namespace

std::span<attack const> file_attacks() noexcept {
  return attacks;
}

} // namespace adversary
