#pragma once

#include <bulkhead/harness/call_tally.hpp>
#include <bulkhead/harness/outcome.hpp>
#include <bulkhead/harness/temporary_directory.hpp>
#include <bulkhead/runtime.hpp>

#include <boost/asio/use_future.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead::testing {

/// One host of a policy that is made in memory: a program that speaks the protocol, uncontained,
/// with waits that suit a test.
host_policy command_host(std::string id, std::vector<std::string> command);
/// The same with Node and an extension.
host_policy node_host(std::string id, std::filesystem::path extension);
/// A policy of these hosts.
policy policy_of(std::vector<host_policy> hosts);
/// The policy of a file, but for its state directory: a harness makes one of its own. Throws
/// policy_error.
policy policy_from(std::filesystem::path const& file);
/// The beginning of a policy in TOML that needs no more than hosts: sandbox.require = "none" for
/// all of them.
std::string policy_text(std::string_view hosts);

/// A host has been started again so many times at the least, since it was last started explicitly.
struct after_restarts {
  explicit after_restarts(std::uint32_t at_least)
      : count{at_least} {}
  std::uint32_t count;
};

/// A runtime on a state directory of its own, with everything that it reports kept: events and
/// lines of log. May be used by any thread.
class harness {
public:
  /// Takes a policy without a state directory. Nothing is started yet.
  explicit harness(policy what);
  /// One as TOML; relative paths in it are relative to `base`. Throws policy_error.
  harness(std::string_view toml, std::filesystem::path const& base);
  /// On a loop of the test's.
  harness(boost::asio::io_context& loop, policy what);
  harness(harness const&) = delete;
  harness& operator=(harness const&) = delete;
  ~harness();

  runtime& operator*() noexcept;
  runtime* operator->() noexcept { return &**this; }
  /// The host of that name; without one the policy's first.
  host_handle host(std::string_view id = {});
  /// Destroys the runtime, which kills its hosts.
  void destroy();
  /// Waits until the runtime has done what was due by now, and the actors what that set off: after
  /// virtual_clock::advance(), before what the hosts say to it. Not on the loop's thread.
  void settle();

  /// Starts the hosts and waits until every one that starts by itself is Running. False: one is not
  /// in time.
  bool start();
  /// Sends a request with `within` as its deadline; the future throws bulkhead::error.
  std::future<payload> request(std::string_view id, std::string type,
                               json const& asked = boost::json::object{},
                               std::chrono::milliseconds within = patience);
  /// Sends a request and waits for its end, with `within` as its deadline.
  result<payload> call(std::string type, json const& asked = boost::json::object{},
                       std::chrono::milliseconds within = patience);
  result<payload> call_host(std::string_view id, std::string type,
                            json const& asked = boost::json::object{},
                            std::chrono::milliseconds within = patience);

  /// Counts the requests that were made through the members above, and what else is given a handler
  /// of its one().
  call_tally& tally() noexcept { return tally_; }
  /// Waits until every counted request has ended. False: one has not in time, one ended twice, or
  /// none was made, of which nothing can be said.
  bool every_request_ended_once(std::chrono::milliseconds within = patience);

  /// Waits until the host is in that state. False: it was not in time.
  bool wait_for(std::string_view id, host_state state, std::chrono::milliseconds within = patience);
  /// The same for a state that it came into after a restart:
  /// `wait_for("plugin", host_state::Running, after_restarts(1))`.
  bool wait_for(std::string_view id, host_state state, after_restarts restarts,
                std::chrono::milliseconds within = patience);
  /// The first event, past or to come, of which `wanted` says yes; nothing if none came in time.
  std::optional<host_event> wait_for_event(std::function<bool(host_event const&)> const& wanted,
                                           std::chrono::milliseconds within = patience);
  /// The same for a transition to a state.
  std::optional<host_event> wait_for_entry(std::string_view id, host_state to,
                                           std::chrono::milliseconds within = patience);
  /// What happened to the host so far.
  std::vector<host_event> events(std::string_view id) const;
  /// Waits until a line of the log contains `text`; nothing if none did in time.
  std::optional<std::string> wait_for_log(std::string_view text,
                                          std::chrono::milliseconds within = patience);
  /// The lines of the log that say that something is not as it should ever be.
  std::vector<std::string> critical_lines() const;
  /// The states that the host went through: "Stopped Starting Running".
  std::string path_of(std::string_view id) const;
  /// Each transition was one of the life cycle's, and began where the one before ended.
  bool every_transition_was_legal() const;

private:
  struct record;

  harness(boost::asio::io_context* loop, policy what);

  temporary_directory directory_;
  std::shared_ptr<record> record_;
  call_tally tally_;
  std::unique_ptr<runtime> runtime_;
};

} // namespace bulkhead::testing
