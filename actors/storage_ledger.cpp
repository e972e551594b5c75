#include <bulkhead/actors/storage_ledger.hpp>

#include <bulkhead/platform/files.hpp>

#include <algorithm>

namespace bulkhead {

bool storage_ledger::holds(std::string_view real_path) {
  std::lock_guard const lock{mutex_};
  if (real_folders_.empty())
    for (auto const& path : folders_) {
      auto const folder = platform::folder::open(path);
      real_folders_.push_back(folder ? folder->real_path() : path.string());
    }
  return std::ranges::any_of(real_folders_, [&](std::string const& folder) {
    return real_path.starts_with(folder) &&
           (real_path.size() == folder.size() || real_path[folder.size()] == '/');
  });
}

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
