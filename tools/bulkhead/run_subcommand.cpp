#include "event_output.hpp"
#include "exit_code.hpp"
#include "message_box.hpp"
#include "subcommand.hpp"

#include <bulkhead/config/load.hpp>
#include <bulkhead/platform/folder_watch.hpp>

#include <algorithm>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <optional>
#include <spdlog/logger.h>

namespace bulkhead::tool {
namespace {

using namespace std::chrono_literals;

/// Longer than an editor takes between emptying a file and writing it.
constexpr auto settling_time = 200ms;

/// The hosts of one policy, from the first start to the end that a signal asks for.
class service {
public:
  service(policy const& rules, std::string policy_path, std::unique_ptr<event_output> output)
      : output_{std::move(output)}
      , log_{output_->log(rules)}
      , hosts_{loop_, rules, {log_}}
      , policy_path_{std::move(policy_path)} {
    show_messages(hosts_, [log = log_](std::string const& line) { log->info("{}", line); });
    hosts_.on_event([this](host_event const& event) { on_event(event); });
  }

  /// Blocks until the hosts are gone.
  int run() {
    wait_for_signal();
    wait_for_hangup();
    watch_policy();
    output_->serving(hosts_, policy_path_);
    hosts_.start();
    tick();
    loop_.run();
    return has_ended_ ? exit_done : exit_failed;
  }

private:
  void on_event(host_event const& event) {
    output_->happened(event);
    if (event.to == host_state::Crashed && std::ranges::none_of(hosts_.hosts(), is_alive))
      log_->error("no host is running any more; serving on until SIGINT or SIGTERM");
  }

  static bool is_alive(host_handle const& host) {
    auto const state = host.status().state;
    return state != host_state::Stopped && state != host_state::Crashed;
  }

  void wait_for_signal() {
    signals_.async_wait([this](boost::system::error_code failed, int) {
      if (!failed)
        on_signal();
    });
  }

  void wait_for_hangup() {
    hangup_.async_wait([this](boost::system::error_code failed, int) {
      if (failed)
        return;
      reload();
      wait_for_hangup();
    });
  }

  /// Editors write a file in several steps or replace it: its folder is watched, and the file read
  /// once it has been left alone for a moment.
  void watch_policy() {
    auto const file = hosts_.active_policy()->file;
    auto tree = [&]() -> result<platform::watched_tree> {
      auto const folder = platform::folder::open(file.parent_path());
      if (!folder)
        return folder.error();
      auto const top = folder->locate("");
      if (!top)
        return top.error();
      return platform::watched_tree::open(*top);
    }();
    if (!tree)
      return log_->warn("the policy's folder can't be watched ({}): send SIGHUP to reload it",
                        tree.error().what());
    changes_.emplace(
        loop_.get_executor(), std::move(*tree),
        [this, name = file.filename().string()](auto const& changes) {
          if (std::ranges::any_of(changes, [&](auto const& each) { return each.relative == name; }))
            reload_soon();
        });
  }

  void reload_soon() {
    settled_.expires_after(settling_time);
    settled_.async_wait([this](boost::system::error_code cancelled) {
      if (!cancelled)
        reload();
    });
  }

  void reload() {
    try {
      hosts_.async_update_policy(
          load_policy(policy_path_),
          [this](std::exception_ptr failed, std::vector<policy_change> const& changes) {
            if (failed)
              return log_->error("the policy stays as it was: {}", error_from(failed).what());
            for (auto const& change : changes)
              log_->info("policy: {}", to_string(change));
            log_->info("the policy was read again: {} changes", changes.size());
          });
    } catch (policy_error const& wrong) {
      log_->error("the policy stays as it was:\n{}", wrong.report());
    }
  }

  void on_signal() {
    if (std::exchange(is_ending_, true)) {
      log_->warn("ending at once");
      return loop_.stop(); // the destructor kills the hosts
    }
    log_->info("ending: open requests may go on for a while; a second signal ends at once");
    wait_for_signal();
    hosts_.async_shutdown([this](std::exception_ptr) {
      has_ended_ = true;
      output_->ended();
      loop_.stop();
    });
  }

  void tick() {
    second_.expires_after(1s);
    second_.async_wait([this](boost::system::error_code cancelled) {
      if (cancelled)
        return;
      output_->second_passed();
      tick();
    });
  }

  boost::asio::io_context loop_{1};
  boost::asio::signal_set signals_{loop_, SIGINT, SIGTERM};
  boost::asio::signal_set hangup_{loop_, SIGHUP};
  boost::asio::steady_timer second_{loop_};
  boost::asio::steady_timer settled_{loop_};
  std::optional<platform::folder_watch> changes_;
  std::unique_ptr<event_output> output_;
  std::shared_ptr<spdlog::logger> log_;
  runtime hosts_;
  std::string policy_path_;
  bool is_ending_ = false;
  bool has_ended_ = false;
};

} // namespace

int run_subcommand(arguments const& given) {
  static command_page const page{
      "bulkhead run",
      "Starts the hosts of a policy and serves until SIGINT or SIGTERM.",
      {"POLICY"},
      {},
      "On a terminal it shows a table of the hosts, elsewhere a line for each event. A host that\n"
      "crashes for good stays down; the others, and the command, go on. On the first signal "
      "requests\n"
      "may end (the policy's drain_timeout), then the hosts are stopped; the second ends at once, "
      "with\n"
      "exit code 1. Logs go to standard error, from the policy's log_level on.\n"
      "\n"
      "SIGHUP, or a change of the file, has the policy read again: permissions, path rules, rate\n"
      "limits and [requests] hold from the next request on, all else when the command starts "
      "again.\n"
      "What has changed is logged; a policy with a mistake changes nothing.\n"
      "\n"
      "With --json each line is an object. Of a host's events it has the members\n"
      "  time         UTC, 2026-02-03T04:05:06.789Z\n"
      "  event        state_changed, activated, activation_failed,\n"
      "               unresponsive, responsive, spare_ready, spare_lost, code_cached or\n"
      "               code_not_cached\n"
      "  host         the name in the policy\n"
      "  from, to     Stopped, Starting, Running, Unhealthy, Restarting, Stopping or Crashed\n"
      "  reason       a stable name, such as exit_code; reason_code is its number\n"
      "  detail       the cause as a sentence; may be empty\n"
      "  pid          0 without a process\n"
      "  restarts     since the host was last started explicitly\n"
      "  warm_starts, cold_starts\n"
      "               its starts from a ready process, and the others\n"
      "  spares       ready processes for its next start; spares_lost have ended before one\n"
      "  code_cached  scripts that its last start found compiled\n"
      "  sandbox      with Running: the tier, and each layer with whether it holds and how\n"
      "  start        with Running and activated: whether a ready process was taken (warm),\n"
      "               microseconds from the beginning of the start to each step of it, and what\n"
      "               each of its phases took\n"
      "Each second an event usage tells what each host uses (host, usage, at_exit), and one whose\n"
      "host is null what all of them use.\n"
      "The first line's event is serving (with version, policy and hosts), the last one's ended.",
      "bulkhead run policy.toml --json"};
  boost::program_options::options_description options;
  options.add_options()("json", "Print a JSON object a line");
  auto const line = parse(page, options, given);
  if (!line)
    return exit_done;
  auto const& file = line->operands.front();
  return service{load_policy(file), file, make_event_output(line->options.contains("json"))}.run();
}

} // namespace bulkhead::tool
