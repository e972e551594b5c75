#pragma once

#include <bulkhead/actors/pending_reply.hpp>
#include <bulkhead/actors/run.hpp>
#include <bulkhead/messages/deadline.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <caf/actor_control_block.hpp>
#include <caf/error.hpp>
#include <caf/expected.hpp>
#include <caf/message_id.hpp>
#include <caf/scheduled_actor.hpp>
#include <coroutine>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace bulkhead {

namespace detail {

/// Tells an actor that what it waits for under this id has come. Any thread; does nothing where the
/// actor has ended.
class wake_up {
public:
  wake_up(caf::scheduled_actor* self, caf::message_id response);
  void operator()() const;

private:
  caf::strong_actor_ptr self_;
  caf::message_id response_;
};

/// A new response id of `self`; `on_wake_up` runs in the actor at the wake-up, or with the error at
/// its deadline.
caf::message_id expect_wake_up(caf::scheduled_actor* self,
                               std::function<void(caf::error)> on_wake_up);

/// What became of a completer that was dropped.
caf::error dropped_completer();

} // namespace detail

/// Completes one `external<T>` from any thread, once; dropped uncompleted it completes with an
/// error. Completing an operation that has been cancelled, or whose actor has ended, does nothing.
/// T is moved, never copied, and needs no CAF type.
template <class T>
class completer {
public:
  using slot = std::optional<caf::expected<T>>;

  completer(std::shared_ptr<slot> into, detail::wake_up wake)
      : slot_{std::move(into)}
      , wake_{std::move(wake)} {}
  completer(completer&&) noexcept = default;
  completer& operator=(completer&&) = delete;
  ~completer() {
    if (slot_)
      fail(detail::dropped_completer());
  }

  void operator()() requires std::is_void_v<T> { complete(caf::unit); }
  template <class U>
  requires(!std::is_void_v<T> && std::is_constructible_v<T, U>) void operator()(U&& value) {
    complete(T(std::forward<U>(value)));
  }
  void fail(caf::error why) { complete(std::move(why)); }

private:
  template <class Outcome>
  void complete(Outcome outcome) {
    if (auto const into = std::exchange(slot_, nullptr)) {
      into->emplace(std::move(outcome));
      wake_();
    }
  }

  std::shared_ptr<slot> slot_; ///< read by the actor only after the wake-up
  detail::wake_up wake_;
};

namespace detail {

template <class T, class Initiate>
class external_awaiter {
public:
  external_awaiter(caf::scheduled_actor* self, Initiate&& initiate, deadline until)
      : self_{self}
      , initiate_{std::forward<Initiate>(initiate)}
      , until_{until}
      , reply_{self} {}

  bool await_ready() const noexcept { return false; }

  template <frame_of_root Promise>
  void await_suspend(std::coroutine_handle<Promise> frame) {
    auto right = reply_.suspend(frame);
    auto into = std::make_shared<typename completer<T>::slot>();
    auto const response =
        expect_wake_up(self_, [this, right = std::move(right), into](caf::error failed) {
          right->use([&] {
            if (failed)
              outcome_.emplace(std::move(failed));
            else
              outcome_ = std::move(*into);
            reply_.settle();
          });
        });
    reply_.expect(response, until_);
    initiate_(completer<T>{std::move(into), wake_up{self_, response}});
  }

  caf::expected<T> await_resume() { return std::move(*outcome_); }

private:
  caf::scheduled_actor* self_;
  Initiate initiate_; ///< a reference to what has a name in the coroutine
  deadline until_;
  pending_reply reply_;
  std::optional<caf::expected<T>> outcome_;
};

} // namespace detail

/// `co_await external<T>(self, initiate)` starts an operation outside of CAF: `initiate` gets a
/// completer<T> and hands it to a completion handler or another thread. Yields an expected<T>: the
/// completer's value or error, or sec::request_timeout at the deadline. `initiate` runs in the
/// actor; one that owns something must be a named object, which is called in place (see task).
template <class T, class Initiate>
[[nodiscard]] auto external(caf::scheduled_actor* self, Initiate&& initiate, deadline until = {}) {
  static_assert(detail::survives_co_await<Initiate>,
                "g++ 12 destroys a lambda that is a temporary here twice: name it before");
  return detail::external_awaiter<T, Initiate>{self, std::forward<Initiate>(initiate), until};
}

/// `co_await blocking(self, loop.blocking_pool(), work)` calls `work()` on a thread of the pool and
/// yields an expected of what it returns; what it throws becomes the error. `work` must own what it
/// uses: it may run on after its coroutine has gone. It is moved from, also where it is a named
/// object, which it must be if it owns something (see task).
template <class Work>
[[nodiscard]] auto blocking(caf::scheduled_actor* self, boost::asio::thread_pool& pool,
                            Work&& work) {
  static_assert(detail::survives_co_await<Work>,
                "g++ 12 destroys a lambda that is a temporary here twice: name it before");
  using value = std::invoke_result_t<Work&>;
  auto initiate =
      [&pool, work = std::remove_cvref_t<Work>(std::move(work))](completer<value> done) mutable {
        boost::asio::post(pool, [work = std::move(work), done = std::move(done)]() mutable {
          try {
            if constexpr (std::is_void_v<value>) {
              work();
              done();
            } else {
              done(work());
            }
          } catch (...) {
            done.fail(detail::error_of(std::current_exception()));
          }
        });
      };
  return detail::external_awaiter<value, decltype(initiate)>{self, std::move(initiate), {}};
}

} // namespace bulkhead
