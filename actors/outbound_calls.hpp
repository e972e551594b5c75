#pragma once

#include <bulkhead/actors/call.hpp>
#include <bulkhead/messages/request_table.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace bulkhead {

/// The backend's open requests to one host: found by id, ended by reply, deadline or loss, each
/// exactly once. Plain bookkeeping: time is passed in and nothing is sent from here. Loop thread.
class outbound_calls {
public:
  using clock = deadline::clock;

  struct call {
    std::string type;
    std::unique_ptr<call_handler> handler;
    progress_handler on_progress{};
    /// The payload while the request waits for its host; nothing once it is on its way.
    std::optional<std::string> waiting{};
    std::string traceparent{}; ///< W3C Trace Context; empty without one
    clock::time_point since{}; ///< when it was made
    bool is_control = false;   ///< one of Bulkhead's own, which no cap of the caller's counts
  };

  /// Control requests that always find room beside the caller's own.
  static constexpr std::size_t control_reserve = 1024;

  explicit outbound_calls(std::size_t cap) noexcept
      : cap_{std::min(cap, wire::request_table<call>::max_size - control_reserve)} {}

  std::size_t size() const noexcept { return table_.size(); }
  /// With the caller's own: control requests take none of its room.
  bool is_full() const noexcept { return table_.size() - controls_ >= cap_; }
  /// Bytes of payloads that wait for their host.
  std::size_t waiting_bytes() const noexcept { return waiting_bytes_; }

  /// Its id on the wire. The cap is the caller's to check, because control requests pass it: no
  /// more than control_reserve of them.
  std::uint64_t add(call added, deadline by, clock::time_point now);
  /// Null for an id that is not open.
  call* find(std::uint64_t id) noexcept { return table_.find(id); }
  /// Ends it: the caller completes its handler.
  std::optional<call> take(std::uint64_t id);
  /// Ends those whose deadline has passed; calls ended(id, call).
  template <class Ended>
  void expire(clock::time_point now, Ended ended) {
    table_.expire(now, [&](std::uint64_t id, call&& c) {
      leave(c);
      ended(id, std::move(c));
    });
  }
  /// Ends all of which `choose` says yes.
  template <class Choose>
  std::vector<call> take_if(Choose choose);
  /// Calls visit(id, call&, payload) for each that waits for its host, oldest first, and forgets
  /// that it waited.
  template <class Visit>
  void send_waiting(Visit visit);

  /// Calls visit(call const&) for each, in no particular order.
  template <class Visit>
  void for_each(Visit visit) const {
    table_.for_each([&](std::uint64_t, call const& each) { visit(each); });
  }

  std::optional<clock::time_point> next_wake() const { return table_.next_wake(); }

  /// A sent request ended without its reply, which may still come: it is then dropped and is no
  /// violation.
  void expect_late_reply(std::uint64_t id);
  bool expects_late_reply(std::uint64_t id) const noexcept { return late_.contains(id); }
  /// True once for each such id.
  bool take_late_reply(std::uint64_t id) noexcept { return late_.erase(id) != 0; }
  /// The process is gone, and with it every late reply.
  void forget_late_replies() noexcept;

private:
  void sent(call const& now) noexcept {
    if (now.waiting)
      waiting_bytes_ -= now.waiting->size();
  }
  void leave(call const& gone) noexcept {
    sent(gone);
    controls_ -= gone.is_control ? 1 : 0;
  }

  wire::request_table<call> table_;
  std::deque<std::uint64_t> waiting_; // in order; may hold ids that have ended since
  std::unordered_set<std::uint64_t> late_;
  std::deque<std::uint64_t> late_order_;
  std::size_t waiting_bytes_ = 0;
  std::size_t controls_ = 0; // of those in the table
  std::size_t cap_;
};

template <class Choose>
std::vector<outbound_calls::call> outbound_calls::take_if(Choose choose) {
  std::vector<std::uint64_t> ids;
  table_.for_each([&](std::uint64_t id, call const& c) {
    if (choose(c))
      ids.push_back(id);
  });
  std::vector<call> taken;
  taken.reserve(ids.size());
  for (auto const id : ids)
    taken.push_back(std::move(*take(id)));
  return taken;
}

template <class Visit>
void outbound_calls::send_waiting(Visit visit) {
  for (auto const id : std::exchange(waiting_, {})) {
    auto* const c = table_.find(id);
    if (!c)
      continue;
    sent(*c);
    visit(id, *c, *std::exchange(c->waiting, std::nullopt));
  }
}

} // namespace bulkhead
