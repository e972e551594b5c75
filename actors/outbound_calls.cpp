#include <bulkhead/actors/outbound_calls.hpp>

namespace bulkhead {

std::uint64_t outbound_calls::add(call added, deadline by, clock::time_point now) {
  auto const bytes = added.waiting ? added.waiting->size() : 0;
  auto const waits = added.waiting.has_value();
  auto const is_control = added.is_control;
  added.since = now;
  auto const id = table_.insert(std::move(added), by, now).value();
  if (waits)
    waiting_.push_back(id);
  waiting_bytes_ += bytes;
  controls_ += is_control ? 1 : 0;
  return id;
}

std::optional<outbound_calls::call> outbound_calls::take(std::uint64_t id) {
  auto taken = table_.take(id);
  if (taken)
    leave(*taken);
  return taken;
}

void outbound_calls::expect_late_reply(std::uint64_t id) {
  // As many as may be open at once: whoever answers later than that many requests broke the
  // protocol.
  if (late_order_.size() >= cap_) {
    late_.erase(late_order_.front());
    late_order_.pop_front();
  }
  late_.insert(id);
  late_order_.push_back(id);
}

void outbound_calls::forget_late_replies() noexcept {
  late_.clear();
  late_order_.clear();
}

} // namespace bulkhead
