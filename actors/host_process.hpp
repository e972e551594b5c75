#pragma once

#include <bulkhead/actors/host_output.hpp>
#include <bulkhead/actors/host_start.hpp>
#include <bulkhead/actors/started_process.hpp>
#include <bulkhead/actors/supervisor_surroundings.hpp>
#include <bulkhead/messages/sandbox.hpp>
#include <bulkhead/messages/start_times.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace bulkhead {

/// One process of a host, from when it is the host's until nothing of it is left: its sandbox, its
/// output, its connection and the requests about its extension's activation. What happens to it is
/// told as signals. Destroying it kills it. Loop thread.
class host_process {
public:
  using teller = std::function<void(host_signal)>;

  /// `generation` is what its signals carry; `around` outlives it.
  host_process(supervisor_surroundings const& around, host_start start, started_process process,
               std::uint64_t generation, teller tell);
  host_process(host_process&&) = delete;
  ~host_process();

  /// Has the host's link attached to it. Until that has come to an end disconnect() stops it.
  void connect();
  void disconnect();

  /// Asks the extension to start its work, or to end it; signals tell the answers. Without an
  /// extension nothing is asked, and false returned.
  bool activate();
  bool deactivate(deadline by);

  /// Asks whether it still answers; a signal tells that it does, and nothing that it does not.
  void ping();

  /// Sends a signal to the program alone.
  void signal(int number) { process_.signal(number); }
  /// SIGKILL for the whole tree.
  void kill_tree() { process_.kill_tree(); }

  /// The signal of its exit as soon as the program has ended and its cause is certain, though what
  /// it started may still be there; the signal itself is told once nothing is.
  std::optional<host_signal> program_end() const;

  /// The number of the program; until it runs in its sandbox, of the launcher.
  pid_t pid() const;
  /// What contains it.
  sandbox_report report() const { return contained_->report(); }
  /// How far its start is; what has not been reached is 0. What the connection tells of, from
  /// `loaded` on, is always 0.
  start_times times() const;
  /// When its start began.
  std::chrono::steady_clock::time_point began() const noexcept { return start_.began; }
  /// For the resource monitor.
  watched_host_ptr watched() const;

private:
  host_signal describe_exit(platform::exit_status const& status) const;
  json activation() const;

  supervisor_surroundings const& around_;
  host_start start_;
  std::uint64_t generation_;
  teller tell_;
  start_times times_;
  std::unique_ptr<connection_setup> setup_;
  platform::child_process process_;
  std::shared_ptr<platform::contained_host> contained_; // what holds the process
  host_output output_;
};

} // namespace bulkhead
