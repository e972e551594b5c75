#include <bulkhead/messages/inbound_batch.hpp>

namespace bulkhead {

void inbound_batch::add(std::string_view raw_id, std::string_view id, std::string_view raw_type,
                        std::string_view type, std::string_view payload) {
  item added{};
  added.raw_id = copy(raw_id);
  added.id = id == raw_id ? added.raw_id : copy(id);
  added.raw_type = copy(raw_type);
  added.type = type == raw_type ? added.raw_type : copy(type);
  added.payload = copy(payload);
  items_.push_back(added);
}

inbound_batch::range inbound_batch::copy(std::string_view bytes) {
  range const where{bytes_.size(), bytes.size()};
  bytes_.append(bytes);
  return where;
}

} // namespace bulkhead
