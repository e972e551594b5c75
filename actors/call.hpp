#pragma once

#include <bulkhead/messages/deadline.hpp>
#include <bulkhead/messages/error.hpp>
#include <bulkhead/messages/json.hpp>
#include <bulkhead/messages/payload.hpp>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

namespace bulkhead {

/// Gets each partial reply of a request.
using progress_handler = std::function<void(payload const&)>;

/// A request as the caller made it.
struct call_request {
  std::string type;
  payload asked;
  deadline by;
  progress_handler on_progress;
  std::string traceparent{}; ///< W3C Trace Context; empty without one
};

/// Who waits for the end of one call. `complete` is called exactly once, on the loop's thread.
class call_handler {
public:
  virtual ~call_handler() = default;
  virtual void complete(result<payload> ended) = 0;
  /// The slot through which the caller cancels; may be unconnected.
  virtual boost::asio::cancellation_slot cancellation_slot() noexcept = 0;
};

/// Type-erased void(std::exception_ptr, T), called exactly once.
template <class T>
using completion = std::function<void(result<T>)>;

/// What a callback makes of the std::exception_ptr that it got.
inline error error_from(std::exception_ptr const& failed) {
  try {
    std::rethrow_exception(failed);
  } catch (error const& known) {
    return known;
  } catch (std::exception const& other) {
    return error{errc::handler_failed, other.what()};
  } catch (...) {
    return error{errc::handler_failed};
  }
}

/// The `result` of an executeCommand reply.
result<json> command_result(payload const& reply);

/// Keeps a completion handler with its executor alive until it is called there.
template <class Handler>
class pending_handler {
public:
  using executor =
      boost::asio::associated_executor_t<Handler, boost::asio::io_context::executor_type>;

  pending_handler(Handler handler, boost::asio::io_context::executor_type fallback)
      : executor_{boost::asio::get_associated_executor(handler, fallback)}
      , handler_{std::move(handler)} {}

  template <class... Results>
  void operator()(Results... results) {
    auto const where = executor_.get_executor();
    boost::asio::dispatch(where, [handler = std::move(handler_), work = std::move(executor_),
                                  ... results = std::move(results)]() mutable {
      std::move(handler)(std::move(results)...);
    });
  }

  Handler& handler() noexcept { return handler_; }

private:
  boost::asio::executor_work_guard<executor> executor_;
  Handler handler_;
};

/// A completion token's handler as the end of a call.
template <class T, class Handler>
class token_call_handler final : public call_handler {
public:
  token_call_handler(Handler handler, boost::asio::io_context::executor_type fallback)
      : pending_{std::move(handler), fallback} {}

  void complete(result<payload> ended) override {
    if constexpr (std::is_same_v<T, json>)
      finish(ended ? command_result(*ended) : result<json>{ended.error()});
    else
      finish(std::move(ended));
  }

  boost::asio::cancellation_slot cancellation_slot() noexcept override {
    return boost::asio::get_associated_cancellation_slot(pending_.handler());
  }

private:
  void finish(result<T> ended) {
    if (ended)
      pending_(std::exception_ptr{}, std::move(*ended));
    else
      pending_(std::make_exception_ptr(ended.error()), T{});
  }

  pending_handler<Handler> pending_;
};

/// A completion token's handler as a completion. Copies share it.
template <class T, class Handler>
completion<T> token_completion(Handler handler, boost::asio::io_context::executor_type fallback) {
  auto pending = std::make_shared<pending_handler<Handler>>(std::move(handler), fallback);
  return [pending = std::move(pending)](result<T> ended) {
    auto failed = ended ? std::exception_ptr{} : std::make_exception_ptr(ended.error());
    if constexpr (std::is_void_v<T>)
      (*pending)(std::move(failed));
    else
      (*pending)(std::move(failed), ended ? std::move(*ended) : T{});
  };
}

} // namespace bulkhead
