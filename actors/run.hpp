#pragma once

#include <bulkhead/actors/caf_errors.hpp>
#include <bulkhead/actors/task.hpp>

#include <caf/error.hpp>
#include <caf/expected.hpp>
#include <caf/response_promise.hpp>
#include <caf/result.hpp>
#include <caf/scheduled_actor.hpp>
#include <exception>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

namespace bulkhead {

/// Where a coroutine started with start() stands. Use it in the actor that started it; it may
/// outlive both.
class task_handle {
public:
  task_handle() = default;
  explicit task_handle(std::weak_ptr<detail::coroutine_root> root) noexcept
      : root_{std::move(root)} {}

  bool is_running() const noexcept { return !root_.expired(); }

  /// Destroys its frames and cancels what they wait for, now; where it cancels itself, at its next
  /// suspension.
  void cancel() {
    if (auto const root = root_.lock())
      root->cancel();
  }

private:
  std::weak_ptr<detail::coroutine_root> root_;
};

/// Called in the actor with the error of a coroutine that nobody awaits.
using error_handler = std::function<void(caf::error)>;

/// The value, or throws the error so that run() answers with it.
template <class T>
T value_or_throw(caf::expected<T> outcome);

namespace detail {

/// Carries a caf::error through coroutines as an exception; no one but error_of needs to know it.
class failed_outcome : public std::exception {
public:
  explicit failed_outcome(caf::error why) noexcept
      : why_{std::move(why)} {}
  caf::error const& why() const noexcept { return why_; }
  char const* what() const noexcept override { return "an actor answered with an error"; }

private:
  caf::error why_;
};

/// What a thrown exception is to other actors: a thrown bulkhead::error stays what it is, any other
/// is handler_failed.
caf::error error_of(std::exception_ptr const& thrown);

template <class T>
struct reply_of {
  using type = T;
};
template <class T>
struct reply_of<caf::expected<T>> {
  using type = T;
};

/// A response promise that is kept: one that dies unanswered answers with request_receiver_down, as
/// a dead actor would.
class kept_promise {
public:
  explicit kept_promise(caf::response_promise promise) noexcept
      : promise_{std::move(promise)} {}
  kept_promise(kept_promise&& other) noexcept
      : promise_{std::move(other.promise_)}
      , open_{std::exchange(other.open_, false)} {}
  kept_promise& operator=(kept_promise&&) = delete;
  ~kept_promise();

  void answer() { take().deliver(caf::unit); }
  template <class T>
  void answer(T value) {
    take().deliver(std::move(value));
  }
  template <class T>
  void answer(caf::expected<T> outcome) {
    if (!outcome)
      fail(std::move(outcome.error()));
    else if constexpr (std::is_void_v<T>)
      answer();
    else
      answer(std::move(*outcome));
  }
  void fail(caf::error why) { take().deliver(std::move(why)); }

private:
  caf::response_promise& take() noexcept {
    open_ = false;
    return promise_;
  }

  caf::response_promise promise_;
  bool open_ = true;
};

/// The outermost frame. The root destroys it, so it stays when it has ended.
struct root_frame {
  struct promise_type : frame_promise {
    root_frame get_return_object() {
      return {std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    std::suspend_always final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    /// Into the actor's message handler, where it ends the actor as any exception does.
    void unhandled_exception() const { throw; }
  };
  std::coroutine_handle<promise_type> handle;
};

/// Runs it up to its first suspension.
std::weak_ptr<coroutine_root> start_root(root_frame frame);

template <class T>
root_frame answer_with(task<T> work, kept_promise promise) {
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(work);
      promise.answer();
    } else {
      promise.answer(co_await std::move(work));
    }
  } catch (...) {
    promise.fail(error_of(std::current_exception()));
  }
}

root_frame run_alone(task<void> work, error_handler on_error);

} // namespace detail

/// Makes a coroutine the handler of a message: `return run(self, work(self, argument));`. It runs
/// up to its first suspension at once; the sender gets what it returns (from an expected: the value
/// or the error), as an error what it throws, and request_receiver_down where it dies before its
/// end. Inside a message handler of `self` only.
template <class T>
caf::result<typename detail::reply_of<T>::type> run(caf::local_actor* self, task<T> work) {
  auto promise = self->make_response_promise();
  detail::start_root(detail::answer_with(std::move(work), detail::kept_promise{promise}));
  return promise;
}

/// Starts a coroutine that nobody awaits; it ends with the actor at the latest. An exception goes
/// to `on_error`, or without one to the actor's error handler, which by default ends the actor.
/// Inside the actor only.
task_handle start(caf::scheduled_actor* self, task<void> work, error_handler on_error = {});

/// start() without a handle to cancel it by.
inline void detach(caf::scheduled_actor* self, task<void> work, error_handler on_error = {}) {
  start(self, std::move(work), std::move(on_error));
}

template <class T>
T value_or_throw(caf::expected<T> outcome) {
  if (!outcome)
    throw detail::failed_outcome{std::move(outcome.error())};
  if constexpr (!std::is_void_v<T>)
    return std::move(*outcome);
}

} // namespace bulkhead
