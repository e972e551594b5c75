#include <bulkhead/platform/linux/launcher_image.hpp>

#include <bulkhead/platform/linux/sealed_memory.hpp>

#include <mutex>

namespace bulkhead::platform {

result<int> launcher_program() {
  static std::mutex guard;
  static unique_fd kept;
  std::scoped_lock const one_at_a_time{guard};
  if (!kept) {
    auto made = seal_in_memory("bulkhead-launcher", launcher_image(), sealed_use::program);
    if (!made)
      return made.error();
    kept = std::move(*made);
  }
  return kept.get();
}

} // namespace bulkhead::platform
