#pragma once

#include <bulkhead/actors/call.hpp>
#include <bulkhead/actors/request.hpp>
#include <bulkhead/config/load.hpp>
#include <bulkhead/config/policy.hpp>
#include <bulkhead/config/policy_change.hpp>
#include <bulkhead/messages/deadline.hpp>
#include <bulkhead/messages/host_event.hpp>
#include <bulkhead/messages/json.hpp>
#include <bulkhead/messages/payload.hpp>

#include <boost/asio/async_result.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace spdlog {
class logger;
}

namespace bulkhead {

class typed_actors;
struct host_entry;
struct runtime_core;

/// What a runtime takes from the program that embeds it.
struct runtime_options {
  /// Where logs and the hosts' output go. Unless set: standard error, from the policy's
  /// `runtime.log_level` on.
  std::shared_ptr<spdlog::logger> logger;
};

/// One extension host of a runtime, by its name in the policy. Cheap to copy; valid as long as the
/// runtime is. All members may be called from any thread. A name that the policy does not have
/// gives a handle whose calls end in errc::unknown_host.
///
/// Whatever was asked completes: with errc::runtime_stopped at the latest when the runtime goes.
/// Completion handlers have the signature void(std::exception_ptr, T); with boost::asio::use_future
/// and use_awaitable a failure is thrown as bulkhead::error, in a callback error_from() turns it
/// into one. A handler without an executor of its own runs on the loop's thread.
class host_handle {
public:
  std::string const& id() const noexcept { return id_; }

  /// This host, with that W3C traceparent on every request which is made through the handle that is
  /// returned: the extension sees it, and what it asks of the backend meanwhile carries it. What is
  /// no traceparent is left out, as the standard says.
  host_handle traced(std::string_view traceparent) const;

  /// The host as it stands now.
  host_status status() const;

  /// Sends a request and completes with the reply's payload, of type `payload`.
  ///
  /// While the host is Starting, Unhealthy or Restarting the request waits for it, up to its
  /// deadline. It ends exactly once: in the reply or in one of the 40xx codes. Cancellation through
  /// the handler's cancellation slot tells the host and ends the request with
  /// errc::request_cancelled. `on_progress` gets each partial reply, on the loop's thread.
  ///
  /// In a coroutine, name the payload before the co_await: g++ 12 can't compile an initialiser list
  /// of JSON inside one.
  template <class Token>
  auto async_request(std::string type, payload asked, deadline by, Token&& token,
                     progress_handler on_progress = {}) {
    return boost::asio::async_initiate<Token, void(std::exception_ptr, payload)>(
        [self = *this](auto handler, call_request call) mutable {
          self.submit(std::move(call), self.make_call_handler<payload>(std::move(handler)));
        },
        token,
        call_request{std::move(type), std::move(asked), by, std::move(on_progress), traceparent_});
  }

  /// The same with the host's own `request_timeout` as the deadline.
  template <class Token>
  auto async_request(std::string type, payload asked, Token&& token) {
    return async_request(std::move(type), std::move(asked), default_deadline(),
                         std::forward<Token>(token));
  }

  /// Runs a command of the extension and completes with its result, of type `json`.
  template <class Token>
  auto async_command(std::string command, boost::json::array arguments, deadline by, Token&& token,
                     progress_handler on_progress = {}) {
    return boost::asio::async_initiate<Token, void(std::exception_ptr, json)>(
        [self = *this](auto handler, call_request call) mutable {
          self.submit(std::move(call), self.make_call_handler<json>(std::move(handler)));
        },
        token,
        call_request{"executeCommand", command_payload(std::move(command), std::move(arguments)),
                     by, std::move(on_progress), traceparent_});
  }

  /// The same with the host's own `request_timeout` as the deadline.
  template <class Token>
  auto async_command(std::string command, boost::json::array arguments, Token&& token) {
    return async_command(std::move(command), std::move(arguments), default_deadline(),
                         std::forward<Token>(token));
  }

  /// Starts the host; from Crashed with a fresh restart budget. Completes with the state once it is
  /// Running, and with an error once it is Crashed or was stopped instead.
  template <class Token>
  auto async_start(Token&& token) {
    return boost::asio::async_initiate<Token, void(std::exception_ptr, host_state)>(
        [self = *this](auto handler) mutable {
          self.start(self.make_completion<host_state>(std::move(handler)));
        },
        token);
  }

  /// Stops the host: deactivate, SIGTERM, SIGKILL, with the policy's deadlines. Completes once its
  /// processes are gone.
  template <class Token>
  auto async_stop(Token&& token) {
    return boost::asio::async_initiate<Token, void(std::exception_ptr, host_state)>(
        [self = *this](auto handler) mutable {
          self.stop(self.make_completion<host_state>(std::move(handler)));
        },
        token);
  }

private:
  friend class runtime;
  host_handle(std::string id, std::shared_ptr<runtime_core> core,
              std::shared_ptr<host_entry> entry);

  template <class T, class Handler>
  auto make_call_handler(Handler handler) {
    return std::make_unique<token_call_handler<T, Handler>>(std::move(handler), loop_executor());
  }
  template <class T, class Handler>
  auto make_completion(Handler handler) {
    return token_completion<T>(std::move(handler), loop_executor());
  }

  boost::asio::io_context::executor_type loop_executor() const;
  deadline default_deadline() const;
  static payload command_payload(std::string command, boost::json::array arguments);
  void submit(call_request call, std::unique_ptr<call_handler> handler);
  void fail_control(errc code, completion<host_state> done);
  void start(completion<host_state> done);
  void stop(completion<host_state> done);

  std::string id_;
  std::shared_ptr<runtime_core> core_;
  std::shared_ptr<host_entry> entry_; // null for a name that the policy does not have
  std::string traceparent_;           // empty without one
};

/// Runs the hosts of one policy. Register handlers first, then start(). Several runtimes may live
/// in one process.
///
/// The loop that drives everything is the runtime's own thread, or an io_context of the backend
/// that one thread runs. Members may be called from any thread; handlers run on the loop's thread
/// and must not block it. What is under way when the destructor runs completes with
/// errc::runtime_stopped.
class runtime {
public:
  /// With a loop of its own. Throws bulkhead::error where the state directory can't be used, a
  /// contained host is to be connected by a path (policy_conflict), or others could have changed
  /// the policy's file (integrity_unsafe_owner).
  explicit runtime(policy what, runtime_options options = {});
  /// On a loop of the backend's, which exactly one thread runs. Before the destructor, let
  /// async_shutdown complete; without that the destructor kills the hosts.
  runtime(boost::asio::io_context& loop, policy what, runtime_options options = {});
  runtime(runtime const&) = delete;
  runtime& operator=(runtime const&) = delete;
  /// Stops every host without draining. Never on the loop's own thread.
  ~runtime();

  /// Starts the hosts that the policy starts by itself. Does nothing the second time.
  void start();

  /// The host of that name.
  host_handle host(std::string_view id);
  /// All hosts of the policy, in its order.
  std::vector<host_handle> hosts();

  /// host(id).async_request(…).
  template <class Token>
  auto async_request(std::string_view id, std::string type, payload asked, deadline by,
                     Token&& token) {
    return host(id).async_request(std::move(type), std::move(asked), by,
                                  std::forward<Token>(token));
  }

  /// Handles requests of that type, from every host that has the permission which the policy's
  /// [requests] table names for the type. `handler` takes a bulkhead::request and returns json,
  /// nothing, or boost::asio::awaitable<json>; it runs on the loop. What it throws reaches the
  /// extension as a request_error if it is one, else only as handler_failed. Registering a type
  /// again replaces its handler.
  template <class Handler>
  void on_request(std::string type, Handler handler) {
    set_handler(std::move(type), make_request_handler(std::move(handler)));
  }

  /// Calls `subscriber` with each event of each host, on the loop's thread. Any number may
  /// subscribe.
  void on_event(std::function<void(host_event const&)> subscriber);

  /// Calls `subscriber` with what each host uses, each second and once more at the end of its
  /// process, and with the sum over all hosts, whose name is empty; on the loop's thread.
  void on_usage(std::function<void(usage_report const&)> subscriber);
  /// What all hosts together use, as of the last second. Any thread.
  resource_usage usage() const;

  /// Ends in order: refuses new requests, lets open ones go on for the policy's drain_timeout,
  /// stops all hosts. Completes with void(std::exception_ptr) once every process is gone.
  template <class Token>
  auto async_shutdown(Token&& token) {
    return boost::asio::async_initiate<Token, void(std::exception_ptr)>(
        [this](auto handler) {
          shutdown(token_completion<void>(std::move(handler), loop_executor()));
        },
        token);
  }

  /// Takes over what a changed policy says about each request: permissions, [requests], path rules,
  /// rate limits, limits.storage and limits.fs_operations. Completes with
  /// void(std::exception_ptr, std::vector<policy_change>): all that is different, and of each
  /// whether it holds now or takes a new start of the program. Every request that the hosts send
  /// after that is decided by the new rules; one that was admitted before still ends. What an
  /// extension holds is still only what its manifest asks for. Fails, and changes nothing, as
  /// the constructor and with policy_invalid_pattern.
  template <class Token>
  auto async_update_policy(policy changed, Token&& token) {
    return boost::asio::async_initiate<Token, void(std::exception_ptr, std::vector<policy_change>)>(
        [this](auto handler, policy what) {
          update_policy(std::move(what), token_completion<std::vector<policy_change>>(
                                             std::move(handler), loop_executor()));
        },
        token, std::move(changed));
  }

  boost::asio::io_context::executor_type loop_executor() const;
  /// The policy as it was given last.
  std::shared_ptr<policy const> active_policy() const;

  /// The actors behind this, for programs that run CAF actors of their own: include
  /// <bulkhead/typed_actors.hpp>.
  typed_actors& actors() noexcept;

private:
  void set_handler(std::string type, request_handler handler);
  void shutdown(completion<void> done);
  void update_policy(policy changed, completion<std::vector<policy_change>> done);

  std::shared_ptr<runtime_core> core_;
};

} // namespace bulkhead
