#include <bulkhead/platform/child_process.hpp>

#include <bulkhead/platform/pidfd.hpp>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <poll.h>
#include <sys/wait.h>
#include <utility>
#include <vector>

namespace bulkhead::platform {
namespace {

namespace asio = boost::asio;

/// How long a destructor waits for a process that was sent SIGKILL. Ending takes milliseconds, more
/// with gigabytes to free.
constexpr std::chrono::milliseconds kill_patience{5000};

/// A process that leads its own process group, without a sandbox.
class plain_process final : public process_source {
public:
  plain_process(pid_t pid, unique_fd descriptor) noexcept
      : pid_{pid}
      , descriptor_{std::move(descriptor)} {}

  pid_t pid() const noexcept override { return pid_; }
  int descriptor() const noexcept override { return descriptor_.get(); }

  /// Its group is killed while the number is still its own.
  std::optional<exit_status> collect() noexcept override {
    siginfo_t seen;
    auto const failed = wait_by_descriptor(descriptor_.get(), WEXITED | WNOHANG | WNOWAIT, seen);
    if (failed == 0 && seen.si_pid == 0)
      return std::nullopt;
    kill_tree();
    auto const status = failed == 0 ? status_from(seen) : status_of_reaped(descriptor_.get());
    wait_by_descriptor(descriptor_.get(), WEXITED | WNOHANG, seen);
    return status;
  }

  bool signal(int number) noexcept override { return send_signal(descriptor_.get(), number); }
  void kill_tree() noexcept override { kill_group(descriptor_.get(), pid_); }

private:
  pid_t pid_;
  unique_fd descriptor_;
};

} // namespace

/// What outlives a child_process that a handler destroys: the process and those who wait for its
/// end.
class child_process::life : public std::enable_shared_from_this<life> {
public:
  life(std::unique_ptr<process_source> source, unique_fd output, unique_fd errors)
      : source_{std::move(source)}
      , output_{std::move(output)}
      , errors_{std::move(errors)} {}
  life(life&&) = delete;
  ~life() {
    // The descriptor is source_'s to close.
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

  bool signal(int number) noexcept { return is_running() && source_->signal(number); }

  void kill_tree() noexcept {
    if (is_running())
      source_->kill_tree();
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
      pollfd news{source_->descriptor(), POLLIN, 0};
      ::poll(&news, 1, static_cast<int>(left.count()));
    }
  }

  std::unique_ptr<process_source> source_;
  unique_fd output_;
  unique_fd errors_;
  std::optional<exit_status> status_;

private:
  bool is_running() const noexcept { return source_->descriptor() >= 0 && !status_; }

  /// False where nothing will ever be seen, and the exit is settled as unknown.
  bool watch(asio::any_io_executor const& executor) {
    boost::system::error_code failed;
    auto const descriptor = source_->descriptor();
    if (descriptor >= 0) {
      watch_.emplace(executor);
      watch_->assign(descriptor, failed);
    }
    if (descriptor < 0 || failed) {
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

  bool collect() noexcept { return (status_ = source_->collect()).has_value(); }

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

child_process::child_process(parts started)
    : child_process{std::make_unique<plain_process>(started.pid, std::move(started.descriptor)),
                    std::move(started.output), std::move(started.errors)} {}

child_process::child_process(std::unique_ptr<process_source> source, unique_fd output,
                             unique_fd errors)
    : life_{std::make_shared<life>(std::move(source), std::move(output), std::move(errors))} {}

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
  return life_->source_->pid();
}

unique_fd child_process::take_output() noexcept {
  return std::move(life_->output_);
}

unique_fd child_process::take_errors() noexcept {
  return std::move(life_->errors_);
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
