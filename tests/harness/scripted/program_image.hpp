#pragma once

#include <filesystem>

namespace bulkhead::testing {

/// Writes the program of a scripted host, which is a part of this library, as an executable file.
/// Throws std::filesystem::filesystem_error.
void write_scripted_program(std::filesystem::path const& file);

} // namespace bulkhead::testing
