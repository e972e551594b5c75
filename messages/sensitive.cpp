#include <bulkhead/messages/sensitive.hpp>

#include <string.h>

namespace bulkhead {

void wipe(std::span<char> bytes) noexcept {
  if (!bytes.empty())
    ::explicit_bzero(bytes.data(), bytes.size());
}

void wipe(std::span<unsigned char> bytes) noexcept {
  if (!bytes.empty())
    ::explicit_bzero(bytes.data(), bytes.size());
}

} // namespace bulkhead
