#pragma once

#include <bulkhead/platform/linux/sandbox.hpp>
#include <bulkhead/platform/output_lines.hpp>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

// Sandboxes around small programs, for the tests of the launch.
namespace sandbox_test {

namespace fs = std::filesystem;
using bulkhead::sandbox_tier;
using bulkhead::platform::sandbox_spec;
using lines = std::vector<std::string>;

inline constexpr std::chrono::seconds patience{10};

/// A folder that every user may enter, removed with what it holds.
class open_folder {
public:
  open_folder();
  open_folder(open_folder&&) = delete;
  ~open_folder();

  fs::path const& path() const noexcept { return path_; }
  /// A folder below it that everybody may write to.
  fs::path make(std::string const& name) const;

private:
  fs::path path_;
};

/// A program with the libraries that it needs; it stays open.
struct opened_program {
  explicit opened_program(fs::path path);

  fs::path path;
  bulkhead::platform::unique_fd descriptor;
  std::vector<fs::path> libraries;
  fs::path loader;
};

/// `sh -c SCRIPT`, as a user of its own where this process is root.
sandbox_spec shell(sandbox_tier tier, std::string script);
/// `node -e SCRIPT`.
sandbox_spec node(sandbox_tier tier, std::string script);

/// A filter that lets everything pass.
int open_filter();
/// One that tells of this system call, and lets all others pass.
bulkhead::platform::unique_fd filter_that_forbids(long call);

/// A launch, what it printed and how it ended.
class watched_launch {
public:
  explicit watched_launch(sandbox_spec const& spec);
  watched_launch(watched_launch&&) = delete;

  /// False where it is not so within the patience.
  template <class Condition>
  bool run_until(Condition holds) {
    auto const until = std::chrono::steady_clock::now() + patience;
    io.restart();
    while (!holds() && io.run_one_until(until) != 0) {
    }
    return holds();
  }
  /// Waits for its end and for all that it prints.
  bool finish();
  bool wait_for_line();

  boost::asio::io_context io;
  std::optional<bulkhead::platform::sandboxed_process> started;
  lines output;
  lines errors;
  std::optional<bulkhead::platform::exit_status> status;

private:
  std::optional<bulkhead::platform::output_reader> output_reader_;
  std::optional<bulkhead::platform::output_reader> errors_reader_;
  int open_streams_ = 2;
};

/// How a launch ended and what it printed, on one line each: what a forked process can hand back.
std::string summary_of(sandbox_spec const& spec);

/// Runs `work` in a process of its own as an ordinary user, and gives what it gave. Directly where
/// this process is one.
std::string as_ordinary_user(std::function<std::string()> const& work);

bool is_root() noexcept;

/// A pipe of which every process of a launch holds the other end, from the launcher to what the
/// program leaves behind: so their end is seen.
class tether {
public:
  tether();
  void tie(sandbox_spec& spec) const;
  /// Lets go of this process's own end. Whether everybody else has, at once or within the patience.
  bool is_free_now() { return is_free_within(0); }
  bool is_free_soon() { return is_free_within(static_cast<int>(milliseconds{patience}.count())); }

private:
  using milliseconds = std::chrono::milliseconds;
  bool is_free_within(int wait_ms);

  bulkhead::platform::unique_fd seen_;
  bulkhead::platform::unique_fd held_;
};

} // namespace sandbox_test
