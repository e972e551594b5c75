#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/unique_fd.hpp>

#include <cstddef>
#include <span>

namespace bulkhead::platform {

/// The launcher's program, a part of the library: nothing to install, and nobody can swap it.
std::span<std::byte const> launcher_image() noexcept;

/// The launcher as a sealed file in memory, to be executed; it stays open for the life of the
/// process. Fails with spawn_failed. May be called by any thread.
result<int> launcher_program();

} // namespace bulkhead::platform
