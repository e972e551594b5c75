#include <bulkhead/actors/external.hpp>

#include <caf/behavior.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/message.hpp>
#include <caf/message_priority.hpp>

namespace bulkhead::detail {

wake_up::wake_up(caf::scheduled_actor* self, caf::message_id response)
    : self_{self->ctrl()}
    , response_{response} {}

void wake_up::operator()() const {
  self_->enqueue(caf::make_mailbox_element(nullptr, response_, {}, caf::make_message()), nullptr);
}

caf::message_id expect_wake_up(caf::scheduled_actor* self,
                               std::function<void(caf::error)> on_wake_up) {
  auto const response = self->new_request_id(caf::message_priority::normal).response_id();
  auto const shared = std::make_shared<std::function<void(caf::error)>>(std::move(on_wake_up));
  self->add_multiplexed_response_handler(
      response, caf::behavior{[shared] { (*shared)(caf::error{}); },
                              [shared](caf::error& failed) { (*shared)(std::move(failed)); }});
  return response;
}

caf::error dropped_completer() {
  return make_error(error{errc::handler_failed, "the operation was dropped before it had ended"});
}

} // namespace bulkhead::detail
