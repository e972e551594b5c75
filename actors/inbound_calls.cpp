#include <bulkhead/actors/inbound_calls.hpp>

#include <utility>

namespace bulkhead {
namespace {

/// What a host's requests may hold before further ones are refused: more than a frame of the
/// greatest size, and several times what the Node host leaves unsent, so that only who is served
/// much more slowly than it asks comes near it.
constexpr std::size_t high_water = std::size_t{64} << 20;

/// What a request holds, but for its envelope.
std::size_t held_by(std::string_view payload, shared_bytes const* attachment) noexcept {
  return payload.size() + (attachment ? attachment->size() : 0);
}

std::size_t held_by(inbound_call const& call) noexcept {
  return held_by(call.payload_text(), call.attachment());
}

} // namespace

bool inbound_calls::is_full() const noexcept {
  return open_.size() + pending_ + notices_->open >= cap_ || bytes_ + notices_->bytes >= high_water;
}

void inbound_calls::add(std::string const& host, std::uint64_t generation,
                        wire::envelope const& frame, std::optional<shared_bytes> attachment) {
  if (pending_++ == 0)
    cancelled_pending_.clear();
  if (!read_)
    read_ = inbound_batch_ptr{new inbound_batch{host, generation}, false};
  bytes_ += held_by(frame.payload, attachment ? &*attachment : nullptr);
  read_->add(frame.raw_id, frame.id, frame.raw_type, frame.type, frame.payload, frame.traceparent,
             std::move(attachment));
}

std::shared_ptr<inbound_call> inbound_calls::next(std::weak_ptr<host_link> link) {
  auto const batch = admitted_.front();
  auto const i = next_++;
  --pending_;
  if (next_ == batch->size()) {
    admitted_.pop_front();
    next_ = 0;
  }
  if (!batch->id(i).empty())
    return std::make_shared<inbound_call>(batch, i, std::move(link));

  auto const bytes = held_by(batch->payload(i), batch->attachment(i));
  bytes_ -= bytes;
  notices_->bytes += bytes;
  ++notices_->open;
  std::shared_ptr<void> counted{nullptr, [all = notices_, bytes](void*) {
                                  all->bytes -= bytes;
                                  --all->open;
                                }};
  return std::make_shared<inbound_call>(batch, i, std::weak_ptr<host_link>{}, std::move(counted));
}

bool inbound_calls::open(std::shared_ptr<inbound_call> const& call) {
  if (call->id().empty() || open_.emplace(call->id(), call).second)
    return true;
  bytes_ -= held_by(*call);
  return false;
}

void inbound_calls::forget(inbound_call const& call) noexcept {
  if (open_.erase(call.id()) != 0)
    bytes_ -= held_by(call);
}

void inbound_calls::cancel(std::string_view id) {
  if (auto const found = open_.find(id); found != open_.end()) {
    auto const call = found->second; // the handler may answer at once
    call->cancel();
  } else if (!id.empty() && cancelled_pending_.size() < pending_) {
    cancelled_pending_.emplace(id);
  }
}

bool inbound_calls::take_early_cancel(inbound_call const& call) {
  return !cancelled_pending_.empty() && cancelled_pending_.erase(std::string{call.id()}) != 0;
}

void inbound_calls::abandon_all() {
  read_.reset();
  admitted_.clear();
  next_ = 0;
  pending_ = 0;
  bytes_ = 0;
  cancelled_pending_.clear();
  for (auto& [id, call] : std::exchange(open_, {}))
    call->abandon();
}

} // namespace bulkhead
