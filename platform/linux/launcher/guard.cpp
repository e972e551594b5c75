#include <bulkhead/platform/linux/launcher/report.hpp>
#include <bulkhead/platform/linux/launcher/stages.hpp>

#include <csignal>
#include <cstring>
#include <ctime>
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

constexpr int library = guard_socket;
/// Hosts of one runtime; the descriptors that a process may have by default are fewer.
constexpr int max_processes = 4096;
/// Trees of control groups: one a hierarchy, of which version 1 has about a dozen.
constexpr int max_folders = 16;
/// How long a sandbox has to see the end of the library by itself: its first process then ends what
/// a plain kill would leave. It takes a few milliseconds.
constexpr int own_end_ms = 200;
/// How long to wait for what was killed. Ending takes milliseconds, more with gigabytes to free.
constexpr int killed_end_ms = 1000;
/// Rounds of a millisecond each until the control groups are empty. The kernel needs about 80 ms to
/// kill 400 processes.
constexpr int removal_rounds = 5000;

struct folder {
  int parent;
  char name[max_folder_name + 1];
};

// The library, then the processes; their numbers are of the same order.
pollfd watched[1 + max_processes];
pid_t numbers[1 + max_processes];
int watched_count = 1;
folder folders[max_folders];
int folder_count = 0;

void pause_a_millisecond() noexcept {
  timespec const one{0, 1'000'000};
  ::nanosleep(&one, nullptr);
}

void add(guard_message const& message, int descriptor) noexcept {
  if (message.verb == guard_verb::process && watched_count <= max_processes) {
    watched[watched_count] = {descriptor, POLLIN, 0};
    numbers[watched_count] = message.leader;
    ++watched_count;
  } else if (message.verb == guard_verb::folder && folder_count < max_folders) {
    auto& added = folders[folder_count++];
    added.parent = descriptor;
    std::memcpy(added.name, message.name, max_folder_name);
  } else
    ::close(descriptor);
}

/// Takes in one message. False: there will be no more.
bool listen() noexcept {
  guard_message message{};
  iovec bytes{&message, sizeof message};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
  msghdr header{};
  header.msg_iov = &bytes;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  auto const size = ::recvmsg(library, &header, MSG_CMSG_CLOEXEC);
  if (size < 0)
    return errno == EINTR;
  auto const* const rights = CMSG_FIRSTHDR(&header);
  if (size == 0)
    return false;
  if (size == sizeof message && rights && rights->cmsg_type == SCM_RIGHTS) {
    int descriptor = -1;
    std::memcpy(&descriptor, CMSG_DATA(rights), sizeof descriptor);
    add(message, descriptor);
  }
  return true;
}

/// Forgets the processes that have ended.
void drop_ended() noexcept {
  auto kept = 1;
  for (int i = 1; i < watched_count; ++i) {
    if (watched[i].revents != 0)
      ::close(watched[i].fd);
    else {
      watched[kept] = watched[i];
      numbers[kept] = numbers[i];
      ++kept;
    }
  }
  watched_count = kept;
}

void kill_group(folder const& group) noexcept {
  auto const at =
      ::openat(group.parent, group.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (at < 0)
    return;
  // Version 1 has no such file; there the processes are killed one by one.
  auto const file = ::openat(at, "cgroup.kill", O_WRONLY | O_CLOEXEC);
  if (file >= 0) {
    if (::write(file, "1", 1) < 0) {
      // Another round follows.
    }
    ::close(file);
  }
  ::close(at);
}

/// The fixed part of what getdents64 gives; the name follows.
struct directory_entry {
  std::uint64_t inode;
  std::int64_t offset;
  std::uint16_t length;
  std::uint8_t type;
  char name[1];
};

/// Removes a group and, first, those of its hosts below it. Only the groups are folders there;
/// their files go with them. True where it is gone.
bool remove_group(folder const& group) noexcept {
  auto const at =
      ::openat(group.parent, group.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (at < 0)
    return errno == ENOENT;
  alignas(directory_entry) static char entries[16384];
  for (;;) {
    auto const size = ::syscall(SYS_getdents64, at, entries, sizeof entries);
    if (size <= 0)
      break;
    for (long position = 0; position < size;) {
      auto const* const entry = reinterpret_cast<directory_entry const*>(entries + position);
      position += entry->length;
      if (entry->name[0] != '.')
        ::unlinkat(at, entry->name, AT_REMOVEDIR); // ENOTDIR for a file
    }
  }
  ::close(at);
  return ::unlinkat(group.parent, group.name, AT_REMOVEDIR) == 0 || errno == ENOENT;
}

bool remove_groups() noexcept {
  auto all_gone = true;
  for (int i = 0; i < folder_count; ++i) {
    kill_group(folders[i]);
    all_gone = remove_group(folders[i]) && all_gone;
  }
  return all_gone;
}

/// True where all processes have ended within that time.
bool wait_for_ends(int milliseconds) noexcept {
  for (; watched_count > 1 && milliseconds > 0; --milliseconds)
    if (::poll(watched, static_cast<nfds_t>(watched_count), 1) > 0)
      drop_ended();
  return watched_count == 1;
}

/// Gives the processes a moment to end by themselves, and then none.
void end_processes() noexcept {
  constexpr unsigned to_group = 1u << 2; // PIDFD_SIGNAL_PROCESS_GROUP, since Linux 6.9
  watched[0].fd = -1;
  if (wait_for_ends(own_end_ms))
    return;
  for (int i = 1; i < watched_count; ++i) {
    auto const process = watched[i].fd;
    // bubblewrap's child waits forever for a parent that was killed too early: the group it is. It
    // was alive a moment ago, so that the number is still its own.
    if (::syscall(SYS_pidfd_send_signal, process, SIGKILL, nullptr, to_group) != 0 &&
        numbers[i] > 1)
      ::kill(-numbers[i], SIGKILL);
    ::syscall(SYS_pidfd_send_signal, process, SIGKILL, nullptr, 0);
  }
  wait_for_ends(killed_end_ms);
}

} // namespace

void run_guard() noexcept {
  // It ends after the library, whatever it is that ends the library's group or terminal.
  for (auto const each : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE})
    ::signal(each, SIG_IGN);
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  rlimit open{};
  if (::getrlimit(RLIMIT_NOFILE, &open) == 0) {
    open.rlim_cur = open.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &open);
  }
  watched[0] = {library, POLLIN, 0};
  for (auto more = true; more;) {
    if (::poll(watched, static_cast<nfds_t>(watched_count), -1) < 0)
      continue;
    drop_ended();
    if (watched[0].revents != 0)
      more = listen();
  }
  for (int i = 0; i < folder_count; ++i)
    kill_group(folders[i]);
  end_processes();
  for (int round = 0; round < removal_rounds && !remove_groups(); ++round)
    pause_a_millisecond();
  ::_exit(0);
}

} // namespace bulkhead::launcher
