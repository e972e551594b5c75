#pragma once

#include <bulkhead/messages/error.hpp>
#include <bulkhead/platform/locked_memory.hpp>

#include <cstddef>
#include <string_view>

namespace bulkhead::tool {

/// Reads a secret from standard input, into memory that is neither swapped nor dumped: all of it,
/// or one line that is not shown where it is a terminal. One final newline is taken off.
///
/// On a terminal, `prompt` goes to standard error first. A signal that comes meanwhile takes its
/// course once the terminal shows again what is typed.
///
/// Fails with invalid_payload where it is empty or not UTF-8, with secret_too_large where it is
/// longer than `max` bytes (or than a terminal takes in a line), and with file_unavailable where it
/// can't be read.
result<platform::secret_bytes> read_secret(std::size_t max, std::string_view prompt);

} // namespace bulkhead::tool
