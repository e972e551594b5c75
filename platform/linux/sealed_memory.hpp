#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <cstddef>
#include <cstdint>
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

/// A file in memory of `length` bytes, all of them 0, which whoever has it can write to and nobody
/// can make longer. Fails with spawn_failed. May be called by any thread.
result<unique_fd> open_in_memory(char const* name, std::uint64_t length);

/// Cuts such a file to `length` bytes, after which it is as one of seal_in_memory(). Fails with
/// spawn_failed, also where it is shorter, or mapped by somebody who can write to it.
result<void> seal_memory(unique_fd const& file, std::uint64_t length);

} // namespace bulkhead::platform
