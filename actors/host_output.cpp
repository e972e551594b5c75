#include <bulkhead/actors/host_output.hpp>

#include <bulkhead/actors/host_exit.hpp>

#include <utility>

namespace bulkhead {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

/// Lines of output that a host's status shows: a stack trace and what led to it.
constexpr std::size_t last_lines_cap = 20;

} // namespace

/// Where the lines of both streams go.
class host_output::stream_log {
public:
  stream_log(std::shared_ptr<spdlog::logger> log, std::shared_ptr<host_record> record,
             std::string host, std::uint64_t rate)
      : log_{std::move(log)}
      , record_{std::move(record)}
      , host_{std::move(host)}
      , rate_{rate} {}

  ~stream_log() { tell_left_out(); }

  void take(char const* stream, std::string_view line) {
    said_out_of_memory = said_out_of_memory || says_out_of_memory(line);
    record_->update([&](host_status& now) {
      if (now.last_lines.size() >= last_lines_cap)
        now.last_lines.erase(now.last_lines.begin());
      now.last_lines.emplace_back(line);
    });
    if (auto const now = clock::now(); now - second_began_ >= 1s) {
      tell_left_out();
      second_began_ = now;
      logged_ = 0;
    }
    logged_ += line.size();
    if (logged_ <= rate_)
      log_->info("[{}] {}: {}", host_, stream, line);
    else if (left_out_++ == 0)
      log_->warn("[{}] output is left out: more than limits.output_rate", host_);
  }

  bool said_out_of_memory = false;
  std::shared_ptr<std::uint64_t> const printed = std::make_shared<std::uint64_t>(0);

private:
  void tell_left_out() {
    if (auto const lines = std::exchange(left_out_, 0); lines != 0)
      log_->warn("[{}] {} lines of output were left out", host_, lines);
  }

  std::shared_ptr<spdlog::logger> log_;
  std::shared_ptr<host_record> record_;
  std::string host_;
  std::uint64_t rate_;
  clock::time_point second_began_{};
  std::uint64_t logged_ = 0; // bytes in this second
  std::uint64_t left_out_ = 0;
};

host_output::host_output(loop& on, platform::child_process& process,
                         std::shared_ptr<spdlog::logger> log, std::shared_ptr<host_record> record,
                         std::string host, std::uint64_t rate)
    : log_{std::make_shared<stream_log>(std::move(log), std::move(record), std::move(host), rate)}
    , output_{on.context().get_executor(),
              process.take_output(),
              [to = log_](std::string_view line) { to->take("stdout", line); },
              {},
              log_->printed}
    , errors_{on.context().get_executor(),
              process.take_errors(),
              [to = log_](std::string_view line) { to->take("stderr", line); },
              {},
              log_->printed} {}

bool host_output::said_out_of_memory() const noexcept {
  return log_->said_out_of_memory;
}

std::shared_ptr<std::uint64_t const> host_output::printed() const noexcept {
  return log_->printed;
}

} // namespace bulkhead
