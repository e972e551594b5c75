#include <bulkhead/messages/shared_bytes.hpp>

#include <algorithm>

namespace bulkhead {

shared_bytes shared_bytes::copy_of(std::string_view bytes) {
  std::shared_ptr<char[]> owner = std::make_unique_for_overwrite<char[]>(bytes.size());
  std::copy_n(bytes.data(), bytes.size(), owner.get());
  std::string_view const copy{owner.get(), bytes.size()};
  return {std::move(owner), copy};
}

} // namespace bulkhead
