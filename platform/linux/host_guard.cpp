#include <bulkhead/platform/linux/host_guard.hpp>

#include <bulkhead/platform/errno_text.hpp>
#include <bulkhead/platform/linux/launch_plan.hpp>
#include <bulkhead/platform/linux/launcher_birth.hpp>
#include <bulkhead/platform/linux/launcher_image.hpp>
#include <bulkhead/platform/pidfd.hpp>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace bulkhead::platform {
namespace {

/// More than the guard takes by itself: it tries to empty control groups for five seconds.
constexpr int end_patience_ms = 6000;

error cannot_start(int failed) {
  return error{errc::spawn_failed, "can't start the guard: " + errno_text(failed)};
}

bool send(int socket, launch::guard_message const& message, int descriptor) noexcept {
  auto copy = message;
  iovec bytes{&copy, sizeof copy};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof descriptor)]{};
  msghdr header{};
  header.msg_iov = &bytes;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  auto* const rights = CMSG_FIRSTHDR(&header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof descriptor);
  std::memcpy(CMSG_DATA(rights), &descriptor, sizeof descriptor);
  ssize_t sent = 0;
  do
    sent = ::sendmsg(socket, &header, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent == static_cast<ssize_t>(sizeof copy);
}

} // namespace

result<host_guard> host_guard::start() {
  auto const program = launcher_program();
  if (!program)
    return program.error();
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return cannot_start(errno);
  auto ours = above_standard_streams(unique_fd{ends[0]});
  auto const theirs = unique_fd{ends[1]};
  auto const null = unique_fd{::open("/dev/null", O_RDWR | O_CLOEXEC)};
  std::vector<unique_fd> lent;
  std::vector<placed_descriptor> given;
  for (auto const& [number, each] : {std::pair{STDIN_FILENO, null.get()},
                                     {STDOUT_FILENO, null.get()},
                                     {STDERR_FILENO, null.get()},
                                     {launch::guard_socket, theirs.get()},
                                     {int{launch::launcher_file}, *program}}) {
    auto& copy = lent.emplace_back(duplicate(each, launch::first_bind));
    if (!copy)
      return cannot_start(errno);
    given.push_back({number, copy.get()});
  }
  auto started = create_launcher(launcher_part::guard, given);
  if (!started)
    return started.error();
  return host_guard{started->pid, std::move(started->descriptor), std::move(ours)};
}

host_guard::host_guard(pid_t pid, unique_fd process, unique_fd socket) noexcept
    : pid_{pid}
    , process_{std::move(process)}
    , socket_{std::move(socket)} {}

host_guard::~host_guard() {
  if (!socket_)
    return;
  socket_.reset();
  pollfd end{process_.get(), POLLIN, 0};
  while (::poll(&end, 1, end_patience_ms) < 0 && errno == EINTR) {
  }
  siginfo_t seen;
  wait_by_descriptor(process_.get(), WEXITED | WNOHANG, seen);
}

result<void> host_guard::watch(pid_t leader, int descriptor) {
  launch::guard_message message{};
  message.verb = launch::guard_verb::process;
  message.leader = leader;
  if (!send(socket_.get(), message, descriptor))
    return error{errc::spawn_failed, "the guard process does not answer: " + errno_text(errno),
                 "restart the backend: its guard was ended from outside"};
  return {};
}

result<void> host_guard::watch_group(std::filesystem::path const& folder) {
  auto const name = folder.filename().native();
  launch::guard_message message{};
  message.verb = launch::guard_verb::folder;
  auto const parent = unique_fd{
      ::open(folder.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (!parent || name.empty() || name.size() > launch::max_folder_name)
    return error{errc::cgroup_unavailable,
                 "can't open the parent of " + folder.string() + ": " + errno_text(errno)};
  std::memcpy(message.name, name.data(), name.size());
  if (!send(socket_.get(), message, parent.get()))
    return error{errc::cgroup_unavailable,
                 "the guard process does not answer: " + errno_text(errno)};
  return {};
}

} // namespace bulkhead::platform
