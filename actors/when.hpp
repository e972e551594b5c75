#pragma once

#include <bulkhead/actors/sleep.hpp>
#include <bulkhead/actors/task.hpp>
#include <bulkhead/messages/deadline.hpp>

#include <caf/expected.hpp>
#include <caf/sec.hpp>
#include <coroutine>
#include <cstddef>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace bulkhead {

namespace detail {

/// Runs several tasks of one root side by side until enough of them have ended or one has failed.
template <class... Ts>
class joined_tasks : private task_group {
public:
  joined_tasks(std::size_t needed, task<Ts>... tasks)
      : needed_{needed}
      , tasks_{std::in_place, std::move(tasks)...} {}
  joined_tasks(joined_tasks const&) = delete;
  joined_tasks& operator=(joined_tasks const&) = delete;

  bool await_ready() const noexcept { return false; }

  template <frame_of_root Promise>
  bool await_suspend(std::coroutine_handle<Promise> awaiting) {
    root_ = awaiting.promise().root;
    std::apply([this](auto const&... each) { (begin(each) && ...); }, *tasks_);
    awaiting_ = awaiting;
    return !done_;
  }

protected:
  ~joined_tasks() = default;

  using task_tuple = std::tuple<task<Ts>...>;
  task_tuple& all() noexcept { return *tasks_; }
  /// The one that failed; else the last one that was needed.
  std::size_t decisive() const noexcept { return decisive_; }
  bool failed() const noexcept { return failed_; }
  /// Cancels and destroys what is left.
  void destroy() noexcept { tasks_.reset(); }

  template <class T>
  static value_of<T> take(task<T> const& ended) {
    auto& promise = task_access::frame(ended).promise();
    if constexpr (std::is_void_v<T>) {
      promise.take();
      return {};
    } else {
      return promise.take();
    }
  }

private:
  /// False once no further one is to begin.
  template <class T>
  bool begin(task<T> const& one) {
    auto const frame = task_access::frame(one);
    frame.promise().root = root_;
    frame.promise().group = this;
    frame.promise().index = begun_++;
    root_->run(frame);
    return !done_ && !root_->is_cancelled();
  }

  void ended(std::size_t index, bool failed) noexcept override {
    if (done_)
      return;
    decisive_ = index;
    failed_ = failed;
    done_ = failed || --needed_ == 0;
    if (done_ && awaiting_)
      root_->run_next(awaiting_);
  }

  coroutine_root* root_ = nullptr;
  std::coroutine_handle<> awaiting_; ///< set once all have begun
  std::size_t needed_;
  std::size_t begun_ = 0;
  std::size_t decisive_ = 0;
  bool failed_ = false;
  bool done_ = false;
  std::optional<task_tuple> tasks_;
};

template <class... Ts>
class when_all_awaiter final : public joined_tasks<Ts...> {
public:
  explicit when_all_awaiter(task<Ts>... tasks)
      : joined_tasks<Ts...>{sizeof...(Ts), std::move(tasks)...} {}

  std::tuple<value_of<Ts>...> await_resume() { return take_all(std::index_sequence_for<Ts...>{}); }

private:
  template <std::size_t... I>
  std::tuple<value_of<Ts>...> take_all(std::index_sequence<I...>) {
    if (this->failed())
      (rethrow_if<I>(), ...);
    std::tuple<value_of<Ts>...> values{this->take(std::get<I>(this->all()))...};
    this->destroy();
    return values;
  }

  template <std::size_t I>
  void rethrow_if() {
    if (this->decisive() != I)
      return;
    auto const failure = task_access::frame(std::get<I>(this->all())).promise().failure;
    this->destroy();
    std::rethrow_exception(failure);
  }
};

template <class... Ts>
class when_any_awaiter final : public joined_tasks<Ts...> {
public:
  explicit when_any_awaiter(task<Ts>... tasks)
      : joined_tasks<Ts...>{1, std::move(tasks)...} {}

  std::variant<value_of<Ts>...> await_resume() { return take_first<0>(); }

private:
  template <std::size_t I>
  std::variant<value_of<Ts>...> take_first() {
    if constexpr (I + 1 < sizeof...(Ts))
      if (this->decisive() != I)
        return take_first<I + 1>();
    auto const first = std::move(std::get<I>(this->all()));
    this->destroy();
    return std::variant<value_of<Ts>...>{std::in_place_index<I>, this->take(first)};
  }
};

/// sleep_until as a task.
inline task<void> sleeping(caf::scheduled_actor* self, deadline until) {
  co_await sleep_until(self, until);
}

template <class T>
struct expected_of {
  using type = caf::expected<T>;
};
template <class T>
struct expected_of<caf::expected<T>> {
  using type = caf::expected<T>;
};

} // namespace detail

/// `auto [a, b] = co_await when_all(one(self), other(self));` runs tasks side by side and yields
/// what all of them return (monostate for void). Where one throws, the others are cancelled and
/// destroyed before the exception comes out.
template <class... Ts>
requires(sizeof...(Ts) > 0) [[nodiscard]] auto when_all(task<Ts>... tasks) {
  return detail::when_all_awaiter<Ts...>{std::move(tasks)...};
}

/// `auto first = co_await when_any(one(self), other(self));` runs tasks side by side until the
/// first one ends and yields what it returns, as a variant whose index() says which it was, or
/// throws what it threw. The others are cancelled and destroyed before that; tasks behind one that
/// ends at once are never begun.
template <class... Ts>
requires(sizeof...(Ts) > 0) [[nodiscard]] auto when_any(task<Ts>... tasks) {
  return detail::when_any_awaiter<Ts...>{std::move(tasks)...};
}

/// Awaits `work` until the deadline, which cancels and destroys it: then the error is
/// sec::request_timeout. A task of an expected yields that expected.
template <class T>
task<typename detail::expected_of<T>::type> with_deadline(caf::scheduled_actor* self,
                                                          deadline until, task<T> work) {
  using outcome = typename detail::expected_of<T>::type;
  auto first = co_await when_any(std::move(work), detail::sleeping(self, until));
  if (first.index() == 1)
    co_return outcome{caf::make_error(caf::sec::request_timeout)};
  if constexpr (std::is_void_v<T>)
    co_return outcome{caf::unit};
  else
    co_return outcome{std::get<0>(std::move(first))};
}

} // namespace bulkhead
