#include <bulkhead/actors/storage_ledger.hpp>

#include <bulkhead/platform/files.hpp>

namespace bulkhead {

result<std::uint64_t> storage_ledger::room(std::uint64_t limit) {
  if (!used_) {
    std::uint64_t sum = 0;
    for (auto const& path : folders_) {
      auto const folder = platform::folder::open(path);
      if (!folder)
        return folder.error();
      auto const top = folder->locate("");
      if (!top)
        return top.error();
      auto const size = platform::tree_size(*top);
      if (!size)
        return size.error();
      sum += *size;
    }
    used_ = sum;
  }
  return *used_ < limit ? limit - *used_ : 0;
}

void storage_ledger::replace(std::uint64_t before, std::uint64_t after) noexcept {
  if (used_)
    *used_ = *used_ + after - std::min(before, *used_ + after);
}

} // namespace bulkhead
