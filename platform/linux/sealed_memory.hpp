#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <cstddef>
#include <span>

namespace bulkhead::platform {

enum class sealed_use : unsigned char {
  bytes,   ///< to be read
  program, ///< to be executed as well
};

/// A file in memory with these bytes, which nobody can change any more, not even this process; its
/// position is at the beginning. It has no path; `name` is for /proc. Fails with spawn_failed. May
/// be called by any thread.
result<unique_fd> seal_in_memory(char const* name, std::span<std::byte const> bytes,
                                 sealed_use use = sealed_use::bytes);

} // namespace bulkhead::platform
