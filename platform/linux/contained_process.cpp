#include <bulkhead/platform/linux/contained_process.hpp>

#include <bulkhead/platform/pidfd.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <fcntl.h>
#include <poll.h>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace bulkhead::platform {
namespace {

/// More than bubblewrap ever says: one line with a path or two.
constexpr std::size_t max_said = 8192;

bool is_readable(unique_fd const& descriptor) noexcept {
  pollfd asked{descriptor.get(), POLLIN, 0};
  return ::poll(&asked, 1, 0) > 0;
}

/// The number of a process in this process's namespace, from what /proc says of its descriptor; 0
/// where it has ended or there is no /proc.
pid_t number_of(unique_fd const& process) noexcept {
  auto const path = "/proc/self/fdinfo/" + std::to_string(process.get());
  auto const file = unique_fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  std::array<char, 1024> text;
  auto const size = file ? ::read(file.get(), text.data(), text.size()) : -1;
  if (size <= 0)
    return 0;
  auto const fields = std::string_view{text.data(), static_cast<std::size_t>(size)};
  constexpr std::string_view name = "\nPid:\t";
  auto const at = fields.find(name);
  pid_t number = 0;
  if (at != fields.npos)
    std::from_chars(fields.data() + at + name.size(), fields.data() + fields.size(), number);
  return std::max(number, 0);
}

/// Waits for a process that has become this one's child: where this is process 1, as in a
/// container, or a subreaper, that is what happens to those whose parent was killed before them. No
/// error where it has not.
void reap_adopted(unique_fd const& process) noexcept {
  siginfo_t seen;
  if (process)
    wait_by_descriptor(process.get(), WEXITED | WNOHANG, seen);
}

} // namespace

contained_process::contained_process(parts started, std::shared_ptr<launch_report> report,
                                     launch_listener listener)
    : parts_{std::move(started)}
    , report_{std::move(report)}
    , listener_{std::move(listener)} {
  watch(parts_.outer);
  watch(parts_.status);
}

std::optional<exit_status> contained_process::collect() noexcept {
  read_records();
  look_for_ends();
  if (parts_.status || !outer_ended_ || !first_ended_)
    return std::nullopt;
  siginfo_t seen;
  auto const failed = wait_by_descriptor(parts_.outer.get(), WEXITED | WNOHANG, seen);
  reap_adopted(first_);
  reap_adopted(program_);
  return settle(*report_, failed == 0 ? status_from(seen) : exit_status{}, killed_, read_said());
}

bool contained_process::signal(int number) noexcept {
  if (program_)
    return send_signal(program_.get(), number);
  kill_tree();
  return true;
}

void contained_process::kill_tree() noexcept {
  killed_ = true;
  if (parts_.group) {
    auto const file = unique_fd{::openat(parts_.group.get(), "cgroup.kill", O_WRONLY | O_CLOEXEC)};
    // Where it can't be written the signals below do the same.
    if (file && ::write(file.get(), "1", 1) == 1 && report_->contained)
      return;
  }
  // The first process inside takes the end of this side for the library's end: it sees it even
  // where it starts only now.
  if (parts_.status)
    ::shutdown(parts_.status.get(), SHUT_WR);
  if (!parts_.own_root && program_) {
    send_signal(program_.get(), SIGKILL); // the first process ends what the program left
    return;
  }
  if (first_)
    send_signal(first_.get(), SIGKILL);
  // The group, as bubblewrap's child would wait forever for a parent that was killed before it gave
  // the word.
  kill_group(parts_.outer.get(), parts_.pid);
}

void contained_process::watch(unique_fd const& descriptor) noexcept {
  epoll_event event{};
  event.events = EPOLLIN;
  ::epoll_ctl(parts_.news.get(), EPOLL_CTL_ADD, descriptor.get(), &event);
}

void contained_process::forget(unique_fd const& descriptor) noexcept {
  ::epoll_ctl(parts_.news.get(), EPOLL_CTL_DEL, descriptor.get(), nullptr);
}

void contained_process::read_records() noexcept {
  while (parts_.status) {
    received_record received;
    switch (read_status(parts_.status.get(), received)) {
    case status_read::record:
      hear(std::move(received));
      break;
    case status_read::nothing:
      return;
    case status_read::end:
      parts_.status.reset();
      break;
    }
  }
}

void contained_process::hear(received_record received) noexcept {
  take(received.record, *report_);
  if (received.record.kind == launch::status_kind::contained) {
    first_ = std::move(received.descriptor);
    first_ended_ = !first_;
    if (first_)
      watch(first_);
  } else if (received.record.kind == launch::status_kind::running) {
    program_ = std::move(received.descriptor);
    report_->program = number_of(program_);
  }
  if (listener_)
    listener_(*report_);
}

/// Those that have ended stay readable: they leave the set.
void contained_process::look_for_ends() noexcept {
  for (auto const& [process, ended] :
       {std::pair{&parts_.outer, &outer_ended_}, std::pair{&first_, &first_ended_}})
    if (!*ended && is_readable(*process)) {
      *ended = true;
      forget(*process);
    }
}

std::string contained_process::read_said() noexcept {
  std::string text(max_said, '\0');
  auto const size = ::read(parts_.said.get(), text.data(), text.size());
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  return text;
}

} // namespace bulkhead::platform
