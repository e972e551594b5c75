#pragma once

#include <bulkhead/actors/coroutine_root.hpp>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace bulkhead {

template <class T>
class task;

namespace detail {

/// Something of several tasks that is told when one of them has ended (when_all, when_any).
class task_group {
public:
  virtual void ended(std::size_t index, bool failed) noexcept = 0;

protected:
  ~task_group() = default;
};

/// What every frame of a root has: `co_await` hands the root down from the frame that awaits.
struct frame_promise {
  coroutine_root* root = nullptr;
};

template <class Promise>
concept frame_of_root = std::derived_from<Promise, frame_promise>;

struct task_promise_base : frame_promise {
  std::coroutine_handle<> awaiting; ///< the frame that goes on when this one ends
  task_group* group = nullptr;      ///< told instead, where it is set
  std::size_t index = 0;            ///< in the group
  std::exception_ptr failure;

  struct final_awaiter {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
      auto& promise = ended.promise();
      if (promise.group)
        promise.group->ended(promise.index, promise.failure != nullptr);
      else
        promise.root->run_next(promise.awaiting);
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  final_awaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { failure = std::current_exception(); }
};

template <class T>
struct task_promise : task_promise_base {
  std::optional<T> value;

  task<T> get_return_object();
  template <class U>
  requires std::constructible_from<T, U>
  void return_value(U&& result) { value.emplace(std::forward<U>(result)); }
  T take() {
    if (failure)
      std::rethrow_exception(failure);
    return std::move(*value);
  }
};

template <>
struct task_promise<void> : task_promise_base {
  task<void> get_return_object();
  void return_void() const noexcept {}
  void take() const {
    if (failure)
      std::rethrow_exception(failure);
  }
};

/// T, or where that is void, the type without values.
template <class T>
using value_of = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

struct task_access;

/// Whether an argument of a co_await expression survives g++ 12, which destroys temporary closures
/// and aggregates in it twice. Argument is what a forwarding reference deduces.
template <class Argument>
inline constexpr bool survives_co_await =
    std::is_lvalue_reference_v<Argument> || std::is_trivially_destructible_v<Argument>;

} // namespace detail

/// A coroutine of an actor that is to yield a T. It starts when it is awaited, by another task of
/// the same actor or by run/start, and is only ever resumed inside its actor. Destroying a task
/// destroys its frames and cancels what they wait for.
///
/// Write coroutines as free functions with parameters by value: a reference, or the capture of a
/// lambda, may be gone after the first suspension. What the actor's current message offers
/// (current_sender(), make_response_promise()) is gone then, too.
///
/// g++ 12 needs care inside of a co_await expression. A temporary lambda or aggregate that owns
/// something is destroyed twice: name it first (GCC PR 101367; ask, external and blocking refuse
/// what they can see). Both sides of ?:, && and || are awaited: use `if`.
template <class T>
class [[nodiscard]] task {
public:
  using promise_type = detail::task_promise<T>;
  using value_type = T;

  task(task&& other) noexcept
      : frame_{std::exchange(other.frame_, nullptr)} {}
  task& operator=(task&& other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~task() {
    if (frame_)
      frame_.destroy();
  }

  /// Runs it to its end. Yields what it returns, or throws what it threw.
  auto operator co_await() && noexcept { return awaiter{std::move(*this)}; }

private:
  friend promise_type;
  friend detail::task_access;

  class awaiter {
  public:
    explicit awaiter(task&& awaited) noexcept
        : task_{std::move(awaited)} {}
    bool await_ready() const noexcept { return false; }
    template <detail::frame_of_root Promise>
    void await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
      auto& promise = task_.frame_.promise();
      promise.root = awaiting.promise().root;
      promise.awaiting = awaiting;
      promise.root->run_next(task_.frame_);
    }
    T await_resume() { return task_.frame_.promise().take(); }

  private:
    task task_;
  };

  explicit task(std::coroutine_handle<promise_type> frame) noexcept
      : frame_{frame} {}

  std::coroutine_handle<promise_type> frame_;
};

namespace detail {

template <class T>
task<T> task_promise<T>::get_return_object() {
  return task<T>{std::coroutine_handle<task_promise>::from_promise(*this)};
}

inline task<void> task_promise<void>::get_return_object() {
  return task<void>{std::coroutine_handle<task_promise>::from_promise(*this)};
}

/// The frame of a task, for what drives several of them.
struct task_access {
  template <class T>
  static std::coroutine_handle<task_promise<T>> frame(task<T> const& of) noexcept {
    return of.frame_;
  }
};

} // namespace detail
} // namespace bulkhead
