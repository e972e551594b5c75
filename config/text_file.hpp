#pragma once

#include <bulkhead/messages/error.hpp>

#include <cstddef>
#include <filesystem>
#include <string>

namespace bulkhead {

/// The bytes of a regular file of at most `limit` bytes. Fails with `failure` and a sentence that
/// begins with "can't be read" and says why: missing, a folder, not a regular file (reading a FIFO
/// would block), too long, refused.
result<std::string> read_text_file(std::filesystem::path const& file, std::size_t limit,
                                   errc failure);

} // namespace bulkhead
