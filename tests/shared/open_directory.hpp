#pragma once

#include <bulkhead/harness/temporary_directory.hpp>

#include <filesystem>

namespace bulkhead::testing {

/// A folder that every user may enter and see, and only its owner change.
struct open_directory : temporary_directory {
  open_directory() { std::filesystem::permissions(path(), std::filesystem::perms{0755}); }
};

} // namespace bulkhead::testing
