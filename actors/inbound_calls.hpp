#pragma once

#include <bulkhead/actors/inbound_call.hpp>
#include <bulkhead/messages/frame_scanner.hpp>
#include <bulkhead/messages/inbound_batch.hpp>

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace bulkhead {

/// What one process of a host asks of the backend: the requests that are being decided on, those
/// that wait for their turn, and the open ones. Plain bookkeeping: nothing is sent from here. Loop
/// thread.
class inbound_calls {
public:
  /// `cap` requests and notifications may be there at once.
  explicit inbound_calls(std::size_t cap) noexcept
      : cap_{cap} {}

  /// By their number, or by the bytes that they hold.
  bool is_full() const noexcept;

  /// Files a request of the read that is under way.
  void add(std::string const& host, std::uint64_t generation, wire::envelope const& frame,
           std::optional<shared_bytes> attachment);
  /// The requests of the read, for those who decide on them; null without any.
  inbound_batch_ptr take_read() noexcept { return std::exchange(read_, nullptr); }
  /// They were decided on and wait for their turn.
  void admitted(inbound_batch_ptr batch) { admitted_.push_back(std::move(batch)); }
  bool has_admitted() const noexcept { return !admitted_.empty(); }
  /// The one whose turn it is, which there must be.
  std::shared_ptr<inbound_call> next(std::weak_ptr<host_link> link);
  /// It is open until forget(). False where its id is open already: it is dropped.
  bool open(std::shared_ptr<inbound_call> const& call);
  void forget(inbound_call const& call) noexcept;

  /// The host takes a request back, which may not be open yet.
  void cancel(std::string_view id);
  /// Whether it was taken back before it was open.
  bool take_early_cancel(inbound_call const& call);

  /// The process is gone.
  void abandon_all();

private:
  /// What a handler still has although nobody waits for its answer.
  struct notices {
    std::size_t open = 0;
    std::size_t bytes = 0;
  };

  std::size_t cap_;
  inbound_batch_ptr read_;
  std::deque<inbound_batch_ptr> admitted_;
  std::size_t next_ = 0;    // in the first of them
  std::size_t pending_ = 0; // in the read, being decided on, or waiting for their turn
  // Keys point into the batches that the calls hold.
  boost::unordered_flat_map<std::string_view, std::shared_ptr<inbound_call>> open_;
  std::size_t bytes_ = 0;                             // of the pending and the open
  std::unordered_set<std::string> cancelled_pending_; // by id
  std::shared_ptr<notices> const notices_ = std::make_shared<notices>();
};

} // namespace bulkhead
