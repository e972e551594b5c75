#pragma once

#include <bulkhead/messages/errc.hpp>
#include <bulkhead/messages/frame_writer.hpp>
#include <bulkhead/messages/inbound_batch.hpp>
#include <bulkhead/messages/json.hpp>
#include <bulkhead/messages/payload.hpp>
#include <bulkhead/messages/shared_bytes.hpp>

#include <boost/asio/cancellation_signal.hpp>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string_view>

namespace bulkhead {

class host_link;

/// One request of a host, open until it is answered once. An answer to a process that is gone goes
/// nowhere. A notification is one that nobody waits for: its answers go nowhere too. Loop thread.
class inbound_call {
public:
  /// `counted` goes with the call: who made it counts those that are there.
  inbound_call(inbound_batch_ptr batch, std::size_t index, std::weak_ptr<host_link> link,
               std::shared_ptr<void> counted = {}) noexcept;

  std::string const& host() const noexcept { return batch_->host(); }
  std::string_view id() const noexcept { return batch_->id(index_); }
  std::string_view raw_id() const noexcept { return batch_->raw_id(index_); }
  std::string_view type() const noexcept { return batch_->type(index_); }
  std::string_view raw_type() const noexcept { return batch_->raw_type(index_); }
  std::string_view traceparent() const noexcept { return batch_->traceparent(index_); }
  std::string_view payload_text() const noexcept { return batch_->payload(index_); }
  json const& payload() const;
  /// The bytes beside the payload; null where the request has none.
  shared_bytes const* attachment() const noexcept { return batch_->attachment(index_); }
  /// Whether the answer may have an attachment; not once it was answered.
  bool takes_attachments() const noexcept;
  /// What inbound_batch says of the request: its checked paths, and the rules that it was checked
  /// by.
  std::string_view path(std::size_t which) const noexcept { return batch_->path(index_, which); }
  std::shared_ptr<host_access const> const& access() const noexcept { return batch_->access(); }
  std::uint64_t generation() const noexcept { return batch_->generation(); }
  verdict decision() const noexcept { return batch_->decision(index_); }
  /// For what comes to the host after the answer; empty once it was answered.
  std::weak_ptr<host_link> const& link() const noexcept { return link_; }

  void reply(json const& value);
  /// `text` is valid JSON.
  void reply_text(std::string_view text);
  /// Only where takes_attachments().
  void reply(json const& value, shared_bytes attachment);
  /// Both texts travel to the extension: they name nothing that it may not know.
  void fail(errc code, std::string_view text, std::initializer_list<wire::error_member> more = {});
  void fail(std::string_view code, std::string_view text,
            std::initializer_list<wire::error_member> more = {});
  /// Answers what was decided, where that is not to admit it.
  void refuse();
  void progress(json const& value);

  /// Nobody waits for the answer any more: the host cancelled it, or is gone.
  bool is_cancelled() const noexcept { return cancelled_; }
  /// Emitted when that happens.
  boost::asio::cancellation_slot cancellation_slot() noexcept { return cancellation_.slot(); }
  /// The host took it back; it still gets its answer.
  void cancel();
  /// The host is gone.
  void abandon();

private:
  inbound_batch_ptr batch_;
  std::size_t index_;
  std::weak_ptr<host_link> link_; // empty once answered or abandoned
  std::shared_ptr<void> counted_;
  bool cancelled_ = false;
  boost::asio::cancellation_signal cancellation_;
  mutable std::optional<json> value_;
};

} // namespace bulkhead
