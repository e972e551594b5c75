#include <bulkhead/actors/sleep.hpp>

#include <caf/message_priority.hpp>

namespace bulkhead::detail {

void sleep_awaiter::wait(std::shared_ptr<resume_right> right) {
  // A request that nobody gets: only its time-out answers it.
  auto const response = self_->new_request_id(caf::message_priority::normal).response_id();
  self_->add_multiplexed_response_handler(
      response, caf::behavior{[this, right = std::move(right)](caf::error&) {
        right->use([this] { reply_.settle(); });
      }});
  reply_.expect(response, until_);
}

} // namespace bulkhead::detail
