#include <bulkhead/platform/locked_memory.hpp>

#include <bulkhead/messages/sensitive.hpp>

#include <algorithm>
#include <limits>
#include <new>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace bulkhead::platform {
namespace {

/// The length of the pages that hold `size` bytes, which is not 0.
std::size_t in_pages(std::size_t size) {
  static auto const page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  if (size > std::numeric_limits<std::size_t>::max() - page)
    throw std::bad_alloc{};
  return (size + page - 1) / page * page;
}

} // namespace

secret_bytes::secret_bytes(std::size_t size)
    : size_{size} {
  if (size == 0)
    return;
  auto const length = in_pages(size);
  auto* const pages =
      ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED)
    throw std::bad_alloc{};
  // Can't fail for private anonymous pages (madvise(2)).
  ::madvise(pages, length, MADV_DONTDUMP);
  is_locked_ = ::mlock(pages, length) == 0;
  first_ = static_cast<unsigned char*>(pages);
}

secret_bytes::secret_bytes(std::string_view original)
    : secret_bytes{original.size()} {
  std::ranges::copy(original, first_);
}

secret_bytes::secret_bytes(secret_bytes&& other) noexcept
    : first_{std::exchange(other.first_, nullptr)}
    , size_{std::exchange(other.size_, 0)}
    , is_locked_{std::exchange(other.is_locked_, true)} {}

secret_bytes& secret_bytes::operator=(secret_bytes&& other) noexcept {
  if (this != &other) {
    release();
    first_ = std::exchange(other.first_, nullptr);
    size_ = std::exchange(other.size_, 0);
    is_locked_ = std::exchange(other.is_locked_, true);
  }
  return *this;
}

secret_bytes::~secret_bytes() {
  release();
}

void secret_bytes::release() noexcept {
  if (first_ == nullptr)
    return;
  wipe(bytes());
  ::munmap(first_, in_pages(size_)); // unlocks them as well
}

std::string_view secret_bytes::view() const noexcept {
  return {reinterpret_cast<char const*>(first_), size_};
}

} // namespace bulkhead::platform
