#pragma once

#include <bulkhead/actors/host_entry.hpp>
#include <bulkhead/actors/host_supervisor.hpp>
#include <bulkhead/actors/loop.hpp>
#include <bulkhead/actors/request_router.hpp>
#include <bulkhead/actors/runtime.hpp>
#include <bulkhead/actors/runtime_surroundings.hpp>
#include <bulkhead/actors/typed_actors.hpp>
#include <bulkhead/messages/actor_interfaces.hpp>
#include <bulkhead/platform/run_directory.hpp>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead {

/// Where one cancellable call stands. The loop's thread only.
struct call_ticket {
  bool cancelled = false;
  std::optional<std::uint64_t> id; // once it was sent
};

/// A call on its way to the loop's thread.
struct submission {
  std::shared_ptr<host_entry> host; // null for a name that the policy does not have
  std::string host_id;
  call_request call;
  std::unique_ptr<call_handler> handler;
  std::shared_ptr<call_ticket> ticket; // null if it can't be cancelled
};

/// Why a policy is not taken: what load_policy() says with line and column, for one that was made
/// in memory, and that others could have changed its file. Blocks; any thread.
std::optional<error> fault_of(policy const& rules);

/// What stands behind a bulkhead::runtime: the loop, the actors, and the way to them from any
/// thread.
struct runtime_core : std::enable_shared_from_this<runtime_core> {
  /// `given` may be null: then the loop is its own. Throws error with state_dir_unusable,
  /// policy_conflict or integrity_unsafe_owner.
  runtime_core(boost::asio::io_context* given, policy rules, runtime_options wanted);

  /// Ends every actor, and with them every host. See loop::stop for the threads.
  void stop();

  std::shared_ptr<host_entry> find(std::string_view id) const;

  /// Sends a call. Those of other threads go to the loop together: it is rung once a burst.
  void submit(submission&& call);
  /// Replaces the rules that requests are decided by. The loop's thread.
  void update(std::shared_ptr<policy const> changed, access_rules_ptr rules,
              completion<std::vector<policy_change>> done);
  /// The policy as it was given last. Any thread.
  std::shared_ptr<policy const> active() const;

  /// Takes effect for events that come later.
  void subscribe(std::function<void(host_event const&)> subscriber);
  void subscribe_usage(std::function<void(usage_report const&)> subscriber);

  bool const owns_loop;
  // In the order in which they need each other.
  policy what;
  std::shared_ptr<spdlog::logger> log;
  platform::run_directory place;
  std::filesystem::path scripts; ///< the folder of what a Node host runs
  std::unique_ptr<platform::containment> containment;
  std::unique_ptr<loop> on;
  request_router router;
  runtime_surroundings surroundings;
  host_entries hosts;
  group_entries groups;
  warm_pool_actor pool;   ///< null where no process is kept ready
  code_cache_actor cache; ///< null where no scripts are compiled ahead
  runtime_actor actor;
  host_servants servants;
  typed_actors typed;
  bool started = false;              // the loop's thread only
  std::atomic<bool> accepting{true}; ///< false: what is asked for from now on is refused

private:
  void add_host(host_policy const& host);
  void send(submission&& call);
  void send_submitted();
  void fail_later(submission call, errc code);
  void publish(host_event const& event);
  void publish_usage(usage_report const& report);

  // The loop's thread only.
  std::vector<std::function<void(host_event const&)>> subscribers_;
  std::vector<std::function<void(usage_report const&)>> usage_subscribers_;
  mutable std::mutex mutex_; // guards the following two
  std::shared_ptr<policy const> active_;
  std::vector<submission> submitted_;
  std::atomic<bool> stopped_{false}; // the actors have ended
};

} // namespace bulkhead
