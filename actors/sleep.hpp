#pragma once

#include <bulkhead/actors/pending_reply.hpp>
#include <bulkhead/messages/deadline.hpp>

#include <caf/behavior.hpp>
#include <caf/scheduled_actor.hpp>
#include <chrono>
#include <coroutine>
#include <memory>

namespace bulkhead {

namespace detail {

class sleep_awaiter {
public:
  sleep_awaiter(caf::scheduled_actor* self, deadline until) noexcept
      : self_{self}
      , until_{until}
      , reply_{self} {}

  bool await_ready() const noexcept { return false; }
  template <frame_of_root Promise>
  void await_suspend(std::coroutine_handle<Promise> frame) {
    wait(reply_.suspend(frame));
  }
  void await_resume() const noexcept {}

private:
  void wait(std::shared_ptr<resume_right> right);

  caf::scheduled_actor* self_;
  deadline until_;
  pending_reply reply_;
};

} // namespace detail

/// `co_await sleep_until(self, until)` suspends for so long; until it is cancelled where the
/// deadline never passes.
[[nodiscard]] inline detail::sleep_awaiter sleep_until(caf::scheduled_actor* self, deadline until) {
  return {self, until};
}

/// `co_await sleep_for(self, 10ms)`.
template <class Rep, class Period>
[[nodiscard]] detail::sleep_awaiter sleep_for(caf::scheduled_actor* self,
                                              std::chrono::duration<Rep, Period> how_long) {
  return {self, deadline{how_long}};
}

} // namespace bulkhead
