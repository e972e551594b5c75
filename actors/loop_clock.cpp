#include <bulkhead/actors/loop_clock.hpp>

#include <boost/asio/post.hpp>
#include <caf/actor_cast.hpp>
#include <caf/sec.hpp>
#include <caf/system_messages.hpp>
#include <limits>
#include <utility>
#include <vector>

namespace bulkhead::detail {

void loop_clock::set_ordinary_timeout(time_point due, caf::abstract_actor* self,
                                      caf::atom_value type, std::uint64_t id) {
  cancel_ordinary_timeout(self, type);
  add(due, {self->id(), kind::receive, static_cast<std::uint64_t>(type)},
      receive_timeout{caf::actor_cast<caf::strong_actor_ptr>(self), type, id});
}

void loop_clock::set_multi_timeout(time_point due, caf::abstract_actor* self, caf::atom_value type,
                                   std::uint64_t id) {
  add(due, {self->id(), kind::multi, id},
      receive_timeout{caf::actor_cast<caf::strong_actor_ptr>(self), type, id});
}

void loop_clock::set_request_timeout(time_point due, caf::abstract_actor* self,
                                     caf::message_id id) {
  add(due, {self->id(), kind::request, id.integer_value()},
      request_timeout{caf::actor_cast<caf::strong_actor_ptr>(self), id});
}

void loop_clock::cancel_ordinary_timeout(caf::abstract_actor* self, caf::atom_value type) {
  std::lock_guard const lock{mutex_};
  auto const [first, last] =
      index_.equal_range({self->id(), kind::receive, static_cast<std::uint64_t>(type)});
  cancel(first, last);
}

void loop_clock::cancel_request_timeout(caf::abstract_actor* self, caf::message_id id) {
  std::lock_guard const lock{mutex_};
  auto const [first, last] = index_.equal_range({self->id(), kind::request, id.integer_value()});
  cancel(first, last);
}

void loop_clock::cancel_timeouts(caf::abstract_actor* self) {
  std::lock_guard const lock{mutex_};
  auto const last_id = std::numeric_limits<std::uint64_t>::max();
  cancel(index_.lower_bound({self->id(), kind::receive, 0}),
         index_.upper_bound({self->id(), kind::request, last_id}));
}

void loop_clock::schedule_message(time_point due, caf::strong_actor_ptr receiver,
                                  caf::mailbox_element_ptr content) {
  add(due, actor_message{std::move(receiver), std::move(content)});
}

void loop_clock::schedule_message(time_point due, caf::group target, caf::strong_actor_ptr sender,
                                  caf::message content) {
  add(due, group_message{std::move(target), std::move(sender), std::move(content)});
}

void loop_clock::cancel_all() {
  schedule dropped; // outlives the lock: an actor may die with its last time-out
  std::lock_guard const lock{mutex_};
  index_.clear();
  dropped.swap(schedule_);
}

std::size_t loop_clock::fire_due(time_point now) {
  std::vector<event> due;
  {
    std::lock_guard const lock{mutex_};
    auto const end = schedule_.upper_bound(now);
    for (auto next = schedule_.begin(); next != end; next = schedule_.erase(next)) {
      due.push_back(std::move(next->second.what));
      if (next->second.cancellable != index_.end())
        index_.erase(next->second.cancellable);
    }
  }
  for (auto& one : due)
    std::visit([](auto& what) { deliver(what); }, one);
  return due.size();
}

std::size_t loop_clock::size() const {
  std::lock_guard const lock{mutex_};
  return schedule_.size();
}

void loop_clock::deliver(receive_timeout& due) {
  due.self->get()->eq_impl(caf::make_message_id(), due.self, nullptr,
                           caf::timeout_msg{due.type, due.id});
}

void loop_clock::deliver(request_timeout& due) {
  due.self->get()->eq_impl(due.id, due.self, nullptr, caf::make_error(caf::sec::request_timeout));
}

void loop_clock::deliver(actor_message& due) {
  due.receiver->enqueue(std::move(due.content), nullptr);
}

void loop_clock::deliver(group_message& due) {
  due.target->eq_impl(caf::make_message_id(), std::move(due.sender), nullptr,
                      std::move(due.content));
}

void loop_clock::add(time_point due, event what) {
  std::lock_guard const lock{mutex_};
  schedule_.emplace(due, entry{std::move(what), index_.end()});
  arm_for(due);
}

void loop_clock::add(time_point due, key by, event what) {
  std::lock_guard const lock{mutex_};
  auto const added = schedule_.emplace(due, entry{std::move(what), index_.end()});
  added->second.cancellable = index_.emplace(by, added);
  arm_for(due);
}

void loop_clock::cancel(index::iterator first, index::iterator last) {
  // The caller is the actor itself or holds it, so none dies here, under the lock.
  for (auto next = first; next != last; next = index_.erase(next))
    schedule_.erase(next->second);
}

void loop_clock::arm_for(time_point due) {
  if (due >= armed_)
    return;
  armed_ = due;
  if (context_.get_executor().running_in_this_thread()) {
    arm();
    return;
  }
  boost::asio::post(context_, [weak = weak_from_this()] {
    if (auto const self = weak.lock()) {
      std::lock_guard const lock{self->mutex_};
      self->arm();
    }
  });
}

void loop_clock::arm() {
  if (armed_ == time_point::max())
    return;
  timer_.expires_at(armed_);
  timer_.async_wait([weak = weak_from_this()](boost::system::error_code const& failed) {
    auto const self = weak.lock();
    if (failed || !self)
      return;
    auto const now = self->now();
    self->fire_due(now);
    std::lock_guard const lock{self->mutex_};
    self->armed_ = self->schedule_.empty() ? time_point::max() : self->schedule_.begin()->first;
    self->arm();
  });
}

} // namespace bulkhead::detail
