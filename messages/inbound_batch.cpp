#include <bulkhead/messages/inbound_batch.hpp>

#include <bulkhead/messages/sensitive.hpp>

#include <algorithm>
#include <utility>

namespace bulkhead {

inbound_batch::~inbound_batch() {
  if (sensitive_)
    wipe(bytes_);
}

void inbound_batch::add(std::string_view raw_id, std::string_view id, std::string_view raw_type,
                        std::string_view type, std::string_view payload,
                        std::string_view traceparent, std::optional<shared_bytes> attachment) {
  item added{};
  sensitive_ = sensitive_ || is_sensitive(type);
  added.raw_id = copy(raw_id);
  added.id = id == raw_id ? added.raw_id : copy(id);
  added.raw_type = copy(raw_type);
  added.type = type == raw_type ? added.raw_type : copy(type);
  added.payload = copy(payload);
  added.traceparent = copy(traceparent);
  if (attachment) {
    attachments_.push_back(std::move(*attachment));
    added.attachment = static_cast<std::uint32_t>(attachments_.size());
  }
  items_.push_back(added);
}

inbound_batch::range inbound_batch::copy(std::string_view bytes) {
  range const where{bytes_.size(), bytes.size()};
  if (sensitive_ && bytes_.capacity() - bytes_.size() < bytes.size()) {
    std::string grown;
    grown.reserve(std::max(2 * bytes_.capacity(), where.begin + where.size));
    grown = bytes_;
    wipe(bytes_);
    bytes_ = std::move(grown);
  }
  bytes_.append(bytes);
  return where;
}

} // namespace bulkhead
