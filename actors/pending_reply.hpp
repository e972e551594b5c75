#pragma once

#include <bulkhead/actors/coroutine_root.hpp>
#include <bulkhead/actors/task.hpp>
#include <bulkhead/messages/deadline.hpp>

#include <caf/message_id.hpp>
#include <caf/scheduled_actor.hpp>
#include <coroutine>
#include <memory>

namespace bulkhead::detail {

/// The response that one suspended frame of `self` waits for. It takes care of what CAF 0.17.6
/// leaves behind: the time-out of a request that was answered, and the handler of one whose
/// coroutine has been destroyed.
class pending_reply {
public:
  explicit pending_reply(caf::scheduled_actor* self) noexcept
      : self_{self} {}
  pending_reply(pending_reply const&) = delete;
  pending_reply& operator=(pending_reply const&) = delete;
  ~pending_reply();

  /// The right to resume `frame`, for the handler of the response.
  template <frame_of_root Promise>
  std::shared_ptr<resume_right> suspend(std::coroutine_handle<Promise> frame) {
    auto right = std::make_shared<resume_right>(frame.promise().root->shared_from_this(), frame);
    right_ = right;
    return right;
  }

  /// The response will have this id; at the deadline it is the error sec::request_timeout.
  void expect(caf::message_id response, deadline until);

  /// It has come.
  void settle();

private:
  void cancel_timeout();

  caf::scheduled_actor* self_;
  std::weak_ptr<resume_right> right_;
  caf::message_id response_;
  bool has_timeout_ = false;
};

} // namespace bulkhead::detail
