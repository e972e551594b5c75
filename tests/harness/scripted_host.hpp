#pragma once

#include <bulkhead/config/policy.hpp>
#include <bulkhead/harness/behaviour.hpp>
#include <bulkhead/harness/outcome.hpp>
#include <bulkhead/messages/json.hpp>
#include <bulkhead/messages/payload.hpp>

#include <chrono>
#include <cstddef>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead::testing {

/// A host whose every move is written in the test: a real process, started and ended by the runtime
/// as any other, that does what the test tells it and nothing else. Where the script says nothing
/// it is ready at once, answers pings, activation and deactivation, and refuses anything else with
/// the code "not_in_script". It lives longer than the runtimes that run it; any thread may use it.
class scripted_host {
public:
  /// `name` is the host's in the policy. Throws where its socket or its program can't be made; they
  /// are in a temporary directory, from which programs must be allowed to run.
  explicit scripted_host(std::string name);
  scripted_host(scripted_host const&) = delete;
  scripted_host& operator=(scripted_host const&) = delete;
  /// Ends its processes, and what they left behind.
  ~scripted_host();

  std::string const& name() const noexcept;

  /// The host of a policy that is made in memory.
  host_policy policy() const;
  /// That policy with the host of this name played by the script: what runs, how it is connected
  /// and that it is not contained is replaced; all the rest is kept, the extension and so what its
  /// manifest asks for, too. Throws std::invalid_argument where there is none.
  bulkhead::policy take_over(bulkhead::policy what) const;

  // ---- the script ----
  /// What it does with a request or notification of that type.
  behaviour on(std::string type);
  /// What it does with a command of that name, in executeCommand.
  behaviour on_command(std::string command);
  /// What a process does at its start: unless this says otherwise, ready().
  behaviour on_start();
  /// What the present process does now; nothing without one. Turns follow one another at once.
  behaviour now();

  /// Sends a request to the backend and waits for its answer. The backend's error is
  /// errc::remote_error with its code as remote_code(); without a process host_not_running, and
  /// connection_lost where it ends meanwhile.
  result<payload> request(std::string type, json const& asked = boost::json::object{},
                          std::chrono::milliseconds within = patience);
  /// The same for those who wait later; the future throws bulkhead::error.
  std::future<payload> async_request(std::string type, json const& asked = boost::json::object{},
                                     std::chrono::milliseconds within = patience);

  // ---- what happened ----
  /// The payloads of all requests and notifications of that type, in the order in which they came.
  std::vector<json> received(std::string_view type) const;
  /// Waits until so many came. False: they did not in time.
  bool wait_for_requests(std::string_view type, std::size_t count = 1,
                         std::chrono::milliseconds within = patience) const;
  /// How many processes there were.
  std::size_t starts() const;
  bool wait_for_starts(std::size_t count, std::chrono::milliseconds within = patience) const;
  /// Waits for what leave_orphan() started: its process's number.
  std::optional<int> wait_for_orphan(std::chrono::milliseconds within = patience) const;

private:
  struct parts;

  std::unique_ptr<parts> parts_;
};

} // namespace bulkhead::testing
