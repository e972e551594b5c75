#pragma once

#include <bulkhead/actors/pending_reply.hpp>
#include <bulkhead/actors/task.hpp>
#include <bulkhead/messages/deadline.hpp>

#include <caf/error.hpp>
#include <caf/expected.hpp>
#include <caf/none.hpp>
#include <coroutine>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace bulkhead {

namespace detail {

template <class T, class Self, class Destination, class... Arguments>
class ask_awaiter {
public:
  ask_awaiter(Self* self, Destination destination, deadline until, Arguments... arguments)
      : self_{self}
      , destination_{std::move(destination)}
      , until_{until}
      , arguments_{std::move(arguments)...}
      , reply_{self} {}

  bool await_ready() const noexcept { return false; }

  template <frame_of_root Promise>
  void await_suspend(std::coroutine_handle<Promise> frame) {
    auto const right = reply_.suspend(frame);
    auto const request = std::apply(
        [this](Arguments&... arguments) {
          return self_->request(destination_, caf::infinite, std::move(arguments)...);
        },
        arguments_);
    auto const on_error = [this, right](caf::error& failed) {
      right->use([&] { settle(std::move(failed)); });
    };
    if constexpr (std::is_void_v<T>)
      request.then([this, right] { right->use([&] { settle(caf::unit); }); }, on_error);
    else
      request.then([this, right](T& value) { right->use([&] { settle(std::move(value)); }); },
                   on_error);
    reply_.expect(request.id(), until_);
  }

  caf::expected<T> await_resume() { return std::move(*outcome_); }

private:
  template <class Outcome>
  void settle(Outcome&& outcome) {
    outcome_.emplace(std::forward<Outcome>(outcome));
    reply_.settle();
  }

  Self* self_;
  Destination destination_;
  deadline until_;
  std::tuple<Arguments...> arguments_;
  pending_reply reply_;
  std::optional<caf::expected<T>> outcome_;
};

} // namespace detail

/// `co_await ask<T>(self, actor, until, message...)` sends a request and yields the T of its answer
/// or the error: sec::request_timeout at the deadline (a duration counts from now; `deadline{}`
/// never passes), what the other actor answered with, sec::request_receiver_down or the exit reason
/// where it is gone. The time-out costs nothing once the answer is there.
///
/// An actor that ends answers what waits in its mailbox, and what its coroutines were working on.
/// Only a response promise that it keeps by hand is never answered then: that takes a deadline.
template <class T, class Self, class Destination, class... Arguments>
[[nodiscard]] auto ask(Self* self, Destination const& destination, deadline until,
                       Arguments&&... arguments) {
  static_assert(((detail::survives_co_await<Arguments> || !std::is_aggregate_v<Arguments>)&&...),
                "g++ 12 destroys an aggregate that is a temporary here twice: name it before, or "
                "give its type a constructor");
  return detail::ask_awaiter<T, Self, Destination, std::decay_t<Arguments>...>{
      self, destination, until, std::forward<Arguments>(arguments)...};
}

/// Asks for something that there may be none of: null then, and where the other actor is gone.
template <class Pointer, class Self, class Destination, class... Arguments>
task<Pointer> ask_or_null(Self* self, Destination destination, Arguments... arguments) {
  deadline const never;
  auto const answer = co_await ask<Pointer>(self, destination, never, std::move(arguments)...);
  if (!answer)
    co_return nullptr;
  co_return *answer;
}

} // namespace bulkhead
