#pragma once

#include <bulkhead/actors/loop_timer.hpp>

#include <boost/asio/io_context.hpp>
#include <caf/actor_clock.hpp>
#include <caf/atom.hpp>
#include <caf/group.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/message.hpp>
#include <caf/message_id.hpp>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <variant>

namespace bulkhead::detail {

/// CAF's clock on one Asio timer: actors get their time-outs on the loop's thread, with no thread
/// of its own, no wake-up while nothing is due, and a cancellation that frees the time-out at once
/// in logarithmic time. Every function may be called from any thread. (CAF's own clock is a thread
/// with a queue of 64, and searches all time-outs of an actor for the one to cancel.)
class loop_clock final : public caf::actor_clock, public std::enable_shared_from_this<loop_clock> {
public:
  explicit loop_clock(boost::asio::io_context& context)
      : context_{context}
      , timer_{context} {}

  time_point now() const noexcept override { return monotonic_clock::now(); }

  void set_ordinary_timeout(time_point due, caf::abstract_actor* self, caf::atom_value type,
                            std::uint64_t id) override;
  void set_multi_timeout(time_point due, caf::abstract_actor* self, caf::atom_value type,
                         std::uint64_t id) override;
  void set_request_timeout(time_point due, caf::abstract_actor* self, caf::message_id id) override;
  void cancel_ordinary_timeout(caf::abstract_actor* self, caf::atom_value type) override;
  void cancel_request_timeout(caf::abstract_actor* self, caf::message_id id) override;
  void cancel_timeouts(caf::abstract_actor* self) override;
  void schedule_message(time_point due, caf::strong_actor_ptr receiver,
                        caf::mailbox_element_ptr content) override;
  void schedule_message(time_point due, caf::group target, caf::strong_actor_ptr sender,
                        caf::message content) override;
  void cancel_all() override;

  /// Delivers everything that is due at `now`, in the order of the due times. Returns how many.
  std::size_t fire_due(time_point now);
  /// How many are pending.
  std::size_t size() const;

private:
  enum class kind : std::uint8_t { receive, multi, request };

  /// What a time-out can be cancelled by.
  struct key {
    caf::actor_id actor;
    kind what;
    std::uint64_t id;
    friend auto operator<=>(key const&, key const&) = default;
  };

  struct receive_timeout {
    caf::strong_actor_ptr self;
    caf::atom_value type;
    std::uint64_t id;
  };
  struct request_timeout {
    caf::strong_actor_ptr self;
    caf::message_id id;
  };
  struct actor_message {
    caf::strong_actor_ptr receiver;
    caf::mailbox_element_ptr content;
  };
  struct group_message {
    caf::group target;
    caf::strong_actor_ptr sender;
    caf::message content;
  };

  struct entry;
  using schedule = std::multimap<time_point, entry>;
  using index = std::multimap<key, schedule::iterator>;
  using event = std::variant<receive_timeout, request_timeout, actor_message, group_message>;

  struct entry {
    event what;
    index::iterator cancellable; ///< end() where nothing cancels it
  };

  static void deliver(receive_timeout& due);
  static void deliver(request_timeout& due);
  static void deliver(actor_message& due);
  static void deliver(group_message& due);

  void add(time_point due, event what);
  void add(time_point due, key by, event what);
  void cancel(index::iterator first, index::iterator last);
  void arm_for(time_point due);
  void arm();

  boost::asio::io_context& context_;

  mutable std::mutex mutex_;
  schedule schedule_;
  index index_;
  /// When the timer fires next. A cancellation leaves it as it is: the timer then fires once for
  /// nothing, which is cheaper than arming it anew for every reply.
  time_point armed_ = time_point::max();

  loop_timer timer_; ///< touched by the loop's thread only
};

} // namespace bulkhead::detail
