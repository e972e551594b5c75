#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/unique_fd.hpp>

namespace bulkhead::platform {

/// Opens for reading what an O_PATH descriptor holds, provided that it is a regular file; nothing
/// else is ever opened, so that no FIFO blocks, no socket is connected and no device acts. Reads do
/// not block on what only looks like a file, such as /proc/kmsg. Fails with file_is_a_directory,
/// file_unsupported or file_unavailable. Thread-safe.
result<unique_fd> open_regular(int object);

} // namespace bulkhead::platform
