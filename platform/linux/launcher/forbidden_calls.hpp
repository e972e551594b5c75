#pragma once

#include <cstdint>
#include <sys/types.h>

namespace bulkhead::launcher {

/// kill(2)'s word for every process but this one. For process 1 of a namespace alone.
inline constexpr pid_t everybody = -1;

/// The number of a system call that a filter told of, and that waits for an answer; does not wait
/// where the listener was readable. Zero, or negative with errno: ENOENT where nobody waits any
/// more.
int receive_forbidden_call(int listener, std::int32_t& number) noexcept;

} // namespace bulkhead::launcher
