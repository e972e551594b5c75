#include <bulkhead/actors/pending_reply.hpp>

#include <caf/actor_clock.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/sec.hpp>
#include <utility>

namespace bulkhead::detail {

pending_reply::~pending_reply() {
  cancel_timeout();
  auto const right = right_.lock();
  if (!right)
    return;
  right->give_up();
  // CAF has no way to forget a handler but to answer the request.
  if (response_ != caf::message_id{})
    self_->eq_impl(response_, nullptr, self_->context(),
                   caf::make_error(caf::sec::request_timeout));
}

void pending_reply::expect(caf::message_id response, deadline until) {
  response_ = response;
  if (until.is_never())
    return;
  has_timeout_ = true;
  self_->clock().set_request_timeout(until.when(), self_, response_);
}

void pending_reply::settle() {
  cancel_timeout();
  right_.reset();
}

void pending_reply::cancel_timeout() {
  if (std::exchange(has_timeout_, false))
    self_->clock().cancel_request_timeout(self_, response_);
}

} // namespace bulkhead::detail
