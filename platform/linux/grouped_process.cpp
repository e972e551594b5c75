#include <bulkhead/platform/linux/grouped_process.hpp>

#include <bulkhead/platform/pidfd.hpp>

#include <array>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace bulkhead::platform {

grouped_process::grouped_process(child_process process, unique_fd descriptor,
                                 std::shared_ptr<cgroup const> group, bool is_member)
    : process_{std::move(process)}
    , descriptor_{std::move(descriptor)}
    , group_{std::move(group)}
    , news_{above_standard_streams(unique_fd{::epoll_create1(EPOLL_CLOEXEC)})} {
  if (group_->directory_fd() >= 0)
    events_ = above_standard_streams(
        unique_fd{::openat(group_->directory_fd(), "cgroup.events", O_RDONLY | O_CLOEXEC)});
  epoll_event watched{};
  watched.events = EPOLLIN;
  ::epoll_ctl(news_.get(), EPOLL_CTL_ADD, descriptor_.get(), &watched);
  watched.events = EPOLLPRI;
  if (events_)
    ::epoll_ctl(news_.get(), EPOLL_CTL_ADD, events_.get(), &watched);
  if (!is_member)
    join();
}

std::optional<exit_status> grouped_process::collect() noexcept {
  if (!status_) {
    siginfo_t seen;
    auto const failed = wait_by_descriptor(descriptor_.get(), WEXITED | WNOHANG | WNOWAIT, seen);
    if (failed == 0 && seen.si_pid == 0) {
      is_empty(); // so that its next change is told
      return std::nullopt;
    }
    kill_tree(); // while the number of its process group is still its own
    status_ = failed == 0 ? status_from(seen) : status_of_reaped(descriptor_.get());
    wait_by_descriptor(descriptor_.get(), WEXITED | WNOHANG, seen);
    // It stays readable.
    ::epoll_ctl(news_.get(), EPOLL_CTL_DEL, descriptor_.get(), nullptr);
  }
  if (events_ && !is_empty())
    return std::nullopt;
  return status_;
}

void grouped_process::kill_tree() noexcept {
  process_.kill_tree();
  group_->kill();
}

/// Of version 2 alone, where there is one: it is there to kill, and nothing is to be limited.
void grouped_process::join() const noexcept {
  auto const number = std::to_string(process_.pid());
  auto const enter = [&](int file) {
    // Where it is refused, the process group is what is left to be killed.
    return ::write(file, number.data(), number.size()) > 0;
  };
  if (group_->directory_fd() < 0) {
    for (auto const file : group_->join_fds(false))
      enter(file);
    return;
  }
  unique_fd const members{::openat(group_->directory_fd(), "cgroup.procs", O_WRONLY | O_CLOEXEC)};
  if (members)
    enter(members.get());
}

/// By the open file, so that the next change makes it readable again. One that can't be read is
/// taken to be empty: nobody would ever say so.
bool grouped_process::is_empty() const noexcept {
  std::array<char, 128> text;
  auto const size = events_ ? ::pread(events_.get(), text.data(), text.size(), 0) : -1;
  if (size <= 0)
    return true;
  return std::string_view{text.data(), static_cast<std::size_t>(size)}.find("populated 1") ==
         std::string_view::npos;
}

} // namespace bulkhead::platform
