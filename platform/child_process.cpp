#include <bulkhead/platform/child_process.hpp>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace bulkhead::platform {
namespace {

namespace asio = boost::asio;

/// How long a destructor waits for a process that was sent SIGKILL. Ending takes milliseconds, more
/// with gigabytes to free.
constexpr std::chrono::milliseconds kill_patience{5000};

/// PIDFD_SIGNAL_PROCESS_GROUP of linux/pidfd.h, which Debian 12's headers don't have. Since Linux
/// 6.9.
constexpr unsigned to_process_group = 1u << 2;

bool send_signal(int pidfd, int number, unsigned flags) noexcept {
  return ::syscall(SYS_pidfd_send_signal, pidfd, number, nullptr, flags) == 0;
}

/// waitid(2) for one process by descriptor: 0, or the error number.
int wait_by_descriptor(int pidfd, int options, siginfo_t& seen) noexcept {
  int failed = 0;
  do {
    seen = {};
    failed = ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &seen, options) == 0 ? 0 : errno;
  } while (failed == EINTR);
  return failed;
}

bool is_unreaped_child(int pidfd) noexcept {
  siginfo_t seen;
  return wait_by_descriptor(pidfd, WEXITED | WNOHANG | WNOWAIT, seen) == 0;
}

void kill_group(int pidfd, pid_t leader) noexcept {
  if (send_signal(pidfd, SIGKILL, to_process_group) || errno == ESRCH)
    return;
  // Older kernels signal a group by number only. It is this group's as long as its leader is not
  // reaped, dead or alive.
  if (is_unreaped_child(pidfd))
    ::kill(-leader, SIGKILL);
}

exit_status status_from(siginfo_t const& seen) noexcept {
  switch (seen.si_code) {
  case CLD_EXITED:
    return {exit_kind::exited, seen.si_status, false};
  case CLD_KILLED:
    return {exit_kind::signaled, seen.si_status, false};
  case CLD_DUMPED:
    return {exit_kind::signaled, seen.si_status, true};
  default:
    return {};
  }
}

} // namespace

/// What outlives a child_process that a handler destroys: the process's descriptor and those who
/// wait for its end.
class child_process::life : public std::enable_shared_from_this<life> {
public:
  explicit life(parts started)
      : parts_{std::move(started)} {}
  life(life&&) = delete;
  ~life() {
    // The descriptor is parts_'s to close.
    if (watch_)
      watch_->release();
  }

  void wait(asio::any_io_executor executor, exit_handler handler) {
    waiting_.push_back(std::move(handler));
    if (watch_ && !status_)
      return;
    if (!status_ && watch(executor))
      return;
    asio::post(executor, [weak = weak_from_this()] {
      if (auto const self = weak.lock())
        self->answer();
    });
  }

  bool signal(int number) noexcept {
    return is_running() && send_signal(parts_.descriptor.get(), number, 0);
  }

  void kill_tree() noexcept {
    if (is_running())
      kill_group(parts_.descriptor.get(), parts_.pid);
  }

  void end_now() noexcept {
    waiting_.clear();
    if (!is_running())
      return;
    kill_tree();
    using clock = std::chrono::steady_clock;
    auto const until = clock::now() + kill_patience;
    while (!collect()) {
      auto const left = std::chrono::ceil<std::chrono::milliseconds>(until - clock::now());
      if (left.count() <= 0)
        return;
      pollfd ended{parts_.descriptor.get(), POLLIN, 0};
      ::poll(&ended, 1, static_cast<int>(left.count()));
    }
  }

  parts parts_;
  std::optional<exit_status> status_;

private:
  bool is_running() const noexcept { return parts_.descriptor && !status_; }

  /// False where nothing will ever be seen, and the exit is settled as unknown.
  bool watch(asio::any_io_executor const& executor) {
    boost::system::error_code failed;
    if (parts_.descriptor) {
      watch_.emplace(executor);
      watch_->assign(parts_.descriptor.get(), failed);
    }
    if (!parts_.descriptor || failed) {
      watch_.reset();
      end_now_keeping_handlers();
      return false;
    }
    watch_exit();
    return true;
  }

  /// A process that can't be watched is not left running unseen.
  void end_now_keeping_handlers() {
    auto handlers = std::exchange(waiting_, {});
    end_now();
    waiting_ = std::move(handlers);
    if (!status_)
      status_ = exit_status{};
  }

  void watch_exit() {
    watch_->async_wait(asio::posix::stream_descriptor::wait_read,
                       [weak = weak_from_this()](boost::system::error_code failed) {
                         auto const self = weak.lock();
                         if (!self || failed == asio::error::operation_aborted)
                           return;
                         if (self->status_ || self->collect())
                           self->answer();
                         else
                           self->watch_exit();
                       });
  }

  /// Whether the process has ended; it then is reaped, and its group killed while the number was
  /// still its own.
  bool collect() noexcept {
    auto const pidfd = parts_.descriptor.get();
    siginfo_t seen;
    auto const failed = wait_by_descriptor(pidfd, WEXITED | WNOHANG | WNOWAIT, seen);
    if (failed == 0 && seen.si_pid == 0)
      return false;
    kill_group(pidfd, parts_.pid);
    status_ = failed == 0 ? status_from(seen) : exit_status{};
    wait_by_descriptor(pidfd, WEXITED | WNOHANG, seen);
    return true;
  }

  void answer() {
    auto const status = *status_;
    // One by one: a handler may destroy the child_process, which clears the rest.
    while (!waiting_.empty()) {
      auto const handler = std::move(waiting_.front());
      waiting_.erase(waiting_.begin());
      handler(status);
    }
  }

  std::optional<asio::posix::stream_descriptor> watch_;
  std::vector<exit_handler> waiting_;
};

std::string to_string(exit_status const& status) {
  switch (status.kind) {
  case exit_kind::exited:
    return "exit code " + std::to_string(status.value);
  case exit_kind::signaled: {
    auto const* const name = ::sigabbrev_np(status.value);
    return "signal " + (name ? "SIG" + std::string{name} : std::to_string(status.value)) +
           (status.core_dumped ? ", core dumped" : "");
  }
  case exit_kind::unknown:
    break;
  }
  return "unknown exit status";
}

child_process::child_process(parts started)
    : life_{std::make_shared<life>(std::move(started))} {}

child_process::child_process(child_process&&) noexcept = default;

child_process& child_process::operator=(child_process&& other) noexcept {
  child_process taken{std::move(other)};
  std::swap(life_, taken.life_);
  return *this;
}

child_process::~child_process() {
  if (life_)
    life_->end_now();
}

pid_t child_process::pid() const noexcept {
  return life_->parts_.pid;
}

unique_fd child_process::take_output() noexcept {
  return std::move(life_->parts_.output);
}

unique_fd child_process::take_errors() noexcept {
  return std::move(life_->parts_.errors);
}

std::optional<exit_status> child_process::status() const noexcept {
  return life_->status_;
}

void child_process::async_wait_exit(asio::any_io_executor executor, exit_handler handler) {
  life_->wait(std::move(executor), std::move(handler));
}

bool child_process::signal(int number) noexcept {
  return life_->signal(number);
}

void child_process::kill_tree() noexcept {
  life_->kill_tree();
}

} // namespace bulkhead::platform
