#pragma once

#include <bulkhead/messages/error.hpp>

namespace bulkhead::platform {

/// How a system call on a file that failed with this error number reaches the caller: the one
/// mapping there is. file_unavailable is all that has no code of its own. Thread-safe.
errc file_errc(int number) noexcept;

/// The same as an error. Its detail never names a path, so that it may reach an extension.
error file_error(int number);

} // namespace bulkhead::platform
