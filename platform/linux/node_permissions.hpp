#pragma once

#include <bulkhead/platform/verified_file.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace bulkhead::platform {

/// What Node.js itself is to keep its JavaScript from, behind all that the kernel does.
struct node_permissions {
  std::vector<std::filesystem::path> readable; ///< files, and folders with all below
  std::vector<std::filesystem::path> writable;
  bool processes = false; ///< it may start programs
};

/// The command-line flags for it, where this Node takes them, which is found out by giving them to
/// it (some milliseconds; remembered for the file). Empty where it does not: the model is there for
/// good since Node 22.13, and as an experiment that aborts on some lists of paths (20.20) it is not
/// used. Empty too where a path can't be said in a flag. Thread-safe; blocks.
std::vector<std::string> flags_of(verified_file const& node, node_permissions const& permissions);

} // namespace bulkhead::platform
